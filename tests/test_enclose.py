"""`enclose`: what is proven, and that it can refute."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import flint
import hypothesis
import mpmath
import numpy as np
import pandas as pd
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import symflow as sf
from symflow.flow.least_squares import exact_least_norm
from symflow.flow.problem import bind
from symflow.precision import enclose, precise
from symflow.precision.balls import (
    positive_definite,
    spectral,
    to_arb,
    to_arb_array,
)
from symflow.precision.hessian import indefiniteness

SCALAR = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
SQUARE = sympy.MatrixSymbol("W", 1, 1)
DENSE = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())


def exact(rows):
    return sympy.Matrix([[sympy.Rational(x) for x in row] for row in rows])


def frame(seed, size):
    """A rational orthogonal matrix, by Cayley's formula."""
    rng = np.random.default_rng(seed)
    raw = sympy.Matrix(rng.integers(-3, 4, size=(size, size)).tolist())
    skew = (raw - raw.T) / 3
    one = sympy.eye(size)
    return (one - skew) * (one + skew).inv()


def mode(sigma, lam, start, t, mp):
    """The balanced mode w' = 2w(σ − λw), also for σ = 0 and for λ = 0."""
    sigma, lam, start = (mp.mpf(x.p) / x.q for x in (sigma, lam, start))
    if sigma == 0:
        return start / (1 + 2 * lam * start * t)
    grown = mp.expm1(2 * sigma * t)
    return sigma * start * (grown + 1) / (sigma + lam * start * grown)


def aligned(modes, start, seed):
    """Jointly diagonal moments and a spectral start with known singular vectors."""
    size = len(modes)
    left, right = frame(seed, size), frame(seed + 1, size)
    sigma_yx = left * sympy.diag(*(sigma for sigma, _ in modes)) * right.T
    sigma_xx = right * sympy.diag(*(lam for _, lam in modes)) * right.T
    weights = [start * right.T, left * start]
    return sf.Moments(sigma_xx=sigma_xx, sigma_yx=sigma_yx), weights, left, right


def solution(modes, start, left, right, t, mp):
    values = mp.diag([mode(*pair, start**2, t, mp) for pair in modes])
    lift = [
        mp.matrix([[mp.mpf(x.p) / x.q for x in m.row(i)] for i in range(m.rows)])
        for m in (left, right)
    ]
    product = lift[0] * values * lift[1].T
    return np.array(product.tolist(), dtype=object).reshape(len(modes), -1)


STRENGTH = st.one_of(
    st.just(Fraction(0)),
    st.just(Fraction(1, 10**12)),
    st.fractions(Fraction(1, 10), 2, max_denominator=20),
)
#: (σ, λ) of a mode: data may be rank-deficient or nearly so, in inputs and outputs.
MODE = st.one_of(
    st.tuples(STRENGTH, st.just(Fraction(1))),
    st.tuples(STRENGTH, st.fractions(Fraction(1, 10), 2, max_denominator=20)),
    st.tuples(st.just(Fraction(0)), st.sampled_from([Fraction(0), Fraction(1, 10**9)])),
)


def check_closed_form(modes, start, seed, t, digits):
    modes = [
        tuple(sympy.Rational(x.numerator, x.denominator) for x in m) for m in modes
    ]
    start = sympy.Rational(start.numerator, start.denominator)
    data, weights, left, right = aligned(modes, start, seed)
    ball = enclose(DENSE, data, weights, t, digits=digits)
    mp = mpmath.MPContext()
    mp.dps = digits + 40
    true = solution(modes, start, left, right, t, mp)
    assert ball.error <= 10.0**-digits * max(float(abs(w).max()) for w in ball.weights)
    assert ball.contains(true)
    assert not ball.excludes(true)
    # the same flow with one coefficient of the vector field changed by 1e-30
    (sigma, lam), *others = modes
    moved = [(sigma + sympy.Rational(1, 10**30), lam), *others]
    wrong = solution(moved, start, left, right, t, mp)
    assert ball.excludes(wrong)
    assert not ball.contains(wrong)


