"""Saddle to saddle: fractions, linear programs, runs at α = 1e-10, 1e-40, 1e-120."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize

import symflow as sf
from symflow.bias import SaddleToSaddle
from symflow.bias.jumps import signed_minimizer
from symflow.flow.problem import bind


def squares(d):
    return sf.gradient_flow(sf.HadamardDifference(d), sf.SquaredLoss())


def test_independent_inputs_jump_one_by_one_at_known_times():
    """Σ_xx = diag λ: coefficient j jumps at t̂ = 1/|σ_j|, to σ_j/λ_j."""
    data = sf.Moments([[2, 0, 0], [0, 1, 0], [0, 0, 4]], [[3, -1, 2]])
    path = sf.saddle_to_saddle(squares(3), data)
    assert path.jumps == (Fraction(1, 3), Fraction(1, 2), Fraction(1))
    assert path.supports == ((), (0,), (0, 2), (0, 1, 2))
    assert path.saddles[-1].tolist() == [Fraction(3, 2), -1, Fraction(1, 2)]
    one_sided = sf.saddle_to_saddle(squares(3), data, positive=True)
    assert one_sided.supports == ((), (0,), (0, 2))
    assert "jumps at t̂ = 0.3333, 0.5" in str(one_sided)


def test_a_coefficient_can_leave_and_the_arithmetic_is_exact():
    """Worked by hand: x₁ is nearly x₂ + x₃ and leaves when both have come."""
    rows = [[2, 2, 1], [2, 4, 0], [1, 0, 1]]
    path = sf.saddle_to_saddle(squares(3), sf.Moments(rows, [[3, 4, 1]]))
    gram = np.array(rows, dtype=object)
    for beta in path.saddles:
        gradient = gram @ beta - np.array([3, 4, 1])
        assert all(isinstance(entry, (int, Fraction)) for entry in gradient)
        # stationary on its support
        assert all(g == 0 for g, b in zip(gradient, beta, strict=True) if b)
    assert path.supports[1] == (1,)
    assert path.jumps[0] == Fraction(1, 4)


@pytest.mark.parametrize("seed", range(6))
def test_the_last_saddle_is_the_sparsest_interpolant(seed):
    rng = np.random.default_rng(seed)
    data = sf.Dataset(rng.standard_normal((4, 8)), rng.standard_normal(4))
    path = sf.saddle_to_saddle(squares(8), data)
    both = np.hstack([data.X, -data.X])
    found = scipy.optimize.linprog(np.ones(16), A_eq=both, b_eq=data.Y.ravel())
    assert path.limit == pytest.approx(found.x[:8] - found.x[8:], abs=1e-8)
    losses = [
        np.mean((data.X @ beta.astype(float) - data.Y.ravel()) ** 2)
        for beta in path.saddles
    ]
    assert all(np.diff(losses) < 0)


@pytest.mark.parametrize("seed", range(4))
def test_the_active_set_method_agrees_with_bounded_least_squares(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((9, 6)), rng.standard_normal(9)
    dual = rng.choice([-1.0, 0.3, 1.0], 6)
    found = signed_minimizer(X.T @ X, X.T @ y, dual, 1e-12)
    low = np.where(dual == -1, -np.inf, -1e-14)
    high = np.where(dual == 1, np.inf, 1e-14)
    bounded = scipy.optimize.lsq_linear(X, y, (low, high), tol=1e-14)
    assert found == pytest.approx(bounded.x, abs=1e-7)


def test_anti_correlated_inputs_never_lose_a_coefficient():
    """Berthier: β = u∘u with Σ_xx,ij ≤ 0 has nested supports."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        off = -np.abs(rng.standard_normal((6, 6)))
        gram = (off + off.T) / 2
        gram += np.diag(1 - gram.sum(axis=1) - np.diag(gram))
        path = sf.saddle_to_saddle(
            squares(6), sf.Moments(gram, rng.standard_normal((1, 6))), positive=True
        )
        assert path.anti_correlated
        for before, after in zip(path.supports, path.supports[1:], strict=False):
            assert set(before) < set(after)


def test_smaller_starts_are_nearer_to_the_limit():
    rng = np.random.default_rng(5)
    data = sf.Dataset(rng.standard_normal((4, 8)), rng.standard_normal(4))
    path = sf.saddle_to_saddle(squares(8), data)
    far = [path.distance(alpha).max() for alpha in (1e-10, 1e-40, 1e-120)]
    assert far[0] > far[1] > far[2]
    assert far[2] < 1e-3


def test_the_dual_flow_is_the_flow_of_the_weights():
    """Against the integrated weights, in float64 and to 40 digits at α = 1e-40."""
    data = sf.Moments([[2, 1], [1, 2]], [[3, 1]])
    path = sf.saddle_to_saddle(squares(2), data)
    clock = np.array([0.2, 0.36, 0.8])
    for alpha in (1e-3, 1e-40):
        times = [float(t) for t in path.time(clock, alpha)]
        start = [np.full((2, 1), alpha)] * 2
        run = sf.precise(squares(2), data, start, times, digits=20)
        assert path.at(alpha, clock) == pytest.approx(
            run.end_to_end[:, 0].astype(float), abs=1e-7
        )


@pytest.mark.parametrize("kind", ["squares", "product", "one-sided", "difference"])
def test_the_claim_holds_on_a_run_and_its_mutant_fails(kind):
    data, small = sf.Moments([[2, 1], [1, 2]], [[3, -1]]), np.full((2, 1), 1e-4)
    zero = 0 * small
    net, start = {
        "squares": (sf.HadamardDifference(2), [small, small]),
        "product": (sf.DiagonalNetwork(2, 2), [2 * small, zero]),
        "one-sided": (sf.DiagonalNetwork(2, 2), [small, small]),
        "difference": (sf.DiagonalNetwork(2, 2, signed=True), [small] * 4),
    }[kind]
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    claim = SaddleToSaddle.attempt(bind(flow, data, start))
    assert isinstance(claim, SaddleToSaddle), claim
    times = np.linspace(0, 3 * claim.times[-1], 13)
    run = sf.simulate(flow, data, start, times)
    assert sf.validate([claim], run).ok
    # at the predicted times the coefficients are on their way
    doubled = replace(claim.path, saddles=tuple(2 * b for b in claim.path.saddles))
    wrong = replace(claim, path=doubled)
    assert max(wrong.residuals(run)) > 0.1


def test_bad_input_is_refused_with_a_reason():
    data = sf.Moments([[1, 0], [0, 1]], [[1, 2]])
    deep = sf.gradient_flow(sf.DiagonalNetwork(2, 3), sf.SquaredLoss())
    with pytest.raises(sf.HypothesisFailed, match="depth 2: fails"):
        sf.saddle_to_saddle(deep, data)
    with pytest.raises(sf.InvalidArgument, match="needs a gradient flow"):
        sf.saddle_to_saddle("flow", data)
    with pytest.raises(sf.InvalidArgument, match="needs a Dataset or Moments"):
        sf.saddle_to_saddle(squares(2), [1, 2])
    same = sf.Moments([[1, 1], [1, 1]], [[1, 1]])
    with pytest.raises(sf.HypothesisFailed, match="general position"):
        sf.saddle_to_saddle(squares(2), same)
    large = [np.ones((2, 1))] * 2
    answer = SaddleToSaddle.attempt(bind(squares(2), data, large))
    assert "to one side or to both: fails, α = 1" in str(answer)
