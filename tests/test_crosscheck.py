"""The crosscheck agrees for every kind of flow, and tells a route that is wrong."""

from dataclasses import replace

import numpy as np
import pytest
import sympy
from oracles.entrywise import Problem as Textbook

import symflow as sf
from symflow.flow.problem import bind
from symflow.validation.crosscheck import _gaps, scalar_equations

LABELS = sf.Dataset([[1.0, 2], [3, -1], [-1, -2]], [1.0, 1, -1])
WHITE = sf.whitened([[3, 1], [1, 2]])
A, B, C = (sympy.MatrixSymbol(name, 2, 2) for name in "ABC")
W, S = sympy.MatrixSymbol("W", 2, 2), sympy.MatrixSymbol("Sigma_yx", 2, 2)
PAIR = [np.eye(2), 0.5 * np.eye(2)]
ONE = [[[0.3, 0.1]], [[0.2]]]
WIDE = sf.LinearNetwork(2, 2, 2)

CASES = {
    "decay": (
        sf.gradient_flow(WIDE, sf.SquaredLoss(l2=(0.1, 0.3))),
        WHITE,
        sf.gaussian_init(0.3, rng=0),
    ),
    "sum": (
        sf.gradient_flow(
            sf.Model(B * A + C, (A, B), constants={C: [[1, 2], [3, 0.5]]}),
            sf.SquaredLoss(reduction="sum"),
        ),
        sf.Dataset([[1.0, 0.5], [0.25, -1.0]], [[1.0, 2.0], [0.0, 1.0]]),
        PAIR,
    ),
    "tails": (
        sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.ExponentialLoss()),
        LABELS,
        ONE,
    ),
    "sums of tails": (
        sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.LogisticLoss(reduction="sum")),
        LABELS,
        ONE,
    ),
    "clock": (
        sf.directional_flow(
            sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
        ),
        LABELS,
        ONE[:1],
    ),
    "completion": (
        sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.MeasurementLoss()),
        sf.Measurements.entries({(0, 0): 1, (1, 1): 2}, (2, 2)),
        sf.gaussian_init(0.5, rng=1),
    ),
    "own loss": (
        sf.gradient_flow(WIDE, sf.CustomLoss(sympy.Trace((W - S).T * (W - S)))),
        WHITE,
        PAIR,
    ),
    "rates": (
        sf.gradient_flow(WIDE, sf.SquaredLoss(), learning_rates=(1, 3)),
        WHITE,
        PAIR,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_three_routes_agree(name):
    found = sf.crosscheck(*CASES[name], [0, 0.25], digits=12)
    assert found.ok
    assert max(found.odefun_gaps) < 1e-14
    assert max(found.scipy_gaps) < 1e-11
    assert "the three agree" in repr(found)
    for mine, theirs in zip(found.run.weights, found.odefun, strict=True):
        assert mine.shape == theirs.shape


def test_a_route_that_is_wrong_is_told():
    found = sf.crosscheck(*CASES["rates"], [0, 0.25], digits=12)
    weights = [weight.copy() for weight in found.run.weights]
    weights[1][1, 0, 0] += found.run.context.mpf(10) ** -8
    wrong = replace(found.run, weights=tuple(weights))
    flat = [[x for w in found.odefun for x in w[k].flat] for k in range(2)]
    gaps = _gaps(flat, wrong)
    assert 1e-9 < gaps[1] < 1e-7
    told = replace(found, run=wrong, odefun_gaps=gaps)
    assert not told.ok
    assert "DO NOT AGREE" in repr(told)
    assert not replace(found, scipy_gaps=np.array([0.0, 1e-3])).ok


def test_the_equations_are_those_of_the_textbook():
    X, Y = sympy.Matrix([[1, 2], [0, 3], [1, 1]]), sympy.Matrix([[1], [2], [-1]])
    third = sympy.Rational(1, 3)
    book = Textbook((2, 2, 1), X, Y, decay=third)
    data = sf.Dataset([[*map(sympy.Rational, row)] for row in X.tolist()], [*Y])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(l2=third))
    start = [[[1, 0], [0, 1]], [[1, 1]]]
    entries, rates = scalar_equations(bind(flow, data, start, exact=True))
    for entry, rate, own in zip(entries, rates, book.variables, strict=True):
        assert entry.name == own.name
        named = {x: sympy.Symbol(x.name, real=True) for x in rate.free_symbols}
        assert sympy.expand(rate.xreplace(named) + sympy.diff(book.loss, own)) == 0


def test_large_problems_are_refused_at_once():
    flow = sf.gradient_flow(sf.LinearNetwork(5, 5), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match="25 weights; this is for at most 24"):
        sf.crosscheck(flow, sf.whitened(np.eye(5)), [np.eye(5)], 1)
    with pytest.raises(
        sf.InvalidArgument, match=r"crosscheck\(t=…\): times have to inc"
    ):
        sf.crosscheck(*CASES["rates"], [1, 0])
    with pytest.raises(sf.InvalidArgument, match="digits"):
        sf.crosscheck(*CASES["rates"], 1, digits=61)


@pytest.mark.parametrize("times", [[0], [0, 1]])
def test_progress_rises_to_the_end(times):
    """Also where nothing is left to integrate."""
    flow, told = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss()), []
    start = [[[1]], [[0.5]]]
    found = sf.crosscheck(
        flow, sf.whitened([[2]]), start, times, digits=15, progress=told.append
    )
    assert found.ok
    assert told[-1] == 1.0
    assert all(0 <= part <= 1 for part in told)
    assert len(told) > 5 or times == [0]
