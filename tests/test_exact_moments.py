"""Proofs and digits are about the numbers that were given, not about rounded ones."""

from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb

import symflow as sf
from symflow.data.exact import BLOCK, exact_gram
from symflow.flow.least_squares import exact_least_norm, least_squares
from symflow.flow.problem import bind

SCALAR = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
THREE = sf.Dataset([[0.1], [0.3], [0.7]], [0.2, 0.5, 0.4])
exactly = np.vectorize(Fraction, otypes=[object])


def sums(left, right, count):
    return exactly(left).T @ exactly(right) / count


def as_fractions(array):
    return [Fraction(int(entry.p), int(entry.q)) for entry in array.flat]


def columns(kind):
    rng = np.random.default_rng(3)
    plain = rng.standard_normal((9, 3))
    return {
        "Gaussian": plain,
        "of very different units": plain * [1e-200, 1.0, 1e150],
        "of very different sizes": plain * 10.0 ** rng.integers(-250, 40, (9, 3)),
        "subnormal": np.full((9, 3), 5e-324) * rng.integers(-9, 9, (9, 3)),
        "with zeros": plain * [0, 1, 1] * rng.integers(0, 2, (9, 1)),
        "at the end of the range": np.full((2, 3), [1.7e308, -1.0, 0.0]),
        "whole": np.round(9 * plain),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "Gaussian",
        "of very different units",
        "of very different sizes",
        "subnormal",
        "with zeros",
        "at the end of the range",
        "whole",
    ],
)
def test_products_of_floats_are_formed_without_rounding(kind):
    left = columns(kind)
    right = np.random.default_rng(4).standard_normal((len(left), 2))
    for first, second in ((left, right), (right, left), (left, left)):
        found = as_fractions(exact_gram(first, second, 7))
        assert found == list(sums(first, second, 7).flat)


def test_more_rows_than_a_block_holds():
    rng = np.random.default_rng(5)
    array = rng.integers(-(2**53), 2**53, (BLOCK + 3, 2)).astype(float)
    whole = [[int(x) for x in row] for row in array]
    expected = [
        sum(row[i] * row[j] for row in whole) for i in range(2) for j in range(2)
    ]
    assert as_fractions(exact_gram(array, array)) == expected


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["Gaussian", "of very different units", "with zeros"])
def test_a_problem_with_digits_has_the_moments_of_its_floats(reduction, kind):
    X = columns(kind)
    Y = X[:, :1] + 0.1
    loss = sf.SquaredLoss(reduction)
    flow = sf.gradient_flow(sf.LinearNetwork(3, 1), loss)
    problem = bind(flow, sf.Dataset(X, Y), [np.ones((1, 3))], digits=30)
    count = len(X) if reduction == "mean" else 1
    for array, sides in zip(problem.arguments, ((X, X), (Y, X)), strict=True):
        assert as_fractions(array) == list(sums(*sides, count).flat)


@pytest.mark.parametrize("call", ["moments", "standardized", "centered"])
def test_what_is_called_float_stays_so(call):
    data = getattr(THREE, call)()
    assert data.moments().sigma_xx.dtype == float
    assert not data.moments().exact
    assert data.exactly.moments().exact


def test_moments_of_floats_are_their_own_numbers_and_sums_of_them_too():
    data = sf.Moments([[0.1]], [[0.2]], [[0.5]], n=3)
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss("sum"))
    problem = bind(flow, data, [[[1.0]]], digits=30)
    assert as_fractions(problem.arguments[0]) == [3 * Fraction(0.1)]


def least(data):
    x, y = exactly(data.X)[:, 0], exactly(data.Y)[:, 0]
    return (x @ y) / (x @ x)


@pytest.mark.parametrize("seed", range(3))
def test_an_enclosed_limit_contains_the_rational_least_squares_value(seed):
    rng = np.random.default_rng(seed)
    data = THREE if seed == 0 else sf.Dataset(rng.uniform(0.1, 1, (3, 1)), [1, 2.5, 2])
    ball = sf.enclose(SCALAR, data, [[[0.5]], [[0.5]]], sympy.oo, digits=40)
    assert ball.contains([[least(data)]])
    assert ball.radius[0] < 1e-38
    assert "given data and start, taken as exact numbers" in ball.proof[0]
    rounded = data.moments()
    other = Fraction(rounded.sigma_yx[0, 0]) / Fraction(rounded.sigma_xx[0, 0])
    assert ball.contains([[other]]) == (other == least(data))
    ball = sf.enclose(SCALAR, rounded, [[[0.5]], [[0.5]]], sympy.oo, digits=40)
    assert ball.contains([[other]])
    assert ball.proof[0].startswith("proven for these moments")


