"""How far two trajectories that start together to rounding can come apart.

Along the flow the squared distance of two close trajectories grows at most with the
rate 2μ, where μ is the largest eigenvalue of −∇²ℒ (Gronwall's inequality, first order
in the distance).  For a few weights μ is computed; otherwise the curvature of the loss,
which only contracts, is left out: μ ≤ (L − 1) ‖F‖ max‖W_l‖^{L−2}, with the force
F = −∂ℓ/∂W.  A defect of the data pushes as long as anything moves.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, end_to_end
from symflow.algebra.numbers import to_float
from symflow.claims import Path, relative_size
from symflow.claims.claim import product_sizes

#: Points of the grid on which the rate is integrated, and a safety factor.
GRID, SAFETY = 60, 10.0

#: A relative change of W(t) that leaves nothing known.
LARGE = 0.1

#: Relative force below which nothing moves any more.
SETTLED = 1e-8

#: The last time at which a horizon is looked for, over the fastest rate.
LAST = 1e8


def amplification(solution: Any, times: Array) -> Array:
    """Return the factor from a relative defect at t = 0 to one of W(t).

    It is infinite where nothing can be said.
    """
    moved, size, _ = _moved(solution, times)
    factor = moved / np.where(size > 0, size, 1.0)
    factor = np.where(np.isnan(factor), np.inf, np.maximum(factor, SAFETY))
    return np.asarray(factor)


def _moved(solution: Any, times: Array) -> tuple[Array, Array, float]:
    """Return |δW(t)| per relative defect, |W(t)|, and the product of the layers' norms.

    The weights differ by grown · (|δ(0)| + ∫ push/grown).
    """
    grid = _grid(times)
    problem, depth = solution.problem.floats, solution.depth
    sigma_xx, sigma_yx = problem.arguments
    matrices = solution._end_to_end(grid)
    layers = solution._weights(grid) if solution.has_dense_layers else None
    size = np.max(np.abs(matrices), axis=(1, 2))
    spread = np.linalg.norm(matrices, 2, axis=(1, 2))
    first = max(float(np.linalg.norm(weight, 2)) for weight in problem.weights)
    # balanced layers shrink with W, others keep their differences
    layer = np.maximum(0 if solution.is_balanced else first, spread ** (1 / depth))
    force = np.linalg.norm(sigma_yx - matrices @ sigma_xx, 2, axis=(1, 2))
    rate = solution.coupling * force * layer ** max(0, depth - 2)
    bends = solution.bends(grid, layers)
    if bends is not None:
        largest = np.linalg.eigvalsh(bends)[..., -1].reshape(len(grid), -1).max(axis=1)
        rate = np.minimum(rate, np.maximum(largest, 0.0))
    pull = float(np.linalg.norm(sigma_yx, 2)), float(np.linalg.norm(sigma_xx, 2))
    push = (pull[0] + pull[1] * spread) * layer ** (depth - 1) / (first or 1.0)
    push = np.where(force > SETTLED * force[0], push, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        logs = _integral(grid, rate)
        grown = np.exp(logs) * (1 + _integral(grid, push * np.exp(-logs)))
        moved = SAFETY * depth * grown * first * layer ** (depth - 1)
    places = np.searchsorted(grid, times)
    return moved[places], size[places], first**depth


def horizon(solution: Any) -> float:
    """Return the time until which a defect changes W(t) by less than `LARGE`."""
    times = np.concatenate([[0.0], np.geomspace(1e-14, 1, GRID) * last_time(solution)])
    moved, size, product = _moved(solution, times)
    late = ~(solution.defect * moved <= LARGE * np.maximum(size, product))
    if not late.any():
        return float(np.inf)
    return float(times[max(int(np.argmax(late)) - 1, 0)])


def last_time(solution: Any) -> float:
    """Return `LAST` over the fastest rate of the data."""
    data = solution.problem.floats.arguments
    return LAST / (max(float(np.linalg.norm(part, 2)) for part in data) or 1.0)


def bent(layers: tuple[Array, ...], sigma_xx: Array, sigma_yx: Array) -> Array:
    """Return −∇²ℒ for weights W_1, …, W_L, of all layers row by row."""
    count = len(layers)
    before = [_product(layers[:k], len(sigma_xx)) for k in range(count)]
    after = [_product(layers[k + 1 :], len(layers[k])) for k in range(count)]
    moved = np.concatenate(
        [np.kron(p, s.T) for p, s in zip(after, before, strict=True)], axis=1
    )
    outputs = len(sigma_yx)
    total = -moved.T @ np.kron(np.eye(outputs), sigma_xx) @ moved
    force = sigma_yx - layers[-1] @ before[-1] @ sigma_xx
    ends = np.cumsum([0, *(layer.size for layer in layers)])
    for low, high in combinations(range(count), 2):
        ends_meet = after[high].T @ force @ before[low].T
        between = _product(layers[low + 1 : high], len(layers[low]))
        block = np.einsum("ad,bc->abcd", ends_meet, between)
        block = block.reshape(layers[high].size, layers[low].size)
        rows = slice(ends[high], ends[high + 1])
        columns = slice(ends[low], ends[low + 1])
        total[rows, columns] += block
        total[columns, rows] += block.T
    return np.asarray((total + total.T) / 2)


def _product(layers: tuple[Array, ...], size: int) -> Array:
    return end_to_end((np.eye(size), *layers))


def _integral(grid: Array, values: Array) -> Array:
    steps = np.diff(grid) * (values[1:] + values[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])


def _grid(times: Array) -> Array:
    end = float(np.max(times, initial=0.0))
    if end == 0:
        return np.unique(times)
    spread = np.geomspace(end * 1e-12, end, GRID)
    return np.unique(np.concatenate([[0.0], np.linspace(0, end, GRID), spread, times]))


def magnified(path: Path, degree: int) -> Array:
    """Return max|θ|^degree / max|W|: what a relative error of the weights is in W.

    It is at least 1, also beside W = 0, where errors are relative to the numerator.
    """
    sizes = [to_float(abs(product).max()) for product in path.end_to_end]
    whole = product_sizes(path, degree)
    pairs = zip(whole, sizes, strict=True)
    return np.array([max(1.0, top / (size or top or 1.0)) for top, size in pairs])


def relative_gaps(path: Path, predicted: Array, degree: int) -> Array:
    """Return max|W_path − W| over the largest entry of the smaller of both.

    Where one of them vanishes, it is relative to max|θ|^degree, what W could be.

    The `predicted` W has shape (times, m, d), and `degree` factors.
    """
    gaps, sizes = [], product_sizes(path, degree)
    for seen, said, size in zip(path.end_to_end, predicted, sizes, strict=True):
        least = min(seen, said, key=lambda matrix: abs(matrix).max())
        scale = least if least.any() else np.array([size])
        gaps.append(relative_size(seen - said, scale))
    return np.asarray(gaps)
