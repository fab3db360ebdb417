"""The saddle-to-saddle path of dense layers: the positive path of their modes.

Where Σ_xx = Σ λ_i v_iv_iᵀ and Σ_yx = Σ σ_i u_iv_iᵀ share singular vectors, layers that
start balanced at α along these stay there, and the mode strengths are a diagonal
network with Gram matrix diag(λ) and force σ (Gidel et al. for L = 2): mode i jumps to
σ_i/λ_i at t̂ = 1/σ_i.  No more modes are learned than the least hidden width.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symflow.algebra.arrays import Array, is_exact_array, to_float_array
from symflow.algebra.rank import decide_rank
from symflow.algebra.rational import rational
from symflow.bias.growth import Growth
from symflow.bias.saddle_path import SaddlePath, follow_saddles
from symflow.claims import TOLERANCE
from symflow.errors import HypothesisFailed
from symflow.inits import singular_frames

#: Singular values of floats that are one value.
EQUAL = 1e-9


def dense_path(
    gram: Array, target: Array, growth: Growth, widths: tuple[int, ...]
) -> SaddlePath:
    """Return the path of W; the arrays are Σ_xx and Σ_yx.

    Raises HypothesisFailed where they have no common singular vectors, or a hidden
    layer has room for one of two modes that jump together.
    """
    left, right, sigma, lam = _unit_frames(gram, target) or _frames(gram, target)
    modes = follow_saddles(np.diag(lam), sigma, growth)
    kept = [k for k, s in enumerate(modes.supports) if len(s) <= min(widths[1:-1])]
    if kept[-1] + 1 < len(modes.saddles):
        last, following = len(modes.supports[kept[-1]]), modes.jumps[kept[-1]]
        close = kept[-1] and following <= modes.jumps[kept[-1] - 1] * (1 + EQUAL)
        if last < min(widths[1:-1]) or close:
            msg = (
                "saddle_to_saddle(flow, data): two modes of equal σ are left for the "
                f"last of {min(widths[1:-1])} hidden units; which one is learned is up "
                "to the start"
            )
            raise HypothesisFailed(msg)
    saddles = tuple((left * modes.saddles[k]) @ right.T for k in kept)
    jumps = modes.jumps[: kept[-1]]
    frame = (left, right)
    return replace(modes, jumps=jumps, saddles=saddles, frame=frame, widths=widths)


def _unit_frames(
    gram: Array, target: Array
) -> tuple[Array, Array, Array, Array] | None:
    """Return exact modes whose singular vectors are unit vectors, or None."""
    hits = np.argwhere(target != 0)
    rows, columns = hits.T if len(hits) else (hits[:, :0].ravel(),) * 2
    off = gram - np.diag(np.diagonal(gram))
    alone = len({*rows}) == len(rows) and len({*columns}) == len(columns)
    if not (is_exact_array(gram) and is_exact_array(target)) or not alone:
        return None
    if np.any(off[:, columns] != 0):
        return None
    order = sorted(range(len(rows)), key=lambda k: -abs(target[rows[k], columns[k]]))
    rows, columns = rows[order], columns[order]
    left = np.zeros((len(target), len(rows)), dtype=object)
    right = np.zeros((len(gram), len(rows)), dtype=object)
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        left[i, k], right[j, k] = (1 if target[i, j] > 0 else -1), 1
    return left, right, abs(target[rows, columns]), np.diagonal(gram)[columns]


def _frames(gram: Array, target: Array) -> tuple[Array, Array, Array, Array]:
    """Return the modes in float64, those with σ > 0."""
    found = singular_frames(target, metric=gram)
    count = decide_rank(target).value
    left, right = found.left[:, :count], found.right[:, :count]
    inputs = to_float_array(gram)
    lam = np.einsum("di,de,ei->i", right, inputs, right)
    size = float(np.linalg.norm(inputs)) or 1.0
    gaps = np.linalg.norm(inputs @ right - right * lam) / size
    xx, yx = rational(gram), rational(target)
    exact = None if xx is None or yx is None else yx.transpose() * yx
    commute = gaps <= TOLERANCE if exact is None else xx * exact == exact * xx
    if not commute:
        msg = (
            "saddle_to_saddle(flow, data): dense layers need Σ_xx and Σ_yx with common "
            f"singular vectors; they are off by {gaps:.2g} relative. Use simulate(…) "
            "from a small start"
        )
        raise HypothesisFailed(msg)
    return left, right, to_float_array(found.values[:count]), lam
