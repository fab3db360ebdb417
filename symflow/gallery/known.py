"""Entries of the atlas about conserved quantities and closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy

from symflow.claims import Claim
from symflow.conservation import conserved
from symflow.data import whitened
from symflow.flow import gradient_flow
from symflow.gallery.entry import Instance, PathEntry
from symflow.inits import spectral_init
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.solutions import solve

TIMES = (0, 1, 2)


def _flow(decay: Any = 0) -> Instance:
    flow = gradient_flow(LinearNetwork(2, 3, 2), SquaredLoss(l2=decay))
    first = [[1, 0], [0, 1], [1, 1]]
    return Instance(
        flow, whitened([[2, 1], [0, 1]]), (first, [[1, 0, 2], [0, 1, 0]]), TIMES
    )


def _decaying() -> Instance:
    return _flow(sympy.Rational(1, 5))


def _imbalance(given: Instance) -> Claim:
    return conserved(given.flow)[0]


def _spectral() -> Instance:
    flow = gradient_flow(LinearNetwork(2, 2, 2), SquaredLoss())
    data = whitened([[3, 0], [0, 1]])
    return Instance(flow, data, spectral_init(sympy.Rational(1, 10)), TIMES)


def _solved(given: Instance) -> Claim:
    return solve(given.flow, given.data, given.init)


KNOWN = (
    PathEntry(
        "conserved-imbalance",
        _flow,
        _imbalance,
        _imbalance,
        exact=True,
        elsewhere=_decaying,
    ),
    PathEntry(
        "conserved-decaying",
        _decaying,
        _imbalance,
        lambda given: _imbalance(_flow(sympy.Rational(2, 5))),
        exact=True,
    ),
    PathEntry(
        "saxe-modes",
        _spectral,
        _solved,
        lambda given: _solved(replace(given, init=spectral_init(sympy.Rational(1, 9)))),
        exact=True,
    ),
)