@settings(max_examples=40, deadline=None)
@given(
    modes=st.lists(MODE, min_size=1, max_size=3),
    start=st.fractions(Fraction(1, 1000), 1, max_denominator=1000),
    seed=st.integers(0, 10**6),
)
def test_contains_the_closed_form_and_refutes_a_wrong_field(modes, start, seed):
    check_closed_form(modes, start, seed, 2, 40)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-3, 1.0])
@pytest.mark.parametrize("kind", ["spectral", "lambda", "random"])
def test_radius_at_fifty_digits_and_late_time(kind, scale):
    rng = np.random.default_rng(5)
    target = rng.normal(size=(3, 3))
    left, _, right = np.linalg.svd(target)
    start = {
        "spectral": [scale * right, scale * left],
        "lambda": [scale * right, scale * np.sqrt(2) * left],
        "random": list(rng.normal(size=(2, 3, 3)) * scale),
    }[kind]
    ball = enclose(DENSE, sf.whitened(target), start, 12)
    assert ball.error <= 1e-40
    finer = precise(DENSE, sf.whitened(target), start, 12, digits=75)
    assert ball.contains([w[-1] for w in finer.weights])


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_contains_a_finer_run_at_every_depth_with_weight_decay(depth):
    rng = np.random.default_rng(depth)
    widths = [2, 3, 2, 3, 2][: depth + 1]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(l2="1/10"))
    data = sf.Dataset(rng.normal(size=(6, 2)), rng.normal(size=(6, widths[-1])))
    shapes = zip(widths[1:], widths, strict=False)
    start = [rng.normal(size=shape) / 2 for shape in shapes]
    times = [0, Fraction(1, 3), 2]
    ball = enclose(flow, data, start, times, digits=30)
    finer = precise(flow, data, start, times, digits=60)
    for index in range(3):
        assert ball.contains([w[index] for w in finer.weights], index)
        assert ball.contains(finer.end_to_end[index], index)
    shifted = [w[1] + finer.context.mpf(10) ** -25 for w in finer.weights]
    assert ball.excludes(shifted, 1)
    assert ball.digits == 30
    assert len(ball) == 3
    assert "radius" in repr(ball)


def test_rounded_moments_of_few_samples_are_enclosed():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 4)), rng.normal(size=(2, 1))
    data = sf.Dataset(X, Y)  # Σ_xx has rank 2 up to rounding: it is indefinite
    start = [rng.normal(size=(2, 4)), rng.normal(size=(1, 2))]
    ball = enclose(DENSE, data, start, 2, digits=30)
    finer = precise(DENSE, data, start, 2, digits=50)
    assert ball.contains([w[0] for w in finer.weights])
    small = to_arb_array(np.diag([1.0, -(2.0**-70)]))
    assert float(indefiniteness(small)) >= 2.0**-70
    with pytest.raises(sf.HypothesisFailed, match="not positive semidefinite"):
        indefiniteness(to_arb_array(-np.eye(2)))


def regression(seed=0):
    X = sympy.Matrix([[3, -1, 2, 0], [1, 2, -2, 4]])
    Y = sympy.Matrix([[2], [-3]])
    least = (X.T * (X * X.T).inv() * Y).T
    return sf.Dataset(X, Y), np.array(X.tolist(), dtype=float), least


def test_the_limit_is_the_least_norm_solution_where_theory_says_so():
    data, X, least = regression()
    inside = [
        np.array([[1.0, 0.5], [0.25, -1], [0.5, 0.5]]) @ X / 8,
        [[0.25, 0.5, -0.125]],
    ]
    ball = enclose(DENSE, data, inside, sympy.oo, digits=20)
    assert ball.contains(least)
    assert not ball.excludes(least)
    assert ball.error < 1e-19
    assert ball.limit.shape == (1, 4)


