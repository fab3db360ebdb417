"""Saddle to saddle: fractions, linear programs, runs at α = 1e-10, 1e-40, 1e-120."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize
import sympy

import symflow as sf
from symflow.bias import SaddleToSaddle
from symflow.bias.saddle_path import signed_minimizer
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


def brute_force(gram, force, dual, positive):
    """The minimizer with the signs of the barriers, over all supports, in fractions."""
    best = None
    d = len(force)
    signs = [1 if x == 1 else -1 if x == -1 and not positive else 0 for x in dual]
    for size in range(d + 1):
        for support in itertools.combinations([j for j in range(d) if signs[j]], size):
            block = sympy.Matrix([[gram[i][j] for j in support] for i in support])
            if size and block.det() == 0:
                continue
            target = sympy.Matrix([force[j] for j in support])
            inner = block.LUsolve(target) if size else []
            if any(signs[j] * x < 0 for j, x in zip(support, inner, strict=True)):
                continue
            beta = [sympy.S.Zero] * d
            for j, x in zip(support, inner, strict=True):
                beta[j] = x
            vector = sympy.Matrix(beta)
            value = (vector.T * sympy.Matrix(gram) * vector)[0] / 2
            value -= (vector.T * sympy.Matrix(force))[0]
            if best is None or value < best[0]:
                best = value, beta
    return best[1]


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_ties_and_both_barriers_against_every_support(seed, positive):
    """Small integers: many ς reach a barrier at once, also the one that is none."""
    rng = np.random.default_rng(seed)
    for _ in range(6):
        rows = rng.integers(-1, 2, (3, 3)) + 2 * np.eye(3, dtype=int)
        gram, force = (rows.T @ rows).tolist(), rng.integers(-2, 3, 3).tolist()
        if not any(force) or sympy.Matrix(gram).det() == 0:
            continue
        data = sf.Moments(gram, [force])
        path = sf.saddle_to_saddle(squares(3), data, positive=positive)
        dual, clock = [Fraction(0)] * 3, Fraction(0)
        for number, jump in enumerate(path.jumps):
            beta = path.saddles[number]
            pull = [f - sum(g * b for g, b in zip(r, beta, strict=True))
                    for f, r in zip(force, gram, strict=True)]  # fmt: skip
            dual = [x + (jump - clock) * g for x, g in zip(dual, pull, strict=True)]
            clock = jump
            assert all(x <= 1 and (positive or x >= -1) for x in dual)
            expected = brute_force(gram, force, dual, positive)
            assert list(path.saddles[number + 1]) == expected
        assert not positive or all(b >= 0 for beta in path.saddles for b in beta)


@pytest.mark.parametrize("unit", [1e-10, 1e-3, 1e4, 1e10])
def test_units_of_inputs_and_targets_scale_the_path_and_nothing_else(unit):
    gram, force = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([3.0, -1.0])
    base = sf.saddle_to_saddle(squares(2), sf.Moments(gram, force[None]))
    target = sf.saddle_to_saddle(squares(2), sf.Moments(gram, unit * force[None]))
    assert target.supports == base.supports
    assert np.array(target.jumps) * unit == pytest.approx(np.array(base.jumps))
    assert target.limit / unit == pytest.approx(base.limit)
    scaled = sf.Moments(unit**2 * gram, unit * force[None])
    inputs = sf.saddle_to_saddle(squares(2), scaled)
    assert inputs.supports == base.supports
    assert inputs.limit * unit == pytest.approx(base.limit)


@pytest.mark.parametrize("alpha", [1e-2, 1e-5, 1e-9, 1e-30])
def test_one_side_and_both_are_told_apart_at_every_size(alpha):
    data, small = sf.Moments([[2, 1], [1, 2]], [[3, -1]]), np.full((2, 1), alpha)
    both = SaddleToSaddle.attempt(bind(squares(2), data, [small, small]))
    one = SaddleToSaddle.attempt(bind(squares(2), data, [small, 0 * small]))
    mixed = SaddleToSaddle.attempt(bind(squares(2), data, [small, 0.5 * small]))
    assert not both.path.growth.positive
    assert one.path.growth.positive
    assert not mixed.hypotheses[-1].holds


def test_a_wrong_path_is_refuted_although_it_is_its_own_yardstick():
    data, small = sf.Moments([[2, 1], [1, 2]], [[3, -1]]), np.full((2, 1), 1e-3)
    claim = SaddleToSaddle.attempt(bind(squares(2), data, [small, small]))
    assert claim.contradiction == 0
    for wrong in (
        replace(claim.path, saddles=tuple(1.5 * b for b in claim.path.saddles)),
        replace(claim.path, jumps=tuple(2 * t for t in claim.path.jumps)),
        replace(claim.path, growth=replace(claim.path.growth, positive=True)),
    ):
        assert replace(claim, path=wrong).contradiction > 0.1


def test_bad_input_is_refused_with_a_reason():
    data = sf.Moments([[1, 0], [0, 1]], [[1, 2]])
    flat = sf.gradient_flow(sf.DiagonalNetwork(2, 1), sf.SquaredLoss())
    with pytest.raises(sf.HypothesisFailed, match="depth 2 or more: fails"):
        sf.saddle_to_saddle(flat, data)
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


def test_companions_do_without_a_path_that_is_not_unique():
    """Equal inputs leave open which of two coefficients jumps."""
    small = [[Fraction(1, 1000)]] * 2
    tied = sf.Moments([[1, 1], [1, 1]], [[1, 1]])
    assert list(sf.companions(squares(2), tied, (small, small))) == []
    refusal = SaddleToSaddle.attempt(bind(squares(2), tied, (small, small)))
    assert "the minimizers at the jumps are unique: fails" in str(refusal)
    apart = sf.Moments([[2, 1], [1, 2]], [[3, -1]])
    (claim,) = sf.companions(squares(2), apart, (small, small))
    assert claim.name == "SaddleToSaddle"


def test_dense_layers_have_no_claim_of_distance():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    problem = flow, sf.whitened([[2, 0], [0, 1]]), sf.gaussian_init(0.01, rng=0)
    assert "SaddleToSaddle" not in [claim.name for claim in sf.companions(*problem)]
