"""What a closed form has to answer."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.display import Listed
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
from symflow.claims import (
    Finding,
    Hypothesis,
    Path,
    Refusal,
    Status,
    Theorem,
    all_hold,
    relative_size,
)
from symflow.claims.finding import gap_to, is_endless, limit_finding
from symflow.errors import HypothesisFailed, NoClosedForm
from symflow.flow.problem import Problem
from symflow.flow.times import check_time, float_times
from symflow.solutions.any_precision import STEP, spare_of
from symflow.solutions.derivation import Step
from symflow.solutions.modes.eigenvectors import spare_digits
from symflow.solutions.numpy_form import Routine
from symflow.solutions.sensitivity import (
    LARGE,
    amplification,
    bent,
    horizon,
    last_time,
    magnified,
    relative_gaps,
)
from symflow.solutions.time.learning_rate import Scheduled, scheduled
from symflow.solutions.time.passage_times import Times, parts_of, passages

#: Up to this many weights the Hessian is formed.
FEW_WEIGHTS = 40

#: Digits of a closed form beyond those of the balls that it is held against.
BEYOND_BALLS = 10


class Solution(Theorem):
    """A closed form of a trajectory: formula, hypotheses, proof and values.

    Parameters
    ----------
    problem : Problem
        The flow with its data and start, in float64.
    checked : tuple of Hypothesis
        The conditions, as measured on them.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> solution = sf.solve(flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]])
    >>> solution.name, solution.verify(), round(solution.end_to_end(1).item(), 6)
    ('LogisticMode', 0, 1.77272)
    >>> solution.limit.item(), str(solution.precise(1, digits=30).item())[:17]
    (2.0, '1.772720447083768')
    """

    question: ClassVar = "solutions"
    #: How many conditions are structural: where one fails, the others make no sense.
    structural: ClassVar[int] = 2
    #: Whether the layers are balanced, and whether W_1, …, W_L are dense and cheap.
    is_balanced: ClassVar[bool] = False
    has_dense_layers: ClassVar[bool] = False
    #: Whether `layers_at` leaves a rotation of the hidden units open.
    forgets_rotation: ClassVar[bool] = False
    #: What the formula is a formula of, as SymPy.
    unknown: ClassVar[sympy.Basic]

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        checked: list[Hypothesis] = []
        for number, condition in enumerate(cls.conditions):
            if number == cls.structural and not all_hold(checked):
                break
            checked.append(condition(problem))
        if all_hold(checked):
            return cls.conclude(problem, checked)
        return cls.refuse(checked)

    @property
    def status(self) -> Status:
        """Proved by `verify`, or verified where hypotheses hold up to rounding."""
        return Status.VERIFIED if self.defect else Status.PROVED

    @property
    def depth(self) -> int:
        """The number L of factors of W."""
        return len(self.problem.weights)

    @property
    def coupling(self) -> float:
        """How fast the factors move each other, per force and size of the others."""
        return self.depth - 1

    @property
    def defect(self) -> float:
        """By how much the hypotheses fail to hold exactly, relative."""
        return max(hypothesis.defect for hypothesis in self.checked)

    @property
    @abstractmethod
    def formula(self) -> sympy.Basic:
        """The closed form as SymPy, in its numerically stable form."""

    @property
    def statement(self) -> sympy.Basic:
        """The formula and what it is of."""
        return sympy.Eq(self.unknown, self.formula, evaluate=False)

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
        return Listed((*given, *self._derived()))

    @abstractmethod
    def _derived(self) -> tuple[Step, ...]:
        """Return the steps after the equations of the flow."""

    def bends(self, times: Array, layers: tuple[Array, ...] | None) -> Array | None:
        """Return −∇²ℒ at `times` and `layers`, shape (times, …, n, n), or None."""
        problem = self.problem.floats
        if layers is None or problem.size > FEW_WEIGHTS:
            return None
        path = zip(*layers, strict=True)
        return np.stack([bent(layers, *problem.arguments) for layers in path])

    @property
    def _is_off(self) -> bool:
        """Whether numbers that were given satisfy the hypotheses to rounding only.

        A start that a rule draws is a point that satisfies them.
        """
        return bool(self.defect) and self.problem.rational is not None

    @cached_property
    def horizon(self) -> float:
        """The time until which W(t) is known, infinite for hypotheses that hold.

        Beyond it, what floats miss may have changed W(t) by a part of `LARGE`.
        """
        return horizon(self) if self._is_off else np.inf

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
        """Return all W_l(t), by parameter, in float64, of shapes (…, rows, columns).

        Parameters
        ----------
        t : float or array_like
            Times up to `horizon`.
        """
        self._check(float_times(t), "weights(t)")
        return self.problem.as_asked(self._weights(t))

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
        known = float(self.error(to_float(t))) if self._is_off else 0.0
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
        if self._is_off:
            late = self._end_to_end(last_time(self))
            if relative_size(late - found, late) > LARGE:
                msg = (
                    f"{self.name}.limit: the hypotheses hold to {self.defect:.1g}, "
                    f"and W(t) is still on its way at t = {last_time(self):.3g}. Give "
                    "numbers that satisfy them exactly, as fractions"
                )
                raise HypothesisFailed(msg)
        return found

    # The closed form as it stands: at float64 times, to any digits, and at the end.

    @abstractmethod
    def _end_to_end(self, t: Any) -> Array: ...

    @abstractmethod
    def _weights(self, t: Any) -> tuple[Array, ...]: ...

    def _precise(self, t: Any, digits: int) -> Array:
        rates = (*self.problem.arguments, np.array([self.problem.flow.decays]))
        asked = digits + spare_digits(t, rates) + self._lost
        return self._at(t, -(-asked // STEP) * STEP)

    @abstractmethod
    def _at(self, t: Any, digits: int) -> Array:
        """Return W(t), computed with this many digits."""

    def layers_at(self, t: Any, digits: int) -> tuple[Array, ...] | None:
        """Return weights with the W(t) of the flow and its future, in these digits.

        Known up to a rotation of the hidden units; None where in float64 only.
        """
        return None

    @property
    def _lost(self) -> int:
        """Digits lost between the numbers given and W(t), late times aside."""
        return spare_of(self.problem)

    @property
    @abstractmethod
    def _limit(self) -> Array: ...

    def routine(self) -> Routine:
        """Return the closed form as NumPy code, for `compile`.

        Raises
        ------
        NoClosedForm
            If the formula has no such form.
        """
        msg = f"compile(solution): {self.name} has no form in NumPy alone"
        raise NoClosedForm(msg)

    def family(self) -> Routine:
        """Return the code in which the tuple ``init`` and ``sigma_yx`` may vary."""
        msg = f"compile(solution, arguments=…): {self.name} has no form in these"
        raise NoClosedForm(msg)

    def progress(self, t: Any) -> Array:
        """Return the strength of every mode as a part of its limit, shape (…, modes).

        Here the singular values of W(t), by order, for those that do not end at zero.

        Parameters
        ----------
        t : array_like
            Times.
        """
        return parts_of(*map(np.linalg.svdvals, (self.end_to_end(t), self.limit)))

    @cached_property
    def times(self) -> Times:
        """When each mode of W(t) reaches 1 %, half and 99 % of its limit."""
        return Times(*passages(self, (0.01, 0.5, 0.99)))

    def scheduled(self, rate: Any) -> Scheduled:
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
        return scheduled(self, rate)

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return the closed form minus the enclosed end-to-end matrix in balls."""
        if is_endless(balls):
            return limit_finding(self, balls)
        digits = balls.digits + BEYOND_BALLS
        value = self._precise(balls.t[index], digits)
        gap = gap_to(value, arb(10) ** -digits, balls, index)
        return Finding(gap, trusted="the evaluation of the closed form (mpmath)")

    def residuals(self, path: Path) -> Array:
        """Return |W_path(t) − W(t)|, relative: see `relative_gaps`."""
        if path.context is None:
            predicted = self._end_to_end(to_float_array(path.t))
        else:
            values = [self._precise(time, path.digits) for time in path.t]
            predicted = path.lift(np.stack(values))
        return relative_gaps(path, predicted, self.depth)

    def magnification(self, path: Path) -> Array:
        """Return the size of products of weights beside W(t)."""
        return magnified(path, self.depth)

    def slack(self, path: Path) -> Array:
        """Return what the defect of the hypotheses can have grown to by each time."""
        return self.error(to_float_array(path.t))
