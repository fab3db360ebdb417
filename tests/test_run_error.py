"""The estimated error of a float64 run against the true one."""

from __future__ import annotations

import pickle
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import symflow as sf
from symflow.errors import IntegrationFailed
from symflow.simulation import DOP853, GaussLegendre, Radau, Taylor, ensemble
from symflow.simulation.companion import ROUNDING, SAFETY, Companion, error_of

TIMES = [0, 1, 8, 20]


def problem(widths, seed, scale):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((6, widths[0])), rng.standard_normal((6, widths[-1]))
    weights = [scale * rng.standard_normal((b, a)) for a, b in pairwise(widths)]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    return flow, sf.Dataset(X, Y), weights


def true_errors(run, exact):
    """The largest error, and the largest relative to the weights of its time."""
    gaps, sizes = [], []
    for weight, right in zip(run.weights, exact.weights, strict=True):
        differ = np.vectorize(lambda a, b: float(b - a), otypes=[float])
        gaps.append(abs(differ(weight, right)).max(axis=(1, 2)))
        sizes.append(abs(right.astype(float)).max(axis=(1, 2)))
    gap, size = np.max(gaps, axis=0), np.max(sizes, axis=0)
    return gap.max(), (gap / size).max() * size.max()


@settings(max_examples=10)
@given(
    widths=st.sampled_from([(2, 2, 1), (2, 3, 2), (2, 1, 2, 1), (3, 2)]),
    seed=st.integers(0, 2**16),
    scale=st.sampled_from([1.0, 1e-1, 1e-4]),
    method=st.sampled_from(
        [DOP853(), DOP853(1e-5), DOP853(1e-12), GaussLegendre(), Radau(1e-7), Taylor()]
    ),
)
def test_the_estimate_is_above_the_true_error_and_close_to_it(
    widths, seed, scale, method
):
    asked = problem(widths, seed, scale)
    run = sf.simulate(*asked, TIMES, method=method)
    largest, relative = true_errors(run, sf.precise(*asked, TIMES, digits=25))
    size = max(abs(weight).max() for weight in run.weights)
    assert largest <= run.error
    assert run.error <= 4 * SAFETY * relative + 50 * ROUNDING * size


def test_a_saddle_amplifies_the_error_and_the_estimate_knows():
    """While one mode rules, the steps err by its size: a million times the other."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    frame = np.array([[0.6, -0.8], [0.8, 0.6]])
    data = sf.whitened(frame @ np.diag([3.0, 0.5]) @ frame.T)
    rng = np.random.default_rng(0)
    start = [1e-7 * rng.standard_normal((2, 2)) for _ in range(2)]
    run = sf.simulate(flow, data, start, [32.0])
    exact = sf.precise(flow, data, start, [32], digits=25)
    largest, _ = true_errors(run, exact)
    assert run.stats["steps"] * DOP853().rtol < largest <= run.error


def test_fast_modes_that_die_inside_a_step_are_part_of_the_estimate():
    """Both runs take one step, and read its inside off polynomials that err alike."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    first = [[320416 / 65, -215988 / 65], [-427188 / 65, 288009 / 65]]
    init = first, [[157497 / 203125, 118129 / 203125]]
    asked, times = (flow, sf.whitened([[0.096, 0.36]]), init), [0, 5e-8, 1e-7, 2e-7]
    run = sf.simulate(*asked, times)
    assert run.stats["steps"] == 1
    largest, _ = true_errors(run, sf.precise(*asked, times, digits=30))
    assert 20 * ROUNDING * 6e3 < largest <= run.error <= 9 * largest


def test_the_estimate_is_made_when_it_is_read_and_not_for_printing():
    asked = problem((2, 2, 1), 0, 1.0)
    run = sf.simulate(*asked, TIMES)
    assert "estimated when .error is read" in repr(run)
    error = run.error
    assert error == run.error
    assert f"{error:.1e}"[:3] in repr(run)
    with pytest.raises(AttributeError):
        run.error = 0.0


def test_a_trajectory_of_an_ensemble_knows_its_own_error():
    flow, data, weights = problem((2, 2, 1), 0, 1.0)
    runs = ensemble(flow, data, [np.stack([w, w / 2]) for w in weights], TIMES)
    exact = sf.precise(flow, data, [w / 2 for w in weights], TIMES, digits=25)
    largest, _ = true_errors(runs[1], exact)
    assert largest <= runs[1].error <= 1e-8