@pytest.mark.parametrize("infinite", [sympy.oo, float("inf"), np.float64("inf")])
def test_finite_times_and_the_limit_are_enclosed_together(infinite):
    problem = (SCALAR, sf.whitened([[2]]), [[[1]], [[1]]])
    ball = enclose(*problem, [Fraction(1, 2), 2, infinite], digits=12)
    early, end = ball.parts
    assert list(ball.t) == [Fraction(1, 2), 2, sympy.oo]
    assert list(early.t) == [Fraction(1, 2), 2]
    assert list(end.t) == [sympy.oo]
    solution = sf.solve(*problem)  # exact, and no code in common with the enclosure
    for index, time in enumerate(early.t):
        value = solution.precise(time, digits=30)
        assert early.contains(value, index)
        assert ball.contains(value, index)
        assert ball.excludes(value + Fraction(1, 10**11), index)
    assert ball.limit.shape == (1, 1)
    assert end.contains([[2]])
    assert ball.contains([[2]])
    assert max(ball.radius) < 1e-12


@pytest.mark.parametrize("late", [1, 60])
def test_the_limit_is_seen_from_the_last_time_where_that_is_late(late):
    problem = (SCALAR, sf.whitened([[2]]), [[[1]], [[1]]])
    ball = enclose(*problem, [late, sympy.oo], digits=12)
    assert ball.contains([[2]])
    assert ball.stats["from_t"] == max(
        late, enclose(*problem, sympy.oo, digits=12).stats["from_t"]
    )


@pytest.mark.parametrize(
    "times", [[sympy.oo, 1], [float("-inf")], [2, 1, sympy.oo], "oo"]
)
def test_only_the_last_time_may_be_infinite(times):
    with pytest.raises(sf.InvalidArgument, match=r"enclose\(t=…\)"):
        enclose(SCALAR, sf.whitened([[2]]), [[[1]], [[1]]], times)


def test_the_limit_is_another_solution_for_a_generic_start():
    data, X, least = regression()
    rng = np.random.default_rng(3)
    start = [rng.normal(size=(3, 4)) / 4, rng.normal(size=(1, 3)) / 4]
    ball = enclose(DENSE, data, start, sympy.oo, digits=20)
    assert ball.excludes(least)
    fitted = X @ ball.end_to_end[-1].astype(float).ravel()
    assert np.allclose(fitted, [2, -3])


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), samples=st.integers(1, 2), inside=st.booleans())
def test_limits_of_random_underdetermined_regressions(seed, samples, inside):
    # whole numbers: the minimizer of least norm is rational, and the data have rank
    # `samples` exactly; a start inside the row space of X ends there, others do not
    rng = np.random.default_rng(seed)
    X = rng.integers(-2, 3, (samples, 3)).astype(object)
    hypothesis.assume(np.linalg.matrix_rank(X.astype(float)) == samples)
    Y = rng.integers(-2, 3, (samples, 1)).astype(object)
    mixed = rng.integers(1, 4, (2, samples)) @ X
    first = mixed if inside else mixed + rng.integers(1, 3, (2, 3))
    start = [first * Fraction(1, 2), rng.integers(1, 3, (1, 2)).astype(object)]
    data = sf.Dataset(X, Y)
    least = exact_least_norm(bind(DENSE, data, start))
    ball = enclose(DENSE, data, start, sympy.oo, digits=8)
    off = np.eye(3) - np.linalg.pinv(X.astype(float)) @ X.astype(float)
    predicted = ball.weights[1][-1].astype(float) @ start[0].astype(float) @ off
    assert ball.contains(least) or not inside
    assert ball.excludes(least) == bool(np.any(abs(predicted) > 1e-7))


