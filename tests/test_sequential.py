"""Sequential learning beyond shared singular vectors, and in discrete time."""

from dataclasses import replace

import numpy as np
import pytest
from oracles.arrays import derivatives

import symflow as sf
from symflow.convergence import DescentCorridor, PerturbedModes, alignment_defect
from symflow.convergence.perturbed_modes import residual
from symflow.flow.problem import bind


def nearly_aligned(rng, size=1e-3, start=(0.1, 0.2)):
    """Data whose Σ_xx is off by `size` in the frame of Σ_yx, and a spectral start."""
    left, right, middle = (
        np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (2, 3, 3)
    )
    noise = rng.standard_normal((3, 3))
    noise = noise + noise.T - 2 * np.diag(np.diag(noise))
    inside = np.diag([1.0, 0.8, 1.5]) + size * noise
    strengths = np.diag([1.5, 1.1])
    data = sf.Moments(right @ inside @ right.T, left @ strengths @ right[:, :2].T)
    roots = np.sqrt(np.array(start))
    weights = [
        (middle[:, :2] * roots) @ right[:, :2].T,
        (left * roots) @ middle[:, :2].T,
    ]
    flow = sf.gradient_flow(sf.LinearNetwork(3, 3, 2), sf.SquaredLoss())
    return flow, data, weights


def test_closed_form_fails_the_flow_by_delta(rng):
    """f(θ⁰) − θ̇⁰ has exactly the norm δ(t) that the bound integrates."""
    flow, data, weights = nearly_aligned(rng, 0.05)
    claim = PerturbedModes.attempt(bind(flow, data, weights))
    modes, C = claim.modes, residual(claim.problem, claim.modes)
    assert np.linalg.norm(C) == pytest.approx(claim.size)
    step = 1e-5
    for t in (0.0, 0.7, 2.0):
        before, now, after = zip(
            *(layer for layer in claim.reference_weights([t - step, t, t + step])),
            strict=True,
        )
        slopes = [(b - a) / (2 * step) for a, b in zip(before, after, strict=True)]
        force = derivatives(list(now), data.sigma_xx, data.sigma_yx)
        gap = sum(np.sum((f - s) ** 2) for f, s in zip(force, slopes, strict=True))
        w = claim._strengths(np.array([t]))[0]
        parts = (w[:, None] ** 1.5) * C, (w[:, None] * C @ modes.right) * w**0.5
        delta = sum(np.sum(part**2) for part in parts)
        assert gap == pytest.approx(delta, rel=1e-5)


def test_two_layers_part_at_the_rate_where_nothing_is_lost():
    """From (w, w) to −(w, w)/3 the square R + B/2 vanishes, where λ_i = λ_1."""
    data = sf.Moments([[1, 1e-8], [1e-8, 1]], [[2, 0], [0, 1]])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    claim = PerturbedModes.attempt(bind(flow, data, [np.eye(2), np.eye(2)]))
    at, to = [np.eye(2)] * 2, [np.diag([-1 / 3, 1])] * 2
    both = [derivatives(w, data.sigma_xx, data.sigma_yx) for w in (at, to)]
    size = np.sqrt(2) * 4 / 3
    gaps = zip(to, at, both[1], both[0], strict=True)
    work = sum(np.sum((x - y) * (f - g)) for x, y, f, g in gaps) / size
    assert claim._growth(0, [size])[0] == pytest.approx(work, abs=1e-6)


def test_deviation_is_linear_in_the_residual_and_saturates(rng):
    """The bound is true, loose, and grows where the deviation has stopped to."""
    state, rows = rng.bit_generator.state, []
    times = np.linspace(0, 8, 9)
    for size in (1e-2, 1e-3):
        rng.bit_generator.state = state
        flow, data, weights = nearly_aligned(rng, size)
        claim = PerturbedModes.attempt(bind(flow, data, weights))
        run = sf.simulate(flow, data, weights, times, method=sf.DOP853(1e-11, 1e-13))
        small, large = claim.sides(run)
        assert np.all(small <= large)
        assert max(replace(claim, size=claim.size / 100).residuals(run)) > 1e-6
        rows.append((np.sqrt(small) / size, np.sqrt(large) / size))
    measured, bound = rows[1]
    assert rows[0][0][1:] == pytest.approx(measured[1:], rel=0.05)
    assert measured[-1] == pytest.approx(measured[-3], rel=0.01)
    assert bound[-1] > 3 * measured[-1]


def test_bound_is_infinite_where_it_explodes_and_then_claims_nothing(rng):
    flow, data, weights = nearly_aligned(rng, 0.3)
    claim = PerturbedModes.attempt(bind(flow, data, weights))
    bound = claim.bound(np.linspace(0, 20, 5))
    assert np.isinf(bound[-1])
    run = sf.simulate(flow, data, weights, np.linspace(0, 20, 5))
    assert max(claim.residuals(run)) == 0


