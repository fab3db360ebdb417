"""The catalogue of closed forms on reference instances: one per entry, and their table.

Run it as ``python tests/benchmarks/solutions.py --table``, or call `solution_table`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy

from symflow.claims import Claim
from symflow.data import Moments, whitened
from symflow.flow import gradient_flow
from symflow.gallery.entry import Instance, PathEntry
from symflow.inits import rank_one_init, spectral_init
from symflow.losses import SquaredLoss
from symflow.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    LinearNetwork,
    SymmetricFactorization,
)
from symflow.precision import precise
from symflow.solutions import SOLUTIONS, Solution, attempts, table
from symflow.solutions.table import AgreementRow

HALF = sympy.Rational(1, 2)

#: When the trajectories of the atlas are looked at.
TIMES = (0, HALF, 2)


def _instance(network: Any, data: Any, init: Any, l2: Any = 0) -> Instance:
    return Instance(gradient_flow(network, SquaredLoss(l2=l2)), data, init, TIMES)


def _regression() -> Instance:
    data = Moments([[2, 1], [1, 1]], [[1, -1], [0, 3]])
    return _instance(LinearNetwork(2, 2), data, ([[1, 0], [HALF, -1]],))


def _logistic() -> Instance:
    data = whitened([[2, 1], [1, 3]])
    return _instance(LinearNetwork(2, 3, 2), data, spectral_init(HALF, rng=1))


def _hyperbolic() -> Instance:
    data = Moments([[2, 0], [0, 1]], [[3, 0], [0, -1]])
    start = ([[HALF, 0], [0, 1]], [[2, 0], [0, HALF]])
    return _instance(LinearNetwork(2, 2, 2), data, start)


def _deep() -> Instance:
    data = Moments([[2, 0], [0, 1]], [[3, 0], [0, 1]])
    return _instance(LinearNetwork(2, 2, 2, 2), data, ([[HALF, 0], [0, HALF]],) * 3)


def _decaying() -> Instance:
    """Return a mode that is learned, and one that dies from the same amplitude."""
    data = Moments([[2, 0], [0, 1]], [[3, 0], [0, 1]])
    start = ([[HALF, 0], [0, HALF]],) * 3
    return _instance(LinearNetwork(2, 2, 2, 2), data, start, HALF)


def _rank_one() -> Instance:
    start = rank_one_init(HALF, left=[3, 4], right=[5, 12], rng=0)
    return _instance(LinearNetwork(2, 1, 2, 2), whitened([[2, 0], [0, 1]]), start)


def _riccati() -> Instance:
    # W₂ᵀW₂ − W₁W₁ᵀ = I
    first = [[sympy.Rational(3, 4), 0, 0], [0, 0, sympy.Rational(3, 4)]]
    second = [[0, sympy.Rational(5, 4)], [sympy.Rational(5, 4), 0]]
    data = whitened([[2, 1, 0], [HALF, -1, 1]])
    return _instance(LinearNetwork(3, 2, 2), data, (first, second))


def _symmetric() -> Instance:
    data = whitened([[2, 1, 0], [0, -1, 1], [1, 0, 3]])
    return _instance(SymmetricFactorization(3, 2), data, ([[1, 0], [0, 1], [HALF, 1]],))


def _hypentropy() -> Instance:
    data = Moments([[2, 0], [0, 1]], [[3, -1]])
    start = ([[HALF], [1]], [[sympy.Rational(1, 5)], [-2]])
    return _instance(DiagonalNetwork(2), data, start)


def _deep_diagonal() -> Instance:
    data = Moments([[2, 0], [0, 1]], [[3, -1]])
    start = ([[HALF], [1]], [[HALF], [-2]], [[0], [3]])
    return _instance(DiagonalNetwork(2, 3), data, start)


def _fourier() -> Instance:
    data = Moments([[4, 1, 1], [1, 4, 1], [1, 1, 4]], [[3, -1, 2]])
    start = ([[HALF], [1], [0]], [[sympy.Rational(1, 5)], [-2], [HALF]])
    return _instance(ConvolutionalNetwork(3, (3, 3)), data, start)


def _deep_fourier() -> Instance:
    data = Moments([[4, 1, 1], [1, 4, 1], [1, 1, 4]], [[3, -1, 2]])
    start = ([[HALF], [1], [0]], [[1], [0], [HALF]], [[0], [HALF], [1]])
    return _instance(ConvolutionalNetwork(3, (3, 3, 3)), data, start)


#: A reference instance for every entry of the catalogue.
REFERENCES: dict[str, Callable[[], Instance]] = {
    "LinearRegression": _regression,
    "LogisticMode": _logistic,
    "HyperbolicMode": _hyperbolic,
    "DeepMode": _deep,
    "DecayingMode": _decaying,
    "RankOne": _rank_one,
    "Riccati": _riccati,
    "SymmetricRiccati": _symmetric,
    "HypentropyMode": _hypentropy,
    "DeepDiagonalMode": _deep_diagonal,
    "FourierMode": _fourier,
    "DeepFourierMode": _deep_fourier,
}


def solution_of(name: str, given: Instance | None = None) -> Solution:
    """Return the solution of an entry on its reference instance, or on another.

    Examples
    --------
    >>> solution_of("RankOne").limit.round(12).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    here = REFERENCES[name]() if given is None else given
    answers = attempts(here.flow, here.data, here.init)
    found = next(answer for answer in answers if answer.name == name)
    assert isinstance(found, Solution), found
    return found