@pytest.mark.slow
def test_the_limit_on_the_diabetes_data_is_least_squares():
    data = sf.load_dataset("diabetes").standardized()
    moments = data.moments()
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(2, 10)) / 2, rng.normal(size=(1, 2)) / 2]
    ball = enclose(DENSE, data, start, sympy.oo, digits=4)
    ratios = [[Fraction(x) for x in row] for row in moments.sigma_xx.tolist()]
    matrix = flint.fmpq_mat(
        10, 10, [flint.fmpq(x.numerator, x.denominator) for row in ratios for x in row]
    )
    right = [Fraction(x) for x in moments.sigma_yx.ravel().tolist()]
    column = flint.fmpq_mat(
        10, 1, [flint.fmpq(x.numerator, x.denominator) for x in right]
    )
    best = [Fraction(int(x.p), int(x.q)) for x in matrix.solve(column).entries()]
    assert ball.contains([best])
    assert ball.excludes([[best[0] + Fraction(1, 1000), *best[1:]]])


PRODUCTS = {
    "dense": (sf.LinearNetwork(3, 2, 1), [(2, 3), (1, 2)]),
    "deep": (sf.LinearNetwork(3, 2, 2, 1), [(2, 3), (2, 2), (1, 2)]),
    "diagonal": (sf.DiagonalNetwork(3, depth=3), [(3, 1)] * 3),
    "circular": (sf.ConvolutionalNetwork(3, filters=(2, 3)), [(2, 1), (3, 1)]),
    "mixed": (
        sf.Network(sf.Circulant(3), sf.Dense(3, 2), sf.Diagonal(2), sf.Dense(2, 1)),
        [(3, 1), (2, 3), (2, 1), (1, 2)],
    ),
    "signed": (sf.DiagonalNetwork(3, depth=2, signed=True), [(3, 1)] * 4),
    "tensor": (
        sf.TensorNetwork(np.random.default_rng(5).integers(-2, 3, (3, 2, 2))),
        [(2, 1)] * 2,
    ),
}
LOSSES = {
    "squared": sf.SquaredLoss(),
    "exponential": sf.ExponentialLoss(),
    "logistic": sf.LogisticLoss(l2="1/10"),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", PRODUCTS)
def test_every_kind_of_network_and_convex_loss(name, loss):
    network, shapes = PRODUCTS[name]
    rng = np.random.default_rng(len(name))
    labels = np.where(rng.random((5, 1)) < 0.5, -1.0, 1.0)
    data = sf.Dataset(rng.normal(size=(5, 3)), labels)
    start = [rng.normal(size=shape) / 2 for shape in shapes]
    flow = sf.gradient_flow(network, LOSSES[loss])
    ball = enclose(flow, data, start, 1, digits=25)
    finer = precise(flow, data, start, 1, digits=45)
    weights = [w[-1] for w in finer.weights]
    assert ball.contains(weights)
    assert ball.contains(finer.end_to_end[-1])
    weights[0] = weights[0] + finer.context.mpf(10) ** -22
    assert ball.excludes(weights)


def test_both_bounds_of_the_curvature_are_above_the_jacobian():
    """μ from norms of layers and from the second derivative, on 20 random points."""
    from symflow.precision.balls import as_matrix
    from symflow.precision.curvature import CurvatureBound
    from symflow.precision.growth import _Measure
    from symflow.precision.hessian import HessianBound

    rng = np.random.default_rng(8)
    for name in ("dense", "deep", "diagonal", "circular", "mixed"):
        network, shapes = PRODUCTS[name]
        flow = sf.gradient_flow(network, sf.SquaredLoss(l2="1/10"))
        data = sf.Dataset(rng.normal(size=(5, 3)), rng.normal(size=(5, 1)))
        for _ in range(4):
            start = [rng.normal(size=shape) for shape in shapes]
            problem = bind(flow, data, start)
            measure = _Measure(problem, "cheapest")
            true = measure._numerically(problem.weights)
            balls = [as_matrix(weight) for weight in problem.weights]
            still = [flint.arb(0)] * len(balls)
            bounds = [kind(problem) for kind in (CurvatureBound, HessianBound)]
            fine, crude = (
                float(bound.around(balls, still).rate(flint.arb(0))) for bound in bounds
            )
            assert true <= fine + 1e-6
            assert fine <= crude * 1.1 + 1e-6
            moved = [weight + 0.02 / weight.size for weight in problem.weights]
            wide = float(bounds[0].around(balls, still).rate(flint.arb(0.02)))
            assert measure._numerically(tuple(moved)) <= wide + 1e-6


def test_start_and_global_state():
    before = (flint.ctx.prec, flint.ctx.cap, mpmath.mp.prec)
    ball = enclose(SCALAR, sf.whitened([[2]]), [[[0.5]], [[0.5]]], [0, 1], digits=20)
    assert ball.contains([[[0.5]], [[0.5]]], 0)
    assert ball.excludes([[[0.5]], [[0.5]]], 1)
    assert (flint.ctx.prec, flint.ctx.cap, mpmath.mp.prec) == before
    assert ball["W1"].shape == (2, 1, 1)


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (
            lambda: enclose(SCALAR, sf.whitened([[2]]), [[[1]], [[1]]], 1, digits=0),
            sf.InvalidArgument,
            r"enclose\(digits=…\): needs an integer from 1",
        ),
        (
            lambda: enclose(SCALAR, sf.whitened([[2]]), [[[1]], [[1]]], [1, 1]),
            sf.InvalidArgument,
            r"enclose\(t=…\): times have to increase",
        ),
        (
            lambda: enclose(
                sf.gradient_flow(sf.LinearNetwork(9, 5, 9), sf.SquaredLoss(l2=1)),
                sf.whitened(np.eye(9)),
                [np.ones((5, 9)), np.ones((9, 5))],
                sympy.oo,
            ),
            sf.HypothesisFailed,
            r"enclose\(t=oo\): the second derivative is bounded for at most 80 weights",
        ),
        (
            lambda: enclose(
                DENSE,
                sf.Moments(
                    sigma_xx=np.diag([1.0, 0.0]), sigma_yx=np.array([[1.0, 1.0]])
                ),
                [np.ones((1, 2)), [[1.0]]],
                sympy.oo,
            ),
            sf.errors.InvalidData,
            "outside the range",
        ),
        (
            lambda: enclose(
                sf.gradient_flow(sf.DiagonalNetwork(2, depth=2), sf.SquaredLoss()),
                sf.Dataset([[0, 0]], [[1]]),
                [np.ones((2, 1)), np.ones((2, 1))],
                sympy.oo,
            ),
            sf.HypothesisFailed,
            r"enclose\(t=oo\): among the W that .* has, the loss is constant",
        ),
        (
            lambda: enclose(
                sf.gradient_flow(
                    sf.LinearNetwork(1, 1, 1),
                    sf.CustomLoss(-sympy.Trace(SQUARE.T * SQUARE)),
                ),
                sf.whitened([[2]]),
                [[[1]], [[1]]],
                1,
            ),
            sf.HypothesisFailed,
            "needs a loss that is known to be convex",
        ),
        (
            lambda: enclose(
                SCALAR, sf.whitened([[2]]), [[[1]], [[1]]], 1, digits=9
            ).contains(np.ones((2, 2))),
            sf.ShapeMismatch,
            r"enclosure.contains\(value\): needs an end-to-end matrix of shape",
        ),
        (
            lambda: (
                enclose(SCALAR, sf.whitened([[2]]), [[[1]], [[1]]], 1, digits=9).limit
            ),
            sf.InvalidArgument,
            "only times were enclosed",
        ),
    ],
)
def test_what_is_not_covered_is_refused(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


@pytest.mark.parametrize("start", [0, 1, 0.7])
def test_a_flow_that_stays_at_a_saddle_has_no_enclosed_limit(start):
    """In float64 rounding decides whether it leaves the saddle, and so the reason."""
    with pytest.raises(sf.PrecisionLost, match="enclose"):
        enclose(SCALAR, sf.whitened([[2]]), [[[start]], [[-start]]], sympy.oo, digits=9)


def test_without_inputs_there_is_no_limit_to_enclose():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data, start = sf.Dataset([[0, 0]], [[1, 2]]), [np.eye(2)] * 2
    with pytest.raises(sf.HypothesisFailed, match="nothing moves"):
        enclose(flow, data, start, sympy.oo, digits=9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 5), columns=st.integers(1, 5))
