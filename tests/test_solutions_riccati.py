"""The matrix Riccati solution at the widths and λ where published code fails."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st
from oracles.entrywise import Problem

import symflow as sf
from symflow.flow.problem import bind
from symflow.flow.riccati import gram_equation
from symflow.precision import precise
from symflow.solutions import Riccati, solve

LAMBDAS = (-5, -1, 0, 0.5, 1, 10, 100)
CASES = [
    (widths, lam)
    for widths in [(5, 10, 2), (3, 5, 7), (5, 5, 5)]
    for lam in LAMBDAS
    if lam == 0 or widths[1] <= (widths[2] if lam > 0 else widths[0])
]


def _flow(*widths):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())


def _riccati(flow, data, init):
    answer = Riccati.attempt(bind(flow, data, init))
    assert isinstance(answer, Riccati), answer
    return answer


def _target(widths, seed=0):
    return np.random.default_rng(seed).normal(size=(widths[-1], widths[0]))


@pytest.mark.parametrize(("widths", "lam"), CASES)
def test_every_width_and_lambda_follows_the_integrated_flow(widths, lam):
    flow, data = _flow(*widths), sf.whitened(_target(widths))
    init = sf.lambda_balanced_init(lam, 0.3, rng=3)
    solution = _riccati(flow, data, init)
    times = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 5.0])
    run = sf.simulate(flow, data, init, times, method=sf.DOP853(rtol=1e-13))
    assert np.abs(solution.end_to_end(times) - run.end_to_end).max() < 1e-10
    for mine, theirs in zip(solution.weights(times), run.weights, strict=True):
        assert np.abs(mine - theirs).max() < 1e-10
    late = solution.end_to_end([1e4, 1e8])
    assert np.all(np.isfinite(late))
    assert np.abs(late - solution.limit).max() < 1e-12 * (1 + abs(lam))


def test_many_rates_neither_overflow_nor_lose_the_slow_modes():
    widths, rates = (12, 12, 12), 2.0 ** -np.arange(12)
    data = sf.whitened(np.diag(rates))
    init = sf.lambda_balanced_init(0.5, 0.3, rng=3)
    solution = _riccati(_flow(*widths), data, init)
    for time in (10.0, 1e3, 1e5, 1e8):
        sharp = solution.precise(time, digits=18).astype(float)
        assert np.abs(solution.end_to_end(time) - sharp).max() < 1e-12
    assert np.abs(solution.limit - np.diag(rates)).max() < 1e-13


@pytest.mark.parametrize("lam", [-1, 0, 0.5])
def test_singular_targets_and_starts_are_no_exception(lam):
    flow = _flow(4, 2, 3)
    column = np.random.default_rng(1).normal(size=(3, 1))
    data = sf.whitened(column @ column[:1] @ np.ones((1, 4)))
    init = sf.lambda_balanced_init(lam, 0.5, rng=4)
    solution = _riccati(flow, data, init)
    run = sf.simulate(flow, data, init, [0, 1, 4], method=sf.DOP853(rtol=1e-13))
    assert np.abs(solution.end_to_end([0, 1, 4]) - run.end_to_end).max() < 1e-10


def test_the_sign_of_the_determinant_keeps_a_balanced_square_flow_at_a_saddle():
    target = np.diag([2.0, 0.8])
    flow, data = _flow(2, 2, 2), sf.whitened(target)
    root = 0.3 * np.eye(2)
    solution = _riccati(flow, data, (root @ np.diag([1, -1.0]), root))
    gap = np.linalg.norm(solution.limit - target, 2)
    assert gap == pytest.approx(0.8, abs=1e-12)


@pytest.mark.parametrize("kappa", [Fraction(1, 4), 3])
def test_isotropic_input_of_any_variance_is_covered(kappa):
    data = sf.Moments([[kappa, 0], [0, kappa]], [[1, 2], [0, Fraction(1, 2)], [1, 1]])
    flow, init = _flow(2, 2, 3), sf.lambda_balanced_init(Fraction(1, 2), 0.4, rng=1)
    run = precise(flow, data, init, [1], digits=40)
    value = _riccati(flow, data, init).precise(1, digits=40)
    context = mpmath.MPContext()
    context.dps = 45
    gap = max(abs(context.mpf(e)) for e in (value - run.end_to_end[0]).flat)
    assert gap < 1e-38


def test_one_hidden_neuron_from_any_start_gives_the_published_digits():
    data = sf.whitened([[2, 0], [0, 1]])
    start = ([[1, Fraction(1, 2)]], [[Fraction(1, 5)], [Fraction(-1, 10)]])
    solution = solve(_flow(2, 1, 2), data, start)
    assert solution.name == "Riccati"
    value = solution.precise(1, digits=30)[0, 0]
    assert mpmath.nstr(value, 29) == "1.7912485197607763207978593393"
    first, second = solution.weights([0.0, 1.0])
    run = precise(_flow(2, 1, 2), data, start, [1], digits=30)
    assert np.allclose(first[1], run.weights[0][0].astype(float), rtol=1e-12)
    assert np.allclose(second[1], run.weights[1][0].astype(float), rtol=1e-12)


def test_hundreds_of_digits():
    data = sf.whitened([[2, 1], [0, 1]])
    flow, init = _flow(2, 2, 2), sf.lambda_balanced_init(1, 0.5, rng=1)
    values = [
        _riccati(flow, data, init).precise(Fraction(7, 2), digits=digits)
        for digits in (400, 450)
    ]
    context = mpmath.MPContext()
    context.dps = 460
    pairs = zip(*map(np.ravel, values), strict=True)
    gap = max(abs(context.mpf(a) - context.mpf(b)) for a, b in pairs)
    assert gap < context.mpf(10) ** -400


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    lam=st.sampled_from([-2.0, -0.1, 0.0, 0.3, 4.0]),
    widths=st.sampled_from([(2, 2, 2), (3, 2, 2), (2, 1, 3), (3, 3, 3)]),
    time=st.floats(0, 50),
)
def test_float_and_high_precision_agree(seed, lam, widths, time):
    flow, data = _flow(*widths), sf.whitened(_target(widths, seed))
    solution = _riccati(flow, data, sf.lambda_balanced_init(lam, 0.2, rng=seed))
    sharp = solution.precise(time, digits=20).astype(float)
    size = max(np.abs(solution.gram(time)).max(), 1e-300)
    assert np.abs(solution.end_to_end(time) - sharp).max() <= 1e-12 * size


@pytest.mark.parametrize("apart", [0, 1e-9, 1e-4], ids=str)
@pytest.mark.parametrize("tiny", [6, 13])
def test_a_tiny_start_of_a_mode_beside_one_as_fast_keeps_all_digits(apart, tiny):
    """Its pivot drowned in the other's, and floats were off by 6e-3."""
    exact = Fraction(apart)
    first = [[Fraction(1, 10**tiny), Fraction(46, 100)], [0, Fraction(1, 10)]]
    init = first, np.transpose(first).tolist()
    flow, data = _flow(2, 2, 2), sf.whitened([[2 + exact, 0], [0, 2]])
    solution, times = _riccati(flow, data, init), [1, 10, 60]
    right = sf.precise(flow, data, init, times, digits=30)
    assert np.abs(solution.end_to_end(times) - right.end_to_end).max() < 1e-14
    layers = zip(solution.weights(times), right.weights, strict=True)
    assert max(np.abs(mine - theirs).max() for mine, theirs in layers) < 1e-9
    if apart:
        with pytest.raises(sf.PrecisionLost, match="float64 cannot tell them apart"):
            sf.compile(solution)
    else:
        kernel = sf.compile(solution)
        assert np.abs(kernel(np.array(times)) - right.end_to_end).max() < 1e-14


