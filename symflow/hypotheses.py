"""Conditions that many theorems share, each checked on a problem, in its own words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import Hypothesis
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import Dense, Network

#: Relative defect up to which floats count as satisfying an equality.
TOLERANCE = 1e-9


def squared_loss(flow: GradientFlow) -> Hypothesis:
    """Say whether the loss is the squared loss without weight decay."""
    plain = isinstance(flow.loss, SquaredLoss) and flow.loss.l2 == 0
    return Hypothesis("squared loss without weight decay", plain, repr(flow.loss))


def dense_layers(flow: GradientFlow, depth: int | None = None) -> Hypothesis:
    """Say whether all layers are dense, and as many as `depth` where that is given."""
    network = flow.network
    dense = isinstance(network, Network) and all(
        isinstance(layer, Dense) for layer in network.layers
    )
    words = "dense layers" if depth is None else f"{depth} dense layers"
    enough = network.depth >= 2 if depth is None else network.depth == depth
    return Hypothesis(words, dense and enough, repr(network))


def whitened_input(problem: Problem) -> Hypothesis:
    """Say whether Σ_xx = I."""
    sigma_xx = to_float_array(problem.arguments[0])
    gap = float(np.max(np.abs(sigma_xx - np.eye(len(sigma_xx)))))
    detail = f"max|Σ_xx − I| = {gap:.2g}"
    return Hypothesis("whitened input", gap <= TOLERANCE, detail, gap)


def balanced_start(problem: Problem) -> Hypothesis:
    """Say whether W_{l+1}ᵀW_{l+1} = W_lW_lᵀ for every layer at the start."""
    weights = problem.floats.weights
    size = max(float(np.max(np.abs(weight))) for weight in weights) ** 2 or 1.0
    gaps = [float(np.max(np.abs(gap))) / size for gap in imbalances(weights)]
    gap = max(gaps, default=0.0)
    detail = f"max|W_l₊₁ᵀW_l₊₁ − W_lW_lᵀ| = {gap:.2g} relative"
    return Hypothesis("balanced initialization", gap <= TOLERANCE, detail, gap)


def wide_enough(hidden: tuple[int, ...], needed: int) -> Hypothesis:
    """Say whether every hidden width is at least `needed`."""
    detail = f"hidden widths {', '.join(map(str, hidden))}"
    words = f"hidden widths of at least {needed}"
    return Hypothesis(words, all(width >= needed for width in hidden), detail)


def imbalances(weights: tuple[Array, ...]) -> list[Array]:
    """Return Δ_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ for every adjacent pair.

    Examples
    --------
    >>> imbalances((np.array([[2.0]]), np.array([[3.0]])))[0].tolist()
    [[5.0]]
    """
    return [after.T @ after - before @ before.T for before, after in pairwise(weights)]
