"""Entries of the atlas about speed."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims.bibliography import EFTEKHARI_2020, GIDEL_2019
from symflow.convergence import (
    closest_approach,
    descend,
    reduced_rank_solutions,
)
from symflow.convergence.far_away import return_time
from symflow.data import whitened
from symflow.flow import gradient_flow
from symflow.gallery.entry import NumberEntry
from symflow.inits import spectral_init
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.simulation import simulate


def _times() -> list[float]:
    return [return_time(depth, 2.0, 25.0) for depth in (2, 3, 4)]


def _measured_times() -> list[float]:
    """Return when s passes 2z_1 = 4 on its way down from 25, by dense output."""
    from scipy.optimize import brentq

    found = []
    for depth in (2, 3, 4):
        flow = gradient_flow(LinearNetwork(*[1] * (depth + 1)), SquaredLoss())
        weights = [[[25.0 ** (1 / depth)]]] * depth
        run = simulate(flow, whitened([[2.0]]), weights, [0, 1])

        def above(t: float, run: Any = run) -> float:
            return float(np.prod([weight.item() for weight in run.at(t)])) - 4

        found.append(brentq(above, 0, 1, xtol=1e-14))
    return found


def _approach() -> Array:
    flow = gradient_flow(LinearNetwork(3, 3, 3), SquaredLoss())
    data = whitened(np.diag([3.0, 2.0, 1.0]))
    times = np.linspace(0, 12, 241)
    run = simulate(flow, data, spectral_init(1e-6), [*times, 40.0])
    return closest_approach(run, reduced_rank_solutions(data))


RATES = (
    NumberEntry(
        "eftekhari-return",
        "time from s = 25 to s = 2z₁ for L = 2, 3, 4",
        EFTEKHARI_2020,
        ("aligned one-neuron start",),
        _times,
        _measured_times,
        lambda times: times[::-1],
        1e-6,
    ),
    NumberEntry(
        "gidel-regression",
        "closest approach to reduced-rank regression",
        GIDEL_2019,
        ("whitened input", "spectral start of size 1e-6"),
        lambda: np.zeros(4),
        _approach,
        lambda none: none + 0.5,
        1e-2,
    ),
    NumberEntry(
        "gidel-descent",
        "10 steps of gradient descent on one mode",
        GIDEL_2019,
        ("η = 0.1, σ = 1.3, λ = 0.7, w₀ = 0.05",),
        lambda: 0.464311256850647935541,
        lambda: descend(0.05, 10, step=0.1, sigma=1.3, lam=0.7)[-1],
        lambda value: value * 1.001,
        1e-13,
    ),
)
