"""The rank-one flow: its clock, its basin, its extremes, and published digits."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement
from math import factorial

import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import symflow as sf
from symflow.flow.problem import bind
from symflow.precision import precise
from symflow.solutions import RankOne, attempts
from symflow.solutions.any_precision import context_of

TIMES = np.array([0.0, 0.1, 0.7, 1.5, 4.0, 12.0])
WIDTHS = [(3, 1, 2), (3, 4, 1, 2), (2, 1, 3, 2), (3, 2, 2), (3, 1, 2, 4, 2)]


def _problem(widths, target, init):
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    return flow, sf.whitened(target), init


def _rank_one(flow, data, init):
    answer = RankOne.attempt(bind(flow, data, init))
    assert isinstance(answer, RankOne), answer
    return answer


def _random(widths, seed, scale=0.6):
    target = np.random.default_rng(seed).normal(size=(widths[-1], widths[0]))
    return _problem(widths, target, sf.rank_one_init(scale, rng=seed))


def test_two_layers_give_the_published_digits():
    root = sympy.sqrt(sympy.Rational(1, 2))
    init = sf.rank_one_init(root, left=[3, 4], right=[5, 12], rng=0)
    solution = sf.solve(*_problem((2, 1, 2), [[2, 0], [0, 1]], init))
    assert solution.name == "RankOne"
    matrix, context = solution.precise(1, digits=35), context_of(40)
    size = context.sqrt(sum(context.mpf(entry) ** 2 for entry in matrix.flat))
    assert context.nstr(size, 30) == "1.41306041939171419299009039844"
    assert solution.strength(1.0) == pytest.approx(1.4130604193917142, rel=1e-15)


@pytest.mark.parametrize("widths", WIDTHS)
def test_product_and_weights_follow_the_integrated_flow(widths):
    case = _random(widths, sum(widths))
    solution = _rank_one(*case)
    run = sf.simulate(*case, TIMES, method=sf.DOP853(rtol=1e-13))
    assert np.abs(solution.end_to_end(TIMES) - run.end_to_end).max() < 1e-11
    for mine, theirs in zip(solution.weights(TIMES), run.weights, strict=True):
        assert np.abs(mine - theirs).max() < 1e-11


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from([(2, 1, 2), (2, 1, 1, 2), (2, 3, 1, 2), (1, 2, 2, 1, 2)]),
    time=st.fractions(Fraction(1, 100), 8, max_denominator=100),
)
def test_integration_agrees_to_forty_digits(seed, widths, time):
    flow, data, init = _random(widths, seed, Fraction(4, 5))
    run = precise(flow, data, init, [time], digits=45)
    value, context = (
        _rank_one(flow, data, init).precise(time, digits=45),
        context_of(60),
    )
    pairs = zip(value.flat, run.end_to_end[0].flat, strict=True)
    gap = max(abs(context.mpf(a) - context.mpf(b)) for a, b in pairs)
    assert gap < context.mpf(10) ** -40 * max(abs(entry) for entry in value.flat)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    depth=st.integers(2, 5),
    scale=st.integers(-12, 6),
    time=st.one_of(st.floats(0, 1e8), st.floats(0, 30), st.just(1e8)),
)
def test_floats_are_right_at_any_time_and_scale(seed, depth, scale, time):
    widths = (2, *[1] * (depth - 1), 2)
    # ten to the scale is the size of W(0)
    size = sympy.Integer(10) ** sympy.Rational(scale, depth)
    solution = _rank_one(*_random(widths, seed, size))
    sharp = solution.precise(time, digits=25).astype(float)
    gap = np.abs(solution.end_to_end(time) - sharp).max()
    assert gap <= 1e-12 * np.abs(sharp).max()


def test_the_clock_agrees_with_the_expanded_power_for_an_even_depth():
    """For L = 4, ∫n⁴ is a sum of exponentials, and t(τ) an ordinary quadrature."""
    solution = _rank_one(*_random((2, 1, 3, 1, 2), 4, 0.3))
    spread, context = solution.spread(40), context_of(40)
    terms = list(zip(spread.rates, [c * c for c in spread.parts], strict=True))

    def power(tau):
        return sum(c * context.exp(2 * f * tau) for f, c in terms) ** 2

    def mass(tau):
        total = context.mpf(0)
        for chosen in combinations_with_replacement(terms, 2):
            rate = 2 * sum(f for f, _ in chosen)
            count = factorial(2) // (2 if chosen[0] == chosen[1] else 1)
            grown = context.expm1(rate * tau) / rate if rate else tau
            total += count * chosen[0][1] * chosen[1][1] * grown
        return total

    def slowness(tau):
        pull = 4 * spread.kappa * spread.strength
        s = spread.strength * power(tau) / (1 + pull * mass(tau))
        return 1 / context.sqrt(s)

    for tau in (0.25, 1.0, 3.0):
        exact = context.quad(slowness, [0, tau / 2, tau])
        assert abs(solution.clock.time(tau, context) / exact - 1) < 1e-33


@pytest.mark.parametrize("widths", [(2, 1, 2), (2, 1, 1, 2), (2, 2, 1, 1, 1, 2)])
def test_the_two_clocks_are_inverse_and_increasing(widths):
    solution = _rank_one(*_random(widths, 1))
    times = np.concatenate([[0.0], np.geomspace(1e-6, 1e8, 60)])
    inner = solution.internal_time(times)
    assert np.all(np.diff(inner) > 0)
    assert np.allclose(solution.time(inner), times, rtol=1e-13, atol=0)
    assert solution.internal_time(2.0).shape == ()
    with pytest.raises(sf.InvalidArgument, match="the flow starts at t = 0"):
        solution.internal_time(-1.0)


@pytest.mark.parametrize("widths", [(2, 1, 2), (2, 1, 1, 2)])
def test_a_start_on_the_exceptional_hyperplane_learns_the_second_mode(widths):
    def ending(third):
        init = sf.rank_one_init(1, left=[3, 4], right=[-3 + third, 4], rng=0)
        return _rank_one(*_problem(widths, [[2, 0], [0, 1]], init))

    lost = ending(0)
    assert (lost.overlap, lost.learned) == (0.0, 2)
    assert np.abs(lost.limit - np.diag([0, 1])).max() < 1e-14
    assert np.abs(lost.end_to_end(1e8) - lost.limit).max() < 1e-13
    # any other start reaches the best approximation, however late
    near = ending(Fraction(1, 10**6))
    assert near.learned == 1
    assert np.abs(near.end_to_end(5.0) - np.diag([0, 1])).max() < 1e-2
    assert np.abs(near.end_to_end(200.0) - np.diag([2, 0])).max() < 1e-12


def test_the_basin_is_everything_but_that_hyperplane():
    opposed = 0
    for seed in range(24):
        flow, data, init = _random((3, 1, 2), seed)
        solution = _rank_one(flow, data, init)
        u, values, vt = np.linalg.svd(data.moments().sigma_yx)
        best = values[0] * np.outer(u[:, 0], vt[0])
        assert np.abs(solution.limit - best).max() < 1e-12
        gap = values[0] - values[1]
        assert np.abs(solution.end_to_end(60 / gap) - best).max() < 1e-9
        left, right = (part[()] for part in solution.directions(0.0))
        opposed += (left @ u[:, 0]) * (right @ vt[0]) < 0
    assert opposed >= 5  # signs of the start do not decide


def test_starts_that_point_away_decay_and_repeated_values_keep_the_direction():
    away = sf.rank_one_init(1, left=[1, 0], right=[-1, 0], rng=0)
    for widths in ((2, 1, 2), (2, 1, 1, 2)):
        solution = _rank_one(*_problem(widths, [[2, 0], [0, 1]], away))
        assert solution.learned == 0
        assert not solution.limit.any()
        sharp = solution.precise(40, digits=25).astype(float)
        assert (
            np.abs(solution.end_to_end(40.0) / sharp[0, 0] - sharp / sharp[0, 0]).max()
            < 1e-12
        )
    tied = _rank_one(*_problem((2, 1, 2), [[2, 0], [0, 2]], sf.rank_one_init(1, rng=3)))
    assert np.linalg.matrix_rank(tied.limit, tol=1e-12) == 1
    assert np.abs(tied.end_to_end(1e3) - tied.limit).max() < 1e-13


@pytest.mark.parametrize("kappa", [Fraction(1, 4), 3])
def test_isotropic_input_of_any_variance_is_covered(kappa):
    data = sf.Moments([[kappa, 0], [0, kappa]], [[1, 2], [0, Fraction(1, 2)], [1, 1]])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2, 3), sf.SquaredLoss())
    init = sf.rank_one_init(Fraction(1, 2), rng=1)
    run = precise(flow, data, init, [1, 3], digits=35)
    assert sf.validate([_rank_one(flow, data, init)], run).ok
    value, context = _rank_one(flow, data, init).precise(3, digits=35), context_of(50)
    pairs = zip(value.flat, run.end_to_end[1].flat, strict=True)
    assert max(abs(context.mpf(a) - context.mpf(b)) for a, b in pairs) < 1e-33


def test_zero_targets_are_no_exception():
    solution = _rank_one(
        *_problem((2, 1, 1, 2), [[0, 0], [0, 0]], sf.rank_one_init(1, rng=0))
    )
    # ṡ = −3 s^{7/3} with s(0) = 1 has s = (1 + 4t)^{−3/4}
    times = np.array([0.0, 1.0, 1e4])
    assert np.allclose(solution.strength(times), (1 + 4 * times) ** -0.75, rtol=1e-13)


@pytest.mark.parametrize(
    ("init", "words"),
    [
        (sf.balanced_init(0.5, rng=0), "every layer has rank one: fails"),
        (([[1, 0], [0, 0]], [[2, 0], [0, 0]]), "balanced initialization: fails"),
        (([[0, 0], [0, 0]], [[0, 0], [0, 0]]), "every layer has rank one: fails"),
        (([[1, 0], [0, 1e-5]], [[1, 0], [0, 1e-5]]), "every layer has rank one: fails"),
    ],
)
def test_other_starts_are_refused_and_measured(init, words):
    answers = attempts(*_problem((2, 2, 2), [[2, 0], [0, 1]], init))
    refusal = next(answer for answer in answers if answer.name == "RankOne")
    assert words in str(refusal)


def test_hundreds_of_digits():
    case = _problem(
        (2, 1, 1, 2), [[2, 1], [0, 1]], sf.rank_one_init(Fraction(1, 2), rng=1)
    )
    values = [_rank_one(*case).precise(Fraction(7, 2), digits=d) for d in (150, 170)]
    context = context_of(180)
    pairs = zip(*map(np.ravel, values), strict=True)
    gap = max(abs(context.mpf(a) - context.mpf(b)) for a, b in pairs)
    assert gap < context.mpf(10) ** -150
