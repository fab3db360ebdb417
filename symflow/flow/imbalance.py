"""What the imbalance of two layers says about their singular values.

For A (r×h) and B (h×m) with D = AᵀA − BBᵀ, write [x]₊ = max(x, 0) and λ_k for the k-th
largest eigenvalue (0 where k exceeds the size), and

    Δ₊ = [λ₁(D)]₊ − [λ_r(D)]₊,    Δ₋ = [λ₁(−D)]₊ − [λ_m(−D)]₊,
    Δ = [λ_r(D)]₊ + [λ_m(−D)]₊.

Then 2(λ_r(AAᵀ) + λ_m(BᵀB)) is at least the `bracket`

    −Δ₊ + √((Δ₊+Δ)² + 4σ_m(AB)²) − Δ₋ + √((Δ₋+Δ)² + 4σ_r(AB)²)

(Min, Tarmoun, Vidal, Mallada 2021, Lemma 8), as the scalar identities
2a² = D + √(D² + 4w²), 2b² = −D + √(D² + 4w²) with w = ab suggest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array
from symflow.algebra.outward import at_least, at_most
from symflow.algebra.spectra import (
    clipped,
    eigenvalues,
    in_balls,
    kth,
    root,
    to_rationals,
)


@dataclass(frozen=True)
class ImbalanceLevels:
    """Spreads and level of the imbalance of two layers.

    `plus` and `minus` are the spreads Δ₊ and Δ₋ of its positive and of its negative
    part, `level` is Δ; floats or balls.
    """

    plus: Any
    minus: Any
    level: Any

    def bracket(self, sigma_m: Array | float, sigma_r: Array | float) -> Array:
        """Return the lower bound on 2(λ_r(AAᵀ) + λ_m(BᵀB)), given σ_m and σ_r of AB.

        It is rounded down.
        """
        down = np.vectorize(
            lambda m, r: max(at_least(self.ball(m, r)), 0.0), otypes=[float]
        )
        return np.asarray(down(sigma_m, sigma_r))

    @in_balls
    def ball(self, sigma_m: Any, sigma_r: Any) -> Any:
        """Return the bracket as a ball."""
        plus, minus, level = map(arb, (self.plus, self.minus, self.level))
        total = arb(0)
        for spread, sigma in ((plus, arb(sigma_m)), (minus, arb(sigma_r))):
            total += root((spread + level) ** 2 + 4 * sigma**2) - spread
        return clipped(total)

    @property
    def rounded(self) -> ImbalanceLevels:
        """Floats of which the bracket is not larger."""
        plus, minus = (at_most(arb(part)) for part in (self.plus, self.minus))
        return ImbalanceLevels(plus, minus, at_least(arb(self.level)))


@in_balls
def imbalance_levels(difference: Array, r: int, m: int) -> ImbalanceLevels:
    """Return spreads and level of D = AᵀA − BBᵀ.

    D is symmetric, A has r rows and B m columns.  Spreads are rounded up, and the level
    is rounded down.
    """
    return levels_from(eigenvalues(to_rationals(difference)), r, m).rounded


@in_balls
def levels_from(falling: list[Any], r: int, m: int) -> ImbalanceLevels:
    """Return spreads and level as balls, from the eigenvalues of D."""
    opposite = [-value for value in falling[::-1]]
    top, above = kth(falling, 1), kth(falling, r)
    bottom, below = kth(opposite, 1), kth(opposite, m)
    return ImbalanceLevels(clipped(top - above), clipped(bottom - below), above + below)


def positive_part(falling: Array, k: int) -> float:
    """Return [λ_k]₊ of a falling sequence; 0 where it has fewer than k members."""
    return max(float(falling[k - 1]), 0.0) if k <= len(falling) else 0.0
