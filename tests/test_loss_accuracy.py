"""The float64 loss does not cancel: it is right far below the rounding of Σ_yy."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.codegen.objective import Objective
from symflow.flow.problem import bind

exactly = np.vectorize(Fraction, otypes=[object])
UNITS = {"alike": [1.0, 1.0, 1.0], "unlike": [2.0**27, 1.0, 2.0**-20]}
DISTANCES = (1.0, 1e-5, 1e-9, 1e-11)


def teacher(n, units, seed=0):
    """Samples whose targets are exactly linear in them, in floats too."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-99, 100, (n, 3)) / 16 * units
    W = rng.integers(-99, 100, (2, 3)) / 8 / np.array(units)
    return X, X @ W.T, W


def true_loss(X, Y, W, reduction="mean"):
    rest = exactly(Y) - exactly(X) @ exactly(W).T
    return (rest * rest).sum() / 2 / (len(X) if reduction == "mean" else 1)


def relative(value, true):
    return abs(Fraction(float(value)) - true) / true


def value(data, W, loss=None):
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2), loss or sf.SquaredLoss())
    return sf.simulate(flow, data, [W], [0]).loss[0]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_near_a_minimum_of_realizable_data(n, units, reduction):
    X, Y, W = teacher(n, UNITS[units])
    exact = sf.Dataset(exactly(X), exactly(Y)).moments()
    rng = np.random.default_rng(1)
    for distance in DISTANCES:
        near = W * (1 + distance * rng.standard_normal(W.shape))
        if n < 3:  # far away where no input tells
            free = np.linalg.svd(X / UNITS[units])[2][-1] / UNITS[units]
            near = near + 5 * free * (n == 1 or units == "alike")
        true = true_loss(X, Y, near, reduction)
        for data in (sf.Dataset(X, Y), exact):
            found = value(data, near, sf.SquaredLoss(reduction))
            assert relative(found, true) < 1e-13 / distance + 1e-14


@pytest.mark.parametrize("units", UNITS)
def test_data_with_noise_have_their_least_loss(units):
    X, Y, W = teacher(8, UNITS[units])
    Y = Y + np.random.default_rng(2).integers(-9, 10, Y.shape) / 4
    data = sf.Dataset(X, Y)
    for matrix in (W, 0 * W, W * (1 + 1e-7)):
        true = true_loss(X, Y, matrix)
        assert relative(value(data, matrix), true) < 1e-13
        assert relative(value(data.exactly.moments(), matrix), true) < 1e-13


@pytest.mark.parametrize("decay", [0, sympy.Rational(1, 4)])
def test_weight_decay_is_added(decay):
    X, Y, W = teacher(5, UNITS["alike"])
    found = value(sf.Dataset(X, Y), W, sf.SquaredLoss(l2=decay))
    sizes = (exactly(W) ** 2).sum()
    assert abs(found - float(Fraction(str(decay)) / 2 * sizes)) <= 1e-13 * found + 1e-24


def test_the_minimizer_itself_has_a_loss_of_second_order():
    for seed in range(5):
        X, Y, W = teacher(7, UNITS["alike"], seed)
        scale = float((Y * Y).sum())
        for data in (sf.Dataset(X, Y), sf.Dataset(X, Y).exactly.moments()):
            assert 0 <= value(data, W) < 1e-28 * scale


def test_whitened_targets_of_floats_are_explained():
    target = np.random.default_rng(0).standard_normal((2, 3))
    data = sf.whitened(target)
    near = target * (1 + 1e-11)
    true = ((exactly(near) - exactly(target)) ** 2).sum() / 2
    assert relative(value(data, near), true) < 1e-3
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2), sf.SquaredLoss())
    assert sf.precise(flow, data, [target], [0, 1], digits=30).loss[1] < 1e-58
    assert value(sf.Moments(data.sigma_xx, data.sigma_yx, data.sigma_yy), near) >= 0


def test_irrational_and_singular_moments_have_their_least_loss():
    root = sympy.sqrt(2)
    data = sf.Moments([[2, 0], [0, 0]], [[root, 0]], [[3]])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss())
    best = np.array([[np.sqrt(0.5), 7.0]])
    assert sf.simulate(flow, data, [best], [0]).loss[0] == pytest.approx(1, rel=1e-15)


