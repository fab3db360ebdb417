"""Entries of the atlas about conserved quantities."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symflow.claims import Claim
from symflow.conservation import conserved
from symflow.data import Dataset, whitened
from symflow.flow import gradient_flow
from symflow.gallery.entry import Entry, Instance, PathEntry
from symflow.losses import SquaredLoss
from symflow.networks import (
    AbstractNetwork,
    ConvolutionalNetwork,
    HadamardDifference,
    LinearNetwork,
    TensorNetwork,
)

TIMES = (0, 1, 2)


def _instance(network: AbstractNetwork, data: Any, *start: Any) -> Instance:
    columns = tuple([[x] for x in column] for column in start)
    return Instance(gradient_flow(network, SquaredLoss()), data, columns, TIMES)


def _tensor(*, turned: bool) -> Instance:
    """M(x) = Σ_j (Sx)_j e_j ⊗ u_j with u_j the columns of a rational rotation."""
    sine = Fraction(4, 5) if turned else Fraction(0)
    cosine = Fraction(3, 5) if turned else Fraction(1)
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    S = np.array([[Fraction(1), Fraction(2)], [Fraction(0), Fraction(1)]])
    M = np.einsum("ja,bj,cj->abc", S, np.eye(2, dtype=int), rotation)
    return _instance(TensorNetwork(M), whitened([[2, 1]]), (1, 2), (1, -1))


def _components(given: Instance) -> Claim:
    return conserved(given.flow)[1]


def _filters() -> Instance:
    network = ConvolutionalNetwork(3, (3, 3))
    return _instance(network, whitened([[2, 1, 0]]), (1, 2, 0), (1, -1, 1))


def _short_filters() -> Instance:
    network = ConvolutionalNetwork(4, (3, 3))
    return _instance(network, whitened([[2, 1, 0, 1]]), (1, 2, 0), (1, -1, 1))


def _shifted_filters(last: int = 1) -> Instance:
    network = ConvolutionalNetwork(3, (3, 3))
    return _instance(network, whitened([[2, 1, 0]]), (1, 2, 4), (2, 4, last))


def _phases(given: Instance) -> Claim:
    return conserved(given.flow, init=given.init)[-1]


def _first_law(given: Instance) -> Claim:
    return conserved(given.flow)[0]


def _exact(X: Any, Y: Any) -> Dataset:
    parts = ([[Fraction(entry) for entry in row] for row in rows] for rows in (X, Y))
    return Dataset(*parts)


def _unused() -> Instance:
    flow = gradient_flow(LinearNetwork(2, 2, 1), SquaredLoss())
    start = ([[1, 0], [1, 1]], [[1, 2]])
    return Instance(flow, _exact([[1, 2]], [[3]]), start, TIMES)


def _proportional() -> Instance:
    data = _exact([[1, 2], [-1, -2]], [[1], [0]])
    return _instance(HadamardDifference(2), data, (1, 1), (2, 1))


def _law_of_inputs(given: Instance) -> Claim:
    return conserved(given.flow, data=given.data)[-1]


def _law_of_other_inputs(given: Instance) -> Claim:
    return conserved(given.flow, data=_exact([[2, 1]], [[1]]))[-1]


def _rates() -> Instance:
    flow = gradient_flow(LinearNetwork(2, 2, 1), SquaredLoss(), learning_rates=(1, 3))
    start = ([[1, 0], [1, 1]], [[1, 2]])
    return Instance(flow, whitened([[2, 1]]), start, TIMES)


def _dense(decay: Any = 0) -> Instance:
    flow = gradient_flow(LinearNetwork(2, 3, 2), SquaredLoss(l2=decay))
    first = [[1, 0], [0, 1], [1, 1]]
    return Instance(
        flow, whitened([[2, 1], [0, 1]]), (first, [[1, 0, 2], [0, 1, 0]]), TIMES
    )


def _decaying() -> Instance:
    return _dense(sympy.Rational(1, 5))


CONSERVED: tuple[Entry, ...] = (
    PathEntry(
        "conserved-imbalance",
        _dense,
        _first_law,
        _first_law,
        exact=True,
        elsewhere=_decaying,
    ),
    PathEntry(
        "conserved-decaying",
        _decaying,
        _first_law,
        lambda given: _first_law(_dense(sympy.Rational(2, 5))),
        exact=True,
    ),
    PathEntry(
        "conserved-components",
        lambda: _tensor(turned=True),
        _components,
        lambda given: _components(_tensor(turned=False)),
        exact=True,
    ),
    PathEntry(
        "conserved-autocorrelations",
        _filters,
        _first_law,
        _first_law,
        exact=True,
        elsewhere=_short_filters,
    ),
    PathEntry(
        "conserved-phases",
        _shifted_filters,
        _phases,
        _phases,
        exact=True,
        elsewhere=lambda: _shifted_filters(last=2),
    ),
    PathEntry(
        "conserved-unused-inputs",
        _unused,
        _law_of_inputs,
        _law_of_other_inputs,
        exact=True,
    ),
    PathEntry(
        "conserved-ratios",
        _proportional,
        _law_of_inputs,
        _law_of_other_inputs,
        exact=True,
    ),
    PathEntry(
        "conserved-learning-rates",
        _rates,
        _first_law,
        lambda given: conserved(gradient_flow(given.flow.network, SquaredLoss()))[0],
        exact=True,
    ),
)
