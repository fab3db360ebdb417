"""Regression with dense layers: the limit of least norm, and what keeps a flow from it.

Let ΦΦᵀ project onto the row space of X and P⊥ = I − ΦΦᵀ.  The part W_1P⊥ of the first
layer never moves, because the force Σ_yx − WΣ_xx vanishes on it.  Hence, for any
depth,

    W(∞) = Σ_yxΣ_xx⁺ + W_L⋯W_2(∞) W_1(0)P⊥

where the loss converges to its infimum.  The second term vanishes if W_1(0)P⊥ = 0; and
for two layers also on the larger invariant set

    W_2W_1P⊥ = 0  and  ΦᵀW_1ᵀW_1P⊥ = 0

of Min, Tarmoun, Vidal, Mallada (2021), whose V is our W_2, U_2 our (W_1Φ_⊥)ᵀ and U_1
our (W_1Φ)ᵀ: their x = VU_2ᵀ and y = U_1U_2ᵀ obey ẋ = EᵀΛ^{1/2}y, ẏ = Λ^{1/2}Ex.  The
first condition alone does not suffice.  The limit then is the minimizer of least norm.

The loss cannot reach its infimum where a hidden layer is too narrow, or starts so: a
direction a of hidden units with aᵀW_l = 0 and W_{l+1}a = 0 stays at rest, so that the
rank of W never exceeds that of (W_l, W_{l+1}ᵀ) at the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import mpmath
import numpy as np
import sympy

from symflow.algebra.arrays import Array, is_exact_array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.bias.prediction import Prediction
from symflow.claims import TOLERANCE, Hypothesis, Path, Refusal, all_hold, relative_size
from symflow.claims.bibliography import MIN_2021
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.flow.least_squares import (
    LeastSquares,
    exact_least_norm,
    least_squares,
)
from symflow.flow.problem import Problem
from symflow.inits.init import lifted

#: Digits in which exact data are checked, and what counts as zero there.
CHECK_DIGITS, CHECK_ZERO = 40, 1e-34


@dataclass(frozen=True, eq=False, repr=False)
class LeastNorm(Prediction):
    """The limit is Σ_yxΣ_xx⁺; made by `implicit_bias`."""

    source = MIN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow)]
        if all_hold(found):
            found += [_reaches(problem), _invariant(problem)]
        if all_hold(found):
            return cls(problem, tuple(found))
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """W(∞) = Σ_yx Σ_xx⁺."""
        d, m = self.problem.flow.network.widths[0], self.problem.flow.network.widths[-1]
        sigma_xx, sigma_yx = self.problem.flow.data
        inverse = sympy.MatrixSymbol(f"{sigma_xx.name}^+", d, d)
        limit = sympy.MatrixSymbol("Winf", m, d)
        return sympy.Eq(limit, sigma_yx * inverse, evaluate=False)

    @property
    def limit(self) -> Array:
        """Σ_yxΣ_xx⁺ in float64."""
        return self.reduction.least_norm

    @cached_property
    def exact_limit(self) -> Array | None:
        """Σ_yxΣ_xx⁺ in rational numbers; None for irrational moments."""
        return exact_least_norm(self.problem)

    @property
    def potential(self) -> sympy.Expr:
        """½‖W‖²_F."""
        widths = self.problem.flow.network.widths
        W = sympy.MatrixSymbol("W", widths[-1], widths[0])
        return sympy.Trace(W.T * W) / 2

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the larger of ‖WP⊥‖ and of the misfit, relative."""
        W = to_float_array(np.asarray(end_to_end))
        off = relative_size(self.reduction.off(W), self.limit)
        misfit = relative_size(self.reduction.misfit(W), self.reduction.target)
        return float(max(off, misfit))

    def residuals(self, path: Path) -> Array:
        """Return ‖W(t)P⊥‖, relative: on the row space the misfit fixes W(t)."""
        fine = least_squares(self.problem, path.context)
        off = fine.off(path.end_to_end)
        return np.asarray([relative_size(gap, path.end_to_end) for gap in off])

    def slack(self, path: Path) -> Array:
        """Return what a rounded start, or rounded data, may put off the row space."""
        return super().slack(path) + self.reduction.allowance(self.problem)

    @cached_property
    def reduction(self) -> LeastSquares:
        """The least-squares problem in float64."""
        return least_squares(self.problem)


def off_parts(
    problem: Problem, reduction: LeastSquares, context: Any = None
) -> tuple[float, float]:
    """Return ‖W_2W_1P⊥‖_F and ‖ΦᵀW_1ᵀW_1P⊥‖_F of a two-layer start.

    Parameters
    ----------
    problem : Problem
        With two layers.
    reduction : LeastSquares
        In the arithmetic of `context`.
    context : mpmath.MPContext, optional
        Float64 without it.
    """
    first, second = (lifted(weight, context) for weight in problem.floats.weights)
    frozen = reduction.off(first)
    return _size(second @ frozen), _size((first @ reduction.frame).T @ frozen)


def _invariant(problem: Problem) -> Hypothesis:
    """Say whether the start keeps W(t) in the row space of X."""
    context = None
    if all(map(is_exact_array, problem.arguments)):
        # exact data deserve a verdict that is not blurred by float64
        context = mpmath.MPContext()
        context.dps = CHECK_DIGITS
    reduction = least_squares(problem, context)
    first, *later = (lifted(weight, context) for weight in problem.floats.weights)
    size = _size(first) or 1.0
    frozen = _size(reduction.off(first)) / size
    detail = f"‖W₁P⊥‖ = {frozen:.2g} relative"
    if len(later) == 1 and frozen > TOLERANCE:
        scale = size * max(size, _size(later[0]))
        parts = off_parts(problem, reduction, context)
        across, inside = (part / scale for part in parts)
        frozen = max(across, inside)
        detail = f"‖W₂W₁P⊥‖ = {across:.2g}, ‖ΦᵀW₁ᵀW₁P⊥‖ = {inside:.2g} relative"
    words = "the start keeps W in the row space of X"
    return Hypothesis(words, frozen <= TOLERANCE, detail, _beyond_rounding(frozen))


def _reaches(problem: Problem) -> Hypothesis:
    """Say whether the hidden units of the start leave W(t) enough rank."""
    needed = int(np.linalg.matrix_rank(least_squares(problem).target, rtol=TOLERANCE))
    spans = [
        int(np.linalg.matrix_rank(np.hstack([before, after.T])))
        for before, after in pairwise(problem.floats.weights)
    ]
    detail = f"rank {needed}; hidden directions in use: {', '.join(map(str, spans))}"
    return Hypothesis(
        "the hidden units reach the rank of the limit", min(spans) >= needed, detail
    )


def _size(matrix: Array) -> float:
    return to_float((matrix**2).sum() ** 0.5)


def _beyond_rounding(defect: float) -> float:
    return 0.0 if defect < CHECK_ZERO else defect
