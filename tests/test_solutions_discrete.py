"""Gradient descent by modes, and the limit of vanishing initialization."""

from __future__ import annotations

import numpy as np
import pytest

import symflow as sf
from symflow.convergence import descend, reduced_rank_solutions
from symflow.solutions import solve


def _flow(*widths):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())


def _descend(weights, sigma_xx, sigma_yx, step, count):
    """Run gradient descent on the layers themselves."""
    weights = [weight.copy() for weight in weights]
    path = []
    for number in range(count + 1):
        total = np.linalg.multi_dot(weights[::-1]) if len(weights) > 1 else weights[0]
        path.append(total)
        force = sigma_yx - total @ sigma_xx
        steps = []
        for layer in range(len(weights)):
            after, before = np.eye(len(weights[layer])), np.eye(force.shape[1])
            for weight in weights[layer + 1 :]:
                after = weight @ after
            for weight in weights[:layer]:
                before = weight @ before
            steps.append(after.T @ force @ before.T)
        if number < count:
            weights = [w + step * s for w, s in zip(weights, steps, strict=True)]
    return np.stack(path)


@pytest.mark.parametrize("widths", [(3, 3, 2), (2, 3, 3, 2), (3, 3, 4, 3, 3)])
def test_descent_on_the_layers_follows_the_recurrence_of_its_modes(widths):
    target = np.random.default_rng(0).normal(size=(widths[-1], widths[0]))
    start = sf.spectral_init(0.6, rng=1)
    solution = solve(_flow(*widths), sf.whitened(target), start)
    modes, depth = solution.modes, len(widths) - 1
    left, right, sigma, begin = (
        np.array(part, dtype=float)
        for part in (modes.left, modes.right, modes.sigma, modes.start)
    )
    path = _descend(solution.problem.weights, np.eye(widths[0]), target, 0.05, 100)
    for u, v, push, first in zip(left.T, right.T, sigma, begin, strict=True):
        said = descend(first, 100, step=0.05, sigma=push, depth=depth)
        assert np.abs(said - u @ path @ v).max() < 1e-12


def _jumping():
    return sf.Moments(np.diag([4.0, 1.0, 2.0]), np.diag([2.0, 1.43, 0.5]))


def _path(data, *widths):
    return sf.saddle_to_saddle(_flow(*widths), data)


def test_the_path_of_modes_is_the_limit_of_the_flow():
    """Against the closed form: the distance is the one that the path says."""
    steps = _path(_jumping(), 3, 3, 3)
    clock = np.array([0.2, 0.45, 0.55, 0.65, 0.75, 1.5, 2.3])
    distances = []
    for delta in (20, 40, 80):
        start = (np.exp(-delta) * np.eye(3), np.exp(-delta) * np.eye(3))
        path = solve(_flow(3, 3, 3), _jumping(), start).end_to_end(delta * clock)
        seen = np.abs(path - steps.coefficients(clock)).max(axis=(1, 2))
        said = steps.distance(np.exp(-delta), clock) * np.max(steps.limit)
        assert seen == pytest.approx(said, rel=1e-4, abs=1e-6)
        distances.append(seen.max())
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-2


def test_the_path_visits_reduced_rank_regressions_only_in_the_right_order():
    ordered = sf.Moments(np.diag([1.0, 2.0]), np.diag([3.0, 1.0]))
    for data, same in ((ordered, True), (_jumping(), False)):
        size = len(data.sigma_xx)
        saddles, best = _path(data, *[size] * 3).saddles, reduced_rank_solutions(data)
        assert np.allclose(saddles[1].astype(float), best[1], atol=1e-12) == same
