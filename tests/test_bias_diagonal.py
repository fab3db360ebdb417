"""Diagonal networks converge to the minimizer of their potential."""

import numpy as np
import pytest

import symflow as sf
from symflow.bias import DiagonalPotential, ProductMap
from symflow.flow.problem import bind
from symflow.networks import DiagonalNetwork, HadamardDifference


@pytest.fixture
def few(rng):
    """Three samples in six dimensions, one target."""
    return sf.Dataset(rng.standard_normal((3, 6)), rng.standard_normal(3))


def product_start(rng, depth, alpha):
    sizes = alpha * rng.uniform(0.7, 1.3, (6, 1))
    return [*[sizes] * (depth - 1), np.zeros((6, 1))]


def instances(rng):
    for depth in (2, 3, 4):
        for alpha in (0.7, 1.5):
            yield DiagonalNetwork(6, depth), product_start(rng, depth, alpha)
    for depth in (2, 3):
        start = [0.6 * rng.uniform(0.8, 1.2, (6, 1))] * (2 * depth)
        yield DiagonalNetwork(6, depth, signed=True), start
    yield HadamardDifference(6), [np.full((6, 1), 0.5)] * 2


def test_flow_ends_at_the_minimizer_of_the_potential(rng, few):
    for network, start in instances(rng):
        flow = sf.gradient_flow(network, sf.SquaredLoss())
        bias = sf.implicit_bias(flow, few, start)
        run = sf.simulate(flow, few, start, [0, 1, 300])
        assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-6)
        assert bias.kkt_residual(bias.limit) < 1e-10
        assert max(bias.residuals(run)) < 1e-7
        assert bias.value(bias.limit) <= bias.value(np.linalg.pinv(few.X) @ few.Y)
        wrong = DiagonalPotential(
            bind(flow, few, start), (), bias.mirror, bias.sizes * np.linspace(1, 2, 6)
        )
        assert max(wrong.residuals(run)) > 1e-3


def test_small_weights_find_the_sparse_solution():
    """One sample ([1, 2], 1): from (0.19, 0.41) at α = 1 to (0, 1/2) as α → 0."""
    flow = sf.gradient_flow(DiagonalNetwork(2, 2), sf.SquaredLoss())
    data = sf.Dataset([[1.0, 2.0]], [1.0])
    found = {}
    for alpha in (1.0, 1e-2):
        start = [np.full((2, 1), alpha), np.zeros((2, 1))]
        found[alpha] = sf.implicit_bias(flow, data, start).limit[0]
    assert found[1.0] == pytest.approx([0.1895, 0.4053], abs=5e-5)
    assert found[1e-2] == pytest.approx([0.0035, 0.4982], abs=5e-5)


def test_unequal_layers_and_dense_networks_are_refused(rng, few):
    flow = sf.gradient_flow(DiagonalNetwork(6, 3), sf.SquaredLoss())
    start = product_start(rng, 3, 0.5)
    with pytest.raises(sf.HypothesisFailed, match="equal sizes in all layers"):
        sf.implicit_bias(flow, few, [2 * start[0], *start[1:]])
    dense = sf.gradient_flow(sf.LinearNetwork(6, 2, 1), sf.SquaredLoss())
    answer = DiagonalPotential.attempt(bind(dense, few, sf.gaussian_init(1, rng=0)))
    assert "a diagonal network or orthogonally decomposable tensor: f" in str(answer)
    assert ProductMap(2).end == np.inf
