"""Gradient descent on two layers: one step, all steps, and the drift of the imbalance.

Xu, Min, Tarmoun, Mallada, Vidal (2023); notation of `flow/least_squares.py`, with their
K and μ the largest and smallest eigenvalue of Σ_xx on its range.  Let F = EΛ^{1/2} be
the force and λ_min, λ_max the extreme eigenvalues of 𝒯(F) = W_2W_2ᵀF + F(W_1Φ)ᵀW_1Φ.  A
step η moves W by η𝒯(F) + η²FWᵀF, and ℓ is K-smooth in W, so that with g = σ_1(W)‖F‖_F

    ℒ⁺ ≤ ℒ − η q ‖F‖²,     q = λ_min − ηg − ½Kη(λ_max + ηg)²,

hence ℒ⁺ ≤ (1 − 2ημq)ℒ where q ≥ 0 (ℒ: the excess over the minimum).

All steps: the loss falls, so that σ_1(W) ≤ p = (‖Ŷ‖_F + ‖E(0)‖_F)/√μ, and D moves only
by terms η²(∇_1∇_1ᵀ − ∇_2ᵀ∇_2).  With the bracket 2α of `flow/imbalance.py` and β =
½Σ_±(λ_± + √(λ_±² + 4p²)), λ_± = [λ_1(±D)]₊, at the start, as long as the drift of D is
at most d the eigenvalues stay within α − 4d and β + 2d; and the drift is at most
2ηc_2βKℒ(0)/s where each step contracts by 1 − ηs.  Both meet if η ≤ `largest_step`:
then λ_min ≥ c_1α and λ_max ≤ c_2β for ever, c_1 = ½ and c_2 = 3/2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import (
    Bound,
    Hypothesis,
    Path,
    Refusal,
    Theorem,
    all_hold,
)
from symflow.claims.bibliography import XU_2023
from symflow.claims.conditions import dense_layers, squared_loss, wide_enough
from symflow.convergence.bound import ROUNDED_DOWN, end_to_end
from symflow.convergence.two_layers import MarginRate, levels_of
from symflow.flow import GradientDescent
from symflow.flow.imbalance import positive_part
from symflow.flow.least_squares import LeastSquares, least_squares
from symflow.flow.problem import Problem, bind

#: How much of λ_min and λ_max may be lost on the way.
LOWER, UPPER = 0.5, 1.5


class DescentBound(Bound, Theorem):
    """A bound on gradient descent with a given step."""

    source = XU_2023

    @classmethod
    def attempt(cls, problem: Problem, step: float = 0.0) -> Self | Refusal:
        """Return the bound for steps of this size, or the hypotheses that fail.

        Parameters
        ----------
        problem : Problem
            With two dense layers and the squared loss.
        step : float
            η.
        """
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        found.append(Hypothesis("a positive step", step > 0, f"η = {step:.3g}"))
        if all_hold(found):
            found += cls.needs(problem, step)
        if all_hold(found):
            return cls(problem, tuple(found), step)  # type: ignore[call-arg]
        return cls.refuse(found)

    @classmethod
    def needs(cls, problem: Problem, step: float) -> list[Hypothesis]:
        """Return the further hypotheses."""
        return []


@dataclass(frozen=True, eq=False, repr=False)
class OneStep(DescentBound):
    """Each step with q ≥ 0 multiplies the excess loss by at most 1 − 2ημq.

    Parameters
    ----------
    step : float
        η.
    """

    step: float

    @property
    def statement(self) -> sympy.Basic:
        """ℒ_{k+1} ≤ (1 − 2ημq_k)ℒ_k."""
        k, eta, mu = sympy.symbols("k eta mu", nonnegative=True)
        excess, q = sympy.Function("excess"), sympy.Function("q")
        factor = 1 - 2 * eta * mu * q(k)
        return sympy.Le(excess(k + 1), factor * excess(k), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ℒ_{k+1} and its bound for every k; zeros where q_k < 0, and last."""
        reduction = least_squares(self.problem)
        excess = reduction.excess(to_float_array(path.end_to_end))
        q = contraction(reduction, path.weights, self.step)
        smallest = float(reduction.eigenvalues[-1])
        bound = (1 - 2 * self.step * smallest * q) * excess
        after = np.where(q >= 0, np.append(excess[1:], 0.0), 0.0)
        return after, np.where(after > 0, bound * (1 + ROUNDED_DOWN), 0.0)


