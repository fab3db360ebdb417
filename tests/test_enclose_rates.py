"""Enclosures of flows whose layers have learning rates of their own."""

from fractions import Fraction as F

import flint
import mpmath
import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.flow.problem import bind
from symflow.precision.balls import to_arb_array
from symflow.precision.limit import Remainder

STARTS = {
    "general": ([[F(1, 2), F(1, 10)], [F(1, 5), F(2, 5)]], [[F(3, 10), F(7, 10)]]),
    "zero": ([[0, 0], [0, 0]], [[0, 0]]),
    "repeated": ([[F(1, 2), 0], [0, F(1, 2)]], [[F(1, 2), F(1, 2)]]),
    "tiny beside large": ([[F(1, 10**9), 1], [0, F(1, 10**9)]], [[1, 3]]),
}


def written_out(rates, decay):
    """Return the field of layers 2-2-1 with target (2, 1), by mpmath alone."""
    first, second = (mpmath.mpf(F(r).numerator) / F(r).denominator for r in rates)

    def field(t, y):
        a, b, c, d, u, v = y
        p, q = 2 - u * a - v * c, 1 - u * b - v * d
        pairs = [(u * p, a), (u * q, b), (v * p, c), (v * q, d)]
        ends = [(p * a + q * b, u), (p * c + q * d, v)]
        return [first * (x - decay * w) for x, w in pairs] + [
            second * (x - decay * w) for x, w in ends
        ]

    return field


@pytest.mark.parametrize(
    ("rates", "decay"), [((1, 3), 0), ((F(1, 100), 2), F(1, 4)), ((5, 5), 0)]
)
@pytest.mark.parametrize("name", STARTS)
def test_the_equations_written_out_stay_inside(name, rates, decay):
    flow = sf.gradient_flow(
        sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(l2=decay), learning_rates=rates
    )
    ball = sf.enclose(flow, sf.whitened([[2, 1]]), STARTS[name], F(1, 2), digits=16)
    with mpmath.workdps(28):
        start = [
            mpmath.mpf(F(x).numerator) / F(x).denominator
            for w in STARTS[name]
            for row in w
            for x in row
        ]
        field = written_out(rates, mpmath.mpf(float(decay)))
        true = mpmath.odefun(field, 0, start, tol=mpmath.mpf(10) ** -22)(0.5)
        seen = [x for weight in ball.weights for x in weight[-1].flat]
        gap = mpmath.sqrt(sum((x - y) ** 2 for x, y in zip(seen, true, strict=True)))
    assert gap <= ball.radius[-1] + 1e-21
    assert ball.radius[-1] < 1e-14


@pytest.mark.parametrize("rates", [(4, 4), (1, 4), (F(1, 50), 4)])
@pytest.mark.parametrize("width", [F(1, 10**6), F(1, 100)])
def test_the_corners_of_a_box_near_a_saddle_stay_inside(rates, width):
    """Equal rates separate starts there as fast as the bound allows."""
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(), learning_rates=rates
    )
    side = sf.interval(-width, width)
    data, times = sf.whitened([[2]]), [F(1, 8), F(1, 4)]
    ball = sf.enclose(flow, data, [[[side]], [[side]]], times, digits=20)
    for x in (-width, width):
        for y in (-width, 0, width):
            run = sf.precise(flow, data, [[[x]], [[y]]], times, digits=30)
            for k, radius in enumerate(ball.radius):
                gaps = [
                    float(one[k, 0, 0] - other[k, 0, 0])
                    for one, other in zip(run.weights, ball.weights, strict=True)
                ]
                assert np.hypot(*gaps) <= radius
    assert ball.radius[-1] < 2e4 * float(width)


def test_errors_grow_as_fast_as_the_faster_layer_lets_them():
    """At a saddle of rates (1, 9) by e^{3t}, where rates of 1 would give e^t."""
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(), learning_rates=(1, 9)
    )
    width, data = F(1, 10**9), sf.whitened([[1]])
    start = [[[sf.interval(-width, width)]]] * 2
    ball = sf.enclose(flow, data, start, 1, digits=15)
    run = sf.precise(flow, data, [[[width]]] * 2, 1, digits=30)
    assert ball.contains(run)
    gap = np.hypot(*[float(weight[-1, 0, 0]) for weight in run.weights])
    assert 35 * float(width) < gap <= ball.radius[-1]


