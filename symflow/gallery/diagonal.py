"""Entries of the atlas about diagonal, convolutional and decomposable networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias import (
    DiagonalPotential,
    FourierPotential,
    kernel_limit,
    saddle_to_saddle,
)
from symflow.bias.reference_problems import few_samples
from symflow.claims.bibliography import BERTHIER_2023, PESME_2023, YUN_2021
from symflow.data import Moments
from symflow.flow import gradient_flow
from symflow.flow.problem import bind
from symflow.gallery.entry import Instance, NumberEntry, claimed
from symflow.losses import SquaredLoss
from symflow.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    HadamardDifference,
    LinearNetwork,
)
from symflow.simulation import DOP853, simulate

TIMES = (0, 1, 2)


def _turning_gap() -> float:
    """Return 1 where the estimate is off, by more than rounding and less than half."""
    flow = gradient_flow(ConvolutionalNetwork(4, (4, 4)), SquaredLoss())
    data, start = few_samples(3), ([[0.5], [0.2], [-0.1], [0.3]], np.zeros((4, 1)))
    guess: Any = FourierPotential.estimate(bind(flow, data, start))
    method = DOP853(rtol=1e-11, atol=1e-13)
    run = simulate(flow, data, start, [0, 400], method=method)
    gap = np.abs(run.end_to_end[-1] - guess.limit).max() / np.abs(guess.limit).max()
    return float(1e-4 < gap < 0.5)


SHAPE = np.array([[1.5], [0.5], [1.0], [0.7]])


def _weighted(depth: int = 3, alpha: float = 1.0) -> Any:
    flow = gradient_flow(DiagonalNetwork(4, depth), SquaredLoss())
    start = [alpha * SHAPE] * (depth - 1) + [np.zeros((4, 1))]
    return claimed(DiagonalPotential, Instance(flow, few_samples(), start, TIMES))


def _small_end() -> Array:
    """Return where a network of depth 3 ends from weights of size 0.02."""
    flow = gradient_flow(DiagonalNetwork(4, 3), SquaredLoss())
    start = [0.02 * SHAPE] * 2 + [np.zeros((4, 1))]
    return np.asarray(simulate(flow, few_samples(), start, [0, 4000]).end_to_end[-1])


def _kernel(alpha: float) -> Instance:
    flow = gradient_flow(LinearNetwork(4, 3, 1), SquaredLoss())
    generator = np.random.default_rng(13)
    first = alpha * generator.standard_normal((3, 4))
    return Instance(flow, few_samples(), (first, np.zeros((1, 3))), (0, 60 / alpha))


def _kernel_solution() -> Array:
    given = _kernel(1.0)
    return kernel_limit(given.flow, given.data, given.init).limit


def _distances() -> Array:
    flow = gradient_flow(HadamardDifference(8), SquaredLoss())
    path = saddle_to_saddle(flow, few_samples(4, 8))
    return np.array([path.distance(1e-120).max()])


def _nested() -> Array:
    """Return the sizes of the supports for anti-correlated inputs."""
    flow = gradient_flow(HadamardDifference(3), SquaredLoss())
    data = Moments([[2, -1, 0], [-1, 2, -1], [0, -1, 2]], [[3, 1, 2]])
    path = saddle_to_saddle(flow, data, positive=True)
    return np.array([len(support) for support in path.supports])


DIAGONAL = (
    NumberEntry(
        "yun-fourier-validity",
        "limit of validity: turning phases take the flow off the Fourier potential",
        YUN_2021,
        ("two full filters", "3 samples, 4 inputs", "off by 1e-4 … 0.5"),
        lambda: 1.0,
        _turning_gap,
        lambda yes: 0 * yes,
        1e-9,
    ),
    NumberEntry(
        "yun-rich",
        "β from α = 0.02 against the least Σ|β_j|/|η̄_j|, L = 3",
        YUN_2021,
        ("diagonal network", "2 samples, 4 inputs"),
        lambda: _weighted().rich.limit,
        _small_end,
        lambda _: _weighted(2).rich.limit,
        5e-3,
    ),
    NumberEntry(
        "yun-lazy",
        "β from α = 40 against the least Σβ_j²/η̄_j⁴, L = 3",
        YUN_2021,
        ("diagonal network", "2 samples, 4 inputs"),
        lambda: _weighted().lazy.limit,
        lambda: _weighted(alpha=40.0).limit,
        lambda _: _weighted(2).lazy.limit,
        1e-5,
    ),
    NumberEntry(
        "yun-kernel",
        "two dense layers from W₁ = 10W̄, W₂ = 0 against the kernel solution",
        YUN_2021,
        ("2 samples, 4 inputs, 3 hidden",),
        _kernel_solution,
        lambda: _kernel(10.0).run.end_to_end[-1],
        lambda limit: limit[:, ::-1],
        1e-3,
    ),
    NumberEntry(
        "pesme-distance",
        "distance from the saddles in the middle of each stay, α = 1e-120",
        PESME_2023,
        ("β = u∘u − v∘v", "4 samples, 8 inputs"),
        lambda: np.zeros(1),
        _distances,
        lambda none: none + 0.1,
        1e-2,
    ),
    NumberEntry(
        "berthier-nested",
        "anti-correlated inputs: one coefficient more at each jump of β = u∘u",
        BERTHIER_2023,
        ("Σ_xx,ij ≤ 0 for i ≠ j", "Σ_xx > 0"),
        lambda: np.arange(4),
        _nested,
        lambda sizes: sizes[::-1],
        1e-9,
    ),
)
