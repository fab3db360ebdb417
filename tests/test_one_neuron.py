"""One-neuron layers: stable set, exact basin, linear rate, far-away phase."""

from itertools import pairwise

import numpy as np
import pytest

import symflow as sf
from symflow.convergence import COMPANIONS, Alignment, FarAway, RankOneRate, StableSet
from symflow.flow.problem import bind


def start(widths, u, v, strength):
    """Balanced weights with W(0) = strength·u vᵀ; every layer of rank one."""
    depth = len(widths) - 1
    frames = [v / np.linalg.norm(v), *(np.eye(w)[0] for w in widths[1:-1])]
    frames.append(u / np.linalg.norm(u))
    size = strength ** (1 / depth)
    return [size * np.outer(b, a) for a, b in pairwise(frames)]


def instance(rng, depth):
    """A random 3×4 target with z_1 > z_2, a random start, and the flow."""
    frames = [np.linalg.qr(rng.standard_normal((k, 3)))[0] for k in (3, 4)]
    values = np.array([1.0, rng.uniform(0, 0.9), 0.1]) * rng.uniform(0.5, 2)
    data = sf.whitened((frames[0] * values) @ frames[1].T)
    widths = (4, *[1] * (depth > 1), *[2] * (depth - 2), 3)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    near = [frame[:, 0] + 0.6 * rng.standard_normal(len(frame)) for frame in frames]
    return flow, data, start(widths, *near, rng.uniform(0.2, 2.5) * values[0])


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_no_claim_about_one_neuron_is_violated(rng, depth):
    counts = dict.fromkeys((StableSet, Alignment, RankOneRate), 0)
    for _ in range(12):
        flow, data, init = instance(rng, depth)
        problem = bind(flow, data, init)
        run = sf.simulate(flow, data, init, np.linspace(0, 12, 13))
        for kind in counts:
            claim = kind.attempt(problem)
            if isinstance(claim, kind):
                counts[kind] += 1
                # the integrator is good to about 1e-7 of the weights
                assert max(claim.residuals(run)) < 1e-7
    assert min(counts.values()) >= 4


def test_stable_set_with_a_larger_threshold_and_doubled_rates_fail(rng):
    """Mutated: α above the start, and κ twice as large."""
    flow, data, init = instance(rng, 2)
    claim = Alignment.attempt(bind(flow, data, init))
    run = sf.simulate(flow, data, init, np.linspace(0, 6, 7))
    assert max(Alignment(claim.problem, (), 2 * claim.kappa).residuals(run)) > 1e-3
    problem = bind(flow, data, init)
    assert max(StableSet(problem, (), 0.9999).residuals(run)) > 1e-3


def test_basin_is_everything_but_a_hyperplane():
    """p_1ᵀu + q_1ᵀv = 0 leads to the second mode; any shift of it to the first."""
    data, net = sf.whitened([[2, 0], [0, 1]]), sf.LinearNetwork(2, 1, 2)
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    c, t = 0.6, [0, 20]
    for shift, limit in ((0.0, [0, 1]), (1e-3, [2, 0]), (-1e-3, [2, 0])):
        u, v = np.array([c + shift, 0.8]), np.array([-c, 0.8])
        run = sf.simulate(flow, data, start((2, 1, 2), u, v, 0.5), t)
        assert np.diag(run.end_to_end[-1]) == pytest.approx(limit, abs=1e-4)
    exact = start((2, 1, 2), np.array([c, 0.8]), np.array([-c, 0.8]), 0.5)
    refusal = Alignment.attempt(bind(flow, data, exact))
    assert "p₁ᵀu + q₁ᵀv ≠ 0: fails" in str(refusal)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_far_away_start_returns_in_the_predicted_time(depth):
    data = sf.whitened([[2.0, 0], [0, 1]])
    widths = (2, *[1] * (depth - 1), 2)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    init = start(widths, np.array([1.0, 0]), np.array([1.0, 0]), 40.0)
    claim = FarAway.attempt(bind(flow, data, init))
    times = np.array([0, 0.9, 1 + 1e-9, 2, 10]) * claim.time
    run = sf.simulate(flow, data, init, times)
    assert max(claim.residuals(run)) < 1e-9
    # on the axis the inequality is an equality, and an earlier time fails
    assert max(FarAway(claim.problem, (), 0.8 * claim.time).residuals(run)) > 1e-2


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_local_rate_of_convergence_to_the_first_mode(depth):
    """‖W − Z_1‖ falls as e^{−z_1^{2−2/L}(1−z_2/z_1)t} in the end."""
    data = sf.whitened([[1.5, 0], [0, 1.0]])
    widths = (2, *[1] * (depth - 1), 2)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    init = start(widths, np.array([1.0, 0.3]), np.array([1.0, 0.1]), 1.0)
    run = sf.simulate(flow, data, init, [0, 16, 20], method=sf.DOP853(1e-12, 1e-15))
    gaps = np.linalg.norm(run.end_to_end - [[1.5, 0], [0, 0]], axis=(1, 2))
    rate = np.log(gaps[1] / gaps[2]) / 4
    expected = 1.5 ** (2 - 2 / depth) * (1 - 1 / 1.5)
    assert rate == pytest.approx(expected, rel=1e-3)
    claim = RankOneRate.attempt(bind(flow, data, init))
    assert claim.rate / 2 <= rate * (1 + 1e-3)


def test_companions_name_what_applies_and_mixed_starts_are_refused(rng):
    flow, data, init = instance(rng, 3)
    assert "Alignment" in [claim.name for claim in sf.companions(flow, data, init)]
    unbalanced = [2 * init[0], *init[1:]]
    names = {claim.name for claim in sf.companions(flow, data, unbalanced)}
    assert not names & {kind.__name__ for kind in COMPANIONS}
    assert "balanced initialization: fails" in str(
        RankOneRate.attempt(bind(flow, data, unbalanced))
    )


def test_a_strength_is_pushed_off_as_hard_as_the_bound_allows():
    """Of u = (c, s), v = (c, −s): ṡ = 2(uᵀΣv − 1) = −2(1 + z_2)s² from s = z_1 = 1."""
    z, s = 0.999, 0.01
    c = np.sqrt(1 - s * s)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    weights = [np.array([[c, -s]]), np.array([[c], [s]])]
    problem = bind(flow, sf.whitened([[1, 0], [0, z]]), weights)
    _, forced, _ = RankOneRate.attempt(problem)._parts(weights[1] @ weights[0])
    assert 2 * (1 + z) * s * s <= forced < 2.01 * (1 + z) * s * s
