"""Exponential bounds on what falls along a flow, the common part of all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.balls import to_arb, to_arb_array
from symflow.algebra.numbers import exact, to_float
from symflow.algebra.outward import at_least, at_most, float_down, float_up, said_down
from symflow.algebra.spectra import in_balls
from symflow.algebra.threads import cached_property
from symflow.claims import (
    Bound,
    Finding,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    all_hold,
    positive,
)
from symflow.claims.claim import once, product_sizes
from symflow.claims.conditions import dense_layers
from symflow.claims.finding import is_endless
from symflow.convergence.quadratic_loss import stacked
from symflow.convergence.reduced import reduced_start
from symflow.errors import HypothesisFailed, InvalidData
from symflow.flow.least_squares import (
    LeastSquares,
    exact_least_norm,
    least_squares,
)
from symflow.flow.problem import Problem
from symflow.flow.start import start_matrix
from symflow.inits.init import positive_number
from symflow.losses import SquaredLoss

#: Rates computed in float64 are rounded down by this part, and ceilings up.
ROUNDED_DOWN = 1e-12

#: The time in statements.
TIME = sympy.Symbol("t", nonnegative=True)

#: A time after which a bound counts as one that does not fall.
LATEST = 1e150


@dataclass(frozen=True, eq=False, repr=False)
class RateBound(Bound, Theorem):
    """A quantity falls at least exponentially along a flow."""

    constant: float  #: The rate as the theorem gives it, before it is rounded down.

    question = "rates"
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
        cls, problem: Problem, found: Sequence[Hypothesis], rate: float
    ) -> Self | Refusal:
        """Return the bound with this rate, or a refusal if a hypothesis fails."""
        if all_hold(found):
            return cls(problem, tuple(found), rate)
        return cls.refuse(found)

    @property
    def rate(self) -> float:
        """The exponential rate of the quantity, rounded down."""
        return self.constant * (1 - ROUNDED_DOWN)

    def time_to(self, level: float) -> float:
        """Return a time of the flow from which on the quantity is at most `level`.

        Parameters
        ----------
        level : float
            Above zero, in the units of `quantity`.

        Returns
        -------
        float
            The earliest time that the bound guarantees, to about twelve digits.

        Raises
        ------
        InvalidArgument
            If the level is not a positive number.
        HypothesisFailed
            If the bound does not fall so low.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> bounds = sf.rates(flow, sf.whitened([[2.0]]), [[[1.5]], [[1.0]]])
        >>> round(bounds[0].time_to(1e-6), 6)
        1.805549
        """
        level = to_float(positive_number(level, f"{self.name}.time_to(level)"))
        low, high = 0.0, 0.0
        while not float(self.bound(high)) <= level:
            low, high = high, 2 * high + 1.0
            if high > LATEST:
                msg = f"{self.name}.time_to({level}): the bound does not fall so low"
                raise HypothesisFailed(msg)
        while high - low > ROUNDED_DOWN * high:
            middle = (low + high) / 2
            met = float(self.bound(middle)) <= level
            low, high = (low, middle) if met else (middle, high)
        return high

    @property
    def falls(self) -> str:
        """How the quantity falls, where that is no exponential."""
        return ""


class MeasuredFall(RateBound):
    """What falls exponentially is measured, at the start and along a path."""

    #: What falls, as SymPy at the time `TIME`.
    falling_part: ClassVar[sympy.Expr]

    @abstractmethod
    def measured(self, path: Path | None) -> Array:
        """Return what falls at every time; without a path at the start, in float64."""

    @property
    def statement(self) -> sympy.Basic:
        """What falls is at most e^{−ct} times what it is at the start."""
        start = float_up(float(self.bound(0.0)))
        falls = sympy.exp(-float_down(self.rate) * TIME) * start
        return sympy.Le(self.falling_part, falls, evaluate=False)

    def bound(self, t: Any) -> Array:
        """Return the bound, rounded up, in float64."""
        falling = np.exp(-self.rate * np.asarray(t, float) * (1 - ROUNDED_DOWN))
        start = float(self.measured(None)[0]) * (1 + ROUNDED_DOWN)
        return np.asarray(start * falling * (1 + ROUNDED_DOWN))

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return what falls, and its bound from the first time of `path`."""
        found = self.measured(path)
        return found, found[0] * decay_along(path, self.rate)


