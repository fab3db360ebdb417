"""Entries of the atlas about limits."""

from __future__ import annotations

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias import (
    ProductMap,
    least_potential,
)
from symflow.claims.bibliography import MIN_2021, YUN_2021
from symflow.data import Dataset
from symflow.flow import gradient_flow
from symflow.gallery.entry import NumberEntry
from symflow.gallery.width import width_experiment
from symflow.losses import SquaredLoss
from symflow.networks import DiagonalNetwork
from symflow.simulation import simulate

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


BIAS = (
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
)
