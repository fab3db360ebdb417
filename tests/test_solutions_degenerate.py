"""Closed forms at the edges of their hypotheses, against routes without symflow."""

from __future__ import annotations

import random
from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
import sympy
from oracles.degenerate import (
    coordinate_path,
    float_path,
    precise_path,
    product,
    spectral_problem,
)

import symflow as sf
from symflow.solutions.sensitivity import LARGE

FLOW222 = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())


def _found(depth, gram, target, layers, convert):
    """Return all closed forms, with numbers converted; none is a fair answer."""
    flow = sf.gradient_flow(
        sf.LinearNetwork(*[len(gram)] * (depth + 1)), sf.SquaredLoss()
    )
    data = sf.Moments(convert(gram), convert(target))
    return sf.solve(flow, data, [convert(w) for w in layers], all=True)


def _exactly(array):
    return array.tolist()


def _in_floats(array):
    return array.astype(float).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_exact_starts_are_met_to_every_digit(seed):
    problem = spectral_problem(seed)
    start = product(problem[3])
    scale = max(abs(x) for x in start.flat) or 1
    for solution in _found(*problem, _exactly):
        assert solution.defect == 0
        for digits in (15, 20, 30, 50):
            with mpmath.workdps(digits + 20):
                values = solution.precise(0, digits=digits)
                gap = max(
                    abs(mpmath.mpf(a) - mpmath.mpf(b.numerator) / b.denominator)
                    for a, b in zip(values.flat, start.flat, strict=True)
                )
                assert gap <= mpmath.mpf(10) ** -digits * scale, solution.name


@pytest.mark.parametrize("seed", [0, 2, 7, 12])
def test_exact_starts_follow_an_independent_series(seed):
    problem = spectral_problem(seed, size=2)
    truth = precise_path(problem[3], *problem[1:3], F(1, 4), 18)
    for solution in _found(*problem, _exactly):
        values = solution.precise(F(1, 4), digits=18)
        with mpmath.workdps(40):
            gap = max(
                abs(mpmath.mpf(a) - b)
                for a, b in zip(values.flat, truth.flat, strict=True)
            )
            assert gap < 1e-16, solution.name


@pytest.mark.parametrize("convert", [_exactly, _in_floats])
@pytest.mark.parametrize("seed", range(14))
def test_values_are_right_or_refused_and_limits_are_where_the_flow_goes(seed, convert):
    problem = spectral_problem(seed)
    truth = float_path(problem[3], *problem[1:3], 2.0)
    size = max(1.0, np.abs(truth).max())
    try:
        found = _found(*problem, convert)
    except (sf.NoClosedForm, sf.InvalidData):
        assert convert is _in_floats
        return
    for solution in found:
        try:
            values = solution.end_to_end(2.0)
            limit = solution.limit
        except sf.HypothesisFailed:
            assert solution.defect > 0
            continue
        allowed = (1e-8 + float(solution.error(2.0))) * size
        assert np.abs(values - truth).max() <= allowed, solution.name
        late = solution.end_to_end(1e6)
        assert np.abs(late - limit).max() <= 0.02 * size, solution.name


@pytest.mark.parametrize("digits", [15, 20, 30, 50])
def test_a_product_that_vanishes_does_not_choose_the_basis(digits):
    start = (
        [[0, F(3, 5)], [0, F(-4, 5)]],
        [[F(4, 15), F(1, 5)], [F(3, 5), F(-4, 5)]],
    )
    for solution in sf.solve(FLOW222, sf.whitened([[2, 0], [0, 0]]), start, all=True):
        values = solution.precise(0, digits=digits)
        assert np.abs(values.astype(float) - [[0, 0], [0, 1]]).max() < 1e-14


