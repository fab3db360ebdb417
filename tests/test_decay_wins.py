"""Weight decay stronger than the data: plain integrations, thresholds and mutants."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate

import symflow as sf
from symflow.bias import DecayedLimit
from symflow.convergence import DecayRate
from symflow.flow.problem import bind


def integrated(layers, xx, yx, l2, times):
    """Return ‖θ‖² along the flow, by the chain rule in plain NumPy."""
    shapes = [w.shape for w in layers]
    ends = np.cumsum([w.size for w in layers])[:-1]

    def speed(_, theta):
        parts = [
            p.reshape(s) for p, s in zip(np.split(theta, ends), shapes, strict=True)
        ]
        total = np.eye(len(xx))
        for part in parts:
            total = part @ total
        out, pull = [], yx - total @ xx
        for k, part in enumerate(parts):
            before, after = np.eye(len(xx)), np.eye(len(part))
            for p in parts[:k]:
                before = p @ before
            for p in parts[k + 1 :]:
                after = p @ after
            out.append(after.T @ pull @ before.T - l2 * part)
        return np.concatenate([o.ravel() for o in out])

    run = scipy.integrate.solve_ivp(
        speed, (0, times[-1]), np.concatenate([w.ravel() for w in layers]),
        t_eval=times, rtol=1e-10, atol=1e-13,
    )  # fmt: skip
    return (run.y**2).sum(axis=0)


@pytest.mark.parametrize("seed", range(100))
def test_random_starts_fall_as_fast_as_the_rate_says(seed):
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 5))
    widths = [int(x) for x in rng.integers(1, 4, depth + 1)]
    X = rng.standard_normal((5, widths[0]))
    Y = rng.standard_normal((5, widths[-1]))
    layers = [
        rng.uniform(0.1, 1) * rng.standard_normal((b, a)) for a, b in pairwise(widths)
    ]
    size = sum((w**2).sum() for w in layers)
    top = np.linalg.norm(Y.T @ X / 5, 2) * (size / depth) ** (depth / 2 - 1)
    l2 = Fraction(float(top) * rng.choice([1.01, 1.5, 4])).limit_denominator(10**6)
    loss = sf.SquaredLoss(l2=l2)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), loss)
    data = sf.Dataset(X, Y)
    bound = DecayRate.attempt(bind(flow, data, layers))
    assert isinstance(bound, DecayRate), bound
    assert bound.rate == pytest.approx(2 * (float(l2) - top), rel=1e-6)
    times = np.linspace(0, 3 / float(l2), 7)
    fall = integrated(layers, X.T @ X / 5, Y.T @ X / 5, float(l2), times)
    assert np.all(fall <= bound.bound(times) * (1 + 1e-8))
    assert sf.rates(flow, data, layers)[0].quantity == "‖θ‖²"
    assert not sf.implicit_bias(flow, data, layers).limit.any()


def test_the_threshold_is_sharp_at_depth_two():
    """σ_1 = 1: at l2 = 1 nothing is said, and below it the first mode survives."""
    data = sf.whitened([[1, 0], [0, Fraction(1, 2)]])
    start = ([[1, 0], [0, 1]], [[1, 0], [0, 1]])

    def at(l2):
        flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(l2=l2))
        return flow, DecayedLimit.attempt(bind(flow, data, start))

    assert isinstance(at(1 + Fraction(1, 10**9))[1], DecayedLimit)
    for l2 in (1, Fraction(9, 10)):
        flow, refusal = at(l2)
        assert "fails" in str(refusal)
        # what survives is another theorem's
        assert sf.implicit_bias(flow, data, start).name == "DecayedModes"
    flow, _ = at(Fraction(1, 2))
    run = sf.simulate(flow, data, start, [0, 40])
    assert run.end_to_end[-1] == pytest.approx(np.diag([0.5, 0]), abs=0.03)


@pytest.mark.parametrize(
    "network",
    [
        sf.DiagonalNetwork(2, 2),
        sf.DiagonalNetwork(2, 3, signed=True),
        sf.HadamardDifference(2),
    ],
)
def test_coordinates_die_and_false_rates_are_refuted(network):
    loss = sf.SquaredLoss(l2=Fraction(3, 2))
    flow = sf.gradient_flow(network, loss)
    data = sf.Moments([[2, 1], [1, 1]], [[Fraction(1, 2), Fraction(-1, 2)]])
    start = [[[Fraction(1, 2)], [Fraction(1, 3)]]] * len(flow.state)
    bias, bounds = sf.implicit_bias(flow, data, start), sf.rates(flow, data, start)
    run = sf.simulate(flow, data, start, [0, 0.5, 1, 2])
    assert sf.validate([bias, *bounds], run).ok
    wrong = replace(bounds[0], constant=4 * bounds[0].constant)
    assert not sf.validate([wrong], run).ok
    assert bounds[0].time_to(1e-3) > 0


def test_unequal_rates_and_zero_starts():
    data = sf.whitened([[1]])
    net, loss = sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(l2=2)
    flow = sf.gradient_flow(net, loss, learning_rates=(1, 5))
    with pytest.raises(sf.SymflowError):
        sf.implicit_bias(flow, data, ([[1]], [[1]]))
    rest = DecayRate.attempt(bind(sf.gradient_flow(net, loss), data, ([[0]], [[0]])))
    assert rest.bound([0, 1]).tolist() == [0, 0]
