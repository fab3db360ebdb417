"""Riccati solutions in Arb balls: proven, sharp, and in agreement with other routes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings, strategies as st

import symflow as sf
from symflow.algebra.balls import to_arb_array
from symflow.algebra.numbers import to_mpf
from symflow.flow.problem import bind
from symflow.precision import enclose, precise
from symflow.solutions import EnclosedMatrix, Riccati, SymmetricRiccati

HALF = Fraction(1, 2)
TURN = np.array([[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]])


def _dense(lam):
    """Return a 3-2-2 problem with W₂ᵀW₂ − W₁W₁ᵀ = λI in fractions, λ = −1, 0 or 1."""
    small, large = {
        -1: (HALF * 5 / 2, HALF * 3 / 2),
        0: (1, 1),
        1: (HALF * 3 / 2, HALF * 5 / 2),
    }[lam]
    wide = np.array([[1, 0, 0], [0, 0, 1]]) * Fraction(1)
    first, second = small * TURN @ wide, large * TURN.T @ np.eye(2, dtype=int)
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
    data = sf.whitened([[2, 1, 0], [HALF, -1, 1]])
    return flow, data, (first, second @ TURN @ TURN @ TURN.T)


def _tied(rank=2):
    flow = sf.gradient_flow(sf.SymmetricFactorization(3, rank), sf.SquaredLoss())
    data = sf.whitened([[2, 1, 0], [0, -1, 1], [1, 0, 3]])
    start = np.array([[HALF, 0], [1, -HALF], [HALF, 1]])[:, :rank]
    return flow, data, (start,)


def _solved(kind, case):
    answer = kind.attempt(bind(*case))
    assert isinstance(answer, kind), answer
    return answer


@pytest.mark.parametrize("lam", [-1, 0, 1])
@pytest.mark.parametrize("time", [0, Fraction(1, 3), 4])
def test_the_balls_contain_the_digits_and_meet_the_integrated_balls(lam, time):
    case = _dense(lam)
    solution = _solved(Riccati, case)
    ball = solution.enclose(time, digits=40)
    assert isinstance(ball, EnclosedMatrix)
    assert ball.radius < 1e-39
    context = precise(*case, [1], digits=40).context
    truth = solution.precise(time, digits=60)
    # at t = 0 some balls are points, and the digits have an error of their own
    assert ball.contains(truth) or time == 0
    assert np.abs((ball.midpoint - truth).astype(float)).max() < 1e-38
    assert not ball.contains(truth + Fraction(1, 10**30))
    proven = enclose(*case, [time], digits=30)
    gap = max(
        abs(to_mpf(a, context) - to_mpf(b, context))
        for a, b in zip(ball.midpoint.flat, proven.end_to_end[0].flat, strict=True)
    )
    assert gap <= ball.radius + float(proven.end_to_end_radius[0])


def test_the_gram_matrix_has_the_blocks_of_the_weights():
    case = _dense(1)
    solution = _solved(Riccati, case)
    ball, run = solution.enclose(2, digits=30), precise(*case, [2], digits=40)
    first, second = (weight[0] for weight in run.weights)
    stacked = np.concatenate([first.T, second])
    with ctx.workprec(400):
        gap = ball.gram - to_arb_array(stacked @ stacked.T)
        assert all(abs(entry) < arb(10) ** -29 for entry in gap.flat)


def test_singular_data_and_late_times_are_enclosed_and_too_late_ones_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    case = flow, sf.whitened([[1, 2], [2, 4]]), ([[1, HALF]], [[HALF], [3]])
    solution = _solved(Riccati, case)
    ball = solution.enclose(50, digits=30)
    assert np.abs(ball.midpoint.astype(float) - solution.limit).max() < 1e-13
    assert ball.radius < 1e-29
    with pytest.raises(sf.PrecisionLost, match="need more than 60000 bits"):
        solution.enclose(10**6)


@settings(max_examples=10)
@given(
    entries=st.lists(st.integers(-3, 3), min_size=4, max_size=4),
    start=st.lists(st.integers(-3, 3), min_size=4, max_size=4),
    time=st.fractions(0, 3, max_denominator=20),
)
def test_one_hidden_unit_from_any_rational_start_is_enclosed(entries, start, time):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    data = sf.whitened(np.array(entries).reshape(2, 2).tolist())
    a, b, c, d = (Fraction(number, 2) for number in start)
    solution = _solved(Riccati, (flow, data, ([[a, b]], [[c], [d]])))
    ball = solution.enclose(time, digits=25)
    truth = solution.precise(time, digits=30)
    with ctx.workprec(300):
        gap = ball.end_to_end - to_arb_array(truth)
        assert all(abs(entry).lower() < arb(10) ** -24 for entry in gap.flat)


@pytest.mark.parametrize("rank", [1, 2])
def test_the_symmetric_factorization_is_solved_and_enclosed(rank):
    case = _tied(rank)
    solution = _solved(SymmetricRiccati, case)
    assert sf.solve(*case).name == "SymmetricRiccati"
    times = np.array([0.0, 0.2, 1.0, 3.0])
    run = sf.simulate(*case, times, method=sf.DOP853(rtol=1e-13))
    assert np.abs(solution.end_to_end(times) - run.end_to_end).max() < 1e-11
    assert np.abs(solution.weights(times)[0] - run.weights[0]).max() < 1e-10
    hp = precise(*case, [HALF], digits=40)
    assert sf.validate([solution], hp).ok
    assert solution.enclose(HALF, digits=35).contains(solution.precise(HALF, digits=60))
    # the negative part of S + Sᵀ is never fitted
    target = case[1].moments().sigma_yx.astype(float)
    values, vectors = np.linalg.eigh((target + target.T) / 2)
    kept = np.argsort(values)[::-1][:rank]
    best = (vectors[:, kept] * np.maximum(values[kept], 0)) @ vectors[:, kept].T
    assert np.abs(solution.limit - best).max() < 1e-12


def test_hypotheses_that_hold_to_rounding_prove_nothing():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    init = sf.lambda_balanced_init(HALF, rng=0)
    solution = _solved(Riccati, (flow, sf.whitened([[2, 1], [0, 1]]), init))
    with pytest.raises(
        sf.HypothesisFailed, match="hypotheses exactly, and these do to"
    ):
        solution.enclose(1)


def test_a_false_rate_is_excluded():
    flow, data, start = _dense(1)
    ball = _solved(Riccati, (flow, data, start)).enclose(1, digits=30)
    other = _solved(
        Riccati,
        (flow, sf.whitened([[2, 1, 0], [HALF, -1, Fraction(1001, 1000)]]), start),
    )
    assert not ball.contains(other.precise(1, digits=40))
    with pytest.raises(sf.ShapeMismatch, match="W has the shape"):
        ball.contains(np.eye(2))
