"""How far two trajectories that start together to rounding can come apart.

Along the flow the squared distance of two close trajectories grows at most with the
rate 2μ, where μ is the largest eigenvalue of −∇²ℒ.  The curvature of the loss itself
only contracts; what is left is bounded by μ ≤ (L − 1) ‖F‖ max‖W_l‖^{L−2}, with the
force F = −∂ℓ/∂W (Gronwall's inequality, first order in the distance).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array

#: Points of the grid on which the rate is integrated, and a safety factor.
GRID, SAFETY = 257, 10.0


def amplification(solution: Any, times: Array) -> Array:
    """Return the factor from a relative defect at t = 0 to one of W(t).

    Parameters
    ----------
    solution : Solution
        Gives W(t).
    times : array, shape (n,)
        Times at which the factor is wanted.

    Returns
    -------
    array, shape (n,)
        Infinite where nothing can be said.
    """
    grid = _grid(times)
    problem = solution.problem.floats
    sigma_xx, sigma_yx = problem.arguments
    matrices = solution.end_to_end(grid)
    depth = len(problem.weights)
    size = np.max(np.abs(matrices), axis=(1, 2))
    layer0 = max(float(np.linalg.norm(weight, 2)) for weight in problem.weights)
    layer = np.maximum(layer0, np.linalg.norm(matrices, 2, axis=(1, 2)) ** (1 / depth))
    force = np.linalg.norm(sigma_yx - matrices @ sigma_xx, 2, axis=(1, 2))
    rate = (depth - 1) * force * layer ** max(0, depth - 2)
    steps = np.diff(grid) * (rate[1:] + rate[:-1]) / 2
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        grown = np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
        factor = SAFETY * depth * grown * layer0 * layer ** (depth - 1) / size
    factor = np.where(np.isnan(factor), np.inf, np.maximum(factor, SAFETY))
    return np.asarray(factor[np.searchsorted(grid, times)])


def _grid(times: Array) -> Array:
    end = float(np.max(times))
    if end == 0:
        return np.unique(times)
    spread = np.geomspace(end * 1e-9, end, GRID)
    return np.unique(np.concatenate([[0.0], np.linspace(0, end, GRID), spread, times]))