def test_a_generic_imbalance_has_no_closed_form_and_says_how_far_off_it_is():
    flow, data = _flow(3, 3, 3), sf.whitened(_target((3, 3)))
    with pytest.raises(sf.NoClosedForm, match=r"λ-balanced initialization: fails, ‖"):
        solve(flow, data, sf.gaussian_init(rng=0))


@pytest.mark.parametrize(
    ("widths", "lam", "words"),
    [
        ((5, 10, 2), 1, "10 hidden units may not outnumber the 2 outputs"),
        ((5, 10, 2), -1, "10 hidden units may not outnumber the 5 inputs"),
        ((2, 2), 1, "2 layers"),
        ((2, 2, 2, 2), 0, "2 layers"),
    ],
)
def test_infeasible_imbalances_are_refused(widths, lam, words):
    with pytest.raises(sf.InvalidArgument, match=words):
        sf.lambda_balanced_init(lam, rng=0).draw(sf.LinearNetwork(*widths))


@pytest.mark.parametrize("lam", [-2, 0, Fraction(1, 3), 100.0])
@pytest.mark.parametrize("widths", [(4, 2, 3), (3, 3, 5), (2, 2, 2)])
def test_the_rule_draws_lambda_balanced_weights_at_any_precision(widths, lam):
    if lam < 0 and widths[1] > widths[0]:
        pytest.skip("infeasible")
    rule = sf.lambda_balanced_init(lam, 0.3, rng=5)
    floats = rule.draw(sf.LinearNetwork(*widths))
    first, second = rule.draw(sf.LinearNetwork(*widths), digits=40)
    gap = second.T @ second - first @ first.T
    off = gap - np.eye(widths[1]) * float(lam)
    bound = 1e-14 * (1 + abs(float(lam)))
    assert max(abs(float(entry)) for entry in off.flat) < bound
    for mine, theirs in zip(floats, (first, second), strict=True):
        assert np.abs(mine - theirs.astype(float)).max() < bound


