"""Rates of starts whose last layer is smallest, on random instances."""

from dataclasses import replace

import numpy as np
import pytest

import symflow as sf
from symflow.convergence import OrderedModesRate, OrderedRate, UnimodalRate
from symflow.flow.problem import bind

TIMES = [0, 0.1, 0.5, 1, 3]


def orthogonal(rng, size):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def dense_start(rng, d, depth):
    """Return layers with W_lW_lᵀ ⪰ W_{l+1}ᵀW_{l+1}, the last by a margin."""
    layers = [0.3 * rng.standard_normal((1, d))]
    extra = 0.2 + rng.random()
    for _ in range(depth - 1):
        gram = layers[0].T @ layers[0] + extra * np.eye(d)
        values, frame = np.linalg.eigh(gram)
        layers.insert(0, frame * np.sqrt(values) @ orthogonal(rng, d))
        extra = 0.3 * rng.random()
    return layers


def modes_start(rng, d, depth):
    large = [0.6 + rng.random(d) for _ in range(depth - 1)]
    return [*large, 0.4 * rng.uniform(-1, 1, d)]


def circular_start(rng, d, depth):
    large = [1.3 * np.eye(1, d)[0] + 0.15 * rng.standard_normal(d)] * (depth - 1)
    return [*large, 0.1 * rng.standard_normal(d)]


CASES = {
    "dense": (OrderedRate, dense_start),
    "diagonal": (OrderedModesRate, modes_start),
    "circular": (OrderedModesRate, circular_start),
}


@pytest.mark.parametrize("kind", CASES)
def test_no_start_is_slower(rng, kind):
    bound, draw = CASES[kind]
    for number in range(12):
        d, depth = int(rng.integers(2, 5)), 2 + number % 3
        network = {
            "dense": sf.LinearNetwork(*[d] * depth, 1),
            "diagonal": sf.DiagonalNetwork(d, depth),
            "circular": sf.ConvolutionalNetwork(d, [d] * depth),
        }[kind]
        flow = sf.gradient_flow(network, sf.SquaredLoss())
        samples = int(rng.integers(1, d + 2))
        data = sf.Dataset(
            rng.standard_normal((samples, d)), rng.standard_normal(samples)
        )
        start = draw(rng, d, depth)
        claim = bound.attempt(bind(flow, data, start))
        assert isinstance(claim, bound), claim
        run = sf.simulate(flow, data, start, TIMES)
        assert max(claim.residuals(run)) < 1e-9
        assert claim.bound(TIMES)[0] == pytest.approx(float(claim.sides(run)[0][0]))
        if kind == "dense" and samples >= d:
            wider = UnimodalRate.attempt(bind(flow, data, start))
            assert wider.rate >= claim.rate * (1 - 1e-9)


def test_the_rate_is_sharp_for_a_hand_made_start():
    """d = 1, w_2 ≈ 0: the first loss rate is 2λ; mutated, 2·1.2λ is violated."""
    flow = sf.gradient_flow(sf.DiagonalNetwork(1, 2), sf.SquaredLoss())
    data, start = sf.Dataset([[1.0]], [0.01]), ([1.5], [0.0])
    claim = OrderedModesRate.attempt(bind(flow, data, start))
    assert claim.rate == pytest.approx(2 * 1.5**2)
    run = sf.simulate(flow, data, start, TIMES)
    assert max(claim.residuals(run)) < 1e-9
    wrong = replace(claim, constant=1.2 * claim.constant)
    assert max(wrong.residuals(run)) > 1e-3


def test_narrow_hidden_layers_can_stand_still():
    """Without square layers: λ > 0, no gradient, and a positive loss."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    data, start = sf.Dataset([[1.0, 0.0]], [1.0]), ([[0.0, 1.0]], [[0.0]])
    refusal = OrderedRate.attempt(bind(flow, data, start))
    assert "hidden widths equal to that of the input: fails" in str(refusal)
    run = sf.simulate(flow, data, start, [0, 10])
    assert run.loss.tolist() == [0.5, 0.5]
    forced = OrderedRate(bind(flow, data, start), (), 2.0)
    assert max(forced.residuals(run)) > 0.5


def test_what_is_not_ordered_is_refused():
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.SquaredLoss())
    data = sf.Dataset([[1.0, 2.0]], [1.0])
    refusal = OrderedModesRate.attempt(bind(flow, data, ([1.0, 1.0], [0.5, 2.0])))
    assert "a positive rate: fails" in str(refusal)
    small = sf.gradient_flow(sf.ConvolutionalNetwork(3, (2, 2)), sf.SquaredLoss())
    given = ([1.0, 0.0], [0.0, 0.0])
    refusal = OrderedModesRate.attempt(
        bind(small, sf.Dataset([[1.0, 2, 3]], [1.0]), given)
    )
    assert "orthogonally decomposable: fails" in str(refusal)
