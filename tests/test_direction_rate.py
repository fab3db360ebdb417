"""How fast directions are reached: proven constants, exponents, and rank one."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import symflow as sf
from symflow.bias import AlignedLayers, DenseMaxMargin, DirectionRate
from symflow.flow.problem import bind

TWO = sf.Dataset([[1, 2], [0, -3]], [1, -1])
TIMES = [0, 0.3, 1, 10, 100, 1000]


def unit(vector):
    return vector / np.linalg.norm(vector)


def instance(rng, depth):
    """Return data, a balanced start that classifies them, and its widths."""
    d, n = int(rng.integers(2, 5)), int(rng.integers(1, 6))
    while True:
        goal = unit(rng.standard_normal(d))
        rows = rng.standard_normal((n, d))
        sides = np.sign(rows @ goal)
        rows = (rows + 0.3 * sides[:, None] * goal) * sides[:, None]
        row = goal + 0.3 * rng.random() * rng.standard_normal(d)
        if np.min(rows @ row) > 0:
            break
    row *= (np.log(n) + 1 + 3 * rng.random()) / np.min(rows @ row)
    widths = (d, *(int(h) for h in rng.integers(1, 5, depth - 1)), 1)
    axes = [unit(row), *(unit(rng.standard_normal(h)) for h in widths[1:-1]), [1.0]]
    size = np.linalg.norm(row) ** (1 / depth)
    start = [size * np.outer(b, a) for a, b in pairwise(axes)]
    labels = rng.choice([-1.0, 1.0], n)
    return sf.Dataset(labels[:, None] * rows, labels), start, widths


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_the_deficit_falls_as_proven(rng, depth):
    """Random data and balanced starts: no violation, and angles below their bounds."""
    held = 0
    for number in range(12):
        data, start, widths = instance(rng, depth)
        logistic = depth <= 2 and number % 2
        loss = sf.LogisticLoss() if logistic else sf.ExponentialLoss("sum")
        flow = sf.directional_flow(sf.gradient_flow(sf.LinearNetwork(*widths), loss))
        problem = bind(flow, data, start)
        claim = DirectionRate.attempt(problem)
        if not isinstance(claim, DirectionRate):
            assert depth >= 3
            assert "normalized soft margin" in str(claim)
            continue
        held += 1
        run = sf.simulate(flow, data, start, TIMES)
        assert max(claim.residuals(run)) == 0
        bias = DenseMaxMargin(problem, ())
        for row in run.end_to_end:
            assert bias.angle(row) <= claim.angle(row) + 1e-12
    assert held >= 5


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_exponent_is_two_over_depth_at_a_loss_of_1e_400(depth):
    """1 − cos∠ ~ n^{−2/L} with 30 digits, where support vectors do not span."""
    widths = (2, *[2] * (depth - 1), 1)
    ray = np.array([[3, 4]])
    start = [ray, *[np.array([[5, 0], [0, 0]])] * (depth - 2), np.array([[5, 0]])]
    if depth > 1:
        start[0] = np.array([[3, 4], [0, 0]])
    else:
        start = [ray]
    flow = sf.directional_flow(
        sf.gradient_flow(sf.LinearNetwork(*widths), sf.ExponentialLoss("sum"))
    )
    path = sf.precise(flow, TWO, start, [0, 231, 1000, 10_000], digits=30)
    assert path.loss[2] / path.loss[0] < path.context.mpf("1e-434")
    claim = DirectionRate.attempt(bind(flow, TWO, start))
    bias = sf.implicit_bias(flow, TWO, start)
    assert sf.validate([bias, claim, *sf.conserved(flow)], path).ok
    norms = [float(np.linalg.norm(row.astype(float))) for row in path.end_to_end]
    gaps = [1 - np.cos(bias.angle(row)) for row in path.end_to_end]
    slope = np.log(gaps[3] / gaps[2]) / np.log(norms[3] / norms[2])
    assert slope == pytest.approx(-2 / depth, abs=0.02)
    residuals = [bias.kkt_residual(row) for row in path.end_to_end]
    assert sorted(residuals, reverse=True) == residuals
    # mutated: the next integer exponent would need a faster turn
    wrong = replace(claim, exponent=Fraction(2, depth) + 1)
    assert max(wrong.residuals(path)) > 0.1


def test_a_wrong_norm_is_refuted():
    """Mutated: the flow of two diagonal layers held against the Euclidean margin."""
    loss = sf.ExponentialLoss("sum")
    flow = sf.directional_flow(sf.gradient_flow(sf.LinearNetwork(2, 1), loss))
    claim = DirectionRate.attempt(bind(flow, TWO, [[[1, 3]]]))
    other = sf.directional_flow(sf.gradient_flow(sf.DiagonalNetwork(2, 2), loss))
    run = sf.simulate(other, TWO, ([2, 2], [1, 1]), TIMES)
    assert max(claim.residuals(run)) > 0.1


def test_layers_become_rank_one(rng):
    """For unbalanced starts, in float64 and with 20 digits; exact for balanced ones."""
    flow = sf.directional_flow(
        sf.gradient_flow(sf.LinearNetwork(2, 3, 2, 1), sf.LogisticLoss())
    )
    for _ in range(5):
        start = [
            np.array([[1.0, 2.0], [0, 0], [0, 0]]) + rng.uniform(-0.3, 0.3, (3, 2)),
            np.array([[2.0, 0, 0], [0, 0, 0]]) + rng.uniform(-0.3, 0.3, (2, 3)),
            np.array([[2.0, 0]]) + rng.uniform(-0.3, 0.3, (1, 2)),
        ]
        claim = AlignedLayers.attempt(bind(flow, TWO, start))
        run = sf.simulate(flow, TWO, start, TIMES)
        assert max(claim.residuals(run)) == 0
        beside, allowed = claim.sides(run)
        assert 0 < beside[0] < allowed[0]
        first = [np.linalg.svd(w[-1])[1] for w in run.weights[:2]]
        assert all(values[1] / values[0] < 0.05 for values in first)
    path = sf.precise(flow, TWO, start, [0, 10], digits=20)
    assert float(claim.sides(path)[0][0]) == pytest.approx(beside[0], rel=1e-12)
    assert float(claim.sides(path)[1][0]) == pytest.approx(allowed[0], rel=1e-12)
    assert sf.validate([claim], path).ok


def test_without_the_layers_before_rank_one_fails():
    """Mutated: the constant of the balanced start, for one that is not."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss("sum"))
    start = ([[2, 0], [0, 2]], [[2, 2]])
    claim = AlignedLayers.attempt(bind(flow, TWO, start))
    run = sf.simulate(flow, TWO, start, [0, 1, 10])
    beside, allowed = claim.sides(run)
    assert np.all(beside > 0)
    assert np.all(beside <= allowed)
    names = [claim.name for claim in sf.companions(flow, TWO, start)]
    assert names == ["AlignedLayers"]
    assert "balanced initialization: fails" in str(
        DirectionRate.attempt(bind(flow, TWO, start))
    )
