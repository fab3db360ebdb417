"""Limits of flows of any model: what is left after a last time, and what is refused."""

from __future__ import annotations

from fractions import Fraction as Q

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb

import symflow as sf
from symflow.algebra.balls import to_arb_array
from symflow.flow.problem import bind
from symflow.precision.fading import FadingRemainder, remainders_of
from symflow.precision.image import along
from symflow.precision.reached import ReachedRemainder

SQUARED = sf.SquaredLoss()
W = sympy.MatrixSymbol("W", 1, 2)
XX, YX = sympy.MatrixSymbol("Sigma_xx", 2, 2), sympy.MatrixSymbol("Sigma_yx", 1, 2)
HALF = sympy.Rational(1, 2)
QUADRATIC = sf.CustomLoss(HALF * sympy.Trace(W * XX * W.T) - sympy.Trace(W * YX.T))
DATA = sf.Dataset([[1, 2], [2, -1], [1, 1]], [[2], [1], [3]])
WIDE = sf.Dataset([[1, 2]], [[3]])
MATRIX = sf.whitened([[2, 1], [0, 1]])
SENSED = sf.Measurements([[[1, 2]]], [3])
U, V = sympy.MatrixSymbol("U", 2, 2), sympy.MatrixSymbol("V", 2, 2)
ONES, LATER = [[1], [1]], [[1], [Q(1, 2)]]

KINDS = {
    "diagonal": (sf.DiagonalNetwork(2), SQUARED, DATA, [ONES, LATER]),
    "deep": (sf.DiagonalNetwork(2, 3), SQUARED, DATA, [ONES, LATER, ONES]),
    "signed": (
        sf.DiagonalNetwork(2, signed=True),
        SQUARED,
        WIDE,
        [ONES, LATER, LATER, ONES],
    ),
    "squares": (sf.HadamardDifference(2), SQUARED, WIDE, [ONES, LATER]),
    "filters": (sf.ConvolutionalNetwork(2, (2, 2)), SQUARED, DATA, [LATER, ONES]),
    "small filter": (
        sf.ConvolutionalNetwork(3, (2, 2)),
        SQUARED,
        sf.whitened([[1, 3, 1]]),
        [ONES, LATER],
    ),
    "layers": (
        sf.Network(sf.Circulant(2), sf.Diagonal(2), sf.Dense(2, 1)),
        SQUARED,
        DATA,
        [LATER, ONES, [[1, 1]]],
    ),
    "circulants": (
        sf.Network(sf.Circulant(2), sf.Circulant(2)),
        SQUARED,
        MATRIX,
        [LATER, ONES],
    ),
    "sensed": (sf.DiagonalNetwork(2), sf.MeasurementLoss(), SENSED, [ONES, LATER]),
    "formula": (sf.LinearNetwork(2, 2, 1), QUADRATIC, DATA, [np.eye(2), [[1, 2]]]),
    "residual": (
        sf.Model(sympy.Identity(2) + U * V, parameters=(U, V)),
        SQUARED,
        MATRIX,
        [np.eye(2), [[1, 0], [1, 1]]],
    ),
    "one neuron": (sf.LinearNetwork(2, 1, 2), SQUARED, MATRIX, [[[1, 1]], ONES]),
    "one neuron after a filter": (
        sf.Network(sf.Circulant(2), sf.Dense(2, 1), sf.Dense(1, 2)),
        SQUARED,
        MATRIX,
        [LATER, [[1, 1]], ONES],
    ),
    "decay": (
        sf.DiagonalNetwork(2),
        sf.SquaredLoss(l2=(Q(1, 10), Q(1, 5))),
        DATA,
        [ONES, LATER],
    ),
    "classes": (
        sf.LinearNetwork(2, 1),
        sf.LogisticLoss(l2=Q(1, 2)),
        sf.Dataset([[1, 2], [2, -1]], [[1], [-1]]),
        [[[1, 0]]],
    ),
}
VANISHING = [k for k in KINDS if not k.startswith(("one", "decay", "classes"))]


