"""The tangent kernel, how far it drifts, and starts that attain the bracket."""

from dataclasses import replace

import numpy as np
import pytest
from oracles.arrays import tangent_kernel
from oracles.flows import operator_smallest

import symflow as sf
from symflow.convergence import (
    KernelCeiling,
    KernelDrift,
    KernelFloor,
    PathLength,
    tight_start,
)
from symflow.convergence.kernel_spectrum import operator_drift, spectrum
from symflow.flow.imbalance import imbalance_levels
from symflow.flow.problem import bind


def test_kernel_is_the_gram_matrix_of_the_jacobian(rng):
    """K = JJᵀ with J by central differences."""
    X = rng.standard_normal((3, 2))
    weights = [rng.standard_normal(s) for s in ((3, 2), (2, 3), (2, 2))]

    def outputs(theta):
        layers, at = [], 0
        for weight in weights:
            layers.append(theta[at : at + weight.size].reshape(weight.shape))
            at += weight.size
        return (X @ np.linalg.multi_dot(layers[::-1]).T).ravel()

    theta = np.concatenate([weight.ravel() for weight in weights])
    shifts = 1e-5 * np.eye(len(theta))
    J = np.array([outputs(theta + s) - outputs(theta - s) for s in shifts]).T / 2e-5
    assert tangent_kernel(weights, X) == pytest.approx(J @ J.T, rel=1e-7, abs=1e-8)


def test_kernel_eigenvalues_are_between_those_of_its_factors(rng):
    X = rng.standard_normal((4, 3))
    weights = [rng.standard_normal((5, 3)), rng.standard_normal((2, 5))]
    values = np.linalg.eigvalsh(tangent_kernel(weights, X))
    nonzero = values[values > 1e-9]
    small, large = np.linalg.eigvalsh(X.T @ X)[[0, -1]]
    ends = [
        np.linalg.eigvalsh(w.T @ w if k == 0 else w @ w.T)
        for k, w in enumerate(weights)
    ]
    assert nonzero.size == 6
    assert nonzero[0] >= small * sum(e[0] for e in ends) * (1 - 1e-12)
    assert nonzero[-1] <= large * sum(e[-1] for e in ends) * (1 + 1e-12)


def near(rng):
    """A start near its target, the flow and a trajectory."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 5, 2), sf.SquaredLoss())
    start = [rng.standard_normal((5, 2)), rng.standard_normal((2, 5))]
    data = sf.whitened(start[1] @ start[0] + 0.05 * rng.standard_normal((2, 2)))
    return bind(flow, data, start), sf.simulate(flow, data, start, np.linspace(0, 3, 9))


def test_spectrum_and_drift_against_explicit_operators(rng):
    problem, run = near(rng)
    low, _ = spectrum(problem, run)
    assert low[4] == pytest.approx(operator_smallest([w[4] for w in run.weights]))
    operators = [
        np.kron(b @ b.T, np.eye(2)) + np.kron(np.eye(2), a.T @ a)
        for a, b in zip(*run.weights, strict=True)
    ]
    explicit = [np.linalg.norm(op - operators[0], 2) for op in operators]
    assert operator_drift(run) == pytest.approx(explicit, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "field", "factor"),
    [
        (PathLength, "radius", 0.02),
        (KernelFloor, "floor", 10),
        (KernelCeiling, "top", 0.1),
        (KernelDrift, "drift", 0.01),
    ],
)
def test_claims_hold_and_their_mutants_fail(rng, kind, field, factor):
    problem, run = near(rng)
    claim = kind.attempt(problem)
    assert max(claim.residuals(run)) == 0
    mutant = replace(claim, **{field: factor * getattr(claim, field)})
    assert max(mutant.residuals(run)) > 1e-3
    assert str(claim.statement)


def test_tight_starts_attain_the_bracket(rng):
    for _ in range(50):
        r, m = rng.permutation([1, 2, 3, 4])[:2]
        positive = np.sort(rng.uniform(0.1, 3, r))[::-1]
        negative = np.sort(rng.uniform(0.1, 3, m))[::-1]
        strengths = np.sort(rng.uniform(0.1, 3, min(r, m)))[::-1]
        first, second = tight_start(positive, negative, strengths)
        D = first @ first.T - second.T @ second
        spectrum_of_D = np.linalg.eigvalsh(D)[::-1]
        expected = np.concatenate([positive, -negative[::-1]])
        assert spectrum_of_D == pytest.approx(expected, abs=1e-12)
        values = np.linalg.svd(second @ first, compute_uv=False)
        assert values == pytest.approx(strengths)
        sigma = np.append(strengths, np.zeros(4))
        bracket = imbalance_levels(D, r, m).bracket(sigma[m - 1], sigma[r - 1])
        grams = first.T @ first, second @ second.T
        least = 2 * sum(np.linalg.eigvalsh(gram)[0] for gram in grams)
        assert least == pytest.approx(float(bracket), rel=1e-10, abs=1e-12)
    with pytest.raises(sf.InvalidArgument, match="needs r ≠ m"):
        tight_start([1.0], [1.0], [1.0])
