"""Entries of the atlas about limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.bias import (
    DiagonalPotential,
    DistanceBound,
    FrozenPart,
    LeastNorm,
    ProductMap,
    RowSpaceSplit,
    least_potential,
)
from symflow.claims import Claim
from symflow.claims.bibliography import MIN_2021, YUN_2021
from symflow.data import Dataset
from symflow.flow import gradient_flow
from symflow.gallery.entry import Instance, NumberEntry, PathEntry
from symflow.gallery.rates import claimed, mutated
from symflow.gallery.width import width_experiment
from symflow.losses import SquaredLoss
from symflow.networks import DiagonalNetwork, LinearNetwork
from symflow.simulation import simulate

TIMES = (0, 1, 2, 5)
ONE_SAMPLE = [[sympy.Integer(1), sympy.Integer(2), sympy.Integer(0)]]


def _dense(*weights: Any) -> Instance:
    widths = (3, *(len(weight) for weight in weights))
    flow = gradient_flow(LinearNetwork(*widths), SquaredLoss())
    return Instance(flow, Dataset(ONE_SAMPLE, [sympy.Integer(1)]), weights, TIMES)


def _row_space() -> Instance:
    """Return a start with W_1P⊥ ≠ 0, which the second layer does not read."""
    return _dense([[1, 2, 0], [0, 0, 3]], [[1, 0]])


def _generic() -> Instance:
    return _dense([[1, 0, 1], [0, 1, 1]], [[1, 1]])


def _deep() -> Instance:
    return _dense([[1, 0, 1], [0, 1, 1]], [[1, 0], [1, 1]], [[1, 1]])


def _full_rank() -> Instance:
    """Return the start of `_generic` with data that see every input."""
    rows = [[sympy.Integer(k == j) for k in range(3)] for j in range(3)]
    targets = [sympy.Integer(1)] * 3
    return replace(_generic(), data=Dataset(rows, targets))


def _diagonal() -> Instance:
    sizes = [[0.5], [0.7], [1.0]]
    flow = gradient_flow(DiagonalNetwork(3, 3), SquaredLoss())
    data = Dataset([[1.0, 2.0, -1.0], [0.5, 0.0, 1.0]], [1.0, -0.5])
    return Instance(flow, data, (sizes, sizes, [[0], [0], [0]]), TIMES)


def _unequal(given: Instance) -> Claim:
    claim: Any = claimed(DiagonalPotential)(given)
    wrong = claim.sizes * np.linspace(1, 2, len(claim.sizes))
    return replace(claim, sizes=wrong)  # type: ignore[no-any-return]


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
    PathEntry(
        "min-least-norm",
        _row_space,
        claimed(LeastNorm),
        claimed(LeastNorm),
        exact=True,
        elsewhere=_generic,
    ),
    PathEntry(
        "yun-frozen",
        _deep,
        claimed(FrozenPart),
        lambda _: claimed(FrozenPart)(_generic()),
        exact=True,
        elsewhere=_full_rank,
    ),
    PathEntry(
        "min-split",
        _generic,
        claimed(RowSpaceSplit),
        mutated(RowSpaceSplit, coupling=1.1),
        exact=True,
    ),
    PathEntry(
        "min-distance",
        _generic,
        claimed(DistanceBound),
        mutated(DistanceBound, distance=1e-3),
        exact=True,
    ),
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
    PathEntry("yun-diagonal", _diagonal, claimed(DiagonalPotential), _unequal),
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