@pytest.mark.parametrize("tiny", [F(1, 10**5), F(1, 10**9), F(1, 10**20), F(1, 10**40)])
@pytest.mark.parametrize("convert", [F, float])
def test_a_small_imbalance_is_measured_in_weights(tiny, convert):
    zero, one = convert(0), convert(1)
    start = ([[one, zero], [zero, convert(tiny)]], [[one, zero], [zero, zero]])
    found = sf.solve(FLOW222, sf.whitened([[3, 0], [0, 2]]), start, all=True)
    assert found[0].name == "HyperbolicMode" or found[0].defect > 0
    chosen = sf.solve(FLOW222, sf.whitened([[3, 0], [0, 2]]), start)
    assert chosen.name == "HyperbolicMode"
    # the mode that starts at `tiny` grows like e^{2t}: in the end it is learned
    late = chosen.end_to_end(60.0 + float(-sympy.log(tiny, 10)) * 2)
    assert np.abs(late - np.diag([3, 2])).max() < 1e-12


def test_a_second_singular_value_of_any_size_is_no_rank_one():
    tiny = F(1, 10**20)
    start = ([[1, 0], [0, tiny]], [[1, 0], [0, tiny]])
    exact = sf.solve(FLOW222, sf.whitened([[3, 0], [0, 2]]), start, all=True)
    assert "RankOne" not in [solution.name for solution in exact]
    floats = tuple(np.array(w, dtype=float) for w in start)
    found = sf.solve(FLOW222, sf.whitened([[3.0, 0], [0, 2]]), floats, all=True)
    (thin,) = [solution for solution in found if solution.name == "RankOne"]
    assert thin.defect == pytest.approx(1e-20)
    # e^{2t}·1e−20 is of order one at t = 23
    assert thin.horizon < 23
    assert thin.defect * np.exp(2 * thin.horizon) < LARGE
    assert sf.solve(FLOW222, sf.whitened([[3.0, 0], [0, 2]]), floats) is not thin
    with pytest.raises(sf.HypothesisFailed, match="hold to 1e-20 only"):
        thin.end_to_end(30.0)
    with pytest.raises(sf.HypothesisFailed, match="known to"):
        thin.precise(1, digits=50)
    with pytest.raises(sf.HypothesisFailed):
        _ = thin.limit


def test_the_error_that_is_told_bounds_the_error_that_is_made():
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    start = (turn @ np.diag([0.5, 0.0]) @ turn.T, turn @ np.diag([0.5, 0.0]) @ turn.T)
    target = turn @ np.diag([3.0, 2.0]) @ turn.T
    data = sf.Moments(np.eye(2), target)
    for solution in sf.solve(FLOW222, data, start, all=True):
        for time in (2,):
            if time > solution.horizon:
                continue
            exact = [
                np.array([[F(x) for x in row] for row in part.tolist()])
                for part in (*start, np.eye(2), target)
            ]
            truth = precise_path(exact[:2], *exact[2:], F(time), 16, 32)
            values = solution._precise(time, 16)
            gap = max(
                abs(float(a - b)) for a, b in zip(values.flat, truth.flat, strict=True)
            )
            assert gap <= float(solution.error(time)) + 1e-14, solution.name


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("convert", [F, float])
def test_coordinates_without_input_stay_and_others_arrive(seed, convert):
    rng = random.Random(seed)
    depth, signed = rng.choice([2, 3, 3, 4]), seed % 2 == 0
    pool = [F(0), F(1), F(-1), F(2), F(1, 2)]
    columns = [[rng.choice(pool) for _ in range(2)] for _ in range(depth)]
    if signed:
        pool = [F(1), F(2), F(1, 2)]
        sides = [[rng.choice(pool) for _ in range(2)] for _ in range(2)]
        columns = [sides[0]] * depth + [sides[1]] * depth
    lam = [F(rng.choice([0, 1, 2])), F(0) if seed % 3 else F(1)]
    sigma = [F(rng.choice([0, 1, 2, -1])) if x else F(0) for x in lam]
    flow = sf.gradient_flow(
        sf.DiagonalNetwork(2, depth, signed=signed), sf.SquaredLoss()
    )
    zero = convert(0)
    rows = [[convert(lam[0]), zero], [zero, convert(lam[1])]]
    data = sf.Moments(rows, [[convert(x) for x in sigma]])
    start = [[[convert(x)] for x in column] for column in columns]
    try:
        solution = sf.solve(flow, data, start)
    except sf.NoClosedForm:
        return
    for time in (1e-9, 1.0, 3.0):
        truth = coordinate_path(columns, signed, lam, sigma, time)
        assert np.abs(solution.end_to_end(time)[0] - truth).max() < 1e-9
        sharp = solution.precise(time, digits=20).astype(float)[0]
        assert np.abs(sharp - truth).max() < 1e-9
    assert np.abs(solution.end_to_end(1e7)[0] - solution.limit[0]).max() < 1e-2