def test_starts_that_turn_towards_the_faster_layer_stay_inside():
    """Near a minimum nothing grows in the norm of the rates, but |E| by 2^{1/2}."""
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(), learning_rates=(1, 100)
    )
    width, data = F(1, 10**6), sf.whitened([[1]])
    start = [[[sf.interval(1 - width, 1 + width)]], [[1]]]
    ball = sf.enclose(flow, data, start, F(1, 10), digits=20)
    run = sf.precise(flow, data, [[[1 + width]], [[1]]], F(1, 10), digits=30)
    pairs = zip(run.weights, ball.weights, strict=True)
    gap = np.hypot(*[float(one[-1, 0, 0] - other[-1, 0, 0]) for one, other in pairs])
    assert 1.3 * float(width) < gap <= ball.radius[-1] < 20 * float(width)


def test_rates_that_are_equal_are_a_clock():
    net, data = sf.LinearNetwork(2, 2, 1), sf.whitened([[2, 1]])
    fast = sf.gradient_flow(net, sf.SquaredLoss(), learning_rates=(2, 2))
    twice = sf.enclose(fast, data, STARTS["general"], 1, digits=25)
    plain = sf.gradient_flow(net, sf.SquaredLoss())
    once = sf.enclose(plain, data, STARTS["general"], 2, digits=25)
    for one, other in zip(twice.weights, once.weights, strict=True):
        gap = np.linalg.norm((one[-1] - other[-1]).astype(float))
        assert gap <= twice.radius[-1] + once.radius[-1]


@pytest.mark.parametrize("rates", [(1, 3), (F(1, 40), 1), (sympy.sqrt(2), 1)])
@pytest.mark.parametrize(
    ("network", "start"),
    [
        (sf.LinearNetwork(2, 2, 1), STARTS["general"]),
        (
            sf.DiagonalNetwork(2, depth=2, signed=True),
            [[[F(1, 2)], [F(2, 5)]]] * 4,
        ),
    ],
    ids=["dense", "diagonal"],
)
def test_limits_contain_late_times(network, start, rates):
    flow_rates = rates if len(network.parameters) == 2 else (*rates, *rates)
    flow = sf.gradient_flow(network, sf.SquaredLoss(), learning_rates=flow_rates)
    data = sf.Dataset([[1, 0], [1, 1], [0, 2]], [[2], [3], [2]])
    ball = sf.enclose(flow, data, start, sf.oo, digits=12)
    late = sf.precise(flow, data, start, 2 * ball.stats["from_t"], digits=20)
    gaps = [
        np.linalg.norm((a[-1] - b[-1]).astype(float))
        for a, b in zip(ball.weights, late.weights, strict=True)
    ]
    assert np.linalg.norm(gaps) <= ball.radius[-1] < 1e-10


def test_limits_under_weight_decay_balance_the_force():
    """For w and v of one entry: v(2 − vw) = λw, w(2 − vw) = λv, and both grow."""
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(l2=F(1, 9)), learning_rates=(1, 30)
    )
    ball = sf.enclose(flow, sf.whitened([[2]]), [[[F(1, 3)]], [[1]]], sf.oo, digits=20)
    end = sympy.sqrt(F(17, 9))
    assert ball.contains([[[end]], [[end]]])
    assert ball.radius[-1] < 1e-18


def test_the_path_that_is_left_has_the_factor_of_the_rates():
    """A layer that is slow to turn goes farther than rates of 1 would allow.

    With W = ba, of rates η and 1, the difference ηa² − b² stays, which says where a
    flow ends; it starts so close to its end that the bound is nearly linear.
    """
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(), learning_rates=(1, 100)
    )
    a, b, target = F(1, 10), F(1), F(1, 10) + F(1, 10**6)
    problem = bind(flow, sf.whitened([[target]]), [[[a]], [[b]]], digits=30, exact=True)
    weights = [to_arb_array(weight) for weight in problem.weights]
    bound = float(Remainder(problem).distance(weights, flint.arb(0)))
    gap, end = float(100 * a * a - b * b), float(target)
    x = mpmath.findroot(lambda x: 100 * x**2 - (end / x) ** 2 - gap, float(a))
    moved = float(mpmath.hypot(x - float(a), end / x - float(b)))
    assert 0.2 * bound < moved < bound


def test_no_certificate_is_written(tmp_path):
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(), learning_rates=(1, 3)
    )
    ball = sf.enclose(flow, sf.whitened([[2]]), [[[1]], [[1]]], 1, digits=15)
    with pytest.raises(sf.InvalidArgument, match="have learning rates"):
        sf.save(ball, tmp_path / "ball.json")