def test_bounds_of_balls(seed, rows, columns):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns))
    top = np.linalg.norm(matrix, 2)
    assert top * (1 - 1e-12) <= float(spectral(to_arb_array(matrix))) <= top * 1.1
    gram = matrix @ matrix.T
    assert positive_definite(to_arb_array(gram + np.eye(rows)))
    assert not positive_definite(to_arb_array(gram - (top**2 + 1) * np.eye(rows)))


def test_irrational_numbers_become_balls_that_contain_them():
    root = to_arb(sympy.sqrt(2))
    assert (root * root).contains(flint.arb(2))
    assert root.rad() > 0


@pytest.mark.parametrize(
    ("value", "index", "message"),
    [
        (5, -1, "needs an end-to-end matrix or all weights; got 5"),
        ([], -1, "needs an end-to-end matrix or all weights"),
        ([[1]], 2, r"index=2\): needs the number of a time, from 0 to 1"),
        ([[1]], 0.5, r"index=0.5\): needs the number of a time"),
    ],
)
def test_what_a_ball_cannot_be_asked_is_named(value, index, message):
    ball = enclose(SCALAR, sf.whitened([[2]]), [[[1]], [[1]]], [0, 1], digits=9)
    for question in (ball.contains, ball.excludes):
        with pytest.raises(sf.InvalidArgument, match=message):
            question(value, index)