@dataclass(frozen=True, eq=False, repr=False)
class LossBound(RateBound):
    """The excess loss falls at least exponentially: ℒ(t) − ℒ* ≤ e^{−ct}(ℒ(0) − ℒ*)."""

    where = (
        "W_opt is the minimizer of least norm, so that the left side is the loss "
        "less its least value"
    )

    quantity = "ℒ − ℒ*"

    @classmethod
    def with_ball(
        cls, problem: Problem, found: Sequence[Hypothesis], rate: Any
    ) -> Self | Refusal:
        """Return the bound with the lower end of a ball as its rate, if positive."""
        constant = max(at_least(rate), 0.0)
        found = [*found, positive_rate(problem, constant)]
        return cls.with_rate(problem, found, constant)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that a pointwise bound on −ℒ̇ gives an exponential one."""
        c, t = sympy.symbols("c t", positive=True)
        size, slope = sympy.Function("L")(t), sympy.Symbol("dL")
        grown = (sympy.exp(c * t) * size).diff(t).subs(size.diff(t), slope)
        words = "(e^{ct}ℒ)˙ = e^{ct}(ℒ̇ + cℒ), which −ℒ̇ ≥ cℒ makes ≤ 0"
        return (Identity(words, grown - sympy.exp(c * t) * (slope + c * size)),)

    @property
    def rate(self) -> float:
        """The exponential rate of the excess loss; the constant is rounded down."""
        return self.constant

    @property
    def statement(self) -> sympy.Basic:
        """½ tr((W − W*)Σ_xx(W − W*)ᵀ) ≤ e^{−ct}(ℒ(0) − ℒ*), W the matrix at time t.

        W_opt = W* = Σ_yxΣ_xx⁺ is the minimizer of least norm, the left side ℒ(t) − ℒ*.
        """
        t = sympy.Symbol("t", nonnegative=True)
        decay = sympy.exp(-float_down(self.rate) * t)
        start = float_up(float(self.bound(0.0)))
        return sympy.Le(excess_symbol(self.problem), decay * start, evaluate=False)

    def bound(self, t: Any) -> Array:
        """Return the bound on the excess loss ℒ(t) − ℒ*, rounded up, in float64."""
        start = start_excess(self.problem)
        falling = np.exp(-self.rate * np.asarray(t, float) * (1 - ROUNDED_DOWN))
        above = start * falling * (1 + ROUNDED_DOWN)
        return np.where(np.asarray(t) == 0, start, above + (start > 0) * SMALLEST)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the excess loss and its bound from the first time of `path`."""
        return self.fall(path)

    def fall(self, path: Path) -> tuple[Array, Array]:
        """Return what falls and the bound on it, also where a speed is compared.

        Parameters
        ----------
        path : Path
            A trajectory; the bound is from its first time on.
        """
        excess = excess_along(self.problem, path)
        return excess, excess[0] * decay_along(path, self.rate)

    def magnification(self, path: Path) -> Array:
        """Return by how much factors that cancel magnify rounding in W.

        An error of a weight relative to the largest is one of W relative to
        max|θ|^L, beside the root of `rounding_scale` if both are in units of Y.
        """
        sizes = product_sizes(path, getattr(path.flow.network, "depth", 1))
        largest = float(self.reduction.eigenvalues[0]) if self.reduction.rank else 0.0
        unit = (2 * rounding_scale(self.problem) / largest) ** 0.5 if largest else 0.0
        return np.array([max(1.0, size / unit if unit else 1.0) for size in sizes])

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the size of what the excess loss is the difference of."""
        size = path.number(rounding_scale(self.problem))
        return max(super().scale(path, larger), size)

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return e^{−ct} excess(0) − excess(t) in balls."""
        return excess_finding(self.rate, balls, index)

    @cached_property
    def reduction(self) -> LeastSquares:
        """The least-squares problem in float64."""
        return least_squares(self.problem)


