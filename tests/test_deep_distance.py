"""The distance to the least norm at any depth, against runs and random matrices."""

from __future__ import annotations

from fractions import Fraction as F
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest

import symflow as sf
from symflow.bias import DeepDistance
from symflow.bias.deep_distance import carried_norm
from symflow.flow.problem import bind


def norms(layers):
    """Return ‖W_L⋯W_1‖, ‖W_L⋯W_2‖ and the positive end of every imbalance."""
    whole = reduce(lambda done, W: W @ done, layers)
    later = reduce(lambda done, W: W @ done, layers[1:])
    ends = []
    for before, after in pairwise(layers):
        values = np.linalg.eigvalsh(after.T @ after - before @ before.T)
        ends.append(max(values[-1], 0.0))
    return np.linalg.norm(whole, 2), np.linalg.norm(later, 2), ends


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_norm_of_later_layers_is_bounded_on_random_matrices(depth):
    rng, tightest = np.random.default_rng(depth), np.inf
    for trial in range(400):
        widths = rng.integers(1, 5, depth + 1)
        layers = [rng.standard_normal((b, a)) for a, b in pairwise(widths)]
        if trial % 2:  # nearly balanced: diagonal, of one size up to a little
            base = rng.uniform(0.5, 2, 3)
            noise = 10.0 ** -rng.integers(1, 9)
            layers = [
                np.diag(base + noise * rng.standard_normal(3)) for _ in range(depth)
            ]
        if trial % 5 == 0:  # a layer much larger than the others
            layers[trial % depth] *= 100
        if trial % 7 == 0:  # numbers that rise: nothing is lost
            layers = [
                np.array([[x]]) for x in np.sort(rng.uniform(0.1, 9, depth)).tolist()
            ]
        seen, later, ends = norms(layers)
        bound = carried_norm(seen, ends)
        assert later <= bound * (1 + 1e-9), (trial, later, bound)
        tightest = min(tightest, bound / later if later else np.inf)
        if trial % 7 == 0:
            assert bound <= later * (1 + 1e-9)
    assert tightest < 1 + 1e-6


def problem(seed, depth, alpha, rank=2, exact=False):
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, (rank, 4)).astype(float)
    X = np.vstack([X, X[0] + X[-1]])  # rank-deficient: more samples than directions
    Y = X @ rng.integers(-2, 3, (4, 1)) / 3.0
    widths = (4, *[3] * (depth - 1), 1)
    shape = [rng.integers(-4, 5, (b, a)) for a, b in pairwise(widths)]
    if exact:
        start = [
            np.array([[F(int(e), 4) * F(alpha) for e in row] for row in W])
            for W in shape
        ]
    else:
        start = [alpha * W / 4.0 for W in shape]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    return flow, sf.Dataset(X, Y), start


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_bound_shrinks_like_the_start_and_is_found_by_companions(depth):
    bounds = []
    for k in range(1, 9):
        flow, data, start = problem(depth, depth, 10.0**-k)
        claim = next(
            c for c in sf.companions(flow, data, start) if isinstance(c, DeepDistance)
        )
        bounds.append(claim.distance)
    ratios = np.array(bounds[:-1]) / np.array(bounds[1:])
    assert np.all(ratios > 5), ratios
    assert np.allclose(ratios[3:], 10, rtol=1e-2)
    assert bounds[-1] < 1e-6


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_runs_stay_within_the_distance(seed, depth):
    flow, data, start = problem(seed, depth, 0.5 + seed / 6, rank=1 + seed % 3)
    claim = DeepDistance.attempt(bind(flow, data, start))
    run = sf.simulate(flow, data, start, [0, 0.1, 1, 5, 20])
    kept = np.linalg.svd(data.X, full_matrices=False)
    rank = np.linalg.matrix_rank(data.X)
    seen = kept[2][:rank].T @ kept[2][:rank]
    off = run.end_to_end - run.end_to_end @ seen
    assert np.all(np.linalg.norm(off, axis=(1, 2)) <= claim.distance * (1 + 1e-9))
    assert np.all(claim.residuals(run) == 0)


def test_norms_of_equal_size_do_not_hide_an_imbalance():
    """diag(a, 0) and diag(0, a): as long as each other, but not balanced."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data = sf.Dataset([[1, 0]], [[0, 1]])
    for a in (1, 10, 100):
        start = ([[a, 1], [0, 0]], [[0, 0], [0, a]])
        claim = DeepDistance.attempt(bind(flow, data, start))
        balanced = DeepDistance.attempt(
            bind(flow, data, ([[a, 1], [0, 0]], [[a, 0], [0, 0]]))
        )
        assert claim.distance >= a
        run = sf.simulate(flow, data, start, [0, 1, 10])
        assert np.all(claim.residuals(run) == 0)
        assert balanced.distance > 0


@pytest.mark.parametrize("depth", [2, 3])
def test_the_distance_is_proven_in_balls(depth):
    flow, data, start = problem(3, depth, F(1, 2), exact=True)
    claim = DeepDistance.attempt(bind(flow, data, start))
    proven = sf.certify(claim, flow, data, start, [1, 4])
    assert proven.ok
    assert claim.status.value == "proved"


def test_nothing_off_the_row_space_means_no_distance():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    full = sf.Dataset([[1, 0], [0, 1]], [1, 2])
    start = ([[1, 2], [3, 4]], [[1, 1]])
    assert DeepDistance.attempt(bind(flow, full, start)).distance == 0
    zero = ([[0, 0], [0, 0]], [[0, 0]])
    one = sf.Dataset([[1, 2]], [1])
    assert DeepDistance.attempt(bind(flow, one, zero)).distance == 0
    nothing = sf.Dataset([[0, 0]], [0])
    assert not isinstance(
        DeepDistance.attempt(bind(flow, nothing, start)), DeepDistance
    )
