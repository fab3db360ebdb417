"""Entries of the atlas about conserved quantities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from symflow.claims import Claim
from symflow.conservation import PolynomialSearch, conserved
from symflow.data import Dataset, whitened
from symflow.flow import gradient_descent, gradient_flow, heavy_ball
from symflow.gallery.entry import Instance, PathEntry
from symflow.losses import SquaredLoss
from symflow.networks import (
    AbstractNetwork,
    ConvolutionalNetwork,
    HadamardDifference,
    LinearNetwork,
    Model,
    SymmetricFactorization,
    TensorNetwork,
)
from symflow.simulation import descend, simulate
from symflow.trajectory import Trajectory

TIMES = (0, 1, 2)


def _instance(network: AbstractNetwork, data: Any, *start: Any) -> Instance:
    columns = tuple([[x] for x in column] for column in start)
    return Instance(gradient_flow(network, SquaredLoss()), data, columns, TIMES)


def _tensor(*, turned: bool = True) -> Instance:
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


def _descended(given: Instance) -> Trajectory:
    descent = gradient_descent(given.flow.network, given.flow.loss)
    return descend(descent, given.data, given.init, 20, step_size=0.1)


def _steps() -> Instance:
    return replace(_dense(), instead=_descended)


def _law_of_steps(given: Instance) -> Claim:
    return conserved(gradient_descent(given.flow.network, given.flow.loss))[0]


def _rolled(given: Instance) -> Trajectory:
    ball = heavy_ball(given.flow.network, given.flow.loss, 1)
    return simulate(ball, given.data, given.init, np.linspace(0, 2, 21))


def _ball(*middle: int) -> Instance:
    """Return a heavy ball, or one on W₂DW₁, where D leaves no rotation of the units."""
    given = _dense()
    if middle:
        D = sympy.MatrixSymbol("D", 3, 3)
        W1, W2 = given.flow.state
        network = Model(W2 * D * W1, (W1, W2), constants={D: np.diag(middle)})
        given = replace(given, flow=gradient_flow(network, SquaredLoss()))
    return replace(given, instead=_rolled)


def _law_of_momentum(given: Instance) -> Claim:
    return conserved(heavy_ball(given.flow.network, given.flow.loss, 1))[0]


def _symmetric(*middle: int) -> Instance:
    """Return UUᵀ with U of more columns than rows, or UDUᵀ with D in the middle."""
    network: AbstractNetwork = SymmetricFactorization(2, 3)
    if middle:
        U, D = network.parameters[0], sympy.MatrixSymbol("D", 3, 3)
        network = Model(U * D * U.T, (U,), constants={D: np.diag(middle)})
    flow = gradient_flow(network, SquaredLoss())
    return Instance(flow, whitened([[2, 1], [1, 3]]), ([[1, 0, 1], [0, 1, 2]],), TIMES)


def _polynomial(given: Instance) -> Claim:
    return conserved(given.flow, search=PolynomialSearch(2))[-1]


def _line(
    key: str,
    kind: str,
    instance: Callable[[], Instance],
    law: Callable[[Instance], Claim] = _first_law,
    *,
    false: Callable[[Instance], Claim] | None = None,
    elsewhere: Callable[[], Instance] | None = None,
) -> PathEntry:
    """Return the line of a law, whose mutant is `false`, or the law `elsewhere`."""
    given = f"conserved-{key}", instance, law, false or law, kind
    exact = law not in (_law_of_momentum, _law_of_steps)  # these are held in float64
    return PathEntry(*given, exact=exact, elsewhere=elsewhere)


def _at(change: Any, law: Callable[[Instance], Claim] = _first_law) -> Any:
    """Return the law of another decay than the one at hand."""
    return lambda _: law(_dense(change))


def _without_rates(given: Instance) -> Claim:
    return conserved(gradient_flow(given.flow.network, SquaredLoss()))[0]


def _flat(given: Instance) -> Claim:
    return _components(_tensor(turned=False))


CONSERVED: tuple[PathEntry, ...] = (
    _line("imbalance", "NoetherLaw", _dense, elsewhere=_decaying),
    _line("decaying", "NoetherLaw", _decaying, false=_at(sympy.Rational(2, 5))),
    _line("components", "ComponentLaw", _tensor, _components, false=_flat),
    _line("autocorrelations", "NoetherLaw", _filters, elsewhere=partial(_filters, 4)),
    _line(
        "phases",
        "BalancedPhases",
        _shifted_filters,
        _phases,
        elsewhere=partial(_shifted_filters, 2),
    ),
    _line(
        "unused-inputs",
        "UnreachedPart",
        _unused,
        _law_of_inputs,
        false=_law_of_other_inputs,
    ),
    _line(
        "ratios", "Ratios", _proportional, _law_of_inputs, false=_law_of_other_inputs
    ),
    _line("learning-rates", "NoetherLaw", _rates, false=_without_rates),
    _line("rows", "RowSpace", _symmetric, elsewhere=partial(_symmetric, 1, 2, 3)),
    _line("polynomial", "PolynomialLaw", _dense, _polynomial, elsewhere=_decaying),
    _line(
        "momentum",
        "AngularMomentum",
        _ball,
        _law_of_momentum,
        elsewhere=partial(_ball, 1, 2, 3),
    ),
    _line(
        "steps",
        "StepLaw",
        _steps,
        _law_of_steps,
        false=_at(sympy.Rational(1, 5), _law_of_steps),
    ),
)
