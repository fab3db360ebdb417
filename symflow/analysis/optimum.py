"""Where a flow of the squared loss should end: reduced-rank regression.

Over matrices of rank at most k the squared loss is least at
W* = [Σ_yx Σ_xx^{−1/2}]_k Σ_xx^{−1/2}, with [·]_k the k largest singular values kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.arrays import to_float_array
from symflow.codegen.objective import Objective
from symflow.data import Moments
from symflow.flow.problem import Problem

Floats = NDArray[np.float64]


def inverse_root(sigma_xx: Floats) -> Floats:
    """Return Σ_xx^{−1/2}, zero on the null space of Σ_xx.

    Σ_xx is symmetric and positive semidefinite.
    """
    values, vectors = np.linalg.eigh(sigma_xx)
    kept = values > len(values) * np.finfo(float).eps * max(values[-1], 0.0)
    scales = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    root: Floats = (vectors * scales) @ vectors.T
    return root


def whitened_problem(data: Moments) -> Moments:
    """Return the moments that the data have after whitening X → XΣ_xx^{−1/2}.

    They are Σ_xx = I, Σ_yxΣ_xx^{−1/2} in float64, and the Σ_yy and n of the data. Where
    Σ_xx is singular, the inputs that never vary get Σ_yx = 0.
    """
    root = inverse_root(to_float_array(data.sigma_xx))
    cross = to_float_array(data.sigma_yx) @ root
    return Moments(np.eye(data.d), cross, data.sigma_yy, n=data.n)


def best_matrix(sigma_xx: Floats, sigma_yx: Floats, rank: int) -> Floats:
    """Return the reduced-rank regression matrix W*."""
    root = inverse_root(sigma_xx)
    left, values, right = np.linalg.svd(sigma_yx @ root, full_matrices=False)
    kept: Floats = (left[:, :rank] * values[:rank]) @ right[:rank] @ root
    return kept


def least_loss(problem: Problem) -> float:
    """Return the smallest squared loss over all matrices of the network's rank.

    Without Σ_yy in the data its constant is left out.
    """
    sigma_xx, sigma_yx = problem.arguments
    fitted = best_matrix(sigma_xx, sigma_yx, min(problem.widths))
    objective = Objective(problem)
    if objective.missing:
        return -0.5 * float(np.sum(fitted * sigma_yx))
    return float(objective.squared(fitted))


def constant_part(problem: Problem) -> float:
    """Return ½ tr Σ_yy, the loss of W = 0, or 0 where the data have no Σ_yy."""
    matches = [a for name, a in problem.data.items() if name.endswith("yy")]
    return 0.5 * float(np.trace(matches[0])) if matches else 0.0
