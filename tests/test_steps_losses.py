"""Gradient descent on two layers under losses that are not the squared one."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.claims.claim import Refusal
from symflow.convergence import ImbalanceDrift, OneStep, UniformDescent
from symflow.convergence.reduced import reduced_start
from symflow.convergence.step_constants import (
    LOWER,
    UPPER,
    Constants,
    LossInW,
    contraction,
)
from symflow.flow.problem import bind

WIDTHS = (3, 5, 2)
KINDS = (OneStep, UniformDescent, ImbalanceDrift)


def measured(rng, count=12, noise=0.05, weights=None):
    """Measurements of a product of layers, and a start near these."""
    shapes = [(rows, columns) for columns, rows in pairwise(WIDTHS)]
    middle = weights or [rng.standard_normal(shape) for shape in shapes]
    A = rng.standard_normal((count, 2, 3))
    y = np.einsum("kij,ij->k", A, middle[1] @ middle[0])
    data = sf.Measurements(A, y + noise * rng.standard_normal(count))
    start = [weight + 0.05 * rng.standard_normal(weight.shape) for weight in middle]
    return sf.MeasurementLoss(), data, start


def weighted(rng, rank=3):
    """A squared loss with weights on the outputs, on inputs of some rank."""
    X, W, Y = (
        sympy.MatrixSymbol(name, *shape)
        for name, shape in {"X": (6, 3), "W": (2, 3), "Y": (6, 2)}.items()
    )
    C = sympy.Matrix([[3, 1], [1, 2]])
    R = X * W.T - Y
    loss = sf.CustomLoss(sympy.Trace(C * R.T * R) / 7)
    start = [rng.standard_normal((5, 3)), rng.standard_normal((2, 5))]
    inputs = rng.integers(-3, 4, (6, rank)) @ rng.integers(-2, 3, (rank, 3))
    targets = inputs @ (start[1] @ start[0]).T + 0.02 * rng.standard_normal((6, 2))
    return loss, sf.Dataset(inputs.astype(float), targets), start


def bound_of(loss, data, start):
    gd = sf.gradient_descent(sf.LinearNetwork(*WIDTHS), loss)
    return gd, bind(gd.flow, data, start)


def test_form_and_lemma_against_the_definition(rng):
    """H, b, μ, K and q of measurements, by NumPy alone."""
    loss, data, start = measured(rng)
    gd, problem = bound_of(loss, data, start)
    phi, W = data.A.reshape(len(data.y), -1), start[1] @ start[0]
    mu, K = np.linalg.eigvalsh(phi.T @ phi)[[0, -1]]
    found = reduced_start(problem)
    assert float(found.smallest) == pytest.approx(mu, rel=1e-12)
    assert float(found.largest) == pytest.approx(K, rel=1e-12)
    best = np.linalg.lstsq(phi, data.y, rcond=None)[0]
    excess = np.sum((phi @ (W.ravel() - best)) ** 2) / 2
    assert float(found.excess) == pytest.approx(excess, rel=1e-12)
    F = (phi.T @ (data.y - phi @ W.ravel())).reshape(2, 3)
    operator = np.kron(start[1] @ start[1].T, np.eye(3))
    operator = operator + np.kron(np.eye(2), start[0].T @ start[0])
    low, high = np.linalg.eigvalsh(operator)[[0, -1]]
    eta = 1e-4
    g = eta * np.linalg.norm(W, 2) * np.linalg.norm(F)
    run = sf.descend(gd, data, start, 1, step_size=eta)
    q = contraction(LossInW.of(problem), run.weights, eta)[0]
    assert q == pytest.approx(low - g - K * eta * (high + g) ** 2 / 2, rel=1e-10)
    (claim,) = (c for c in _claims(gd, data, start, eta) if isinstance(c, OneStep))
    after, allowed = claim.sides(run)
    assert allowed[0] == pytest.approx((1 - 2 * eta * mu * q) * excess, rel=1e-9)
    assert 0 < after[0] <= allowed[0]


def _claims(gd, data, start, eta):
    found = sf.companions(gd, data, start, step_size=eta)
    return [claim for claim in found if isinstance(claim, KINDS)]


@pytest.mark.parametrize("draw", [measured, weighted])
def test_eigenvalues_stay_and_the_loss_falls(rng, draw):
    """At the largest step the constants hold along all iterates, and so do bounds."""
    seen = 0
    for _ in range(10):
        loss, data, start = draw(rng)
        gd, problem = bound_of(loss, data, start)
        constants = Constants.of(problem)
        eta = constants.largest_step
        if not eta:
            continue
        seen += 1
        run = sf.descend(gd, data, start, 60, step_size=eta)
        first, second = run.weights
        grams = np.swapaxes(first, 1, 2) @ first, second @ np.swapaxes(second, 1, 2)
        low, high = (sum(np.linalg.eigvalsh(g)[:, k] for g in grams) for k in (0, -1))
        assert np.all(low >= LOWER * constants.low)
        assert np.all(high <= UPPER * constants.high)
        claims = _claims(gd, data, start, eta)
        assert {type(claim) for claim in claims} == set(KINDS)
        assert sf.validate(claims, run).ok
    assert seen > 5


def test_two_measurements_of_numbers_in_fractions():
    """w = ab with ℓ = ½(2w − 3)² + ½(w − 1)², iterated exactly."""
    data = sf.Measurements([[[2]], [[1]]], [3, 1])
    start = [[[Fraction(3, 2)]], [[Fraction(1)]]]
    gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.MeasurementLoss())
    problem = bind(gd.flow, data, start, exact=True)
    eta = Fraction(1, 128)
    answer = UniformDescent.attempt(problem, float(eta))
    assert not isinstance(answer, Refusal)
    assert answer.status is sf.Status.PROVED
    a, b, factor = Fraction(3, 2), Fraction(1), Fraction(answer.factor)
    excess = [Fraction(5, 2) * (a * b - Fraction(7, 5)) ** 2]
    for _ in range(6):
        pull = 5 * (Fraction(7, 5) - a * b)
        a, b = a + eta * pull * b, b + eta * pull * a
        excess.append(Fraction(5, 2) * (a * b - Fraction(7, 5)) ** 2)
    assert all(now <= factor * before for before, now in pairwise(excess))
    assert excess[1] > (1 - 12 * (1 - factor)) * excess[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda start: [0 * weight for weight in start],
        lambda start: [1e-8 * weight for weight in start],
        lambda start: [1e-3 * start[0], 1e3 * start[1]],
        lambda start: [np.eye(5, 3), np.eye(2, 5)],
        lambda start: [start[0], 0 * start[1]],
    ],
)
@pytest.mark.parametrize("count", [1, 4, 6, 12])
def test_degenerate_starts_and_measurements(rng, change, count):
    """Nothing is violated, and where the minimizers are many nothing is uniform."""
    loss, data, start = measured(rng, count)
    start = change(start)
    gd, problem = bound_of(loss, data, start)
    proven = Constants.of(problem).largest_step / 2 if count > 5 else 0
    pace = 1e-3 / max(1, *(np.sum(weight**2) for weight in start))
    for eta in (pace, pace / 1e3, proven or pace / 30):
        run = sf.descend(gd, data, start, 40, step_size=eta)
        claims = _claims(gd, data, start, eta)
        assert sf.validate(claims, run).ok
        assert {OneStep, ImbalanceDrift} <= {type(claim) for claim in claims}
        if count < 6:
            assert not any(isinstance(claim, UniformDescent) for claim in claims)


def test_inputs_that_are_not_seen_are_left_out(rng):
    """With inputs of rank 2 the spectrum is that of the seen part."""
    loss, data, start = weighted(rng, rank=2)
    _, problem = bound_of(loss, data, start)
    found = reduced_start(problem)
    assert (found.seen, found.rank.value, len(found.projector)) == (2, 4, 3)
    frame = np.linalg.svd(data.X)[2][:2].T
    assert abs(frame.T @ LossInW.of(problem).frame) @ np.ones(2) == pytest.approx(
        abs(frame.T @ LossInW.of(problem).frame).sum(axis=1)
    )
    assert np.linalg.norm(frame.T @ LossInW.of(problem).frame) == pytest.approx(2**0.5)


def test_what_is_not_known_is_refused_in_words(rng):
    W = sympy.MatrixSymbol("W", 2, 3)
    S, T = sympy.MatrixSymbol("Sigma_xx", 3, 3), sympy.MatrixSymbol("Sigma_yx", 2, 3)
    bent = sf.CustomLoss(sympy.Trace(W * S * W.T) - sympy.Trace(W.T * W))
    flat = sf.CustomLoss(sympy.Trace(W.T * T))
    row = sympy.Matrix([[1, 0]]) * W
    tilted = sf.CustomLoss(sympy.Trace(row * row.T) - sympy.Trace(W.T * T))
    quartic = sf.CustomLoss(sympy.Trace(W * S * W.T) ** 2)
    data = sf.Moments(np.diag([4, 2, Fraction(1, 3)]), np.ones((2, 3)))
    start = [rng.standard_normal((5, 3)), rng.standard_normal((2, 5))]
    for loss, words in (
        (bent, "convex in W: fails"),
        (flat, "rank 0"),
        (tilted, "not in the range"),
        (quartic, "a loss quadratic in W, without weight decay: fails"),
        (sf.CustomLoss(bent.expr, l2=0.1), "without weight decay: fails"),
    ):
        _, problem = bound_of(loss, data, start)
        assert words in str(OneStep.attempt(problem, 0.01))
    labels = sf.Dataset(rng.standard_normal((4, 3)), np.array([1, -1, 1, -1]))
    gd = sf.gradient_descent(sf.LinearNetwork(3, 5, 1), sf.LogisticLoss())
    problem = bind(gd.flow, labels, [start[0], start[1][:1]])
    refusal = str(OneStep.attempt(problem, 0.01))
    assert "a loss quadratic in W, without weight decay: fails, LogisticLoss" in refusal


@pytest.mark.parametrize("loss", [sf.LogisticLoss(), sf.ExponentialLoss()])
def test_the_imbalance_drifts_as_little_under_other_losses(rng, loss):
    data = sf.Dataset(rng.standard_normal((6, 3)), np.array([1, -1, 1, 1, -1, 1]))
    start = [rng.standard_normal((4, 3)) / 3, rng.standard_normal((1, 4)) / 3]
    gd = sf.gradient_descent(sf.LinearNetwork(3, 4, 1), loss)
    (claim,) = _claims(gd, data, start, 0.01)
    run = sf.descend(gd, data, start, 100, step_size=0.01)
    assert isinstance(claim, ImbalanceDrift)
    assert sf.validate([claim], run).ok
    small, large = claim.sides(run)
    gaps = [a @ a.T - b.T @ b for a, b in zip(*run.weights, strict=True)]
    assert small[-1] == pytest.approx(np.linalg.norm(gaps[-1] - gaps[0]), rel=1e-6)
    assert small[-1] > large[-1] / 1000
    assert max(replace(claim, step=1e-4).residuals(run)) > 0.1


def test_irrational_measurements_are_not_read():
    data = sf.Measurements([[[sympy.sqrt(2)]], [[2]]], [1, 1])
    gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.MeasurementLoss())
    refusal = OneStep.attempt(bind(gd.flow, data, [[[1]], [[1]]]), 0.01)
    assert "irrational" in str(refusal)