@pytest.mark.parametrize("name", KINDS)
def test_many_digit_runs_end_in_the_ball(name):
    """They are carried on until what they have left is far below the radius."""
    network, loss, data, start = KINDS[name]
    flow = sf.gradient_flow(network, loss)
    ball = sf.enclose(flow, data, start, sf.oo, digits=6)
    assert ball.radius[-1] < 1e-6
    late = int(2 * ball.stats["from_t"]) + 2
    run = sf.precise(flow, data, start, [late - 1, late], digits=30)
    last, end = ([w[k] for w in run.weights] for k in (0, 1))
    moved = max(np.abs(a - b).max() for a, b in zip(last, end, strict=True))
    assert moved < ball.radius[-1] / 1000
    assert ball.contains(end)
    assert ball.contains(run.end_to_end[-1])
    assert ball.excludes([w + 1e-5 for w in end])
    seen = "above its minimum" if name in VANISHING else "second derivative"
    assert seen in ball.proof[-1]


def test_limits_that_are_known():
    """Least squares, the hypentropy potential, a best approximation of rank one."""
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 3), SQUARED)
    x, y = (sympy.Matrix(part.astype(int)) for part in (DATA.X, DATA.Y))
    best = (y.T * x * (x.T * x).inv()).tolist()
    assert sf.enclose(flow, DATA, [ONES] * 3, sf.oo, digits=9).contains(best)

    flow = sf.gradient_flow(sf.HadamardDifference(2), SQUARED)
    ball = sf.enclose(flow, WIDE, [LATER, LATER], sf.oo, digits=12)
    mp = mpmath.MPContext()
    mp.dps = 30

    def beta(c):
        return [2 * mp.sinh(c), mp.sinh(2 * c) / 2]

    c = mp.findroot(lambda c: beta(c)[0] + 2 * beta(c)[1] - 3, 0.5)
    assert ball.contains([beta(c)])
    assert ball.excludes([[b + mp.mpf(10) ** -8 for b in beta(c)]])

    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), SQUARED)
    data = sf.Moments(sigma_xx=[[4, 0], [0, 1]], sigma_yx=[[4, 0], [0, 3]])
    ball = sf.enclose(flow, data, [[[1, 1]], [[1], [1]]], sf.oo, digits=9)
    assert ball.contains([[0, 0], [0, 3]])  # 3²/1 is more than 4²/4


@pytest.mark.parametrize(
    "name", ["diagonal", "signed", "filters", "layers", "residual"]
)
def test_what_is_left_is_less_than_the_bound(name):
    """From some points near the end; with a constant 100 times as large it is more."""
    network, loss, data, start = KINDS[name]
    flow, rng = sf.gradient_flow(network, loss), np.random.default_rng(0)
    start = [np.array(w, dtype=float) for w in start]
    end = [w[-1] for w in sf.simulate(flow, data, start, [0, 200]).weights]
    bound = ReachedRemainder(bind(flow, data, start, digits=30, exact=True))
    false = ReachedRemainder(bind(flow, data, start, digits=30, exact=True))
    false._metric, false._decay = false._metric / 100, false._decay * 100
    wrong = 0
    for _ in range(6):
        near = [w + 2e-4 * rng.normal(size=w.shape) for w in end]
        middle = [to_arb_array(w) for w in near]
        run = sf.simulate(flow, data, near, [0, 200])
        left = np.sqrt(sum(np.sum((w[-1] - w[0]) ** 2) for w in run.weights))
        assert left <= float(bound.distance(middle, arb(0)))
        wrong += left > float(false.distance(middle, arb(0)))
    assert wrong == 6


