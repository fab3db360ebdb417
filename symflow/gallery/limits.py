"""Entries of the atlas about limits: where flows end, and how the scale decides it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias import DifferenceMap, ProductMap, least_potential
from symflow.bias.scale import lazy_scale, rich_scale
from symflow.claims.bibliography import MIN_2021, WOODWORTH_2020, YUN_2021
from symflow.data import Dataset
from symflow.flow import gradient_flow
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import bind
from symflow.gallery.entry import CeilingEntry, Entry, NumberEntry
from symflow.gallery.width import width_experiment
from symflow.inits import gaussian_init
from symflow.losses import SquaredLoss
from symflow.networks import DiagonalNetwork, LinearNetwork
from symflow.simulation import simulate

#: The least norm of an interpolant, and a scale from it and ε.
Measure = Callable[[Array, Array], float]
Scale = Callable[[float, float], float]

PLANE = tuple((depth, alpha) for depth in (2, 3) for alpha in (0.1, 0.5, 1.0))


def _plane_limits() -> Array:
    row, one = np.array([[1.0, 2.0]]), np.ones(1)
    limits = [
        least_potential(ProductMap(depth), np.full(2, alpha), row, one)
        for depth, alpha in PLANE
    ]
    return np.array(limits)


def _plane_flows() -> Array:
    data, ends = Dataset([[1.0, 2.0]], [1.0]), []
    for depth, alpha in PLANE:
        flow = gradient_flow(DiagonalNetwork(2, depth), SquaredLoss())
        start = [np.full((2, 1), alpha)] * (depth - 1) + [np.zeros((2, 1))]
        ends.append(simulate(flow, data, start, [0, 400]).end_to_end[-1, 0])
    return np.array(ends)


def _slope() -> float:
    generator = np.random.default_rng(3)
    data = Dataset(generator.standard_normal((4, 12)), generator.standard_normal(4))
    return width_experiment(data, [100, 10_000], runs=7, rng=4, t=200.0).slope


#: Parts ε of the least norm, and the inputs of the random regressions.
PARTS, INPUTS, INSTANCES = (0.5, 0.1, 0.03), 6, 20


def _regressions() -> Iterator[tuple[Array, Array]]:
    generator = np.random.default_rng(8)
    for _ in range(INSTANCES):
        X = generator.standard_normal((3, INPUTS))
        yield X, generator.standard_normal(3)


def least_l1(X: Array, y: Array) -> float:
    """Return the least ℓ₁ norm of an interpolant, by linear programming.

    The samples X have shape (n, d), the targets y (n,).
    """
    from scipy.optimize import linprog

    both = np.hstack([X, -X])
    return float(linprog(np.ones(both.shape[1]), A_eq=both, b_eq=y).fun)


def _excess(least: Measure, scale: Scale, size: Callable[[Array], Any]) -> list[float]:
    """Return the largest excess of a size of β over all regressions, per ε.

    The least norm of an interpolant says from which scale on it is at most ε.
    """

    def excess(part: float, X: Array, y: Array) -> float:
        norm = least(X, y)
        sizes = np.full(INPUTS, scale(norm, part))
        return float(size(least_potential(DifferenceMap(2), sizes, X, y) / norm)) - 1

    return [max(excess(part, X, y) for X, y in _regressions()) for part in PARTS]


def _rich() -> list[float]:
    def scale(least: float, part: float) -> float:
        return rich_scale(least, INPUTS, part)

    return _excess(least_l1, scale, lambda beta: np.sum(np.abs(beta)))


def _lazy() -> list[float]:
    def least(X: Array, y: Array) -> float:
        return float(np.linalg.norm(np.linalg.lstsq(X, y)[0]))

    return _excess(least, lazy_scale, lambda beta: np.sum(beta**2))


def _few() -> Dataset:
    generator = np.random.default_rng(5)
    return Dataset(generator.standard_normal((3, 6)), generator.standard_normal(3))


def _scale_slope() -> float:
    """Return d ln‖W(∞) − Σ_yxΣ_xx⁺‖/d ln α for Gaussian starts of size α."""
    data, flow = _few(), gradient_flow(LinearNetwork(6, 6, 1), SquaredLoss())
    scales, gaps = (0.1, 0.01), []
    for scale in scales:
        init = gaussian_init(scale, rng=6)
        end = simulate(flow, data, init, [0, 300]).end_to_end[-1]
        best = least_squares(bind(flow, data, init)).least_norm
        gaps.append(float(np.linalg.norm(end - best)))
    return float(np.log(gaps[0] / gaps[1]) / np.log(scales[0] / scales[1]))


def _least_l1() -> float:
    data = _few()
    return least_l1(data.X, data.Y.ravel())


def _sparse_limit() -> float:
    data = _few()
    sizes = np.full(6, 1e-40)
    beta = least_potential(DifferenceMap(2), sizes, data.X, data.Y.ravel())
    return float(np.sum(np.abs(beta)))


LIMITS: tuple[Entry, ...] = (
    NumberEntry(
        "min-width",
        "exponent of ‖W(∞) − Σ_yxΣ_xx⁺‖ in the width h = 100 … 10000",
        MIN_2021,
        ("weights N(0, 1/h)", "4 samples, 12 inputs", "median of 7 starts"),
        lambda: -0.5,
        _slope,
        lambda slope: 2 * slope,
        0.2,
    ),
    NumberEntry(
        "yun-plane",
        "end points in the plane for L = 2, 3 and α = 0.1, 0.5, 1",
        YUN_2021,
        ("diagonal network", "one sample ([1, 2], 1)"),
        _plane_limits,
        _plane_flows,
        lambda limits: limits[::-1],
        1e-6,
    ),
    NumberEntry(
        "yun-scale",
        "exponent of ‖W(∞) − Σ_yxΣ_xx⁺‖ in the scale α of the start",
        YUN_2021,
        ("two dense layers", "3 samples, 6 inputs", "α = 0.1, 0.01"),
        lambda: 1.0,
        _scale_slope,
        lambda slope: 2 * slope,
        0.2,
    ),
    NumberEntry(
        "yun-sparse",
        "least ℓ₁ norm as the limit of the potential for c = 1e-40, L = 2",
        YUN_2021,
        ("diagonal network u∘u − v∘v", "3 samples, 6 inputs"),
        _least_l1,
        _sparse_limit,
        lambda norm: 1.001 * norm,
        1e-4,
    ),
    CeilingEntry(
        "woodworth-rich",
        "‖β‖₁/least − 1 ≤ ε from the scale α(ε), ε = 0.5, 0.1, 0.03",
        WOODWORTH_2020,
        ("β = u∘u − v∘v, u = v = α", "20 random regressions, 3 samples, 6 inputs"),
        lambda: PARTS,
        _rich,
        0.01,
    ),
    CeilingEntry(
        "woodworth-lazy",
        "‖β‖₂²/least − 1 ≤ ε from the scale α(ε), ε = 0.5, 0.1, 0.03",
        WOODWORTH_2020,
        ("β = u∘u − v∘v, u = v = α", "20 random regressions, 3 samples, 6 inputs"),
        lambda: PARTS,
        _lazy,
        1e-3,
    ),
)
