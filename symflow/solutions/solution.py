"""What a closed form has to answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
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
from symflow.errors import HypothesisFailed, NoClosedForm
from symflow.flow.problem import Problem
from symflow.flow.times import check_time, float_times
from symflow.solutions.case import Case
from symflow.solutions.in_balls import held_in_balls
from symflow.solutions.routine import Routine
from symflow.solutions.sensitivity import (
    LARGE,
    amplification,
    bent,
    horizon,
    last_time,
    magnified,
)
from symflow.solutions.step import Derivation, Step, Times

#: Relative size below which a singular value of the limit counts as zero.
NOTHING = 1e-12

#: Up to this many weights the Hessian is formed.
FEW_WEIGHTS = 40
Condition = Callable[[Case], Hypothesis]


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
    #: How many conditions are structural: where one fails, the others make no sense.
    structural: ClassVar[int] = 2
    #: Whether the layers are balanced, and whether W_1, …, W_L are dense and cheap.
    is_balanced: ClassVar[bool] = False
    has_dense_layers: ClassVar[bool] = False

    def rough(self, times: Array) -> tuple[Array, tuple[Array, ...] | None]:
        """Return W, and layers where they are cheap, for bounds along the path.

        Parameters
        ----------
        times : array, shape (n,)
            Float64 times, rising from zero.
        """
        layers = self._weights(times) if self.has_dense_layers else None
        return self._end_to_end(times), layers

    def bends(self, times: Array, layers: tuple[Array, ...] | None) -> Array | None:
        """Return −∇²ℒ along the path, shape (times, …, n, n), where that is cheap.

        Parameters
        ----------
        times : array, shape (n,)
            Float64 times.
        layers : tuple of arrays, optional
            The weights at the times.
        """
        problem = self.problem.floats
        if layers is None or problem.size > FEW_WEIGHTS:
            return None
        path = zip(*layers, strict=True)
        return np.stack([bent(layers, *problem.arguments) for layers in path])

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
        """Proved by `verify`, or verified where hypotheses hold up to rounding."""
        return Status.VERIFIED if self.defect else Status.PROVED

    @property
    def problem(self) -> Problem:
        """The initial value problem in float64."""
        return self.case.problem

    @property
    def degree(self) -> int:
        """The number of factors of W."""
        return len(self.problem.weights)

    @property
    def coupling(self) -> float:
        """How fast the factors move each other, per force and size of the others."""
        return self.degree - 1

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

    def derivation(self) -> tuple[Step, ...]:
        """Return the steps from Ẇ_1, Ẇ_2, … to the formula, each checked by SymPy."""
        given = [
            Step("and" if number else "the flow is", equation, definition=True)
            for number, equation in enumerate(self.problem.flow.equations)
        ]
        return Derivation((*given, *self._derived()))

    @abstractmethod
    def _derived(self) -> tuple[Step, ...]:
        """Return the steps after the equations of the flow."""

    @cached_property
    def horizon(self) -> float:
        """The time until which W(t) is known, infinite for hypotheses that hold.

        Beyond it, what floats miss may have changed W(t) by a part of `LARGE`.  A start
        that a rule draws is a point that satisfies the hypotheses.
        """
        if self.defect == 0 or self.case.rational is None:
            return np.inf
        return horizon(self)

    def error(self, t: Any) -> Array:
        """Return what the defect of the hypotheses can have grown to, relative.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        array
            Shape of t: a bound on max|W(t) − true W(t)| over max|W(t)|, beside
            rounding; zero where the hypotheses hold exactly.
        """
        times = float_times(t)
        if self.defect == 0:
            return np.zeros(times.shape)
        return self.defect * amplification(self, times.ravel()).reshape(times.shape)

    def _check(self, times: Array, call: str) -> None:
        """Refuse times beyond the horizon."""
        late = float(np.max(times, initial=0.0))
        if late > self.horizon:
            msg = (
                f"{self.name}.{call}: the hypotheses hold to {self.defect:.1g} only, "
                f"and what is missing may have grown to the size of W(t) by "
                f"t = {self.horizon:.3g}; got t = {late:.3g}. Give numbers that "
                "satisfy them exactly, as fractions, or use symflow.precise(…)"
            )
            raise HypothesisFailed(msg)

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

        Raises
        ------
        HypothesisFailed
            If a time is beyond `horizon`.
        """
        self._check(float_times(t), "end_to_end(t)")
        return self._end_to_end(t)

    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return W_1(t), …, W_L(t) in float64, of shapes (…, rows, columns).

        Parameters
        ----------
        t : float or array_like
            Times up to `horizon`.
        """
        self._check(float_times(t), "weights(t)")
        return self._weights(t)

    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) at one time as mpf numbers.

        Parameters
        ----------
        t : number
            The time; a float is taken as the rational that it is.
        digits : int, keyword-only
            Correct digits, relative to the largest entry; the context has some more.

        Returns
        -------
        array, shape (outputs, inputs)

        Raises
        ------
        HypothesisFailed
            If the floats that are given satisfy the hypotheses to fewer digits.
        """
        check_time(t, f"{self.name}.precise(t)", digits)
        if self.defect and self.case.rational is not None:
            known = float(self.error(to_float(t)))
            if not known <= 10.0**-digits:
                msg = (
                    f"{self.name}.precise(t, digits={digits}): the hypotheses hold to "
                    f"{self.defect:.1g} only, so that W(t) is known to {known:.1g} "
                    "relative. Ask for fewer digits, give numbers that satisfy them "
                    "exactly, as fractions, or use symflow.precise(…)"
                )
                raise HypothesisFailed(msg)
        return self._precise(t, digits)

    @property
    def limit(self) -> Array:
        """The end-to-end matrix as t → ∞, in float64.

        Raises
        ------
        HypothesisFailed
            If what floats miss of the hypotheses decides where the flow goes.
        """
        self._check(np.array(np.inf), "limit")
        found = self._limit
        if self.defect and self.case.rational is not None:
            late = self._end_to_end(last_time(self))
            if relative_size(late - found, late) > LARGE:
                msg = (
                    f"{self.name}.limit: the hypotheses hold to {self.defect:.1g}, "
                    f"and W(t) is still on its way at t = {last_time(self):.3g}. Give "
                    "numbers that satisfy them exactly, as fractions"
                )
                raise HypothesisFailed(msg)
        return found

    @abstractmethod
    def _end_to_end(self, t: Any) -> Array:
        """Return W(t) at any float64 times."""

    @abstractmethod
    def _weights(self, t: Any) -> tuple[Array, ...]:
        """Return the weights at any float64 times."""

    @abstractmethod
    def _precise(self, t: Any, digits: int) -> Array:
        """Return W(t) at one time, of the closed form as it stands."""

    @property
    @abstractmethod
    def _limit(self) -> Array:
        """Return the limit of the closed form as it stands."""

    def routine(self) -> Routine:
        """Return the closed form as NumPy code, for `compile`.

        Raises
        ------
        NoClosedForm
            If the formula has no such form.
        """
        msg = f"compile(solution): {self.name} has no form in NumPy alone"
        raise NoClosedForm(msg)

    def progress(self, t: Any) -> Array:
        """Return the strength of every mode as a part of its limit, shape (…, modes).

        Here the singular values of W(t), by order, for those that do not end at zero.

        Parameters
        ----------
        t : array_like
            Times.
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
        return held_in_balls(self, balls, index)

    def residuals(self, path: Path) -> Array:
        """Return |W_path(t) − W(t)| relative to the largest entry of W(t)."""
        if path.context is None:
            predicted = self._end_to_end(to_float_array(path.t))
        else:
            values = [self._precise(time, path.digits) for time in path.t]
            predicted = path.lift(np.stack(values))
        pairs = zip(path.end_to_end, predicted, strict=True)
        return np.asarray([relative_size(seen - said, said) for seen, said in pairs])

    def magnification(self, path: Path) -> Array:
        """Return the size of products of weights beside W(t)."""
        return magnified(path, self.degree)

    def slack(self, path: Path) -> Array:
        """Return what the defect of the hypotheses can have grown to by each time."""
        return self.error(to_float_array(path.t))
