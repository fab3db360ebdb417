"""Any depth: how far from the minimizer of least norm a flow can be, at all times.

W(t)P⊥ = W_L⋯W_2 W_1(0)P⊥ off the row space of X (see `bias/frozen.py`).  On it the
loss, which never rises, gives ‖W(t)P‖ ≤ b = ‖Σ_yxΣ_xx⁺‖ + √(2(ℒ(0) − ℒ*)/λ_r).  The
imbalances D_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ, with W_1P for W_1, are conserved; let δ_l be
[λ_max(D_l)]₊.  From the top left singular vector y_L of W_L⋯W_2 go down, y_{l−1} =
W_lᵀy_l: the ratios r_l = ‖y_{l−1}‖²/‖y_l‖² fall by at most δ_l from r_{l+1} to r_l.  So
‖W_L⋯W_2‖² = r_L⋯r_2 ≤ Π_{l≥2}(r_1 + δ_1 + … + δ_{l−1}), and times r_1 it is at most b²:

    ‖W_L⋯W_2‖² ≤ b²/x     for the x > 0 with     x Π_{l≥2}(x + δ_1 + … + δ_{l−1}) = b².

Times ‖W_1(0)P⊥‖_F this is of order α for weights of size α; Yun, Krishnan, Mobahi
(2021) state the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod, sqrt
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.bias.distance import ROUNDED_UP, DistanceClaim
from symflow.bias.infimum import eigenvalues
from symflow.bias.least_norm import row_space_proof
from symflow.bias.minimizers import minimizers, product, start_weights, times
from symflow.bias.reference_problems import GENERIC, one_sample
from symflow.claims import Hypothesis, Identity, Refusal, all_hold, random_problems
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import dense_layers, on_flow, squared_loss
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.claims.hypothesis import ROUNDING
from symflow.flow.problem import Problem

#: Halvings of an interval that leave rounding alone.
HALVINGS = 100


@dataclass(frozen=True, eq=False, repr=False)
class DeepDistance(DistanceClaim):
    """The flow stays near the row space of X: of order α from weights of size α."""

    source = YUN_2021
    contributes = "the limit α → 0; the distance at every start derived here"
    conditions = (on_flow(squared_loss), on_flow(dense_layers))

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound where the row space is clear."""
        best = minimizers(problem)
        rows = (*found, *best.hypotheses)
        if not all_hold(rows) or not best.rank.value:
            return cls.refuse(rows)
        first, *later = start_weights(problem, best)
        rest = best.off(first)
        values, noise = eigenvalues(best.moments[0])
        excess = to_float(best.excess(product((first, *later))))
        lowest = values[best.rank.value - 1] - noise
        if lowest <= 0:
            return cls.refuse((*rows, Hypothesis("λ_r > 0", False, f"{lowest:.2g}")))
        off = sqrt(2 * max(excess, 0.0) / lowest)
        seen = float(np.linalg.norm(to_float_array(best.least_norm), 2)) + off
        gaps = [_gap(*pair) for pair in pairwise((first - rest, *later))]
        carried = carried_norm(seen * (1 + ROUNDED_UP), gaps)
        frozen = float(np.linalg.norm(to_float_array(rest)))
        if not best.exact or rest.dtype != object:
            frozen += ROUNDED_UP * float(np.linalg.norm(to_float_array(first)))
        return cls(problem, rows, carried * frozen * (1 + ROUNDED_UP))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that W_1P⊥ rests, D is conserved, and how r_l falls."""
        a, b, c, d = sympy.symbols("a b c d", real=True)
        first, second, G, y = sympy.symbols("W1 W2 G y", commutative=False)
        t = sympy.adjoint
        rates = t(second) * G, G * t(first)
        drift = t(rates[1]) * second + t(second) * rates[1]
        drift -= rates[0] * t(first) + first * t(rates[0])
        D = t(second) * second - first * t(first)
        step = t(y) * first * t(first) * y - t(y) * t(second) * second * y
        lagrange = (a**2 + b**2) * (c**2 + d**2) - (a * c + b * d) ** 2
        return (
            row_space_proof()[0],
            Identity("Ẇ_1 = W_2ᵀG, Ẇ_2 = GW_1ᵀ keep D = W_2ᵀW_2 − W_1W_1ᵀ", drift),
            Identity("‖W_1ᵀy‖² = ‖W_2y‖² − yᵀDy", sympy.expand(step + t(y) * D * y)),
            Identity(
                "‖W_2W_2ᵀz‖‖z‖ ≥ ‖W_2ᵀz‖² (Cauchy): r_1 ≥ r_2 − λ_max(D)",
                lagrange - (a * d - b * c) ** 2,
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return three layers and one sample, and random data with too few samples."""
        layers = GENERIC[0], [[1, 0], [1, 1]], [[1, 1]]
        draw, closer = (
            random_problems.underdetermined(5, 4, 4, 1),
            scaled(distance=0.02),
        )
        return (
            one_sample("yun-distance", *layers, false=closer),
            RandomExamples("many-deep-distance", draw, closer),
        )


def carried_norm(seen: float, gaps: list[float]) -> float:
    """Return the bound on ‖W_L⋯W_2‖_2 from ‖W_L⋯W_1‖_2 ≤ `seen` and the δ_l."""
    sums, unit = list(accumulate(gaps)), seen ** (2 / (len(gaps) + 1))
    low, high = 0.0, unit
    for _ in range(HALVINGS if unit else 0):
        x = (low + high) / 2
        enough = x / unit * prod((x + part) / unit for part in sums) >= 1
        low, high = (low, x) if enough else (x, high)
    return sqrt(prod((high + part) * (1 + ROUNDED_UP) for part in sums))


def _gap(before: Array, after: Array) -> float:
    """Return an upper bound on [λ_max(D)]₊."""
    out, back = times(after.T, after), times(before, before.T)
    falling, noise = eigenvalues(out - back)
    if before.dtype != object or after.dtype != object:
        noise += ROUNDING * to_float(np.trace(out) + np.trace(back))
    return max(float(falling[0]) + noise, 0.0)
