"""Entries of the atlas about conserved quantities."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
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


def _filters(inputs: int = 3) -> Instance:
    network, data = ConvolutionalNetwork(inputs, (3, 3)), [[2, 1, 0, 1][:inputs]]
    return _instance(network, whitened(data), (1, 2, 0), (1, -1, 1))


def _shifted_filters(last: int = 1) -> Instance:
    network = ConvolutionalNetwork(3, (3, 3))
    return _instance(network, whitened([[2, 1, 0]]), (1, 2, 4), (2, 4, last))


def _phases(given: Instance) -> Claim:
    return conserved(given.flow, init=given.init)[-1]


def _first_law(given: Instance) -> Claim:
    return conserved(given.flow)[0]


def _unused() -> Instance:
    flow = gradient_flow(LinearNetwork(2, 2, 1), SquaredLoss())
    start = ([[1, 0], [1, 1]], [[1, 2]])
    return Instance(flow, Dataset([[1, 2]], [[3]]), start, TIMES)


def _proportional() -> Instance:
    data = Dataset([[1, 2], [-1, -2]], [[1], [0]])
    return _instance(HadamardDifference(2), data, (1, 1), (2, 1))


def _law_of_inputs(given: Instance) -> Claim:
    return conserved(given.flow, data=given.data)[-1]


def _law_of_other_inputs(given: Instance) -> Claim:
    return conserved(given.flow, data=Dataset([[2, 1]], [[1]]))[-1]


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


#: A line whose instance is exact.
_exact = partial(PathEntry, exact=True)

CONSERVED: tuple[Entry, ...] = (
    _exact("conserved-imbalance", _dense, _first_law, _first_law, elsewhere=_decaying),
    _exact(
        "conserved-decaying",
        _decaying,
        _first_law,
        lambda given: _first_law(_dense(sympy.Rational(2, 5))),
    ),
    _exact(
        "conserved-components",
        lambda: _tensor(turned=True),
        _components,
        lambda given: _components(_tensor(turned=False)),
    ),
    _exact(
        "conserved-autocorrelations",
        _filters,
        _first_law,
        _first_law,
        elsewhere=lambda: _filters(4),
    ),
    _exact(
        "conserved-phases",
        _shifted_filters,
        _phases,
        _phases,
        elsewhere=lambda: _shifted_filters(last=2),
    ),
    _exact("conserved-unused-inputs", _unused, _law_of_inputs, _law_of_other_inputs),
    _exact("conserved-ratios", _proportional, _law_of_inputs, _law_of_other_inputs),
    _exact(
        "conserved-learning-rates",
        _rates,
        _first_law,
        lambda given: conserved(gradient_flow(given.flow.network, SquaredLoss()))[0],
    ),
)