def excess_finding(rate: Any, balls: Any, index: int) -> Finding | str:
    """Return e^{−ct}(ℒ(0) − ℒ*) − (ℒ(t) − ℒ*) in balls, or why it is not known.

    The rate c is taken exactly; the balls are of a flow of the squared loss.
    """
    best = exact_least_norm(balls.problem)
    if is_endless(balls) or best is None:
        return "needs finite times, and rational moments of a loss with a minimum"
    time = balls.t[index]
    if time == 0:
        return "only the start was enclosed"
    sigma, least = to_arb_array(balls.problem.arguments[0]), to_arb_array(best)

    def excess(product: Array) -> Any:
        off = product - least
        return ((off @ sigma) * off).sum() / 2

    start = excess(balls.start_product())
    decay = (-to_arb(rate) * to_arb(time)).exp()
    margin = decay * start - excess(balls.product_balls(index))
    return Finding(np.array([margin], dtype=object), inequality=True)


#: What is added to a bound where it falls below the floats.
SMALLEST = 5e-324


def excess_symbol(problem: Problem) -> sympy.Expr:
    """Return ½ tr((W − W*)Σ_xx(W − W*)ᵀ)."""
    sigma_xx, sigma_yx = problem.flow.data
    W, best = (sympy.MatrixSymbol(name, *sigma_yx.shape) for name in ("W", "W_opt"))
    return sympy.Trace((W - best) * sigma_xx * (W - best).T) / 2


@in_balls
def start_excess(problem: Problem) -> float:
    """Return ℒ(0) − ℒ*, rounded up; of networks that are not dense in float64."""
    if dense_layers(problem.flow).holds:
        return at_most(reduced_start(problem).excess)
    value = float(least_squares(problem).excess(start_matrix(problem)))
    return value * (1 + ROUNDED_DOWN) + ROUNDED_DOWN**2 * rounding_scale(problem)


def rounding_scale(problem: Problem) -> float:
    """Return ½(‖Ŷ‖² + λ_1Π‖W_l(0)‖²): relative to it the excess loss is rounded."""
    fine = least_squares(stacked(problem))
    sizes = [float(np.sum(weight**2)) for weight in problem.floats.weights]
    largest = float(fine.eigenvalues[0]) if fine.rank else 0.0
    return (float(np.sum(fine.target**2)) + largest * float(np.prod(sizes))) / 2


def excess_along(problem: Problem, path: Path) -> Array:
    """Return ℒ − ℒ* at every time, in the arithmetic of `path`."""
    fine = least_squares(problem, path.context)
    return once(path, (fine, "excess"), lambda: fine.excess(path.end_to_end))


def decay_along(path: Path, rate: float) -> Array:
    """Return e^{−rate·(t − t₀)} at every time, in the arithmetic of `path`."""
    start = exact(path.t[0])
    exponents = [-exact(rate) * (exact(time) - start) for time in path.t]
    return np.asarray([path.number(sympy.exp(exponent)) for exponent in exponents])


def falling(exponents: Array) -> Array:
    """Return e^{−x} in float64, never below what rounds up to a positive number."""
    return np.asarray(np.exp(-np.minimum(exponents, 700.0)))


def positive_rate(problem: Problem, rate: float) -> Hypothesis:
    """Say whether a bound says anything: a rate of zero does not."""
    fine, depth = least_squares(problem), len(problem.weights)
    size = sum(float(np.sum(weight**2)) for weight in problem.floats.weights)
    scale = float(fine.eigenvalues[-1]) * size ** (depth - 1)
    value = Fraction(rate) if problem.given_exactly else rate
    return positive("a positive rate", value, scale, f"rate {said_down(rate)}")


def refuse_zero_inputs(problem: Problem, call: str) -> None:
    """Raise where Σ_xx = 0: such a flow stands still, and no rate means anything.

    An error names `call`.  Raises InvalidData if all inputs are zero.
    """
    squared = isinstance(problem.flow.loss, SquaredLoss)
    if squared and not np.any(to_float_array(problem.arguments[0])):
        msg = (
            f"{call}: all inputs are zero, so that the loss does not depend on the "
            "end-to-end matrix and there is no rate to bound. Give inputs that vary"
        )
        raise InvalidData(msg)