def test_aligned_data_and_other_starts_are_refused(rng):
    flow, data, weights = nearly_aligned(rng, 0.0)
    refusal = PerturbedModes.attempt(bind(flow, data, weights))
    assert "a residual C that is not zero: fails" in str(refusal)
    turned = [weights[0], -weights[1]]
    refusal = PerturbedModes.attempt(bind(flow, data, turned))
    assert "w_i(0) > 0: fails" in str(refusal)


def test_alignment_defect_of_whitened_input_and_autoencoder(rng):
    X = rng.standard_normal((9, 3))
    assert alignment_defect(sf.Dataset(X, X)) < 1e-13
    assert alignment_defect(sf.whitened([[2.0, 1.0], [0.0, 1.0]])) < 1e-13
    assert alignment_defect(sf.Dataset(X, rng.standard_normal((9, 2)))) > 1e-3


def test_corridor_of_descent_and_its_mutant(rng):
    flow, data, weights = nearly_aligned(rng, 0.0, (1e-3, 2e-3))
    gd = sf.gradient_descent(flow.network, flow.loss)
    problem = bind(flow, data, weights)
    run = sf.descend(gd, data, weights, 80, step_size=0.1)
    claim = DescentCorridor.attempt(problem, 0.1)
    assert max(claim.residuals(run)) < 1e-12
    # the lower curve is near 2 ln(1 + ησ), so that a larger step is outside
    assert max(replace(claim, step=0.12).residuals(run)) > 0.01
    assert "0 < ησ₁ ≤ 1/2: fails" in str(DescentCorridor.attempt(problem, 0.4))


@pytest.mark.parametrize(
    ("delta", "expected"),
    [(10, [1.047, 2.071, 3.069, 3.993]), (40, [1.0, 2.0, 3.0, 4.0])],
)
def test_figure_one_of_gidel_et_al(delta, expected):
    """Trace norm of the autoencoder from W(0) = e^{−δ}I, and of the linear model."""
    eigenvalues, clock = np.array([4.0, 2.0, 1.0, 0.5]), [0, 0.18, 0.375, 0.75, 1.5]
    data = sf.Moments(np.diag(eigenvalues), np.diag(eigenvalues))
    flow = sf.gradient_flow(sf.LinearNetwork(4, 4, 4), sf.SquaredLoss())
    init = sf.spectral_init(float(np.exp(-delta / 2)))
    run = sf.simulate(flow, data, init, delta * np.array(clock))
    norms = np.linalg.svd(run.end_to_end, compute_uv=False).sum(axis=1)
    assert norms[1:] == pytest.approx(expected, abs=6e-4)
    linear = np.sum(1 - np.exp(-np.outer(clock, eigenvalues)), axis=1)
    assert linear[1:] == pytest.approx([1.066, 1.788, 2.567, 3.252], abs=6e-4)


@pytest.mark.parametrize("name", ["diabetes", "linnerud", "digits"])
def test_descent_on_real_data_stays_in_its_corridor(name):
    """Whitened inputs, and the autoencoder of the digits, whose moments commute."""
    data = sf.load_dataset(name)
    if name != "digits":
        data = data.whitened()
    X, Y = np.asarray(data.X, float), np.asarray(data.Y, float)
    inputs, outputs = X.shape[1], Y.shape[1]
    hidden = min(inputs, 61)  # the rank of the digits
    gd = sf.gradient_descent(
        sf.LinearNetwork(inputs, hidden, outputs), sf.SquaredLoss()
    )
    left, sigma, right = np.linalg.svd(Y.T @ X / len(X), full_matrices=False)
    step, steps, start = 1 / (8 * sigma[0]), 150, sf.spectral_init(1e-3)
    claims = sf.companions(gd, data, start, step_size=step)
    corridor = next(c for c in claims if c.name == "DescentCorridor")
    run = sf.descend(gd, data, start, steps, step_size=step)
    assert sf.validate([corridor], run).ok
    # the strongest mode by its own recurrence, and between the curves of its odds
    lam = right[0] @ X.T @ X @ right[0] / len(X)
    w = [1e-6]
    for _ in range(steps):
        w.append(w[-1] * (1 + step * (sigma[0] - lam * w[-1])) ** 2)
    seen = np.einsum("i,tij,j->t", left[:, 0], run.end_to_end, right[0])
    assert np.allclose(seen, w, rtol=1e-6)
    odds = np.array(w) * lam / (sigma[0] - lam * np.array(w))
    count = np.arange(steps + 1)
    assert np.all(odds >= odds[0] * (1 + step * sigma[0]) ** (2 * count) * (1 - 1e-9))
    assert np.all(odds <= odds[0] * (1 - 2 * step * sigma[0]) ** -count * (1 + 1e-9))
    learned = int(np.argmax(seen > sigma[0] / lam / 2))
    delta = np.log(1e3) - np.log(sigma[0] / lam) / -2
    assert learned * step / delta == pytest.approx(corridor.phase_times.min(), rel=0.2)
