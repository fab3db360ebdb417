"""Entries of the atlas about speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Claim
from symflow.claims.bibliography import EFTEKHARI_2020, GIDEL_2019
from symflow.convergence import (
    Alignment,
    ConvexityRate,
    FarAway,
    HomogeneousRate,
    ImbalanceRate,
    InstantaneousRate,
    MarginRate,
    RankOneRate,
    StableSet,
    Staircase,
    ThreeLayerRate,
    UnimodalRate,
    closest_approach,
    descend,
    reduced_rank_solutions,
)
from symflow.convergence.far_away import return_time
from symflow.data import Moments, whitened
from symflow.flow import gradient_flow
from symflow.flow.problem import bind
from symflow.gallery.entry import Instance, NumberEntry, PathEntry
from symflow.inits import spectral_init
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.simulation import simulate

HALF = sympy.Rational(1, 2)
TIMES = tuple(sympy.Rational(k, 4) for k in range(17))


def instance(sigma_yx: Any, *weights: Any, sigma_xx: Any = None) -> Instance:
    """Return exact data and start for a dense network, whitened by default."""
    widths = (len(weights[0][0]), *(len(weight) for weight in weights))
    flow = gradient_flow(LinearNetwork(*widths), SquaredLoss())
    data = whitened(sigma_yx) if sigma_xx is None else Moments(sigma_xx, sigma_yx)
    return Instance(flow, data, weights, TIMES)


def claimed(kind: Any) -> Callable[[Instance], Claim]:
    """Return the maker of the claim of one kind."""

    def make(given: Instance) -> Claim:
        answer = kind.attempt(bind(given.flow, given.data, given.init))
        assert isinstance(answer, Claim), answer
        return answer

    return make


def mutated(kind: Any, **factors: float) -> Callable[[Instance], Claim]:
    """Return the maker of the claim with constants multiplied by wrong factors."""

    def make(given: Instance) -> Claim:
        claim: Any = claimed(kind)(given)
        wrong = {name: getattr(claim, name) * by for name, by in factors.items()}
        return replace(claim, **wrong)  # type: ignore[no-any-return]

    return make


def _scalar() -> Instance:
    return instance([[1]], [[sympy.Rational(9, 10)]], [[sympy.Rational(1, 2)]])


def _near() -> Instance:
    shift = [[sympy.Rational(11, 10), HALF / 10], [0, sympy.Rational(9, 10)]]
    return instance(shift, [[1, 0], [0, 1]], [[1, 0], [0, 1]])


def _three() -> Instance:
    return instance([[1]], [[1], [0]], [[2, 0], [0, 2]], [[1, HALF]])


def _shrinking() -> Instance:
    return instance([[2, 1], [0, 1]], [[2, 0], [0, 2]], [[1, 0], [0, 1]])


def _cubic() -> Instance:
    eye = [[1, 0], [0, 1]]
    target = [[sympy.Rational(11, 10), 0], [0, sympy.Rational(9, 10)]]
    return instance(target, eye, eye, eye)


def _one_neuron(*sizes: Any) -> Instance:
    first, last = [[sympy.Rational(4, 5), sympy.Rational(3, 5)]], [[1], [0]]
    middle = [[[size]] for size in sizes]
    return instance([[2, 0], [0, 1]], first, *middle, last)


def _close_modes() -> Instance:
    """Return the same start with a second mode almost as strong as the first."""
    return replace(_one_neuron(), data=whitened([[2, 0], [0, sympy.Rational(19, 10)]]))


def _far() -> Instance:
    return instance([[2, 0], [0, 1]], [[5, 0]], [[5], [0]])


def _stairs() -> Instance:
    flow = gradient_flow(LinearNetwork(3, 3, 3), SquaredLoss())
    data = whitened([[3, 0, 0], [0, 2, 0], [0, 0, 1]])
    start = spectral_init(sympy.Rational(1, 100))
    return Instance(flow, data, start, tuple(range(13)))


def _late_stairs(given: Instance) -> Claim:
    earlier = replace(given, init=spectral_init(sympy.Rational(1, 1000)))
    return claimed(Staircase)(earlier)


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
    given = _stairs()
    times = np.linspace(0, 12, 241)
    run = simulate(given.flow, given.data, spectral_init(1e-6), [*times, 40.0])
    return closest_approach(run, reduced_rank_solutions(given.data))


RATES = (
    PathEntry(
        "min-imbalance",
        _scalar,
        claimed(ImbalanceRate),
        mutated(ImbalanceRate, constant=9),
        True,
    ),
    PathEntry(
        "min-margin",
        _scalar,
        claimed(MarginRate),
        mutated(MarginRate, constant=2),
        True,
    ),
    PathEntry(
        "min-convexity",
        _near,
        claimed(ConvexityRate),
        mutated(ConvexityRate, constant=2),
        True,
    ),
    PathEntry(
        "min-instant",
        _scalar,
        claimed(InstantaneousRate),
        lambda given: claimed(InstantaneousRate)(
            replace(given, init=([[2]], [[HALF]]))
        ),
        True,
    ),
    PathEntry(
        "min-three",
        _three,
        claimed(ThreeLayerRate),
        mutated(ThreeLayerRate, constant=9),
        True,
    ),
    PathEntry(
        "min-unimodal",
        _shrinking,
        claimed(UnimodalRate),
        mutated(UnimodalRate, constant=9),
        True,
    ),
    PathEntry(
        "arora-balanced",
        _cubic,
        claimed(HomogeneousRate),
        mutated(HomogeneousRate, constant=2),
        True,
    ),
    PathEntry(
        "eftekhari-stable",
        _one_neuron,
        claimed(StableSet),
        mutated(StableSet, alpha=1.2),
        True,
    ),
    PathEntry(
        "eftekhari-alignment",
        _one_neuron,
        claimed(Alignment),
        mutated(Alignment, kappa=4),
        True,
    ),
    PathEntry(
        "eftekhari-deep",
        lambda: _one_neuron(1),
        claimed(Alignment),
        mutated(Alignment, kappa=4),
        True,
    ),
    PathEntry(
        "eftekhari-rate",
        _one_neuron,
        claimed(RankOneRate),
        claimed(RankOneRate),
        exact=True,
        elsewhere=_close_modes,
    ),
    PathEntry(
        "eftekhari-far", _far, claimed(FarAway), mutated(FarAway, time=0.0), True
    ),
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
    PathEntry("gidel-stairs", _stairs, claimed(Staircase), _late_stairs, True),
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