@pytest.mark.parametrize(
    ("network", "loss", "count"),
    [
        (sf.LinearNetwork(2, 3, 2), SQUARED, 9),
        (sf.LinearNetwork(2, 3, 2), sf.SquaredLoss(l2=1), 3),
        (sf.LinearNetwork(2, 3, 2), sf.SquaredLoss(l2=(1, 2)), 3),
        (sf.LinearNetwork(2, 1, 1, 2), SQUARED, 2),
        (sf.DiagonalNetwork(3), SQUARED, 3),
        (sf.ConvolutionalNetwork(4, (4, 4)), SQUARED, 4),
        (sf.ConvolutionalNetwork(4, (2, 4)), SQUARED, 1),
        (sf.SymmetricFactorization(3, 3), SQUARED, 3),
        (sf.DiagonalNetwork(3, signed=True), SQUARED, 18),
    ],
)
def test_fields_that_change_nothing(network, loss, count):
    """As many as the symmetries that are known, and orthogonal to the velocity."""
    flow, rng = sf.gradient_flow(network, loss), np.random.default_rng(1)
    shapes = [tuple(map(int, symbol.shape)) for symbol in flow.state]
    weights = [rng.normal(size=shape) for shape in shapes]
    rows, columns = network.end_to_end.shape
    data = sf.whitened(rng.normal(size=(int(rows), int(columns))))
    problem = bind(flow, data, weights)
    fields = FadingRemainder(problem).fields
    velocity = sf.compile(flow)(*weights, *problem.arguments)
    flat = np.concatenate([part.ravel() for part in velocity])
    turns = [part.astype(float) for part in along(fields, weights)]
    assert max(abs(turn @ flat) for turn in turns) < 1e-12
    assert len(fields) == count


def test_inputs_that_are_not_seen_stay_and_change_nothing():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), SQUARED)
    problem = bind(flow, sf.Dataset([[1, 0]], [[2]]), [[[1, 1]]])
    assert {(1, -1): 1} in FadingRemainder(problem).fields


@pytest.mark.parametrize(
    ("network", "data", "start"),
    [
        (sf.DiagonalNetwork(1), sf.whitened([[2]]), [[[1]], [[-1]]]),
        (sf.DiagonalNetwork(2), DATA, [ONES, [[1], [-1]]]),
        (sf.DiagonalNetwork(2), DATA, [[[0], [0]], ONES]),
        (sf.DiagonalNetwork(2, 3), DATA, [[[0], [0]]] * 3),
        (sf.LinearNetwork(2, 1, 2), MATRIX, [[[0, 0]], [[0], [0]]]),
        (sf.LinearNetwork(2, 1, 2), sf.whitened(np.eye(2)), [[[1, 1]], ONES]),
    ],
)
def test_saddles_and_sets_of_minimizers(network, data, start):
    """What ends at a saddle, stays at one or is free to end anywhere is refused."""
    flow = sf.gradient_flow(network, SQUARED)
    try:
        ball = sf.enclose(flow, data, start, sf.oo, digits=6)
    except sf.PrecisionLost:
        return
    late = sf.precise(flow, data, start, 400, digits=20)
    assert ball.contains([w[-1] for w in late.weights])


def test_a_formula_that_is_a_convex_quadratic_form_counts_as_one():
    start = [[[1, 0], [1, 1]], [[1, 2]]]
    balls = [
        sf.enclose(sf.gradient_flow(sf.LinearNetwork(2, 2, 1), loss), DATA, start, 1)
        for loss in (QUADRATIC, SQUARED)
    ]
    assert balls[0].contains([w[0] for w in balls[1].weights])
    assert balls[0].radius == pytest.approx(balls[1].radius, rel=1)
    concave = sf.CustomLoss(sympy.Trace(W * XX * W.T) - 9 * sympy.Trace(W * W.T))
    with pytest.raises(sf.HypothesisFailed, match="known to be convex"):
        sf.enclose(
            sf.gradient_flow(sf.LinearNetwork(2, 1), concave), DATA, [[[1, 0]]], 1
        )


def test_classification_without_decay_need_not_have_a_limit():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.LogisticLoss())
    data = sf.Dataset([[1, 2], [2, -1]], [[1], [-1]])
    with pytest.raises(sf.HypothesisFailed, match="need not have a minimizer"):
        sf.enclose(flow, data, [[[1, 0]]], sf.oo)


def test_the_loss_is_no_minimum_where_the_model_has_none():
    """Σ_yx outside of the range of Σ_xx; but the model is not free to see it."""
    linear = sf.CustomLoss(sympy.Trace(W * YX.T))
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), linear)
    with pytest.raises(sf.HypothesisFailed, match="constant, not convex or has no min"):
        next(remainders_of(bind(flow, DATA, [[[1, 1]]], digits=20, exact=True)))
