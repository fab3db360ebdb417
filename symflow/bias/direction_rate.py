"""How fast balanced dense layers turn to the max-margin direction, with constants.

Let n = ‖W‖, u the soft margin, γ the largest margin, g = Σp_i y_i x_i, so that ‖g‖ ≥
γ, and p = ⟨g, W⟩/n.  Balanced layers obey dW ∝ g + (L−1)⟨g, Ŵ⟩Ŵ, hence

    du/dn = (‖g‖² + (L−1)p²)/(Lp)    for the exponential loss,

and at least that, for L ≤ 2, for the logistic one, whose −φ′ is subadditive in φ.  For
two layers the right side is at least ‖g‖ ≥ γ.  For one layer, with any start, du ≥
γ|dW|.  So γn − u never increases, and with x = u/n

    γ − x ≤ (γ − x₀)·n₀/n,    L ≤ 2:

the deficit of the margin is O(1/log(1/ℒ)), because n ≥ u/γ.  For L ≥ 3 and the
exponential loss p ≥ x, and from x₀ ≥ γ/√(L−1) on the right side increases with p, so

    γ² − x² ≤ (γ² − x₀²)·(n₀/n)^{2/L}.

Both bound the direction too: cos∠(W, Ŵ^∞) ≥ x/γ.  The exponent 2/L is that of generic
data: what W has off the span of the support vectors grows like n^{1−1/L}.  (O(1/log)
rates: Ji and Telgarsky 2019; these constants and the exponent for L ≥ 3 derived here.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, end_to_end, to_float_array
from symflow.algebra.outward import float_down, float_up
from symflow.algebra.threads import cached_property
from symflow.bias.euclidean_margin import Widest, least_euclidean
from symflow.bias.max_margin import euclidean_norm, violations
from symflow.bias.reference_problems import balanced_layers
from symflow.bias.separation import (
    CLASSIFICATION,
    given_samples,
    signed_samples,
    soft_margin,
)
from symflow.claims import Bound, Hypothesis, Identity, Path, Refusal, Theorem
from symflow.claims.bibliography import JI_TELGARSKY_2019
from symflow.claims.conditions import dense_layers, imbalances, measured, on_flow
from symflow.claims.example import Examples, RandomExamples
from symflow.claims.hypothesis import positive, structural
from symflow.claims.random_problems import turning
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.flow.start import start_matrix
from symflow.losses import ExponentialLoss

#: Rounding of a deficit in float64, relative to γ.
UNSEEN = 1e-12


def _balanced(problem: Problem) -> Hypothesis:
    """Say whether the layers start balanced, relative to the whole of each.

    A small imbalance is outgrown, also where a layer has no more than rank one.
    """

    def measure(at: Problem) -> Any:
        sizes = [max(map(abs, (after.T @ after).flat)) for after in at.weights[1:]]
        pairs = zip(imbalances(at.weights), sizes, strict=True)
        gaps = [max(map(abs, gap.flat)) / size if size else 1 for gap, size in pairs]
        return max(gaps, default=0)

    said = "max|Δ_l| / max|W_l₊₁ᵀW_l₊₁|"
    return measured(problem, "balanced initialization", said, measure)


@dataclass(frozen=True, eq=False, repr=False)
class DirectionRate(Bound, Theorem):
    """The deficit of the margin falls like n^{−1}, or n^{−2/L}; a companion."""

    exponent: Fraction  #: The power of n: 1 for L ≤ 2, 2/L for deeper networks.

    source = JI_TELGARSKY_2019
    contributes = "derived here, companion of its O(1/log) rates"
    where = "z_i = y_i⟨W, x_i⟩ is the margin of sample i"
    conditions = (on_flow(dense_layers, least=1), *CLASSIFICATION, _balanced)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound; three and more layers ask for a good start."""
        depth = problem.flow.network.depth
        claim = cls(problem, tuple(found), min(Fraction(1), Fraction(2, depth)))
        if depth <= 2:
            return claim
        loss = problem.flow.loss
        exponential = isinstance(loss, ExponentialLoss)
        further = [*found, structural("exponential loss", exponential, repr(loss))]
        if further[-1].holds:
            further.append(claim._good_start())
        if not further[-1].holds:
            return cls.refuse(further)
        return cls(problem, tuple(further), claim.exponent)

    def _good_start(self) -> Hypothesis:
        share = 1 - self._deficit(start_matrix(self.problem)[0]) / self.gamma
        least = (self.problem.flow.network.depth - 1) ** -0.5
        words = f"a normalized soft margin of at least {least:.3g}·γ"
        return positive(words, share - least, 1 + abs(share), f"{share:.3g}·γ")

    @property
    def is_shallow(self) -> bool:
        """Whether the deficit is γ − u/n; for L ≥ 3 it is γ² − (u/n)²."""
        return bool(self.problem.flow.network.depth <= 2)

    @cached_property
    def widest(self) -> Widest:
        """The least β with margins of at least 1, and its multipliers."""
        return least_euclidean(given_samples(self.problem))

    @property
    def gamma(self) -> float:
        """γ, the largest margin of a unit vector."""
        return 1 / euclidean_norm(self.widest.point)

    @property
    def constant(self) -> float:
        """The deficit times n^{1 or 2/L} at the start, rounded up."""
        row = start_matrix(self.problem)[0]
        size = euclidean_norm(row) ** float(self.exponent)
        top = self.gamma if self.is_shallow else self.gamma**2
        deficit = self._power(self._deficit(row))
        return float((deficit + UNSEEN * top) * size * (1 + UNSEEN))

    @property
    def statement(self) -> sympy.Basic:
        """The deficit is at most a constant over a power of n.

        n = ‖W‖, and u is the soft margin of z_i = y_i⟨W, x_i⟩.
        """
        widths, z = self.problem.widths, sympy.IndexedBase("z")
        i, count = sympy.Symbol("i", integer=True), len(self.problem.data["X"])
        whole = sympy.MatrixSymbol("W", 1, widths[0])
        n = sympy.sqrt(sympy.Trace(whole * whole.T))
        if isinstance(self.problem.flow.loss, ExponentialLoss):
            soft = -sympy.log(sympy.Sum(sympy.exp(-z[i]), (i, 1, count)))
        else:
            total = sympy.Sum(sympy.log(1 + sympy.exp(-z[i])), (i, 1, count))
            soft = -sympy.log(sympy.exp(total) - 1)
        power, gamma = 1 if self.is_shallow else 2, float_down(self.gamma)
        bound = float_up(self.constant) / n ** sympy.Rational(self.exponent)
        return sympy.Le(gamma**power - (soft / n) ** power, bound, evaluate=False)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the steps from the flow of the norm to the deficit."""
        g, p, x, c, n, a = sympy.symbols("g p x c n a", positive=True)
        depth = sympy.Symbol("L", positive=True)
        slope = (g**2 + (depth - 1) * p**2) / (depth * p)
        x_slope = (slope.subs({p: x, g: c}) - x) / n
        turned = (a, p + (depth - 1) * p)
        return (
            Identity(
                "dW ∝ g + (L−1)⟨g, Ŵ⟩Ŵ for balanced layers: ⟨g, dW⟩/⟨Ŵ, dW⟩ = "
                "(‖g‖² + (L−1)p²)/(Lp), which is du/dn; g = (a, p) beside and along Ŵ",
                (a * turned[0] + p * turned[1]) / turned[1]
                - slope.subs(g, sympy.sqrt(a**2 + p**2)),
            ),
            Identity(
                "two layers: du/dn − ‖g‖ = (‖g‖ − p)²/(2p) ≥ 0, so that γn − u never "
                "increases, as ‖g‖ ≥ γ",
                slope.subs(depth, 2) - g - (g - p) ** 2 / (2 * p),
            ),
            Identity(
                "∂(du/dn)/∂p = ((L−1)p² − ‖g‖²)/(Lp²): from p ≥ u/n ≥ γ/√(L−1) on, "
                "du/dn is at least its value at p = x = u/n, ‖g‖ = γ",
                sympy.diff(slope, p) - ((depth - 1) * p**2 - g**2) / (depth * p**2),
            ),
            Identity(
                "there d(γ² − x²)/dn = −(2/L)(γ² − x²)/n, the rate of n^{−2/L}",
                -2 * x * x_slope + 2 * (c**2 - x**2) / (depth * n),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return one to three balanced layers, and random ones of two and three."""
        draw, deep = turning(3, 2, 1), turning(3, 2, 2, 1, size=4.0)
        return (
            *(balanced_layers(f"ji-rate-{L}", L, false=_too_fast) for L in (1, 2, 3)),
            RandomExamples("many-direction", draw, _too_fast),
            RandomExamples("many-direction-deep", deep, _too_fast),
        )

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the deficit times the power of n, and its value at the start."""
        held = self._held(path.end_to_end[:, 0, :], path)
        first = self._held(end_to_end(self.start_on(path)), path)[0]
        if path.context is None:
            first *= 1 + UNSEEN
        return held, np.full(len(held), first)

    def residuals(self, path: Path) -> Array:
        """Return by how much √ of the bound is violated, relative to the start.

        An error of the direction of W moves √deficit in proportion, and √γ is its unit.
        """
        held, first = self.sides(path)
        root, gamma = path.number(Fraction(1, 2)), path.number(self.gamma)
        norms = (path.end_to_end[:, 0, :] ** 2).sum(axis=1) ** root
        top = gamma if self.is_shallow else gamma**2
        return violations(held, first, top * norms ** path.number(self.exponent))

    def _held(self, matrices: Array, path: Path) -> Array:
        context = path.context
        digits = CHECK_DIGITS if context is None else context.dps
        widest = self.widest
        if context is not None:
            widest = least_euclidean(given_samples(self.problem, digits), context)
        rows = signed_samples(self.problem, context)
        shares = _deficits(self.problem.flow.loss, matrices, rows, widest, context)
        n = (matrices**2).sum(axis=1) ** path.number(Fraction(1, 2))
        gamma = 1 / (widest.point**2).sum() ** path.number(Fraction(1, 2))
        grown = shares if self.is_shallow else shares * (2 * gamma - shares)
        return np.asarray(grown * n ** path.number(self.exponent))

    def _deficit(self, row: Array) -> float:
        """Return γ − u/n at W in float64."""
        rows, loss = signed_samples(self.problem), self.problem.flow.loss
        return float(_deficits(loss, row[None], rows, self.widest, None)[0])

    def _power(self, deficit: float) -> float:
        """Return γ − x or γ² − x² from γ − x."""
        return deficit if self.is_shallow else deficit * (2 * self.gamma - deficit)

    def angle(self, end_to_end: Any) -> float:
        """Return the largest angle to the limit that the bound allows at W.

        Parameters
        ----------
        end_to_end : array_like, shape (1, d)
            A point of the flow.

        Returns
        -------
        float
            In radians.

        Examples
        --------
        >>> import symflow as sf
        >>> from symflow.flow.problem import bind
        >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
        >>> data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
        >>> rate = DirectionRate.attempt(bind(flow, data, [[[3.0, 3.0]]]))
        >>> [round(rate.angle([[size, 2 * size]]), 3) for size in (2, 200, 20000)]
        [0.491, 0.049, 0.005]
        """
        row = to_float_array(np.asarray(end_to_end)).ravel()
        share = self.constant / euclidean_norm(row) ** float(self.exponent)
        if self.is_shallow:  # cos∠ ≥ 1 − share/γ
            return float(2 * np.arcsin(min(1.0, (share / self.gamma / 2) ** 0.5)))
        return float(np.arcsin(min(1.0, share**0.5 / self.gamma)))


def _deficits(
    loss: Any, matrices: Array, rows: Array, widest: Widest, context: Any
) -> Array:
    """Return γ − u/n without cancellation, for the rows W of `matrices`.

    With λ = γ²μ, whose sum is 1, γn − u = ½γn|Ŵ − Ŵ*|² + Σλ_i(z_i − u).
    """
    half = 0.5 if context is None else context.mpf(0.5)
    square = 1 / (widest.point**2).sum()
    gamma = square**half
    n = (matrices**2).sum(axis=1) ** half
    margins = matrices @ rows.T
    soft = soft_margin(loss, margins, context)
    chords = matrices / n[:, None] - gamma * widest.point
    late = (margins - soft[:, None]) @ (square * widest.multipliers)
    found = half * gamma * (chords**2).sum(axis=1) + late / n
    return np.array([max(gap, 0 * gap) for gap in found], dtype=found.dtype)


def _too_fast(claim: DirectionRate) -> DirectionRate:
    """Return the false claim with 2/L + 1 as the exponent."""
    depth = claim.problem.flow.network.depth
    return replace(claim, exponent=Fraction(2, depth) + 1)
