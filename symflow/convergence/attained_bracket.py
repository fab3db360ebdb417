"""Starts for which the bracket of the imbalance is attained.

Min, Tarmoun, Vidal, Mallada (2021): for whitened input and r ≠ m the bracket of
`flow/imbalance.py` is the least value of 2(λ_r(W_1ᵀW_1) + λ_m(W_2W_2ᵀ)) over all
weights with given imbalance and given singular values of W.  One hidden pair with the
eigenvalues p and −n of D = W_1W_1ᵀ − W_2ᵀW_2 carries σ by

    w_1 = (√p cosh s, √n sinh s),  w_2 = (√p sinh s, √n cosh s),  sinh 2s = 2σ/(p + n).

The pair that matters joins λ_1(D) and λ_m(−D) with σ_m if r > m (and λ_r(D), λ_1(−D)
with σ_r if r < m); pairs in order of their index do not attain the bracket.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symflow.algebra.arrays import Array
from symflow.errors import InvalidArgument


def tight_start(
    positive: Sequence[float], negative: Sequence[float], strengths: Sequence[float]
) -> tuple[Array, Array]:
    """Return W_1 and W_2 for which the bracket of the imbalance is attained.

    The r positive eigenvalues of D and the m ≠ r of −D come largest first, for r inputs
    and m outputs, and so do the min(r, m) singular values of W; the hidden width is r +
    m.
    """
    r, m, count = len(positive), len(negative), len(strengths)
    if r == m or count != min(r, m):
        msg = (
            "tight_start(positive, negative, strengths): needs r ≠ m eigenvalues and "
            f"min(r, m) strengths; got {r}, {m} and {count}"
        )
        raise InvalidArgument(msg)
    first, second = np.zeros((r + m, r)), np.zeros((m, r + m))
    for i, j, k in _pairs(r, m):
        p, n = positive[i], negative[j]
        angle = np.arcsinh(2 * strengths[k] / (p + n)) / 2
        high, low = np.cosh(angle), np.sinh(angle)
        first[[i, r + j], i] = np.sqrt(p) * high, np.sqrt(n) * low
        second[j, [i, r + j]] = np.sqrt(p) * low, np.sqrt(n) * high
    for i in range(count, r):
        first[i, i] = np.sqrt(positive[i])
    for j in range(count, m):
        second[j, r + j] = np.sqrt(negative[j])
    return first, second


def _pairs(r: int, m: int) -> list[tuple[int, int, int]]:
    """Return the indices (of p, of n, of σ) that belong together."""
    last = min(r, m) - 1
    others = range(last)
    if r > m:
        return [(0, last, last), *((k + 1, k, k) for k in others)]
    return [(last, 0, last), *((k, k + 1, k) for k in others)]