def test_a_run_lies_in_the_balls_where_it_does_at_every_common_time():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    problem = flow, sf.whitened([[3, 1], [1, 2]]), sf.gaussian_init(0.5, rng=1)
    ball = sf.enclose(*problem, [0, 1, 2, 3], digits=20)
    fine = sf.precise(*problem, [0, 0.5, 1, 3], digits=40)
    assert ball.contains(fine)
    assert not ball.excludes(fine)
    for layer in range(2):
        weights = [weight.copy() for weight in fine.weights]
        weights[layer][2, 0, 1] += fine.context.mpf(10) ** -12
        near = replace(fine, weights=tuple(weights))
        assert ball.excludes(near)
        assert not ball.contains(near)
        # a time that only one has says nothing
        weights[layer][2] = fine.weights[layer][2]
        weights[layer][1] += 1
        assert ball.contains(replace(fine, weights=tuple(weights)))
    assert ball.excludes(sf.simulate(*problem, [0, 3]))
    with pytest.raises(sf.InvalidArgument, match="no time in common"):
        ball.contains(sf.precise(*problem, [0.5], digits=20))
    with pytest.raises(sf.InvalidArgument, match="Leave index out"):
        ball.contains(fine, 1)
    with pytest.raises(sf.InvalidArgument, match=r"Give its \.midpoints"):
        ball.contains(ball)
    other = sf.gradient_flow(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss())
    with pytest.raises(sf.ShapeMismatch, match=r"2 weights of shapes \[\(2, 2\)"):
        ball.contains(sf.simulate(other, *problem[1:], [0, 1]))


