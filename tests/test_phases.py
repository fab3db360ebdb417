"""Phase times, reduced-rank regression, gradient descent on modes."""

import numpy as np
import pytest

import symflow as sf
from symflow.convergence import (
    Staircase,
    closest_approach,
    descend,
    descent_curves,
    reduced_rank_solutions,
)
from symflow.flow.problem import bind


def aligned(rng, sigma, lam):
    """Moments whose Σ_xx and Σ_yx share singular vectors."""
    left, right = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
    return sf.Moments((right * lam) @ right.T, (left * sigma) @ right.T)


def test_staircase_bound_holds_and_wrong_phase_times_fail(rng):
    flow = sf.gradient_flow(sf.LinearNetwork(3, 4, 3), sf.SquaredLoss())
    for _ in range(20):
        data = aligned(rng, rng.uniform(0.5, 3, 3), rng.uniform(0.5, 2, 3))
        init = sf.spectral_init(10 ** rng.uniform(-6, -1.5), rng=1)
        claim = Staircase.attempt(bind(flow, data, init))
        times = np.sort(
            np.concatenate([[0.0], claim.modes.times, np.linspace(0.1, 40, 50)])
        )
        run = sf.simulate(flow, data, init, times)
        assert max(claim.residuals(run)) < 1e-7
        half = np.einsum(
            "ik,tij,jk->tk", claim.modes.left, run.end_to_end, claim.modes.right
        )
        for mode, time in enumerate(claim.modes.times):
            at = np.searchsorted(times, time)
            assert half[at, mode] == pytest.approx(claim.modes.goal[mode] / 2, rel=1e-6)
        other = sf.spectral_init(init.scale / 10, rng=1)
        late = Staircase(bind(flow, data, other), ())
        assert max(late.residuals(run)) > 1e-3


def test_path_passes_the_reduced_rank_solutions_unless_the_orders_differ(rng):
    flow = sf.gradient_flow(sf.LinearNetwork(3, 3, 3), sf.SquaredLoss())
    times = np.linspace(0, 60, 601)
    near = aligned(rng, np.array([3.0, 2, 1]), np.ones(3))
    gaps = [
        closest_approach(
            sf.simulate(flow, near, sf.gaussian_init(scale, rng=3), times),
            reduced_rank_solutions(near),
        ).max()
        for scale in (1e-2, 1e-4, 1e-6)
    ]
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]
    assert gaps[2] < 5e-3
    # σ = (2, 1.2), λ = (4, 0.7): the flow learns mode 1 first, regression keeps mode 2
    crossed = sf.Moments(np.diag([4.0, 0.7]), np.diag([2.0, 1.2]))
    small = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    run = sf.simulate(small, crossed, sf.spectral_init(1e-4), times)
    assert closest_approach(run, reduced_rank_solutions(crossed))[1] > 0.2
    assert closest_approach(run, reduced_rank_solutions(crossed))[2] < 1e-6


def test_digits_are_learned_in_stages():
    """The digits, reduced to their 8 leading directions, as an autoencoder."""
    digits = sf.load_dataset("digits")
    X = digits.X - digits.X.mean(axis=0)
    scores = X @ np.linalg.svd(X, full_matrices=False)[2][:8].T / 10
    data = sf.Dataset(scores, scores)
    flow = sf.gradient_flow(sf.LinearNetwork(8, 8, 8), sf.SquaredLoss())
    times = np.linspace(0, 600, 2001)
    run = sf.simulate(flow, data, sf.gaussian_init(1e-5, rng=0), times)
    gaps = closest_approach(run, reduced_rank_solutions(data))
    assert gaps.max() < 0.2
    # largest directions come first: the rank of W(t) grows one by one
    first = [times[np.argmax(run.singular_values[:, k] > 0.5)] for k in range(4)]
    assert first == sorted(first)
    assert first[0] > 0


def test_reduced_rank_regression_beats_random_matrices_of_its_rank(rng):
    X, Y = rng.standard_normal((20, 4)), rng.standard_normal((20, 3))
    data = sf.Dataset(X, Y)
    for rank, best in enumerate(reduced_rank_solutions(data)):
        loss = np.linalg.norm(Y - X @ best.T)
        for _ in range(50):
            other = best + 0.1 * rng.standard_normal((3, 4))
            u, s, v = np.linalg.svd(other, full_matrices=False)
            other = (u[:, :rank] * s[:rank]) @ v[:rank]
            assert loss <= np.linalg.norm(Y - X @ other.T) + 1e-12


def test_gradient_descent_stays_between_the_curves(rng):
    for _ in range(200):
        sigma, lam = rng.uniform(0.2, 3, 2)
        step = rng.uniform(0.01, 0.5) / sigma
        start = 10 ** rng.uniform(-8, -0.2) * sigma / lam
        path = descend(start, 300, step=step, sigma=sigma, lam=lam)
        low, high = descent_curves(start, 300, step=step, sigma=sigma, lam=lam)
        assert np.all(low <= path * (1 + 1e-9))
        assert np.all(path <= high * (1 + 1e-9))


def test_golden_value_of_ten_steps():
    path = descend(0.05, 10, step=0.1, sigma=1.3, lam=0.7)
    assert path[-1] == pytest.approx(0.464311256850647935541092305714, rel=1e-14)


def test_upper_rate_of_second_order_is_violated():
    """Mutated: q_0 e^{(2a + a²)k} instead of (1 − 2a)^{−k} fails at a = 0.3."""
    path, a, start = descend(1e-2, 60, step=0.3, sigma=1.0), 0.3, 1e-2
    odds = start / (1 - start) * np.exp((2 * a + a * a) * np.arange(61))
    assert np.any(path > odds / (1 + odds) * (1 + 1e-9))


def test_steps_beyond_one_half_overshoot_and_beyond_one_do_not_settle():
    largest = 1 / 4  # 1/(2σ₁) of σ₁ = 2
    assert np.all(np.diff(descend(0.01, 200, step=largest, sigma=2.0)) >= -1e-15)
    assert max(descend(0.01, 200, step=1.2 * largest, sigma=2.0)) > 2.0005
    assert abs(descend(1.9, 500, step=2.1 * largest, sigma=2.0)[-1] - 2) > 0.05


@pytest.mark.parametrize("angles", [(0, np.pi / 2), (np.pi / 2, 0), (0, np.pi)])
def test_a_start_on_a_mode_that_does_not_move_is_no_error(angles):
    """W(0) is 1e-16 off a mode of size zero: an infinite relative defect, refused."""
    v, u = (np.array([np.cos(angle), np.sin(angle)]) for angle in angles)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    problem = flow, sf.whitened(np.diag([2.0, 1.0])), (0.9 * v[None], 0.9 * u[:, None])
    names = [claim.name for claim in sf.companions(*problem)]
    assert "FrozenPart" in names
    assert "PerturbedModes" not in names
