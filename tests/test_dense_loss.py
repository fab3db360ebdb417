"""Dense classification below the loss of W = 0, against SciPy and random matrices."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.convergence import DenseVanishingLoss
from symflow.convergence.dense_loss import later_floor
from symflow.flow.problem import bind


def product(layers):
    return reduce(lambda done, W: W @ done, layers)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_later_layers_are_bounded_below_on_random_matrices(depth):
    rng, tightest = np.random.default_rng(depth), np.inf
    for trial in range(400):
        widths = [*rng.integers(1, 5, depth), 1]
        layers = [rng.standard_normal((b, a)) for a, b in pairwise(widths)]
        if trial % 3 == 0:  # balanced numbers, up to a little
            noise = 10.0 ** -rng.integers(1, 9)
            layers = [
                np.array([[2.0 + noise * rng.standard_normal()]]) for _ in range(depth)
            ]
        if trial % 3 == 1:
            layers[trial % depth] *= 10.0 ** rng.integers(-2, 3)
        if trial % 7 == 0 and depth > 2:  # the first layer is large, the last one small
            layers = [np.array([[x]]) for x in (5.0, *[1.0] * (depth - 2), 0.01)]
        ends = []
        for before, after in pairwise(layers):
            values = np.linalg.eigvalsh(after.T @ after - before @ before.T)
            ends.append((max(values[-1], 0.0), max(-values[0], 0.0)))
        p = np.linalg.norm(product(layers[1:]), 2) ** 2
        floor = later_floor(float(np.linalg.norm(product(layers))), ends)
        assert floor <= p * (1 + 1e-9), (trial, floor, p)
        tightest = min(tightest, p / floor if floor else np.inf)
    assert tightest < 1 + 1e-6


def case(seed):
    """Return separable samples, a loss, and a start that may be above a total of 1."""
    rng = np.random.default_rng(seed)
    depth, n, d = 1 + seed % 4, 2 + seed % 5, 3
    goal = rng.standard_normal(d)
    rows = rng.standard_normal((n, d))
    rows = rows * np.sign(rows @ goal)[:, None] + 0.3 * goal
    widths = (d, *[3] * (depth - 1), 1)
    start = [0.6 * rng.standard_normal((b, a)) for a, b in pairwise(widths)]
    loss = (sf.ExponentialLoss, sf.LogisticLoss)[seed % 2](
        ("mean", "sum")[seed // 2 % 2]
    )
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), loss)
    labels = rng.choice([-1.0, 1.0], n)
    return flow, sf.Dataset(labels[:, None] * rows, labels), start, rows


@pytest.mark.parametrize("seed", range(60))
def test_the_loss_stays_below_its_bound_for_starts_better_than_zero(seed):
    flow, data, start, rows = case(seed)
    exponential = isinstance(flow.loss, sf.ExponentialLoss)
    weight = 1 / len(rows) if flow.loss.reduction == "mean" else 1.0

    def value(beta):
        z = rows @ beta
        return weight * np.sum(np.exp(-z) if exponential else np.logaddexp(0, -z))

    def rhs(_, flat):
        layers, at = [], 0
        for W in start:
            layers.append(flat[at : at + W.size].reshape(W.shape))
            at += W.size
        z = rows @ product(layers)[0]
        q = weight * (np.exp(-z) if exponential else 1 / (1 + np.exp(z)))
        force = (q @ rows)[None]
        moved = []
        for k in range(len(layers)):
            before = product([np.eye(3), *layers[:k]])
            after = product([np.eye(len(layers[k])), *layers[k + 1 :]])
            moved.append(after.T @ force @ before.T)
        return np.concatenate([W.ravel() for W in moved])

    claim = DenseVanishingLoss.attempt(bind(flow, data, start))
    first, at_zero = value(product(start)[0]), value(np.zeros(3))
    assert isinstance(claim, DenseVanishingLoss) == (first < at_zero)
    if first >= at_zero:
        assert "a loss below that of W = 0: fails" in str(claim)
        return
    t = [0, 0.5, 3, 20]
    z0 = np.concatenate([W.ravel() for W in start])
    run = solve_ivp(rhs, (0, 20), z0, "DOP853", t, rtol=1e-10, atol=1e-12)
    for time, flat in zip(t, run.y.T, strict=True):
        layers, at = [], 0
        for W in start:
            layers.append(flat[at : at + W.size].reshape(W.shape))
            at += W.size
        now = value(product(layers)[0])
        assert now <= float(claim.bound(time)) * (1 + 1e-9)
    assert np.isclose(float(claim.bound(0)), first, rtol=1e-6)
    passed = claim.time_to(0.9 * first)
    assert np.isclose(float(claim.bound(passed)), 0.9 * first, rtol=1e-6)


def test_a_start_at_zero_or_worse_or_data_that_nothing_separates_are_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss())
    data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
    W1 = [[0.25, 0.25], [0, 0.5]]
    for last in ([[0, 0]], [[-0.5, 0]], [[1e-300, 0]]):
        refusal = DenseVanishingLoss.attempt(bind(flow, data, (W1, last)))
        assert "below that of W = 0: fails" in str(refusal)
    torn = sf.Dataset([[1, 2], [1, 2], [1, 2]], [1, 1, -1])
    refusal = DenseVanishingLoss.attempt(
        bind(flow, torn, ([[0.1, 0], [0, 0]], [[1, 0]]))
    )
    assert "separable samples: fails" in str(refusal)


def test_the_bound_is_a_rate_that_is_certified():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss())
    data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
    start = ([[0.25, 0.25], [0, 0.5]], [[0.25, 0.5]])
    claim = next(
        b for b in sf.rates(flow, data, start) if b.name == "DenseVanishingLoss"
    )
    assert claim.status.value == "proved"
    assert sf.certify(claim, flow, data, start, [1]).ok
    assert claim.time_to(0.4) < 100


@pytest.mark.parametrize("kind", ["small", "zero last layer", "wrong side"])
@pytest.mark.parametrize("depth", [2, 3])
def test_the_direction_is_known_from_any_start_that_descends(kind, depth):
    flow = sf.gradient_flow(
        sf.LinearNetwork(*[2] * depth, 1), sf.ExponentialLoss("sum")
    )
    data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
    inner = [[[1, 0], [0.5, 1]]] * (depth - 1)
    last = {"small": [[0.02, 0.01]], "zero last layer": [[0, 0]]}.get(kind, [[-1, 0]])
    if kind == "wrong side":
        with pytest.raises(sf.HypothesisFailed, match="below that of W = 0"):
            sf.implicit_bias(flow, data, (*inner, last))
        return
    bias = sf.implicit_bias(flow, data, (*inner, last))
    assert bias.name == "DenseMaxMargin"
    run = sf.simulate(sf.directional_flow(flow), data, (*inner, last), [0, 1, 300, 2e4])
    assert run.loss[0] > 1  # a total of 2 or a little less
    assert bias.angle(run.end_to_end[-1]) < 0.03
    assert np.max(bias.residuals(run)) < 1e-9
    torn = sf.Dataset([[1, 2], [1, 2], [1, 2]], [1, 1, -1])
    with pytest.raises(sf.HypothesisFailed, match="nothing separates them"):
        sf.implicit_bias(flow, torn, (*inner, last))
    still = ([[0, 0], [0, 0]], *inner[1:], [[0, 0]])
    with pytest.raises(sf.HypothesisFailed):
        sf.implicit_bias(flow, data, still)