def solution_table(digits: int = 40) -> tuple[AgreementRow, ...]:
    """Hold every entry of the catalogue against integration on its instance.

    Parameters
    ----------
    digits : int
        Digits of the integration.

    Returns
    -------
    tuple of AgreementRow
        In the order of the catalogue.
    """

    def oracle(flow: Any, data: Any, init: Any, times: Any) -> Any:
        return precise(flow, data, init, times, digits=digits + 5).end_to_end

    solutions = [solution_of(entry.__name__) for entry in SOLUTIONS]
    return table(solutions, [sympy.Rational(1, 10), 1, 4], oracle, digits=digits)


def _claimed(name: str) -> Callable[[Instance], Claim]:
    return lambda given: solution_of(name, given)


def _elsewhere(name: str, **changes: Any) -> Callable[[Instance], Claim]:
    """Return the maker of the solution of slightly other data or weights."""
    return lambda given: solution_of(name, replace(given, **changes))


#: The lines of the atlas: the mutant is the solution of a problem that is not quite it.
TRAJECTORIES = (
    PathEntry(
        "linear-relaxation",
        _regression,
        _claimed("LinearRegression"),
        _elsewhere(
            "LinearRegression", data=Moments([[2, 1], [1, 1]], [[1, -1], [0, 2]])
        ),
        exact=True,
    ),
    PathEntry(
        "tarmoun-hyperbola",
        _hyperbolic,
        _claimed("HyperbolicMode"),
        _elsewhere("HyperbolicMode", init=([[HALF, 0], [0, 1]], [[2, 0], [0, 1]])),
        exact=True,
    ),
    PathEntry(
        "saxe-deep",
        _deep,
        _claimed("DeepMode"),
        _elsewhere("DeepMode", data=Moments([[2, 0], [0, 1]], [[3, 0], [0, 2]])),
        exact=True,
    ),
    PathEntry(
        "decaying-modes",
        _decaying,
        _claimed("DecayingMode"),
        _elsewhere("DecayingMode", data=Moments([[2, 0], [0, 1]], [[3, 0], [0, 2]])),
        exact=True,
    ),
    PathEntry(
        "eftekhari-trajectory",
        _rank_one,
        _claimed("RankOne"),
        _elsewhere("RankOne", data=whitened([[2, 0], [0, HALF]])),
        exact=True,
    ),
    PathEntry(
        "fukumizu-riccati",
        _riccati,
        _claimed("Riccati"),
        _elsewhere("Riccati", data=whitened([[2, 1, 0], [HALF, -1, 2]])),
        exact=True,
    ),
    PathEntry(
        "tarmoun-symmetric",
        _symmetric,
        _claimed("SymmetricRiccati"),
        _elsewhere(
            "SymmetricRiccati", data=whitened([[2, 1, 0], [0, -1, 1], [1, 0, 2]])
        ),
        exact=True,
    ),
)