@pytest.mark.parametrize("scale", [1, 10**4])
def test_least_squares_at_many_digits_are_those_of_the_samples(scale):
    rng = np.random.default_rng(8)
    X, Y = rng.standard_normal((5, 2)) * [1, scale], rng.standard_normal((5, 1))
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss())
    problem = bind(flow, sf.Dataset(X, Y), [np.ones((1, 2))])
    xx, yx = sums(X, X, 1), sums(Y, X, 1)[0]
    det = xx[0, 0] * xx[1, 1] - xx[0, 1] ** 2
    expected = [
        (yx[0] * xx[1, 1] - yx[1] * xx[0, 1]) / det,
        (yx[1] * xx[0, 0] - yx[0] * xx[0, 1]) / det,
    ]
    assert list(exact_least_norm(problem).flat) == expected
    context = mpmath.MPContext()
    context.dps = 60
    fine = least_squares(problem, context).least_norm
    for value, true in zip(fine.flat, expected, strict=True):
        gap = value * true.denominator / true.numerator - 1
        assert abs(gap) < context.mpf(10) ** -40


def test_the_loss_with_digits_is_right_and_never_negative():
    X = np.random.default_rng(1).standard_normal((6, 2))
    data = sf.Dataset(np.round(X * 64) / 64, np.round(X * 64) / 64 @ [[0.5], [2.0]])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    run = sf.precise(flow, data, [[[1.0, 0.5]], [[1.0]]], [1, 50, 400], digits=20)
    assert all(value >= 0 for value in run.loss)
    assert run.loss[0] > run.loss[1] > 0
    matrix = run.weights[1][1] @ run.weights[0][1]
    x, y = (np.vectorize(run.context.mpf)(a) for a in (data.X, data.Y))
    with run.context.workprec(3 * run.context.prec):
        rest = y - x @ matrix.T
        true = (rest * rest).sum() / 12
    # W is rounded to the digits, of which its distance from the minimizer has fewer
    assert abs(run.loss[1] / true - 1) < 1e-3


@pytest.mark.parametrize("number", ["1/3", "sqrt", "mpf", "longdouble"])
def test_a_start_with_more_digits_than_floats_is_enclosed_as_it_is(number):
    context = mpmath.MPContext()
    context.dps = 60
    value = {
        "1/3": Fraction(1, 3),
        "sqrt": sympy.sqrt(2) / 4,
        "mpf": context.mpf(1) / 3,
        "longdouble": np.longdouble(1) / 3,
    }[number]
    start = [[[value]], [[value]]]
    for digits in (10, 30):
        ball = sf.enclose(SCALAR, THREE, start, [0, 1], digits=digits)
        assert ball.contains(start, 0)
        assert not ball.excludes(start, 0)


