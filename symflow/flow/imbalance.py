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

import numpy as np

from symflow.algebra.arrays import Array


@dataclass(frozen=True)
class ImbalanceLevels:
    """Spreads and level of the imbalance of two layers.

    Parameters
    ----------
    plus, minus : float
        The spreads Δ₊ and Δ₋ of its positive and of its negative part.
    level : float
        The level Δ.
    """

    plus: float
    minus: float
    level: float

    def bracket(self, sigma_m: Array | float, sigma_r: Array | float) -> Array:
        """Return the lower bound on 2(λ_r(AAᵀ) + λ_m(BᵀB)), given σ_m and σ_r of AB.

        Examples
        --------
        >>> float(ImbalanceLevels(0.0, 0.0, 3.0).bracket(2.0, 2.0))
        10.0
        """
        high, low = self.plus + self.level, self.minus + self.level
        first = np.hypot(high, 2 * np.asarray(sigma_m)) - self.plus
        return np.asarray(first + np.hypot(low, 2 * np.asarray(sigma_r)) - self.minus)


def imbalance_levels(difference: Array, r: int, m: int) -> ImbalanceLevels:
    """Return spreads and level of D = AᵀA − BBᵀ.

    Parameters
    ----------
    difference : ndarray, shape (h, h)
        D, symmetric.
    r, m : int
        Rows of A and columns of B.

    Returns
    -------
    ImbalanceLevels
        Δ₊, Δ₋ and Δ.

    Examples
    --------
    >>> imbalance_levels(np.diag([5.0, 2.0, -1.0]), 2, 1)
    ImbalanceLevels(plus=3.0, minus=0.0, level=3.0)
    """
    rising = np.linalg.eigvalsh(difference)
    top, kth = positive_part(rising[::-1], 1), positive_part(rising[::-1], r)
    bottom, mth = positive_part(-rising, 1), positive_part(-rising, m)
    return ImbalanceLevels(top - kth, bottom - mth, kth + mth)


def positive_part(falling: Array, k: int) -> float:
    """Return [λ_k]₊ of a falling sequence; 0 where it has fewer than k members.

    Examples
    --------
    >>> positive_part(np.array([2.0, -1.0]), 1), positive_part(np.array([2.0]), 3)
    (2.0, 0.0)
    """
    return max(float(falling[k - 1]), 0.0) if k <= len(falling) else 0.0


def singular_value(matrix: Array, k: int) -> Array:
    """Return σ_k of one or of many matrices; 0 where there are fewer than k."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return values[..., k - 1] if k <= values.shape[-1] else np.zeros(values.shape[:-1])
