"""One layer with weight decay: from any start the limit is the ridge solution.

Ẇ = Σ_yx − W(Σ_xx + l2 I) is linear, so that with W∞ = Σ_yx(Σ_xx + l2 I)⁻¹ the distance
obeys (W − W∞)˙ = −(W − W∞)(Σ_xx + l2 I): it shrinks at least as e^{−l2 t}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import exact
from symflow.algebra.threads import cached_property
from symflow.bias.prediction import Prediction
from symflow.claims import Identity, Path
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import RIDGE
from symflow.claims.example import Example, Examples
from symflow.data import Dataset
from symflow.flow.least_squares import ridge
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork


@dataclass(frozen=True, eq=False, repr=False)
class RidgeLimit(Prediction):
    """The limit is Σ_yx(Σ_xx + l2 I)⁻¹; made by `implicit_bias`."""

    source = GIDEL_2019
    contributes = "the linear model; weight decay derived here"
    conditions = RIDGE

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the flow of the distance, and of its square for numbers."""
        W, limit, xx = sympy.symbols("W W_∞ Sigma_xx", commutative=False)
        l2, x, gap = sympy.symbols("l2 x D", positive=True)
        moved = limit * (xx + l2) - W * xx - l2 * W
        falls = (gap**2 / 2).diff(gap) * -(x + l2) * gap
        return (
            Identity(
                "with Σ_yx = W∞(Σ_xx + l2), Ẇ = −(W − W∞)(Σ_xx + l2)",
                sympy.expand(moved + (W - limit) * (xx + l2)),
            ),
            Identity(
                "−(½D²)˙ = l2 D² + xD² with an eigenvalue x ≥ 0 of Σ_xx",
                sympy.expand(falls + l2 * gap**2 + x * gap**2),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return one sample, and the limit of another weight decay."""
        given = LinearNetwork(2, 1), Dataset([[1, 2]], [3]), ([[1, -1]],), (0, 1, 4)
        half, other = (SquaredLoss(l2=sympy.Rational(1, k)) for k in (2, 3))
        elsewhere = Example("ridge", *given, loss=other)
        return (Example("ridge-limit", *given, loss=half, elsewhere=elsewhere),)

    @property
    def statement(self) -> sympy.Basic:
        """W(∞) = Σ_yx(Σ_xx + l2 I)⁻¹."""
        sigma_xx, sigma_yx = self.problem.flow.data
        ridge = sigma_xx + self.problem.flow.loss.l2 * sympy.Identity(sigma_xx.shape[0])
        limit = sympy.MatrixSymbol("W_∞", *sigma_yx.shape)
        return sympy.Eq(limit, sigma_yx * ridge.inv(), evaluate=False)

    @cached_property
    def exact_limit(self) -> Array | None:
        """The limit in fractions; None where the moments are irrational, or large."""
        found = ridge(self.problem)
        return found if found.dtype == object else None

    @property
    def limit(self) -> Array:
        """The limit in float64."""
        return to_float_array(ridge(self.problem))

    @property
    def potential(self) -> sympy.Expr:
        """The objective, −tr(Σ_yxWᵀ) + ½tr(W(Σ_xx + l2 I)Wᵀ): it has one minimizer."""
        sigma_xx, sigma_yx = self.problem.flow.data
        W, l2 = sympy.MatrixSymbol("W", *sigma_yx.shape), self.problem.flow.loss.l2
        inner = W * (sigma_xx + l2 * sympy.Identity(sigma_xx.shape[0])) * W.T
        squares = sympy.Rational(1, 2) * sympy.Trace(inner)
        return squares - sympy.Trace(sigma_yx * W.T)

    def residuals(self, path: Path) -> Array:
        """Return how far W(t) is beyond e^{−l2 t} of its first distance, relative."""
        found = self.exact_limit
        limit = path.lift(self.limit if found is None else found)
        gaps = [(gap**2).sum() ** 0.5 for gap in path.end_to_end - limit]
        l2, start = self.problem.flow.loss.l2, exact(path.t[0])
        scale = max(gaps[0], (limit**2).sum() ** 0.5)
        above: list[Any] = []
        for time, gap in zip(path.t, gaps, strict=True):
            shrunk = path.number(sympy.exp(-l2 * (exact(time) - start))) * gaps[0]
            above.append(max(gap - shrunk, 0 * gap) / scale if scale else gap)
        return np.asarray(above)
