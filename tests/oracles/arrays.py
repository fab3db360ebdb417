"""Hand-written NumPy: the flow of a product network as one writes it on paper."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np


def derivatives(
    weights: Sequence[Any], sigma_xx: Any, sigma_yx: Any, decay: float = 0.0
) -> list[Any]:
    """Return Ẇ_l = (W_L⋯W_{l+1})ᵀ (Σ_yx − WΣ_xx) (W_{l−1}⋯W_1)ᵀ − λW_l, per layer."""
    force = sigma_yx - chain(weights, sigma_xx.shape[-1]) @ sigma_xx
    results = []
    for layer, weight in enumerate(weights):
        after = chain(weights[layer + 1 :], weight.shape[-2])
        before = chain(weights[:layer], weight.shape[-1])
        results.append(
            np.swapaxes(after, -1, -2) @ force @ np.swapaxes(before, -1, -2)
            - decay * weight
        )
    return results


def chain(weights: Sequence[Any], size: int) -> Any:
    """Return the product with the last weight leftmost; the identity for none."""
    return (
        reduce(lambda done, weight: weight @ done, weights) if weights else np.eye(size)
    )


def draw(
    rng: np.random.Generator,
    widths: Sequence[int],
    batch: tuple[int, ...] = (),
    data_batch: tuple[int, ...] = (),
) -> tuple[list[Any], Any, Any]:
    """Return Gaussian weights and the moments of Gaussian samples."""
    weights = [
        rng.standard_normal((*batch, rows, columns))
        for columns, rows in pairwise(widths)
    ]
    X = rng.standard_normal((*data_batch, 2 * widths[0], widths[0]))
    sigma_xx = np.swapaxes(X, -1, -2) @ X / X.shape[-2]
    sigma_yx = rng.standard_normal((*data_batch, widths[-1], widths[0]))
    return weights, sigma_xx, sigma_yx


def balanced(rng: np.random.Generator, widths: Sequence[int]) -> list[Any]:
    """Return weights with W_{l+1}ᵀW_{l+1} = W_lW_lᵀ: one diagonal between frames.

    W_l = U_l S U_{l−1}ᵀ, where S is the same k×k diagonal in every layer, k the
    smallest width, and U_l has k orthonormal columns, from a QR factorization.
    """
    rank = min(widths)
    frames = [np.linalg.qr(rng.standard_normal((width, rank)))[0] for width in widths]
    strengths = np.diag(rng.uniform(0.5, 1.5, rank))
    return [after @ strengths @ before.T for before, after in pairwise(frames)]


def tangent_kernel(weights: Sequence[Any], X: Any) -> Any:
    """Return K of dense layers: the output (i, j) of f = XWᵀ has the number i·m + j."""
    layers, hidden = [np.asarray(weight) for weight in weights], np.asarray(X)
    total: Any = 0
    for number, weight in enumerate(layers):
        after = chain(layers[number + 1 :], len(weight))
        total = total + np.kron(hidden @ hidden.T, after @ after.T)
        hidden = hidden @ weight.T
    return total