@pytest.mark.parametrize("lam", ["1", True, float("nan"), None])
def test_lambda_has_to_be_a_real_number(lam):
    with pytest.raises(sf.InvalidArgument, match="needs a real number"):
        sf.lambda_balanced_init(lam)


def test_the_matrix_equation_is_that_of_the_layers_entry_by_entry():
    """At a start with W₂ᵀW₂ − W₁W₁ᵀ = I, from the loss written with its samples."""
    oracle = Problem(
        (2, 2, 2), sympy.sqrt(2) * sympy.eye(2), sympy.Matrix([[2, 1], [0, -1]])
    )
    first, second = sympy.diag(3, 3) / 4, sympy.Matrix([[0, 5], [5, 0]]) / 4
    here = dict(zip(oracle.variables, [*first, *second], strict=True))
    slopes = [-entry.subs(here) for entry in oracle.gradient]
    moved = sympy.Matrix(2, 2, slopes[:4]).T.col_join(sympy.Matrix(2, 2, slopes[4:]))
    target = oracle.Y.T * oracle.X / 2
    eye = sympy.eye(2)
    force = sympy.Matrix(sympy.BlockMatrix([[-eye / 2, target.T], [target, eye / 2]]))
    stacked = first.T.col_join(second)
    ours = force * stacked - stacked * stacked.T * stacked / 2
    assert (moved - ours).applyfunc(sympy.simplify).is_zero_matrix
    solved = _riccati(
        _flow(2, 2, 2), sf.whitened(target.tolist()), (first.tolist(), second.tolist())
    )
    mine, kappa, start = gram_equation(solved.problem)
    assert (sympy.Matrix(mine) - force).applyfunc(sympy.simplify).is_zero_matrix
    assert kappa == 1
    assert sympy.Matrix(start).applyfunc(sympy.nsimplify) == stacked


def test_the_symmetric_equation_is_that_of_the_factor_entry_by_entry():
    factor = sympy.Matrix(2, 2, sympy.symbols("a:4"))
    target, kappa = sympy.Matrix([[2, 1], [0, -1]]), 3
    gap = factor * factor.T
    loss = kappa * (gap.T * gap).trace() / 2 - (target.T * gap).trace()
    moved = factor.applyfunc(lambda entry: -sympy.diff(loss, entry))
    ours = (target + target.T) * factor - 2 * kappa * factor * factor.T * factor
    assert (moved - ours).applyfunc(sympy.expand).is_zero_matrix
    flow = sf.gradient_flow(sf.SymmetricFactorization(2, 2), sf.SquaredLoss())
    data = sf.Moments([[3, 0], [0, 3]], target.tolist())
    solution = solve(flow, data, ([[1, 0], [2, 1]],))
    force, four, _ = gram_equation(solution.problem)
    assert (sympy.Matrix(force), four) == (target + target.T, 4 * kappa)
