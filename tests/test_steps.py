"""Gradient descent: the one-step lemma, the uniform theorem, the drift of D."""

from dataclasses import replace

import numpy as np
import pytest

import symflow as sf
from symflow.convergence import ImbalanceDrift, OneStep, UniformDescent
from symflow.convergence.step_constants import (
    LOWER,
    UPPER,
    Constants,
    LossInW,
    contraction,
)
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import bind


def instance(rng, widths=(3, 6, 2), samples=9):
    """Random data and start with α > 0."""
    gd = sf.gradient_descent(sf.LinearNetwork(*widths), sf.SquaredLoss())
    X = rng.standard_normal((samples, widths[0]))
    data = sf.Dataset(X, rng.standard_normal((samples, widths[-1])))
    start = [rng.standard_normal((6, widths[0])), rng.standard_normal((widths[-1], 6))]
    return gd, data, start


def test_rate_is_the_quartic_of_the_paper(rng):
    """1 − ηs is 1 − a₁η + a₂η² + a₃η³ + a₄η⁴ with the coefficients as printed."""
    gd, data, start = instance(rng)
    found = Constants.of(bind(gd.flow, data, start))
    reduction = least_squares(bind(gd.flow, data, start))
    K, mu, loss = found.largest, found.smallest, found.excess
    kappa, top = K / mu, UPPER * found.high
    p2 = np.linalg.norm(reduction.target) + (2 * loss) ** 0.5
    p2 /= mu**0.5
    a1 = 2 * LOWER * found.low * mu
    a2 = 2 * np.sqrt(2 * kappa * loss * mu**3) * p2 + kappa * mu**2 * top**2
    a3 = 2 * np.sqrt(2 * kappa**3 * loss * mu**5) * top * p2
    a4 = 2 * kappa**2 * mu**3 * p2**2 * loss
    for eta in (1e-4, 1e-2, 0.3):
        quartic = 1 - a1 * eta + a2 * eta**2 + a3 * eta**3 + a4 * eta**4
        assert 1 - eta * found.slope(eta) == pytest.approx(quartic, rel=1e-10)
    eta = found.largest_step
    slopes = (
        4 * UPPER * loss * K / (UPPER - 1),
        8 * UPPER * found.high * loss * K / ((1 - LOWER) * found.low),
    )
    met = (a2 + max(slopes)) * eta + a3 * eta**2 + a4 * eta**3
    assert met == pytest.approx(a1, rel=1e-9)


def test_eigenvalues_stay_within_the_constants_for_ever(rng):
    """At the largest step c₁α ≤ λ_min and λ_max ≤ c₂β along all iterates."""
    for _ in range(20):
        gd, data, start = instance(rng)
        constants = Constants.of(bind(gd.flow, data, start))
        eta = constants.largest_step
        run = sf.descend(gd, data, start, 100, step_size=eta)
        first, second = run.weights
        grams = np.swapaxes(first, 1, 2) @ first, second @ np.swapaxes(second, 1, 2)
        low, high = (sum(np.linalg.eigvalsh(g)[:, k] for g in grams) for k in (0, -1))
        assert np.all(low >= LOWER * constants.low)
        assert np.all(high <= UPPER * constants.high)


def test_one_step_lemma_against_the_definition(rng):
    """ρ as printed, entry by entry, for steps that satisfy the condition."""
    gd, data, start = instance(rng)
    problem = bind(gd.flow, data, start)
    moments = data.moments()
    eta = 0.003
    run = sf.descend(gd, data, start, 1, step_size=eta)
    W = start[1] @ start[0]
    G = W @ moments.sigma_xx - moments.sigma_yx
    operator = np.kron(start[1] @ start[1].T, np.eye(3))
    operator = operator + np.kron(np.eye(2), start[0].T @ start[0])
    low, high = np.linalg.eigvalsh(operator)[[0, -1]]
    mu, K = np.linalg.eigvalsh(moments.sigma_xx)[[0, -1]]
    g = np.linalg.norm(W, 2) * np.linalg.norm(G)
    rho = 1 - 2 * eta * mu * low + K * mu * eta**2 * high**2 + 2 * eta**2 * mu * g
    rho += 2 * eta**3 * mu * K * high * g + eta**4 * mu * K * g**2
    q = contraction(LossInW.of(problem), run.weights, eta)[0]
    assert 1 - 2 * eta * mu * q == pytest.approx(rho, rel=1e-12)
    excess = least_squares(problem).excess(run.end_to_end)
    assert excess[1] <= rho * excess[0]


def descent_bounds(gd, data, start, *, step_size):
    kinds = (OneStep, UniformDescent, ImbalanceDrift)
    found = sf.companions(gd, data, start, step_size=step_size)
    return [claim for claim in found if isinstance(claim, kinds)]


def test_imbalance_drift_is_quadratic_in_the_step(rng):
    """‖D_k − D_0‖ ≤ 2ηℒ(0) at fixed time, and halves with η."""
    gd, data, start = instance(rng)
    drifts = []
    for eta, steps in ((4e-3, 100), (2e-3, 200)):
        run = sf.descend(gd, data, start, steps, step_size=eta)
        (claim,) = (
            c
            for c in descent_bounds(gd, data, start, step_size=eta)
            if isinstance(c, ImbalanceDrift)
        )
        small, large = claim.sides(run)
        assert np.all(small <= large)
        assert small[-1] <= 2 * eta * run.loss[0]
        assert max(replace(claim, step=eta / 3).residuals(run)) > 0.1
        drifts.append(small[-1])
    assert drifts[0] / drifts[1] == pytest.approx(2, rel=0.05)


def test_bounds_on_descent_name_what_fails(rng):
    gd, data, start = instance(rng)
    claims = descent_bounds(gd, data, start, step_size=0.5)
    assert [claim.name for claim in claims] == ["OneStep", "ImbalanceDrift"]
    refusal = UniformDescent.attempt(bind(gd.flow, data, start), 0.5)
    assert "a small step: fails, η = 0.5, at most" in str(refusal)
    assert "a positive step: fails" in str(OneStep.attempt(bind(gd.flow, data, start)))
    run = sf.descend(gd, data, start, 20, step_size=1e-5)
    assert sf.validate(descent_bounds(gd, data, start, step_size=1e-5), run).ok
