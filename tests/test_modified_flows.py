"""Flows with learning rates of the layers: their laws, and what refuses them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from test_laws import NETWORKS, problem

import symflow as sf
from symflow.algebra import inline


def rates_for(network):
    return [sympy.Rational(k + 2, 3) for k in range(network.depth)]


@pytest.mark.parametrize("name", NETWORKS)
def test_laws_with_learning_rates(name, rng):
    """Proved, in floats and digits, by plain differentiation; plain laws fail."""
    network = NETWORKS[name]
    plain, data = problem(network, sf.SquaredLoss(), rng)
    flow = sf.gradient_flow(
        network, sf.SquaredLoss(), learning_rates=rates_for(network)
    )
    assert [w.name for w in flow.state] == [w.name for w in plain.state]
    start = sf.gaussian_init(0.7, rng=4)
    run = sf.simulate(flow, data, start, [0, 0.3, 1])
    sharp = sf.precise(flow, data, start, [0, 0.5], digits=30)
    laws = sf.conserved(flow)
    assert bool(laws) == (name != "squares")
    assert sf.validate(laws, run, sharp).ok or not laws
    for law in laws:
        assert law.proof()
        assert all(step.check() for step in law.proof())
        assert float(max(law.residuals(run))) < 1e-10
        assert float(max(law.residuals(sharp))) < 1e-27
    for law in sf.conserved(plain):
        # a row space does not ask how fast U moves
        assert (float(max(law.residuals(run))) > 1e-4) == (law.degree > 0)


def test_entrywise_odes_have_the_rates():
    net = sf.LinearNetwork(2, 2, 1)
    flow = sf.gradient_flow(net, sf.SquaredLoss(l2=0.5), learning_rates=(3, 0.5))
    plain = sf.gradient_flow(net, sf.SquaredLoss(l2=0.5)).entries((2, 2, 1))
    ours = flow.entries((2, 2, 1))
    for weight, rate in plain.items():
        speed = 3 if weight.name.startswith("W1") else sympy.Rational(1, 2)
        assert sympy.expand(ours[weight] - speed * rate) == 0
    assert sf.conserved(flow) == []  # decay and rates leave no law of this form


def test_rates_may_be_symbols():
    net = sf.LinearNetwork("d", "h", "m")
    flow = sf.gradient_flow(net, sf.SquaredLoss(), learning_rates=("alpha", "beta"))
    (law,) = sf.conserved(flow)
    assert inline(law.expr) == "1/β·W₂ᵀW₂ − 1/α·W₁W₁ᵀ"
    assert all(step.check() for step in law.proof())
    assert [str(s) for s in flow.parameters] == ["alpha", "beta"]
    kernel = sf.compile(flow)
    ones = np.ones((1, 1))
    fast, _ = kernel(ones, ones, ones, 3 * ones, 2.0, 5.0)
    assert fast.item() == 4.0
    with pytest.raises(sf.InvalidArgument, match="alpha is symbolic"):
        sf.simulate(flow, sf.whitened([[2.0]]), [[[1.0]], [[1.0]]], [0, 1])


def test_equal_rates_only_change_the_time(rng):
    net = sf.LinearNetwork(2, 3, 1)
    flow, data = problem(net, sf.SquaredLoss(), rng)
    fast = sf.gradient_flow(net, sf.SquaredLoss(), learning_rates=(2, 2))
    start = sf.gaussian_init(0.7, rng=4)
    slow_run = sf.simulate(flow, data, start, [0, 2])
    fast_run = sf.simulate(fast, data, start, [0, 1])
    np.testing.assert_allclose(
        fast_run.end_to_end[-1], slow_run.end_to_end[-1], rtol=1e-7
    )
    assert sf.gradient_flow(net, sf.SquaredLoss(), learning_rates=(1, 1.0)) == flow


def test_a_step_of_descent_with_rates(rng):
    flow = sf.gradient_flow(
        sf.LinearNetwork(3, 2, 1), sf.SquaredLoss(), learning_rates=(1, 3)
    )
    _, data = problem(flow.network, flow.loss, rng)
    gd = sf.GradientDescent(flow)
    run = sf.descend(gd, data, sf.gaussian_init(0.7, rng=4), 5, step_size=0.05)
    (law,) = sf.conserved(gd)
    assert float(max(law.residuals(run))) < 1e-13


def test_theorems_of_plain_flows_refuse_rates(rng):
    flow = sf.gradient_flow(
        sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(), learning_rates=(1, 2)
    )
    _, data = problem(flow.network, flow.loss, rng)
    start = sf.gaussian_init(0.7, rng=4)
    with pytest.raises(sf.NoClosedForm, match="one learning rate"):
        sf.solve(flow, data, start)
    for verb in (sf.implicit_bias, sf.rates):
        with pytest.raises(sf.HypothesisFailed, match="one learning rate"):
            verb(flow, data, start)
    with pytest.raises(sf.HypothesisFailed, match="one learning rate"):
        _ = flow.end_to_end
    margins = sf.gradient_flow(
        sf.LinearNetwork(2, 1), sf.LogisticLoss(), learning_rates=(2,)
    )
    with pytest.raises(sf.InvalidArgument, match="learning rates"):
        sf.directional_flow(margins)


@pytest.mark.parametrize("rates", [(1,), (1, 0), (1, -2), 3, "ab", (1, "a b")], ids=str)
def test_bad_rates_are_refused(rates):
    with pytest.raises(sf.InvalidArgument):
        sf.gradient_flow(
            sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(), learning_rates=rates
        )
