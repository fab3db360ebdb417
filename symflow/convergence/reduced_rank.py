"""Reduced-rank regression, and whether a flow passes through its solutions.

The best matrix of rank k, argmin ‖Y − XWᵀ‖ over rank W ≤ k, is [Σ_yxΣ_xx^{−1/2}]_k
Σ_xx^{−1/2} with [·]_k the truncated singular value decomposition.  It keeps the k
largest σ_i/√λ_i, while two-layer flows from small starts learn in the order of σ_i
(`phases.py`): the two sequences agree where the two orders do, as for whitened
inputs and for autoencoders (Gidel, Bach, Lacoste-Julien 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.rank import decide_rank
from symflow.errors import InvalidData


def reduced_rank_solutions(data: Any) -> Array:
    """Return the solutions of rank 0, 1, …; the last is the least-squares solution.

    Raises InvalidData if Σ_xx is singular.
    """
    moments = data.moments()
    found = decide_rank(moments.sigma_xx)
    if found.value < moments.d or not found.is_clear:
        msg = (
            f"reduced_rank_solutions(data): Σ_xx is singular ({found}, {moments.d} "
            "inputs); drop redundant inputs"
        )
        raise InvalidData(msg)
    values, vectors = np.linalg.eigh(to_float_array(moments.sigma_xx))
    whitening = (vectors / np.sqrt(values)) @ vectors.T
    left, sizes, right = np.linalg.svd(
        to_float_array(moments.sigma_yx) @ whitening, full_matrices=False
    )
    terms = np.einsum("ik,k,kj->kij", left, sizes, right) @ whitening
    return np.concatenate([np.zeros_like(terms[:1]), np.cumsum(terms, axis=0)])


def closest_approach(path: Any, targets: Array) -> Array:
    """Return the least ‖W(t) − target‖_F over the times, for each of the targets.

    It is relative to the largest ‖target‖_F.
    """
    products = to_float_array(path.end_to_end)
    gaps = np.linalg.norm(products[None] - targets[:, None], axis=(-2, -1))
    return np.asarray(gaps.min(axis=1) / np.linalg.norm(targets, axis=(-2, -1)).max())
