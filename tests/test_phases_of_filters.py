"""Relative phases of circular filters with equal moduli, and of others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import symflow as sf
from symflow.conservation import BalancedPhases

#: Two filters of equal moduli: a shift, and a reflection.
STARTS = {
    "two": [[[1], [2], [4], [-1], [3]], [[2], [4], [-1], [3], [1]]],
    "three": [[[1], [2], [4]], [[2], [4], [1]], [[4], [2], [1]]],
}
UNEQUAL = [[[1], [2], [4], [-1], [3]], [[2], [4], [-1], [3], [2]]]


def case(start, loss=None):
    d, depth = len(start[0]), len(start)
    net = sf.ConvolutionalNetwork(d, filters=(d,) * depth)
    scaled = [[[Fraction(x, 5)] for (x,) in column] for column in start]
    rng = np.random.default_rng(3)
    Y = rng.choice([-1.0, 1.0], 4)
    data = sf.Dataset(rng.standard_normal((4, d)), Y)
    return sf.gradient_flow(net, loss or sf.SquaredLoss()), data, scaled


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize(
    "loss", [sf.SquaredLoss(l2=0.2), sf.LogisticLoss()], ids=["squared", "logistic"]
)
def test_phases_stand_still_in_floats_and_digits(name, loss):
    flow, data, start = case(STARTS[name], loss)
    laws = sf.conserved(flow, init=start)[len(sf.conserved(flow)) :]
    assert len(laws) == len(start) - 1
    run = sf.simulate(flow, data, start, [0, 0.5, 1])
    sharp = sf.precise(flow, data, start, [0, Fraction(1, 4)], digits=30)
    for law in laws:
        assert isinstance(law, BalancedPhases)
        assert all(step.check() for step in law.proof())
        assert float(max(law.residuals(run))) < 1e-8
        assert float(max(law.residuals(sharp))) < 1e-27
    assert sf.validate(laws, run).ok
    assert max(np.max(np.abs(w[-1] - w[0])) for w in run.weights) > 0.05


def test_phases_turn_where_moduli_differ():
    flow, data, start = case(UNEQUAL)
    assert len(sf.conserved(flow, init=start)) == 1
    equal, _, shifted = case(STARTS["two"])
    law = sf.conserved(equal, init=shifted)[-1]
    run = sf.simulate(flow, data, start, [0, 0.5, 1])
    assert float(max(law.residuals(run))) > 1e-3


def test_phases_against_numpy():
    flow, data, start = case(STARTS["two"])
    run = sf.simulate(flow, data, start, [0, 1])
    hats = [np.fft.fft(w[:, :, 0], axis=1) for w in run.weights]
    angles = np.angle(hats[0] * hats[1].conj())
    turned = np.abs(np.exp(1j * angles[1]) - np.exp(1j * angles[0]))
    assert turned.max() < 1e-8
    law = sf.conserved(flow, init=start)[-1]
    np.testing.assert_allclose(max(law.residuals(run)), turned.max(), atol=1e-12)
    assert "for this start" in str(law)
    assert law.hypotheses[-1].defect < 1e-13


def test_other_networks_have_no_phases():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    assert len(sf.conserved(flow, init=[[[1.0]], [[1.0]]])) == 1
    net = sf.ConvolutionalNetwork(4, filters=(2, 2))
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    assert len(sf.conserved(flow, init=[[[1], [2]], [[2], [1]]])) == 1