def test_what_no_input_reaches_is_part_of_the_limit():
    data = sf.Moments([[1, 0], [0, 0]], [[2, 0], [0, 0]])
    kept = np.diag([2.0, 0.25])
    for depth in (1, 2, 3):
        root = {1: F(1, 4), 2: F(1, 2), 3: 0.25 ** (1 / 3)}[depth]
        flow = sf.gradient_flow(sf.LinearNetwork(*[2] * (depth + 1)), sf.SquaredLoss())
        for solution in sf.solve(flow, data, [[[1, 0], [0, root]]] * depth, all=True):
            assert np.abs(solution.limit - kept).max() < 1e-12, solution.name


@pytest.mark.parametrize("seed", range(8))
def test_the_limit_of_equal_singular_values(seed):
    rng = np.random.default_rng(seed)
    size, hidden = 4, int(rng.integers(1, 4))
    left, right = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(2))
    target = left @ np.diag(rng.choice([0.0, 1.0, 1.0, 2.0], size)) @ right.T
    flow = sf.gradient_flow(sf.LinearNetwork(size, hidden, size), sf.SquaredLoss())
    init = sf.lambda_balanced_init(0, 0.5, rng=seed)
    for data in (sf.whitened(target), sf.whitened(np.eye(size))):
        found = sf.solve(flow, data, init, all=True)
        (solution,) = [one for one in found if one.name == "Riccati"]
        # singular values of floats differ in the seventeenth digit
        late = solution.precise(10**25, digits=20).astype(float)
        assert np.abs(late - solution.limit).max() < 1e-12


def test_nothing_moves_without_input():
    for widths in ((2, 1, 2), (2, 1, 1, 2), (2, 2, 2, 2)):
        flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
        init = sf.rank_one_init(F(1, 2), rng=0)
        zero = [[0, 0], [0, 0]]
        for solution in sf.solve(flow, sf.Moments(zero, zero), init, all=True):
            first = solution.end_to_end(0.0)
            assert np.abs(solution.end_to_end(5.0) - first).max() < 1e-12
            assert np.abs(solution.limit - first).max() < 1e-12
            assert np.abs(solution.precise(5).astype(float) - first).max() < 1e-12


def test_units_of_another_coordinate_decide_nothing():
    rows = [[10**12, 0, 0], [0, 1, F(1, 2)], [0, F(1, 2), 1]]
    start = ([[1], [1], [1]], [[1], [2], [1]])
    flow = sf.gradient_flow(sf.DiagonalNetwork(3), sf.SquaredLoss())
    for convert in (F, float):
        data = sf.Moments(
            [[convert(x) for x in row] for row in rows], [[convert(1)] * 3]
        )
        with pytest.raises(sf.NoClosedForm):
            sf.solve(flow, data, start)


def test_a_step_without_a_proof_is_not_proved():
    x, y = sympy.symbols("x y")
    step = sf.solutions.Step("pigs fly", sympy.Eq(x, y))
    assert not step.proved
    assert "not proved" in str(step)
    assert not sf.solutions.Step("pigs fly", sympy.Eq(x, y), x - y).proved
    named = sf.solutions.Step("let", sympy.Eq(x, y), definition=True)
    assert named.proved
    assert "definition" in str(named)


def test_a_layer_at_rest_before_one_unit_is_solved_or_refused_by_name():
    """W(0) = 0, but W_1 is aligned with no singular vector of the target."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    start = ([[1, 0.5]], [[0], [0]])
    solution = sf.solve(flow, sf.whitened([[2, 0], [0, 1]]), start)
    assert solution.name == "Riccati"
    run = sf.simulate(flow, sf.whitened([[2, 0], [0, 1]]), start, [0.0, 1.0, 3.0])
    assert np.abs(solution.end_to_end(run.t) - run.end_to_end).max() < 1e-8
