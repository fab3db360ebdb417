"""Entries of the atlas that are experiments: a predicted number and a measured one."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias import DifferenceMap, least_potential
from symflow.claims.bibliography import EFTEKHARI_2020, GIDEL_2019, YUN_2021
from symflow.convergence import closest_approach, reduced_rank_solutions
from symflow.data import Dataset, load_dataset, whitened
from symflow.flow import gradient_flow
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import bind
from symflow.gallery.entry import NumberEntry
from symflow.inits import gaussian_init
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.simulation import DOP853, simulate

DEPTHS, FIRST, SECOND = (2, 3, 4), 1.5, 1.0


def _one_neuron(depth: int, u: Any, v: Any) -> tuple[Any, Any]:
    """Return the flow of a one-neuron network, and a balanced start of size one."""
    flow = gradient_flow(LinearNetwork(2, *[1] * (depth - 1), 2), SquaredLoss())
    left, right = (np.array(w) / np.linalg.norm(w) for w in (u, v))
    middle = [np.eye(1)] * (depth - 2)
    return flow, (right[None, :], *middle, left[:, None])


def _local_rates() -> Array:
    powers = np.array([2 - 2 / depth for depth in DEPTHS])
    return FIRST**powers * (1 - SECOND / FIRST)


def _measured_rates() -> Array:
    """Return how fast ‖W − Z_1‖ falls between t = 16 and t = 20."""
    target = np.diag([FIRST, SECOND])
    found = []
    for depth in DEPTHS:
        flow, start = _one_neuron(depth, [1.0, 0.3], [1.0, 0.1])
        method = DOP853(rtol=1e-12, atol=1e-15)
        run = simulate(flow, whitened(target), start, [0, 16, 20], method=method)
        gaps = np.linalg.norm(run.end_to_end - np.diag([FIRST, 0]), axis=(1, 2))
        found.append(np.log(gaps[1] / gaps[2]) / 4)
    return np.array(found)


def _basin_ends() -> Array:
    """Return the end points from both sides of the hyperplane, and from it."""
    ends = []
    for shift in (-1e-3, 0.0, 1e-3):
        flow, start = _one_neuron(2, [0.6 + shift, 0.8], [-0.6, 0.8])
        run = simulate(flow, whitened(np.diag([2.0, 1.0])), start, [0, 20])
        ends.append(np.diag(run.end_to_end[-1]))
    return np.array(ends)


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
    """Return the least ℓ₁ norm of an interpolant, by linear programming."""
    from scipy.optimize import linprog

    data = _few()
    both = np.hstack([data.X, -data.X])
    return float(linprog(np.ones(12), A_eq=both, b_eq=data.Y.ravel()).fun)


def _sparse_limit() -> float:
    data = _few()
    sizes = np.full(6, 1e-40)
    beta = least_potential(DifferenceMap(2), sizes, data.X, data.Y.ravel())
    return float(np.sum(np.abs(beta)))


def _digits() -> Array:
    """Return the closest approaches for an autoencoder of the digits."""
    pixels = load_dataset("digits").X
    pixels = pixels - pixels.mean(axis=0)
    frame = np.linalg.svd(pixels, full_matrices=False)[2][:6]
    scores = pixels @ frame.T / 10
    data = Dataset(scores, scores)
    flow = gradient_flow(LinearNetwork(6, 6, 6), SquaredLoss())
    times = np.linspace(0, 400, 2001)
    run = simulate(flow, data, gaussian_init(1e-6, rng=0), times)
    return closest_approach(run, reduced_rank_solutions(data))


MEASURED = (
    NumberEntry(
        "eftekhari-local",
        "local rate z₁^(2−2/L)(1 − z₂/z₁) of ‖W − Z₁‖ for L = 2, 3, 4",
        EFTEKHARI_2020,
        ("one-neuron layer", "whitened input", "balanced start", "z = (1.5, 1)"),
        _local_rates,
        _measured_rates,
        lambda rates: 1.01 * rates,
        1e-3,
    ),
    NumberEntry(
        "eftekhari-basin",
        "only from the hyperplane p₁ᵀu + q₁ᵀv = 0 does W miss the first mode",
        EFTEKHARI_2020,
        ("one-neuron layer", "whitened input", "balanced start", "z = (2, 1)"),
        lambda: np.array([[2.0, 0], [0, 1.0], [2.0, 0]]),
        _basin_ends,
        lambda ends: ends[[0, 0, 0]],
        1e-4,
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
    NumberEntry(
        "gidel-digits",
        "closest approach to reduced-rank regression, autoencoder of the digits",
        GIDEL_2019,
        ("6 leading directions", "Gaussian start of size 1e-6"),
        lambda: np.zeros(7),
        _digits,
        lambda none: none + 0.5,
        0.2,
    ),
)