CALLS = {
    "precise": lambda start: sf.precise(SCALAR, THREE, start, 1, digits=10),
    "simulate": lambda start: sf.simulate(SCALAR, THREE, start, 1),
    "solve": lambda start: sf.solve(SCALAR, sf.whitened([[2]]), start),
    "ensemble": lambda start: sf.ensemble(SCALAR, THREE, [[w] for w in start], 1),
    "data": lambda start: sf.simulate(
        SCALAR, sf.Dataset(start[0], [1.0]), [[[1]], [[1]]], 1
    ),
    "moments": lambda start: sf.solve(
        SCALAR, sf.Moments(start[0], [[1.0]]), [[[1]], [[1]]]
    ),
    "descend": lambda start: sf.descend(
        sf.gradient_descent(SCALAR.network, SCALAR.loss), THREE, start, 3, step_size=0.1
    ),
    "whitened": lambda start: sf.precise(
        SCALAR, sf.whitened(start[0]), [[[1]], [[1]]], 1
    ),
    "rates": lambda start: sf.rates(SCALAR, sf.whitened(start[0]), [[[1]], [[1]]]),
    "compile": lambda start: sf.compile(SCALAR, sf.whitened(start[0])),
    "standardized": lambda start: sf.Dataset(start[0] * 2, [1.0, 2.0]).standardized(),
    "centered": lambda start: sf.Dataset(start[0] * 2, [1.0, 2.0]).centered(),
    "implicit_bias": lambda start: sf.implicit_bias(SCALAR, THREE, start),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("radius", [1e-3, 1e-300])
def test_a_ball_is_refused_and_its_radius_never_dropped(call, radius):
    with pytest.raises(sf.errors.InvalidArgument, match="stands for many numbers"):
        CALLS[call]([[[arb(1, radius)]], [[1.0]]])
    with pytest.raises(sf.errors.InvalidArgument):
        CALLS[call]([[[arb("nan")]], [[1.0]]])


def test_a_ball_of_no_radius_is_a_number():
    third = arb("0.5")
    ball = sf.enclose(SCALAR, THREE, [[[third]], [[third]]], [0], digits=20)
    assert ball.contains([[[0.5]], [[0.5]]], 0)


def test_the_error_of_a_thousand_digits_is_no_float():
    run = sf.precise(SCALAR, sf.whitened([[2]]), [[[1]], [[1]]], 0.25, digits=400)
    assert 0 < run.error < mpmath.mpf(10) ** -399
    assert "e-4" in repr(run)


NOT_MOMENTS = {
    "a constant input": ([[1, 0], [0, 0]], [[1, 1]]),
    "equal inputs": ([[1, 1], [1, 1]], [[1, 2]]),
    "a dependent input": ([[2, 2, 4], [2, 4, 6], [4, 6, 10]], [[1, 1, 1]]),
}


@pytest.mark.parametrize("case", NOT_MOMENTS)
@pytest.mark.parametrize("units", [(1, 1, 1), (10**9, 1, Fraction(1, 10**6))])
@pytest.mark.parametrize("number", [Fraction, float])
def test_moments_outside_the_range_are_refused(case, units, number):
    xx, yx = (np.array(part, dtype=object) for part in NOT_MOMENTS[case])
    units = np.array(units[: len(xx)], dtype=object)
    read = partial(np.vectorize, otypes=[object])
    convert = read(number)
    scaled = convert(xx * np.outer(units, units)), convert(yx * units)
    with pytest.raises(sf.errors.InvalidData, match="outside the range"):
        sf.Moments(*scaled)
    inside = convert(xx[:1] * units[0] * units)
    sf.Moments(scaled[0], inside)


def test_a_tiny_exact_part_outside_the_range_is_seen():
    xx, tiny = [[1, 1], [1, 1]], Fraction(1, 10**30)
    with pytest.raises(sf.errors.InvalidData, match="outside the range"):
        sf.Moments(xx, [[1, 1 + tiny]])
    sf.Moments([[1, 1], [1, 1 + tiny]], [[1, 2]])


@pytest.mark.parametrize("seed", range(6))
def test_float_moments_of_data_are_accepted_whatever_their_spectrum(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((4, 7)) * 10.0 ** rng.integers(-8, 8, 7)
    X[:, 1] = X[:, 0] * (1 + 1e-9 * rng.standard_normal(4))
    moments = sf.Dataset(X, rng.standard_normal((4, 2))).moments()
    sf.Moments(moments.sigma_xx, moments.sigma_yx)
    sf.Moments(moments.sigma_xx, moments.sigma_yx, moments.sigma_yy)


def test_a_ball_is_no_time():
    solution = sf.solve(SCALAR, sf.whitened([[2]]), [[[1]], [[1]]])
    calls = (
        solution.end_to_end,
        lambda t: solution.precise(t, digits=20),
        lambda t: sf.simulate(SCALAR, THREE, [[[1]], [[1]]], t),
        lambda t: sf.enclose(SCALAR, THREE, [[[1]], [[1]]], t),
    )
    for call in calls:
        with pytest.raises(sf.errors.InvalidArgument):
            call(arb(1, 1e-3))


def test_a_start_is_not_rounded_to_the_digits_that_a_rule_draws():
    third = Fraction(1, 3)
    start = [[[third]], [[-third]]]  # on the stable manifold of the saddle
    ball = sf.enclose(SCALAR, sf.whitened([[2]]), start, [0, 30], digits=10)
    assert ball.radius[0] < 1e-50
    assert ball.contains(start, 0)