def test_plain_numbers_are_a_row_a_column_or_weights_of_one_entry():
    data, start = sf.whitened([[2, 1]]), [[1, 0], [1, 0]]
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, depth=2), sf.SquaredLoss())
    ball = sf.enclose(flow, data, start, 1, digits=20)
    fine = sf.precise(flow, data, start, 1, digits=40)
    row = [*fine.end_to_end[-1, 0]]
    assert ball.contains(row)
    assert ball.contains([*map(sympy.Float, map(str, row))])
    assert ball.excludes([row[0], row[1] + Fraction(1, 10**12)])
    assert ball.contains(pd.DataFrame(fine.end_to_end[-1]))
    columns = [[*weight[-1, :, 0]] for weight in fine.weights]
    assert ball.contains(columns)
    assert ball.excludes([columns[0], [columns[1][0] + 1, columns[1][1]]])
    for value in ([row[0]], [*row, 0], [[row, row]], [columns[0], [1]], "12"):
        with pytest.raises(sf.InvalidArgument, match=r"enclosure\.contains\(value\)"):
            ball.contains(value)
    flat = [*columns[0], *columns[1]]
    assert ball.contains(flat)
    assert ball.contains([mpmath.nstr(entry, 40) for entry in flat])
    assert ball.excludes([flat[0] + Fraction(1, 10**12), *flat[1:]])
    one = sf.enclose(SCALAR, sf.whitened([[2]]), [[[1]], [[0.5]]], 0, digits=9)
    assert one.contains([1, 0.5])
    assert one.contains([0.5])
    assert one.excludes([0.5, 1])


def test_only_the_digits_that_are_proven_are_shown():
    data, start = sf.whitened([[2]]), [[[1]], [[0.5]]]
    ball = sf.enclose(SCALAR, data, start, [0, 1, 2], digits=20)
    fine = sf.precise(SCALAR, data, start, [0, 1, 2], digits=60)
    for index in (0, 1, -1):
        for texts, weight in zip(ball.known(index), fine.weights, strict=True):
            shown = texts[0, 0]
            last = Fraction(1, 10 ** len(shown.partition(".")[2]))
            assert abs(Fraction(shown) - Fraction(str(weight[index, 0, 0]))) <= last
            assert float(last) < 1e-18 or index == 0
    loose = replace(ball, radius=np.array([0, 0.25, 1e9]))
    assert loose.known()[0][0, 0] == "0e+10"


def test_enclosures_are_routes_of_a_validation():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data, init = sf.whitened([[3, 1], [1, 2]]), sf.spectral_init(0.1)
    sol = sf.solve(flow, data, init)
    ball = sf.enclose(flow, data, init, [1, 3], digits=30)
    run = sf.simulate(flow, data, init, [1, 3])
    report = sf.validate([*sf.conserved(flow), sol], run, ball)
    assert len(report.rows) == 5
    assert report.ok
    assert "proven radius" in report.rows[1].route


def test_predicted_limits_are_held_against_the_enclosed_limit():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data, init = sf.whitened([[3, 1], [1, 2]]), sf.spectral_init(0.5)
    sol = sf.solve(flow, data, init)
    ball = sf.enclose(flow, data, init, sf.oo, digits=30)
    (row,) = sf.validate([*sf.conserved(flow), sol], ball).rows
    assert row.ok
    assert row.claim.endswith("limit")


def test_her_digits_as_a_column_and_what_messages_say_of_other_forms():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    data = sf.whitened([[2, 1]])
    ball = sf.enclose(flow, data, [[[1, 0]], [[1]]], 1, digits=20)
    hers = [str(x) for x in (ball.weights[0][0, 0, 0], ball.weights[0][0, 0, 1])]
    hers.append(str(ball.weights[1][0, 0, 0]))
    column = mpmath.matrix([mpmath.mpf(0)] * 3)
    assert ball.excludes(column)
    assert ball.contains([[x] for x in hers])
    for value, words in (
        ({"W1": [[1, 0]]}, "needs an end-to-end matrix or all weights; got {"),
        ([hers, hers], "at the time of index="),
    ):
        with pytest.raises(sf.InvalidArgument, match=re.escape(words)):
            ball.contains(value)
    with pytest.raises(sf.InvalidArgument, match="0 or −1: there is one"):
        ball.contains(hers, 3)
    assert "1, one time" in str(sf.simulate(flow, data, [[[1, 0]], [[1]]], 1))
