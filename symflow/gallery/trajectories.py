"""The catalogue of closed forms on reference instances, one per entry.

``python tests/benchmarks/solutions.py --table`` holds it against integration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import sympy

from symflow.claims import Claim
from symflow.data import Dataset, Moments, whitened
from symflow.flow import gradient_flow
from symflow.gallery.entry import Instance, PathEntry
from symflow.inits import rank_one_init, spectral_init
from symflow.losses import SquaredLoss
from symflow.networks import (
    AbstractNetwork,
    ConvolutionalNetwork,
    DiagonalNetwork,
    LinearNetwork,
    SymmetricFactorization,
)
from symflow.solutions import Solution, attempts

HALF = sympy.Rational(1, 2)

#: When the trajectories of the atlas are looked at.
TIMES = (0, HALF, 2)


def _instance(network: AbstractNetwork, data: Any, init: Any, l2: Any = 0) -> Instance:
    return Instance(gradient_flow(network, SquaredLoss(l2=l2)), data, init, TIMES)


def _columns(*weights: Any) -> tuple[Any, ...]:
    return tuple([[sympy.Rational(x)] for x in weight] for weight in weights)


#: Two coordinates, and three stationary ones.
TWO = Moments([[2, 0], [0, 1]], [[3, -1]])
THREE = Moments([[4, 1, 1], [1, 4, 1], [1, 1, 4]], [[3, -1, 2]])

#: A reference instance for every entry of the catalogue.
REFERENCES: dict[str, Callable[[], Instance]] = {
    "LinearRegression": lambda: _instance(
        LinearNetwork(2, 2),
        Moments([[2, 1], [1, 1]], [[1, -1], [0, 3]]),
        ([[1, 0], [HALF, -1]],),
    ),
    "LogisticMode": lambda: _instance(
        LinearNetwork(2, 3, 2), whitened([[2, 1], [1, 3]]), spectral_init(HALF, rng=1)
    ),
    "HyperbolicMode": lambda: _instance(
        LinearNetwork(2, 2, 2),
        Moments([[2, 0], [0, 1]], [[3, 0], [0, -1]]),
        ([[HALF, 0], [0, 1]], [[2, 0], [0, HALF]]),
    ),
    "DeepMode": lambda: _instance(
        LinearNetwork(2, 2, 2, 2),
        Moments([[2, 0], [0, 1]], [[3, 0], [0, 1]]),
        ([[HALF, 0], [0, HALF]],) * 3,
    ),
    "DecayingMode": lambda: _instance(  # one mode is learned, the other dies
        LinearNetwork(2, 2, 2, 2),
        Moments([[2, 0], [0, 1]], [[3, 0], [0, 1]]),
        ([[HALF, 0], [0, HALF]],) * 3,
        HALF,
    ),
    "RankOne": lambda: _instance(
        LinearNetwork(2, 1, 2, 2),
        whitened([[2, 0], [0, 1]]),
        rank_one_init(HALF, left=[3, 4], right=[5, 12], rng=0),
    ),
    "Riccati": lambda: _instance(  # W₂ᵀW₂ − W₁W₁ᵀ = I
        LinearNetwork(3, 2, 2),
        whitened([[2, 1, 0], [HALF, -1, 1]]),
        (
            [[sympy.Rational(3, 4), 0, 0], [0, 0, sympy.Rational(3, 4)]],
            [[0, sympy.Rational(5, 4)], [sympy.Rational(5, 4), 0]],
        ),
    ),
    "MixedRiccati": lambda: _instance(  # W₂ᵀW₂ − W₁W₁ᵀ = diag(−4, −4, 1)
        LinearNetwork(2, 3, 1),
        whitened([[2, 1]]),
        ([[2, 0], [0, 2], [0, 0]], [[0, 0, 1]]),
    ),
    "SymmetricRiccati": lambda: _instance(
        SymmetricFactorization(3, 2),
        whitened([[2, 1, 0], [0, -1, 1], [1, 0, 3]]),
        ([[1, 0], [0, 1], [HALF, 1]],),
    ),
    "HypentropyMode": lambda: _instance(
        DiagonalNetwork(2), TWO, _columns((HALF, 1), ("1/5", -2))
    ),
    "DeepDiagonalMode": lambda: replace(
        _instance(DiagonalNetwork(2, 3), TWO, _columns((HALF, 1), (HALF, -2), (0, 3))),
        t=(0, HALF, 2, 12),  # late enough for the limit to be compared to 6 digits
    ),
    "FourierMode": lambda: _instance(
        ConvolutionalNetwork(3, (3, 3)),
        THREE,
        _columns((HALF, 1, 0), ("1/5", -2, HALF)),
    ),
    "DeepFourierMode": lambda: _instance(
        ConvolutionalNetwork(3, (3, 3, 3)),
        THREE,
        _columns((HALF, 1, 0), (1, 0, HALF), (0, HALF, 1)),
    ),
    "OneSample": lambda: _instance(  # small filters: no orthogonal decomposition
        ConvolutionalNetwork(3, (2, 3)),
        Dataset([[1, 2, -1]], [3]),
        _columns((HALF, 1), ("1/5", -2, HALF)),
    ),
}


def _signed() -> Instance:
    """Return the mode of HypentropyMode for u₁∘u₂ − v₁∘v₂."""
    start = _columns((HALF, 1), (1, 0), (HALF, 0), (0, HALF))
    return _instance(DiagonalNetwork(2, 2, signed=True), TWO, start)


def solution_of(name: str, given: Instance | None = None) -> Solution:
    """Return the solution of an entry on its reference instance, or on another."""
    here = REFERENCES[name]() if given is None else given
    answers = attempts(here.flow, here.data, here.init)
    found = next(answer for answer in answers if answer.name == name)
    assert isinstance(found, Solution), found
    return found


def _line(
    key: str, name: str, instance: Callable[[], Instance] | None = None, **other: Any
) -> PathEntry:
    """Return the line of a closed form; the mutant is that of a problem beside it.

    The problem has `other` data or weights, by default a start that is 10 % larger.
    """

    def mutant(given: Instance) -> Claim:
        larger = sympy.Rational(11, 10)
        start = other or {
            "init": tuple(np.array(weight) * larger for weight in given.init)
        }
        return solution_of(name, replace(given, **start))

    made = instance or REFERENCES[name]
    return PathEntry(key, made, partial(solution_of, name), mutant, name, exact=True)


#: The closed forms in the atlas.
TRAJECTORIES = (
    _line(
        "saxe-modes", "LogisticMode", init=spectral_init(sympy.Rational(5, 9), rng=1)
    ),
    _line(
        "linear-relaxation",
        "LinearRegression",
        data=Moments([[2, 1], [1, 1]], [[1, -1], [0, 2]]),
    ),
    _line(
        "tarmoun-hyperbola",
        "HyperbolicMode",
        init=([[HALF, 0], [0, 1]], [[2, 0], [0, 1]]),
    ),
    _line("saxe-deep", "DeepMode", data=Moments([[2, 0], [0, 1]], [[3, 0], [0, 2]])),
    _line(
        "decaying-modes",
        "DecayingMode",
        data=Moments([[2, 0], [0, 1]], [[3, 0], [0, 2]]),
    ),
    _line("eftekhari-trajectory", "RankOne", data=whitened([[2, 0], [0, HALF]])),
    _line("fukumizu-riccati", "Riccati", data=whitened([[2, 1, 0], [HALF, -1, 2]])),
    _line("tu-riccati", "MixedRiccati", data=whitened([[2, HALF]])),
    _line(
        "tarmoun-symmetric",
        "SymmetricRiccati",
        data=whitened([[2, 1, 0], [0, -1, 1], [1, 0, 2]]),
    ),
    _line("woodworth-hypentropy", "HypentropyMode", _signed),
    _line("woodworth-deep", "DeepDiagonalMode"),
    _line("yun-fourier-flow", "FourierMode"),
    _line("yun-fourier-deep", "DeepFourierMode"),
    _line("yun-one-sample", "OneSample"),
)
