"""What a closed form has to answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.text import inline
from symflow.algebra.typeset import latex
from symflow.claims import (
    Claim,
    Finding,
    Hypothesis,
    Path,
    Reference,
    Refusal,
    Status,
    relative_size,
)
from symflow.claims.finding import gap_to, is_endless, limit_finding
from symflow.errors import NoClosedForm
from symflow.flow.problem import Problem
from symflow.solutions.case import Case
from symflow.solutions.routine import Routine
from symflow.solutions.sensitivity import amplification

#: Relative size below which a singular value of the limit counts as zero.
NOTHING = 1e-12

#: Digits of a closed form beyond those of the enclosure that it is compared with.
SPARE_DIGITS = 10

TRUSTED_FORMULA = "the evaluation of the closed form (mpmath)"

Condition = Callable[[Case], Hypothesis]


@dataclass(frozen=True, repr=False)
class Step:
    """One step of a derivation: an equation, and what has to vanish for it to hold.

    Parameters
    ----------
    words : str
        What is done.
    equation : sympy.Basic
        What one has then.
    residual : sympy.Expr
        Zero, if the step is right; SymPy has been asked.
    """

    words: str
    equation: sympy.Basic
    residual: sympy.Expr = sympy.S.Zero

    @property
    def proved(self) -> bool:
        """Whether SymPy finds the residual to vanish."""
        return bool(self.residual == 0)

    @property
    def latex(self) -> str:
        """The equation in LaTeX."""
        return latex(self.equation)

    def __str__(self) -> str:
        return f"{self.words}: {inline(self.equation)}"

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return rf"{self.words}: $\displaystyle {self.latex}$"


@dataclass(frozen=True)
class Times:
    """When the modes of a solution are learned; infinite for those that never are.

    Parameters
    ----------
    escape, half, learned : arrays, shape (modes,)
        When a mode reaches 1 %, half and 99 % of its final strength.
    """

    escape: Array
    half: Array
    learned: Array


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Claim):
    """A closed form of a trajectory: formula, hypotheses, proof and values.

    Parameters
    ----------
    case : Case
        The flow with its data and start.
    checked : tuple of Hypothesis
        The conditions, as measured on them.
    """

    case: Case
    checked: tuple[Hypothesis, ...]

    #: Where the solution comes from.
    source: ClassVar[Reference]
    #: The hypotheses, cheap and structural ones first.
    conditions: ClassVar[tuple[Condition, ...]]
    #: How many conditions are structural: the others make no sense where one fails.
    structural: ClassVar[int] = 2

    @classmethod
    def attempt(cls, case: Case) -> Self | Refusal:
        """Return the solution, or the hypotheses that fail."""
        checked: list[Hypothesis] = []
        for number, condition in enumerate(cls.conditions):
            if number == cls.structural and not all(h.holds for h in checked):
                break
            checked.append(condition(case))
        if all(hypothesis.holds for hypothesis in checked):
            return cls(case, tuple(checked))
        return Refusal(cls.__name__, cls.source, tuple(checked))

    @property
    def name(self) -> str:
        """A short name for tables."""
        return type(self).__name__

    @property
    def reference(self) -> Reference:
        """Where the solution comes from."""
        return self.source

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The conditions, as measured on the data and the start."""
        return self.checked

    @property
    def status(self) -> Status:
        """Proved: the residual of the differential equation is exactly zero."""
        return Status.PROVED

    @property
    def problem(self) -> Problem:
        """The initial value problem in float64."""
        return self.case.problem

    @property
    def defect(self) -> float:
        """By how much the hypotheses fail to hold exactly, relative."""
        return max(hypothesis.defect for hypothesis in self.checked)

    @property
    @abstractmethod
    def formula(self) -> sympy.Basic:
        """The closed form as SymPy, in its numerically stable form."""

    @classmethod
    @abstractmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return what vanishes if and only if the formulas solve the flow."""

    @property
    def formulas(self) -> tuple[sympy.Basic, ...]:
        """All closed forms that `verify` proves together; `formula` comes first."""
        return (self.formula,)

    def verify(self) -> sympy.Expr:
        """Return the residual of equation and start, exactly zero."""
        return self.residual(*self.formulas)

    @abstractmethod
    def derivation(self) -> tuple[Step, ...]:
        """Return the steps from the flow to the formula, each checked by SymPy."""

    @abstractmethod
    def end_to_end(self, t: Any) -> Array:
        """Return W(t) in float64.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        array
            Shape (…, outputs, inputs) for t of shape (…).
        """

    @abstractmethod
    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return W_1(t), …, W_L(t) in float64.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        tuple of arrays
            Shapes (…, rows, columns) for t of shape (…).
        """

    @abstractmethod
    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) at one time as mpf numbers.

        Parameters
        ----------
        t : number
            The time; a float is taken as the rational that it is.
        digits : int, keyword-only
            Correct decimal digits, relative to the largest entry.

        Returns
        -------
        array
            Shape (outputs, inputs), entries of an mpmath context with spare digits.
        """

    def routine(self) -> Routine:
        """Return the closed form as NumPy code, for `compile`.

        Raises
        ------
        NoClosedForm
            If the formula has no such form.
        """
        msg = f"compile(solution): {self.name} has no form in NumPy alone"
        raise NoClosedForm(msg)

    @property
    @abstractmethod
    def limit(self) -> Array:
        """The end-to-end matrix as t → ∞, in float64."""

    def progress(self, t: Any) -> Array:
        """Return the strength of every mode, as a part of its limit.

        Parameters
        ----------
        t : array_like
            Times.

        Returns
        -------
        array
            Shape (…, modes); here the singular values of W(t), by order, for those
            that do not end at zero.
        """
        final = np.linalg.svd(self.limit, compute_uv=False)
        final = final[final > NOTHING * max(final.max(initial=0.0), 1e-300)]
        found = np.linalg.svd(self.end_to_end(t), compute_uv=False)
        return np.asarray(found[..., : len(final)] / final)

    @cached_property
    def times(self) -> Times:
        """When each mode of W(t) reaches 1 %, half and 99 % of its limit."""
        from symflow.solutions.passage import passages

        return Times(*passages(self, (0.01, 0.5, 0.99)))

    def scheduled(self, rate: Any) -> Any:
        """Return the closed form under a learning-rate schedule η(t).

        Parameters
        ----------
        rate : sympy.Expr, number, or sequence of pairs
            η in the symbol t, or the steps (t_k, η_k) of a schedule.

        Returns
        -------
        Scheduled
            θ(t) = θ_flow(∫₀ᵗ η); see `symflow.solutions.scheduled`.
        """
        from symflow.solutions.schedule import scheduled

        return scheduled(self, rate)

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return the closed form minus the enclosed end-to-end matrix in balls."""
        if is_endless(balls):
            return limit_finding(self, balls)
        digits = balls.digits + SPARE_DIGITS
        value = self.precise(balls.t[index], digits=digits)
        gap = gap_to(value, arb(10) ** -digits, balls, index)
        return Finding(gap, trusted=TRUSTED_FORMULA)

    def residuals(self, path: Path) -> Array:
        """Return |W_path(t) − W(t)| relative to the largest entry of W(t)."""
        if path.context is None:
            predicted = self.end_to_end(to_float_array(path.t))
        else:
            values = [self.precise(time, digits=path.digits) for time in path.t]
            predicted = path.lift(np.stack(values))
        pairs = zip(path.end_to_end, predicted, strict=True)
        return np.asarray([relative_size(seen - said, said) for seen, said in pairs])

    def slack(self, path: Path) -> Array:
        """Return what the defect of the hypotheses can have grown to by each time.

        Parameters
        ----------
        path : Path
            A trajectory; the answer has one number per time.
        """
        if self.defect == 0:
            return np.zeros(len(path.t))
        return self.defect * amplification(self, to_float_array(path.t))
