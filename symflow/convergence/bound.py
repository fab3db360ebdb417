"""Exponential bounds on what falls along a flow, the common part of all of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import exact
from symflow.claims import Bound, Hypothesis, Path, Refusal, Theorem, all_hold
from symflow.errors import InvalidData
from symflow.flow.least_squares import LeastSquares, least_squares
from symflow.flow.problem import Problem
from symflow.flow.start import start_matrix
from symflow.losses import SquaredLoss

#: Rates are rounded down by this part, so that rounding never makes a bound false.
ROUNDED_DOWN = 1e-12
#: A computed rate up to this is the rounding of zero.
SMALLEST_RATE = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class RateBound(Bound, Theorem):
    """A quantity falls at least exponentially along a flow.

    Parameters
    ----------
    constant : float
        The rate as the theorem gives it, before it is rounded down.
    """

    constant: float

    #: What falls.
    quantity: ClassVar[str]

    @abstractmethod
    def bound(self, t: Any) -> Array:
        """Return the bound on the quantity in float64.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        ndarray
            Of the shape of `t`.
        """

    @classmethod
    def with_rate(
        cls, problem: Problem, found: list[Hypothesis], rate: float
    ) -> Self | Refusal:
        """Return the bound with this rate, or a refusal if a hypothesis fails."""
        if all_hold(found):
            return cls(problem, tuple(found), rate)
        return cls.refuse(found)

    @property
    def rate(self) -> float:
        """The exponential rate of the quantity, rounded down."""
        return self.constant * (1 - ROUNDED_DOWN)


@dataclass(frozen=True, eq=False, repr=False)
class LossBound(RateBound):
    """The excess loss falls at least exponentially: ℒ(t) − ℒ* ≤ e^{−ct}(ℒ(0) − ℒ*)."""

    quantity = "ℒ − ℒ*"

    @property
    def statement(self) -> sympy.Basic:
        """ℒ(t) − ℒ* ≤ e^{−ct}(ℒ(0) − ℒ*)."""
        t = sympy.Symbol("t", nonnegative=True)
        excess = sympy.Function("excess")
        decay = sympy.exp(-sympy.Float(self.rate, 6) * t)
        return sympy.Le(excess(t), decay * excess(0), evaluate=False)

    def bound(self, t: Any) -> Array:
        """Return the bound on the excess loss ℒ(t) − ℒ* in float64."""
        start = start_matrix(self.problem)
        falling = np.exp(-self.rate * np.asarray(t, float))
        return np.asarray(self.reduction.excess(start) * falling)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the excess loss and its bound from the first time of `path`."""
        excess = excess_along(self.problem, path)
        return excess, excess[0] * decay_along(path, self.rate)

    @cached_property
    def reduction(self) -> LeastSquares:
        """The least-squares problem in float64."""
        return least_squares(self.problem)


def excess_along(problem: Problem, path: Path) -> Array:
    """Return ℒ − ℒ* at every time, in the arithmetic of `path`."""
    return least_squares(problem, path.context).excess(path.end_to_end)


def decay_along(path: Path, rate: float) -> Array:
    """Return e^{−rate·(t − t₀)} at every time, in the arithmetic of `path`."""
    start = exact(path.t[0])
    exponents = [-exact(rate) * (exact(time) - start) for time in path.t]
    return np.asarray([path.number(sympy.exp(exponent)) for exponent in exponents])


def end_to_end(weights: tuple[Array, ...]) -> Array:
    """Return W_L⋯W_1 for weights with or without a leading time axis.

    Examples
    --------
    >>> end_to_end((np.eye(2), np.array([[3.0, 4.0]]))).tolist()
    [[3.0, 4.0]]
    """
    total = weights[0]
    for weight in weights[1:]:
        total = weight @ total
    return total


def falling(exponents: Array) -> Array:
    """Return e^{−x} in float64, never below what rounds up to a positive number.

    Examples
    --------
    >>> falling(np.array([0.0, 1e9])).tolist() == [1.0, np.exp(-700)]
    True
    """
    return np.asarray(np.exp(-np.minimum(exponents, 700.0)))


def positive_rate(rate: float) -> Hypothesis:
    """Say whether a bound says anything: a rate of zero does not."""
    return Hypothesis("a positive rate", rate > SMALLEST_RATE, f"rate {rate:.4g}")


def refuse_zero_inputs(problem: Problem, call: str) -> None:
    """Raise where Σ_xx = 0: such a flow stands still, and no rate means anything.

    Parameters
    ----------
    problem : Problem
        With any loss.
    call : str
        For the message of the error.

    Raises
    ------
    InvalidData
        If all inputs are zero.
    """
    squared = isinstance(problem.flow.loss, SquaredLoss)
    if squared and not np.any(to_float_array(problem.arguments[0])):
        msg = (
            f"{call}: all inputs are zero, so that the loss does not depend on the "
            "end-to-end matrix and there is no rate to bound. Give inputs that vary"
        )
        raise InvalidData(msg)