@pytest.mark.parametrize("momentum", [0, 0.5])
def test_gradient_descent_knows_its_rounding_error(momentum):
    flow, data, weights = problem((2, 3, 2), 1, 0.5)
    descent = sf.gradient_descent(flow.network, flow.loss)
    options = {"step_size": 0.0625, "momentum": momentum}
    run = sf.descend(descent, data, weights, 40, **options)
    context = mpmath.MPContext()
    context.dps = 40
    lifted = np.vectorize(context.mpf, otypes=[object])
    W1, W2 = map(lifted, weights)
    xx, yx = lifted(data.moments().sigma_xx), lifted(data.moments().sigma_yx)
    M1, M2 = 0 * W1, 0 * W2
    for _ in range(40):
        F = yx - W2 @ W1 @ xx
        M1, M2 = momentum * M1 + W2.T @ F / 16, momentum * M2 + F @ W1.T / 16
        W1, W2 = W1 + M1, W2 + M2
    true = max(
        abs(float(e))
        for e in [*(run.weights[0][-1] - W1).flat, *(run.weights[1][-1] - W2).flat]
    )
    assert true <= run.error <= 1e-13


def test_momentum_follows_the_flow_in_a_longer_time():
    flow, data, weights = problem((2, 3, 2), 1, 0.5)
    descent = sf.gradient_descent(flow.network, flow.loss)
    gaps = []
    for eta in (2e-3, 1e-3):
        options = {"step_size": eta, "momentum": 0.75}
        run = sf.descend(descent, data, weights, round(0.5 / eta), **options)
        assert run.t[-1] == pytest.approx(2.0)
        exact = sf.simulate(flow, data, weights, run.t[-1])
        gaps.append(abs(run.end_to_end[-1] - exact.end_to_end[-1]).max())
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.1)
    with pytest.raises(sf.InvalidArgument, match=r"momentum=.*below 1; got 1"):
        sf.descend(descent, data, weights, 3, step_size=0.1, momentum=1)


def test_where_no_better_run_exists_the_error_is_refused(monkeypatch):
    run = sf.simulate(*problem((2, 2, 1), 0, 1.0), TIMES)

    def fails(*_arguments):
        raise IntegrationFailed("on purpose")

    monkeypatch.setattr("symflow.simulation.companion.follow", fails)
    with pytest.raises(IntegrationFailed, match=r"error is not known.*on purpose"):
        _ = run.error
    assert "estimated when" in repr(run)


def test_a_trajectory_that_is_slightly_wrong_is_refuted():
    asked = problem((2, 2, 1), 3, 1.0)
    run, exact = sf.simulate(*asked, TIMES), sf.precise(*asked, TIMES, digits=25)
    assert sf.validate([], run, exact).ok
    run.weights[0][2, 0, 0] += 3e-7
    assert not sf.validate([], run, exact).ok


def test_errors_are_relative_to_the_weights_of_their_time():
    good = np.array([[[1e-6]], [[2.0]]])
    off = good + np.array([[[1e-9]], [[0.0]]])
    assert error_of([off], [good]) == pytest.approx(SAFETY * 2e-3)


def test_the_estimate_travels_with_what_it_needs():
    flow, data, weights = problem((2, 2, 1), 0, 1.0)
    run = sf.simulate(flow, data, weights, TIMES)
    companion = Companion(run.problem, DOP853(), run.t, run.weights)
    assert pickle.loads(pickle.dumps(companion))() == run.error


def rotation(first):
    """An orthogonal matrix of fractions, from Pythagorean triples."""
    triples = [(3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25)]
    whole = np.array([[Fraction(int(i == j)) for j in range(3)] for i in range(3)])
    for number, (i, j) in enumerate([(0, 1), (1, 2), (0, 2)]):
        a, b, c = triples[(first + number) % 4]
        turned = np.array([[Fraction(int(k == m)) for m in range(3)] for k in range(3)])
        turned[i, i] = turned[j, j] = Fraction(a, c)
        turned[i, j], turned[j, i] = Fraction(-b, c), Fraction(b, c)
        whole = whole @ turned
    return whole


@pytest.mark.blas
@pytest.mark.parametrize(
    ("frames", "small"), [((1, 2, 3), 5), ((2, 3, 0), 3), ((0, 2, 1), 3)]
)
def test_noise_that_leaves_a_saddle_is_an_error_though_all_runs_end_alike(
    frames, small
):
    """The third mode dies in the exact flow; in float64 its rounding grows to one.

    All runs then end at one minimizer, and only on the way there do they differ.
    """
    left, right, inner = map(rotation, frames)
    goal = np.array([2, Fraction(1, 2), 1])
    sizes = np.array([Fraction(1, 3), Fraction(1, 3), Fraction(1, 10**small)])
    flow = sf.gradient_flow(
        sf.LinearNetwork(3, 3, 3),
        sf.SquaredLoss(l2=Fraction(1, 10**6)),
        learning_rates=[3, 3],
    )
    start = (inner * sizes) @ right.T, (left * sizes * [1, 1, -1]) @ inner.T
    asked = flow, sf.whitened((left * goal) @ right.T), start, [20]
    run, exact = sf.simulate(*asked), sf.precise(*asked, digits=15)
    largest, _ = true_errors(run, exact)
    assert largest > 0.9
    assert run.error > 0.9