def test_without_the_constant_the_loss_is_that_of_the_moments():
    data = sf.Moments([[2.0]], [[3.0]])
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    assert sf.simulate(flow, data, [[[1.0]]], [0]).loss[0] == -2.0


def test_many_starts_and_saved_runs_have_the_same_loss(tmp_path):
    X, Y, W = teacher(6, UNITS["alike"])
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
    near = W * (1 + 1e-10)
    stacks = [np.stack([near, W + 1]), np.stack([np.eye(2)] * 2)]
    runs = sf.ensemble(flow, sf.Dataset(X, Y), stacks, [0, 1e-9])
    for start, matrix in enumerate((near, W + 1)):
        true = true_loss(X, Y, matrix)
        assert relative(runs.loss[start, 0], true) < 1e-3
        assert relative(runs[start].loss[0], true) < 1e-3
    for data in (sf.Dataset(X, Y), sf.whitened(W)):
        run = sf.simulate(flow, data, [near, np.eye(2)], [0, 1])
        for name in ("run.npz", "run.json"):
            read = sf.load(sf.save(run, tmp_path / name))
            assert np.array_equal(read.loss, run.loss)


def test_losses_on_samples_are_those_of_the_formula():
    X, W = np.array([[0.5], [-2.0]]), sympy.MatrixSymbol("W", 1, 1)
    x = sympy.MatrixSymbol("X", 2, 1)
    data = sf.Dataset(X, [1.0, -1.0])
    margins = np.array([1.5, 6.0])
    cases = {
        sf.LogisticLoss(): np.log1p(np.exp(-margins)).mean(),
        sf.ExponentialLoss("sum"): np.exp(-margins).sum(),
        sf.CustomLoss(sympy.Trace(x.T * x * W.T * W)): (9 * X**2).sum(),
    }
    for loss, expected in cases.items():
        flow = sf.gradient_flow(sf.LinearNetwork(1, 1), loss)
        objective = Objective(bind(flow, data, [[[3.0]]]))
        assert objective([np.array([[3.0]])]) == pytest.approx(expected, rel=1e-14)


LEVELS = (1e-3, 1e-15, 1e-18, 1e-21, 1e-25)


def test_a_level_far_below_rounding_is_met_when_it_is():
    X = np.round(16 * np.random.default_rng(0).standard_normal((20, 3))) / 16
    data = sf.Dataset(X, X @ [1.0, 2.0, 3.0])
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    start = [[[0.25, 0.0, 0.5], [0.0, -0.25, 0.25]], [[0.5, 0.25]]]
    run = sf.simulate(flow, data, start, [17], events=map(sf.LossBelow, LEVELS))
    times = [run.stats[f"loss below {level:g}"][0] for level in LEVELS]
    assert times == sorted(times)
    sharp = sf.precise(flow, data, start, times, digits=25)
    for level, loss in zip(LEVELS, sharp.loss, strict=True):
        assert abs(loss / level - 1) < 0.05


@pytest.mark.parametrize("loss", [sf.LogisticLoss(), sf.ExponentialLoss("sum")])
def test_a_level_of_a_loss_on_samples(loss):
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), loss)
    data = sf.Dataset([1.0, -2.0], [1.0, -1.0])
    start = [[[1.0]], [[1.0]]]
    run = sf.simulate(flow, data, start, [3], events=[sf.LossBelow(0.1)])
    (time,) = run.stats["loss below 0.1"]
    sharp = sf.precise(flow, data, start, [time], digits=20)
    assert abs(sharp.loss[0] - 0.1) < 1e-8


def test_moments_of_nearly_dependent_inputs():
    tiny = Fraction(1, 2**17)
    X = np.array([[1, 1], [1, 1 + tiny], [0, tiny]], dtype=object)
    W = np.array([[3.0, -2.0]])
    moments = sf.Dataset(X, X @ exactly(W).T).moments()
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss())
    assert sf.simulate(flow, moments, [W], [0]).loss[0] < 1e-28