@dataclass(frozen=True, eq=False, repr=False)
class UniformDescent(DescentBound):
    """The excess loss falls at least geometrically: ℒ_k ≤ (1 − ηs)^k ℒ_0.

    Parameters
    ----------
    step : float
        η.
    slope : float
        s.
    """

    step: float
    slope: float = 0.0

    @classmethod
    def attempt(cls, problem: Problem, step: float = 0.0) -> Self | Refusal:
        """Return the bound for steps of this size, or the hypotheses that fail."""
        answer = super().attempt(problem, step)
        if isinstance(answer, Refusal):
            return answer
        return replace(answer, slope=Constants.of(problem).slope(step))

    @classmethod
    def needs(cls, problem: Problem, step: float) -> list[Hypothesis]:
        """Return that the network is wide enough, α > 0 and the step small."""
        constants = Constants.of(problem)
        needed = min(least_squares(problem).rank, problem.widths[-1])
        found = [
            wide_enough(problem.widths[1:-1], needed),
            Hypothesis("α > 0", constants.low > 0, f"α = {constants.low:.3g}"),
        ]
        if all_hold(found):
            largest = constants.largest_step
            detail = f"η = {step:.3g}, at most {largest:.3g}"
            found.append(Hypothesis("a small step", step <= largest, detail))
        return found

    @property
    def factor(self) -> float:
        """1 − ηs, rounded up."""
        return 1 - self.step * self.slope * (1 - ROUNDED_DOWN)

    @property
    def statement(self) -> sympy.Basic:
        """ℒ_k ≤ (1 − ηs)^k ℒ_0."""
        k, excess = sympy.Symbol("k", nonnegative=True), sympy.Function("excess")
        factor = sympy.Float(self.factor, 8)
        return sympy.Le(excess(k), factor**k * excess(0), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ℒ_k and its bound."""
        reduction = least_squares(self.problem)
        excess = reduction.excess(to_float_array(path.end_to_end))
        return excess, excess[0] * self.factor ** np.arange(len(excess))


@dataclass(frozen=True, eq=False, repr=False)
class ImbalanceDrift(DescentBound):
    """The imbalance drifts by at most ‖D_k − D_0‖_F ≤ η² Σ_{j<k} ‖∇ℒ_j‖².

    Where every step has ℒ⁺ ≤ ℒ − ½η‖∇ℒ‖² this is at most 2ηℒ(0).

    Parameters
    ----------
    step : float
        η.
    """

    step: float

    @property
    def statement(self) -> sympy.Basic:
        """‖D_k − D_0‖ ≤ η² Σ ‖∇ℒ_j‖²."""
        j, k = sympy.symbols("j k", nonnegative=True, integer=True)
        drift, gradient = sympy.Function("drift"), sympy.Function("gradient")
        total = sympy.Sum(gradient(j) ** 2, (j, 0, k - 1))
        return sympy.Le(drift(k), sympy.Float(self.step, 6) ** 2 * total)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖D_k − D_0‖_F and η² Σ ‖∇ℒ_j‖²."""
        first, second = (to_float_array(weight) for weight in path.weights)
        gaps = first @ _T(first) - _T(second) @ second
        drift = np.linalg.norm(gaps - gaps[0], axis=(-2, -1))
        reduction = least_squares(self.problem)
        misfit = reduction.misfit(second @ first)
        force = (misfit * reduction.eigenvalues**0.5) @ reduction.frame.T
        gradients = (_T(second) @ force, force @ _T(first))
        squares = sum(np.sum(part**2, axis=(-2, -1)) for part in gradients)
        sums = np.concatenate([[0.0], np.cumsum(squares)[:-1]])
        # D is only known up to its rounding, which accumulates
        size = float(np.max(np.sum(first**2, axis=(-2, -1)) + 1))
        rounding = 1e-15 * size * np.arange(1, len(sums) + 1)
        return drift, self.step**2 * sums + rounding


@dataclass(frozen=True, eq=False)
class Constants:
    """What the theorem on all steps reads of a start; made by `of`.

    Parameters
    ----------
    low, high : float
        α and β.
    force : float
        g = p‖F(0)‖, with ‖F(0)‖ ≤ √(2Kℒ(0)).
    largest, smallest : float
        K and μ.
    excess : float
        ℒ(0).
    """

    low: float
    high: float
    force: float
    largest: float
    smallest: float
    excess: float

    @classmethod
    def of(cls, problem: Problem) -> Constants:
        """Compute them from a problem with two dense layers."""
        reduction = least_squares(problem)
        start = end_to_end(problem.floats.weights)
        largest, smallest = (float(reduction.eigenvalues[k]) for k in (0, -1))
        excess = float(reduction.excess(start))
        floors = MarginRate.floors(problem, reduction)
        low = float(levels_of(problem, reduction).bracket(*floors)) / 2
        top = largest_product(problem, reduction)
        force = top * (2 * largest * excess) ** 0.5
        return cls(low, ceiling(problem, reduction), force, largest, smallest, excess)

    def slope(self, step: float) -> float:
        """Return s: each step multiplies the excess loss by at most 1 − ηs."""
        moved = UPPER * self.high + step * self.force
        q = LOWER * self.low - step * self.force - self.largest * step * moved**2 / 2
        return 2 * self.smallest * q

    @property
    def largest_step(self) -> float:
        """The largest η for which c_1α and c_2β are proved to hold for ever."""
        from scipy.optimize import brentq

        drift = 2 * UPPER * self.high * self.largest * self.excess
        allowed = min((UPPER - 1) * self.high / 2, (1 - LOWER) * self.low / 4)

        def spare(step: float) -> float:
            return self.slope(step) - drift * step / allowed

        top = 1 / (self.largest * self.low)
        return float(brentq(spare, 0.0, top)) * (1 - ROUNDED_DOWN)


def contraction(reduction: LeastSquares, weights: Any, step: float) -> Array:
    """Return q = λ_min − ηg − ½Kη(λ_max + ηg)² for weights with a time axis."""
    first, second = (to_float_array(weight) for weight in reduction.reduced(weights))
    product = second @ first
    force = reduction.misfit(product @ reduction.frame.T) * reduction.eigenvalues**0.5
    grams = (
        np.linalg.eigvalsh(second @ _T(second)),
        np.linalg.eigvalsh(_T(first) @ first),
    )
    least, most = (sum(values[..., k] for values in grams) for k in (0, -1))
    sizes = np.linalg.svd(product, compute_uv=False)[..., 0]
    g = step * sizes * np.linalg.norm(force, axis=(-2, -1))
    return np.asarray(least - g - reduction.eigenvalues[0] * step * (most + g) ** 2 / 2)


def largest_product(problem: Problem, reduction: LeastSquares) -> float:
    """Return p = (‖Ŷ‖_F + ‖E(0)‖_F)/√μ, which σ_1(W_2W_1Φ) never exceeds."""
    misfit = np.linalg.norm(reduction.misfit(end_to_end(problem.floats.weights)))
    size = np.linalg.norm(reduction.target) + misfit
    return float(size / reduction.eigenvalues[-1] ** 0.5)


def ceiling(problem: Problem, reduction: LeastSquares) -> float:
    """Return β, the upper bound on λ_max(𝒯) for products of size p."""
    first, second = reduction.reduced(problem.floats.weights)
    rising = np.linalg.eigvalsh(first @ first.T - second.T @ second)
    size = largest_product(problem, reduction)
    parts = (positive_part(rising[::-1], 1), positive_part(-rising, 1))
    return float(sum(part + np.hypot(part, 2 * size) for part in parts) / 2)


def descent_bounds(
    descent: GradientDescent, data: Any, init: Any, *, step_size: float, rng: Any = None
) -> list[DescentBound]:
    """Return the bounds on gradient descent that apply with this step.

    Parameters
    ----------
    descent : GradientDescent
        The dynamics.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where it starts.
    step_size : float, keyword-only
        η.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    list of DescentBound
        Claims to hold against the trajectory of `symflow.descend` with that step.

    Examples
    --------
    >>> import symflow as sf
    >>> gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> data, start = sf.whitened([[2.0]]), ([[1.5]], [[1.2]])
    >>> claims = descent_bounds(gd, data, start, step_size=0.002)
    >>> [claim.name for claim in claims], round(claims[1].factor, 4)
    (['OneStep', 'UniformDescent', 'ImbalanceDrift'], 0.9928)
    >>> run = sf.descend(gd, data, start, 500, step_size=0.002)
    >>> sf.validate(claims, run).ok
    True
    """
    problem = bind(descent.flow, data, init, rng=rng)
    kinds = (OneStep, UniformDescent, ImbalanceDrift)
    answers = [kind.attempt(problem, float(step_size)) for kind in kinds]
    return [answer for answer in answers if isinstance(answer, DescentBound)]


def _T(matrix: Array) -> Array:
    return np.swapaxes(matrix, -1, -2)
