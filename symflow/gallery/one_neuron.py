"""Entries of the atlas about one-neuron layers: limits, rates, saddles, steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import random_problems
from symflow.claims.bibliography import ARORA_2019, CHEN_2022, EFTEKHARI_2020
from symflow.convergence import (
    DescentComplexity,
    RankOneLimit,
    StableSet,
    deficiency_margin,
    escape_rate,
)
from symflow.convergence.return_time import return_time
from symflow.data import whitened
from symflow.flow import GradientFlow, gradient_descent, gradient_flow
from symflow.flow.problem import bind
from symflow.gallery.ensembles import claims_on
from symflow.gallery.entry import (
    CeilingEntry,
    Entry,
    Instance,
    NumberEntry,
    claimed,
)
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.simulation import DOP853, descend, simulate
from symflow.trajectory import Trajectory

EFFORTS = ((2, 0.1), (2, 1e-3), (2, 1e-6), (3, 0.1), (3, 1e-3))
DEPTHS, FIRST, SECOND = (2, 3, 4), 1.5, 1.0
TARGETS = ((2, 1), (2, 1), (2, 1), (2, 2))
PAIRS = (
    (("3/5", "4/5"), ("5/13", "12/13")),
    (("3/5", "4/5"), ("-3/5", "4/5")),
    (("1", "0"), ("-1", "0")),
    (("3/5", "4/5"), ("0", "1")),
)


def exact(u: Any, v: Any) -> Instance:
    """Return an exact two-layer start with W(0) = u vᵀ and the target diag(2, 1)."""
    flow = gradient_flow(LinearNetwork(2, 1, 2), SquaredLoss())
    first, last = [[sympy.Rational(x) for x in v]], [[sympy.Rational(x)] for x in u]
    times = tuple(sympy.Rational(k, 2) for k in range(9))
    return Instance(flow, whitened([[2, 0], [0, 1]]), (first, last), times)


def start(u: Any, v: Any, strength: float, depth: int = 2) -> list[Array]:
    """Return balanced one-neuron layers with W(0) = strength·u vᵀ."""
    left, right = (np.array(w, float) / np.linalg.norm(w) for w in (u, v))
    size = strength ** (1 / depth)
    middle = [size * np.eye(1)] * (depth - 2)
    return [size * right[None, :], *middle, size * left[:, None]]


def _layers(
    depth: int, u: Any, v: Any, strength: float = 1.0
) -> tuple[GradientFlow, list[Array]]:
    """Return the flow of a one-neuron network, and a balanced start."""
    flow = gradient_flow(LinearNetwork(2, *[1] * (depth - 1), 2), SquaredLoss())
    return flow, start(u, v, strength, depth)


def _starts() -> Iterator[Instance]:
    for values, (u, v) in zip(TARGETS, PAIRS, strict=True):
        target = [[values[0], 0], [0, values[1]]]
        yield replace(exact(u, v), data=whitened(target))


def _ends() -> Array:
    runs = [simulate(x.flow, x.data, x.init, [0, 18]) for x in _starts()]
    return np.array([run.end_to_end[-1] for run in runs])


def _measured_escapes() -> Array:
    """Return the growth of (p_1ᵀu + q_1ᵀv) near the saddle z_2p_2q_2ᵀ."""
    found = []
    for depth in DEPTHS:
        flow, layers = _layers(depth, [1e-5, 1.0], [1e-5, 1.0], 0.5)
        run = simulate(flow, whitened(np.diag([2.0, 0.5])), layers, [0, 1, 2])
        part = run.end_to_end[:, 0, 1]
        found.append(np.log(part[2] / part[1]))
    return np.array(found)


def _stable_starts() -> Iterator[tuple[Any, Any]]:
    generator = np.random.default_rng(11)
    for _ in range(4):
        draw = random_problems.one_neuron(2, t=60.0)
        yield from claims_on(StableSet, draw(generator))


def _lazy_and_converging() -> Array:
    """Return the parts of the stable starts with c > 0, and of those that converge."""
    margins, gaps = [], []
    for claim, path in _stable_starts():
        margins.append(deficiency_margin(claim.problem))
        limit: Any = RankOneLimit.attempt(claim.problem)
        gaps.append(np.linalg.norm(path.end_to_end[-1] - limit.limit))
    return np.array([np.mean(np.array(margins) > 0), np.mean(np.array(gaps) < 1e-5)])


@cache
def efforts() -> tuple[DescentComplexity, ...]:
    """Return the numbers of steps that are proved to suffice, for some accuracies."""
    found = []
    for depth, accuracy in EFFORTS:
        flow, layers = _layers(depth, [1.0, 0.2], [1.0, 0.1], 0.5)
        problem = bind(flow, whitened(np.diag([1.0, 0.2])), layers)
        answer = DescentComplexity.attempt(problem, accuracy)
        assert isinstance(answer, DescentComplexity), answer
        found.append(answer)
    return tuple(found)


def descended(claim: DescentComplexity) -> Trajectory:
    """Return the iterates that a claim of `efforts` is about."""
    descent = gradient_descent(claim.problem.flow.network, SquaredLoss())
    data, start = whitened(np.diag([1.0, 0.2])), claim.problem.weights
    return descend(descent, data, start, claim.steps, step_size=claim.step)


def _needed_steps() -> Array:
    """Return after how many of those steps gradient descent is there."""
    found = []
    for claim in efforts():
        distances = claim.sides(descended(claim))[0] ** 0.5
        found.append(int(np.argmax(distances <= claim.accuracy)))
    return np.array(found)


def _measured_times() -> list[float]:
    """Return when s passes 2z_1 = 4 on its way down from 25, by dense output."""
    from scipy.optimize import brentq

    found = []
    for depth in DEPTHS:
        flow = gradient_flow(LinearNetwork(*[1] * (depth + 1)), SquaredLoss())
        weights = [[[25.0 ** (1 / depth)]]] * depth
        run = simulate(flow, whitened([[2.0]]), weights, [0, 1])

        def above(t: float, run: Any = run) -> float:
            return float(np.prod([weight.item() for weight in run.at(t)])) - 4

        found.append(brentq(above, 0, 1, xtol=1e-14))
    return found


def _local_rates() -> Array:
    powers = np.array([2 - 2 / depth for depth in DEPTHS])
    return FIRST**powers * (1 - SECOND / FIRST)


def _measured_rates() -> Array:
    """Return how fast ‖W − Z_1‖ falls between t = 16 and t = 20."""
    target = np.diag([FIRST, SECOND])
    found = []
    for depth in DEPTHS:
        flow, layers = _layers(depth, [1.0, 0.3], [1.0, 0.1])
        method = DOP853(rtol=1e-12, atol=1e-15)
        run = simulate(flow, whitened(target), layers, [0, 16, 20], method=method)
        gaps = np.linalg.norm(run.end_to_end - np.diag([FIRST, 0]), axis=(1, 2))
        found.append(np.log(gaps[1] / gaps[2]) / 4)
    return np.array(found)


def _basin_ends() -> Array:
    """Return the end points from both sides of the hyperplane, and from it."""
    ends = []
    for shift in (-1e-3, 0.0, 1e-3):
        flow, layers = _layers(2, [0.6 + shift, 0.8], [-0.6, 0.8])
        run = simulate(flow, whitened(np.diag([2.0, 1.0])), layers, [0, 20])
        ends.append(np.diag(run.end_to_end[-1]))
    return np.array(ends)


ONE_NEURON: tuple[Entry, ...] = (
    NumberEntry(
        "eftekhari-return",
        "time from s = 25 to s = 2z₁ for L = 2, 3, 4",
        EFTEKHARI_2020,
        ("aligned one-neuron start",),
        lambda: [return_time(depth, 2.0, 25.0) for depth in DEPTHS],
        _measured_times,
        lambda times: times[::-1],
        1e-6,
    ),
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
        "eftekhari-ends",
        "W(∞) from a generic start, the hyperplane, a start that dies, and equal modes",
        CHEN_2022,
        ("one-neuron layer", "whitened input", "balanced start"),
        lambda: np.array([claimed(RankOneLimit, x).limit for x in _starts()]),
        _ends,
        lambda limits: limits[::-1],
        0.02,
    ),
    NumberEntry(
        "eftekhari-saddles",
        "rate z₂^(1−2/L)(z₁ − z₂) at which the saddle z₂p₂q₂ᵀ is left, L = 2, 3, 4",
        CHEN_2022,
        ("one-neuron layer", "whitened input", "balanced start", "z = (2, 0.5)"),
        lambda: np.array([escape_rate(depth, 2.0, 0.5) for depth in DEPTHS]),
        _measured_escapes,
        lambda rates: rates[::-1],
        1e-3,
    ),
    NumberEntry(
        "eftekhari-lazy",
        "part of the stable starts with a deficiency margin, and that converge",
        ARORA_2019,
        ("random starts in the stable set", "a target of rank 3"),
        lambda: np.array([0.0, 1.0]),
        _lazy_and_converging,
        lambda parts: parts[::-1],
        1e-12,
    ),
    CeilingEntry(
        "eftekhari-complexity",
        "steps of descent to ‖W − Z₁‖ ≤ 0.1, 1e-3, 1e-6 (L = 2), 0.1, 1e-3 (L = 3)",
        EFTEKHARI_2020,
        ("one-neuron layer", "whitened input", "balanced start", "z = (1, 0.2)"),
        lambda: np.array([claim.steps for claim in efforts()]),
        _needed_steps,
        0.1,
    ),
)
