"""The constants in the bounds on gradient descent on two layers, rounded outward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import at_least, at_most
from symflow.algebra.spectra import FLOAT_ERROR, in_balls, root
from symflow.convergence.bound import ROUNDED_DOWN
from symflow.convergence.kernel_spectrum import ceiling, largest_product
from symflow.convergence.quadratic_loss import stacked
from symflow.convergence.reduced import ReducedStart, reduced_start
from symflow.convergence.two_layers import ConvexityRate, MarginRate
from symflow.flow.least_squares import LeastSquares, least_squares
from symflow.flow.problem import Problem

#: How much of λ_min and λ_max may be lost on the way.
LOWER, UPPER = 0.5, 1.5


@dataclass(frozen=True, eq=False)
class Constants:
    """What the theorem on all steps reads of a start; made by `of`."""

    #: `low`, `high`: α, rounded down, and β, rounded up.
    low: float
    high: float
    force: float  #: g = p‖F(0)‖, with ‖F(0)‖ ≤ √(2Kℒ(0)), rounded up.
    #: `largest`, `smallest`: K, rounded up, and μ, rounded down.
    largest: float
    smallest: float
    excess: float  #: ℒ(0), rounded up.

    @classmethod
    @in_balls
    def of(cls, problem: Problem) -> Constants:
        """Compute them from a problem with two dense layers."""
        start = reduced_start(problem)
        low = start.levels.ball(*_floors(start)) / 2
        force = largest_product(start) * root(2 * start.largest * start.excess)
        return cls(
            low=max(at_least(low), 0.0),
            high=at_most(ceiling(start)),
            force=at_most(force),
            largest=at_most(start.largest),
            smallest=max(at_least(start.smallest), 0.0),
            excess=at_most(start.excess),
        )

    def slope(self, step: float) -> float:
        """Return s, rounded down: each step multiplies the excess by at most 1 − ηs."""
        moved = UPPER * self.high + step * self.force
        loss = step * self.force + self.largest * step * moved**2 / 2
        q = LOWER * self.low * (1 - ROUNDED_DOWN) - loss * (1 + ROUNDED_DOWN)
        return 2 * self.smallest * q

    @property
    def largest_step(self) -> float:
        """The largest η for which c_1α and c_2β are proved to hold for ever."""
        from scipy.optimize import brentq

        drift = 2 * UPPER * self.high * self.largest * self.excess
        allowed = min((UPPER - 1) * self.high / 2, (1 - LOWER) * self.low / 4)

        if not (allowed > 0 and self.slope(0.0) > 0):
            return 0.0
        top = 1 / (self.largest * self.low)

        def spare(part: float) -> float:
            return self.slope(part * top) - drift * part * top / allowed

        part = float(brentq(spare, 0.0, 1.0, xtol=1e-300, rtol=1e-14, maxiter=9999))
        while part > 0 and spare(part) < 0:
            part *= 1 - ROUNDED_DOWN
        return part * top * (1 - ROUNDED_DOWN)


def _floors(start: ReducedStart) -> tuple[Any, Any]:
    """Return lower bounds on σ_m and σ_r of W_2W_1Φ while the loss does not grow."""
    m, r = ConvexityRate.floors(start)
    if not start.by_rows:
        return m, r
    margin = MarginRate.floors(start)
    return m.max(margin[0]), r.max(margin[1])


@dataclass(frozen=True, eq=False)
class LossInW:
    """A convex quadratic loss as a function of W, in float64; made by `of`."""

    fine: LeastSquares  #: Of W for the squared loss, else of vec(W).
    frame: Array  #: Φ, a basis of the inputs that are seen, shape (d, r).

    @classmethod
    def of(cls, problem: Problem) -> LossInW:
        """Read it off a problem."""
        fine = least_squares(stacked(problem))
        if stacked(problem) is problem:
            return cls(fine, fine.frame)
        start = reduced_start(problem)
        projector = np.array([[float(x) for x in row] for row in start.projector])
        return cls(fine, np.linalg.eigh(projector)[1][:, -start.seen :])

    def excess(self, end_to_end: Array) -> Array:
        """Return ℓ(W) − ℓ* of many W."""
        return self.fine.excess(self._rows(end_to_end))

    def force(self, end_to_end: Array) -> Array:
        """Return F = −∂ℓ/∂W of many W, shape (…, m, d)."""
        fine = self.fine
        pulled = fine.misfit(self._rows(end_to_end)) * fine.eigenvalues**0.5
        return np.asarray((pulled @ fine.frame.T).reshape(end_to_end.shape))

    def _rows(self, end_to_end: Array) -> Array:
        return end_to_end.reshape(*end_to_end.shape[:-2], -1, len(self.fine.frame))


def contraction(loss: LossInW, weights: Any, step: float) -> Array:
    """Return q = λ_min − ηg − ½Kη(λ_max + ηg)² for weights with a time axis.

    It is rounded down: eigenvalues of float64 are known up to their rounding.
    """
    whole, second = (to_float_array(weight) for weight in weights)
    first, force = whole @ loss.frame, loss.force(second @ whole)
    product = second @ first
    grams = (
        np.linalg.eigvalsh(second @ second.mT),
        np.linalg.eigvalsh(first.mT @ first),
    )
    least, most = (grams[0][..., k] + grams[1][..., k] for k in (0, -1))
    least = least - FLOAT_ERROR * sum(product.shape[-2:]) * most
    sizes = np.linalg.svd(product, compute_uv=False)[..., 0]
    g = step * sizes * np.linalg.norm(force, axis=(-2, -1))
    return np.asarray(least - g - loss.fine.eigenvalues[0] * step * (most + g) ** 2 / 2)
