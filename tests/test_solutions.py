"""The catalogue as a whole: proofs, refusals, agreement, and mutated formulas."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from oracles.mutations import mutations

import symflow as sf
from symflow.precision import precise
from symflow.solutions import SOLUTIONS, attempts
from symflow.solutions.sensitivity import amplification

TIMES = np.array([0.0, 0.1, 0.7, 1.5, 4.0, 12.0])


def _flow(*widths):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())


def _random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def _correlated():
    base = _random(3, 3, 3)
    return sf.Moments(base @ base.T + np.eye(3), _random(4, 2, 3))


@cache
def example(name):
    """An instance of every catalogued solution."""
    rotated = sf.spectral_init(0.4, rng=1)
    white, half = sf.whitened(_random(0, 2, 3)), Fraction(1, 2)
    if name == "LinearRegression":
        case = (_flow(3, 2), _correlated(), [_random(5, 2, 3)])
    elif name == "LogisticMode":
        case = (_flow(3, 4, 2), white, rotated)
    elif name == "HyperbolicMode":
        data = sf.Moments([[2, 0], [0, 1]], [[3, 0], [0, -1]])
        case = (_flow(2, 2, 2), data, ([[half, 0], [0, 1]], [[2, 0], [0, half]]))
    elif name == "DeepMode":
        case = (_flow(3, 2, 3, 2), white, rotated)
    elif name == "DecayingMode":
        flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 3, 2), sf.SquaredLoss(l2="1/8"))
        case = (flow, white, rotated)
    elif name == "RankOne":
        case = (_flow(3, 1, 2, 2), white, sf.rank_one_init(0.7, rng=4))
    elif name == "Riccati":
        init = sf.lambda_balanced_init(0.5, 0.3, rng=2)
        case = (_flow(3, 2, 4), sf.whitened(_random(1, 4, 3)), init)
    elif name == "SymmetricRiccati":
        flow = sf.gradient_flow(sf.SymmetricFactorization(3, 2), sf.SquaredLoss())
        data = sf.whitened([[2, 1, 0], [0, -1, 1], [1, 0, 3]])
        case = (flow, data, ([[half, 0], [1, -half], [half, 1]],))
    elif name == "HypentropyMode":
        data = sf.Moments([[2, 0, 0], [0, 1, 0], [0, 0, 1]], [[3, -1, 2]])
        start = ([[half], [1], [0]], [[Fraction(1, 5)], [-2], [half]])
        case = (sf.gradient_flow(sf.DiagonalNetwork(3), sf.SquaredLoss()), data, start)
    elif name == "DeepDiagonalMode":
        data = sf.Moments([[2, 0], [0, 1]], [[3, -1]])
        start = ([[half], [1]], [[half], [-2]], [[0], [3]])
        net = sf.DiagonalNetwork(2, 3)
        case = (sf.gradient_flow(net, sf.SquaredLoss()), data, start)
    elif name == "FourierMode":
        rows = [[4, 1, 1], [1, 4, 1], [1, 1, 4]]
        start = ([[half], [1], [0]], [[Fraction(1, 5)], [-2], [half]])
        flow = sf.gradient_flow(sf.ConvolutionalNetwork(3, (3, 3)), sf.SquaredLoss())
        case = (flow, sf.Moments(rows, [[3, -1, 2]]), start)
    elif name == "DeepFourierMode":
        rows = [[4, 1, 1], [1, 4, 1], [1, 1, 4]]
        shifted = ([[half], [1], [0]], [[1], [0], [half]], [[0], [half], [1]])
        flow = sf.gradient_flow(sf.ConvolutionalNetwork(3, (3,) * 3), sf.SquaredLoss())
        case = (flow, sf.Moments(rows, [[3, -1, 2]]), shifted)
    elif name == "OneSample":
        start = ([[half], [1]], [[Fraction(1, 5)], [-2], [half]])
        flow = sf.gradient_flow(sf.ConvolutionalNetwork(3, (2, 3)), sf.SquaredLoss())
        case = (flow, sf.Dataset([[1, 2, -1]], [3]), start)
    elif name == "MixedRiccati":
        start = ([[2, 0], [0, 2], [0, 0]], [[0, 0, 1]])
        case = (_flow(2, 3, 1), sf.whitened([[2, 1]]), start)
    else:
        pytest.fail(f"no example of {name}")
    found = sf.solve(*case, all=True)
    return next(sol for sol in found if sol.name == name), case


NAMES = [entry.__name__ for entry in SOLUTIONS]
every = pytest.mark.parametrize("name", NAMES)


@every
def test_the_residual_of_every_formula_is_exactly_zero(name):
    assert example(name)[0].verify() == 0


# both Riccati solutions have one formula and one proof
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "SymmetricRiccati"])
def test_every_formula_with_one_number_or_sign_changed_is_rejected(name):
    solution, _ = example(name)
    count = 0
    for place, formula in enumerate(solution.formulas):
        mutants = list(mutations(formula))
        for mutant in mutants[:: max(1, len(mutants) // 5)]:
            changed = list(solution.formulas)
            changed[place] = mutant
            assert solution.residual(*changed) != 0, mutant
            count += 1
    assert count >= 2


@every
def test_every_step_of_a_derivation_is_proved_and_prints_as_latex(name):
    steps = example(name)[0].derivation()
    assert len(steps) >= 2
    assert all(step.proved and step.latex for step in steps)


@every
def test_closed_forms_follow_the_integrated_flow(name):
    solution, case = example(name)
    run = sf.simulate(*case, TIMES, method=sf.DOP853(rtol=1e-13))
    # DOP853 at 1e-13 per step leaves 1e-11 over these times
    assert np.abs(solution.end_to_end(TIMES) - run.end_to_end).max() < 1e-10
    for mine, theirs in zip(solution.weights(TIMES), run.weights, strict=True):
        assert np.abs(mine - theirs).max() < 1e-10


@every
def test_closed_forms_agree_with_integration_to_forty_digits(name):
    solution, case = example(name)
    run = precise(*case, [Fraction(1, 3), 2], digits=45)
    # rounding is all that the hypotheses of a drawn start may miss
    report = sf.validate([solution], run)
    assert report.ok, report
    if solution.defect == 0:
        assert report.rows[0].residual < 1e-40


@every
def test_float_and_precise_values_agree_over_the_whole_range_of_times(name):
    solution, _ = example(name)
    for time in (0, 1e-6, 0.3, 5.0, 1e3, 1e8):
        sharp = solution.precise(time, digits=25).astype(float)
        gap = np.abs(solution.end_to_end(time) - sharp).max()
        assert gap <= 1e-12 * np.abs(sharp).max()


@every
def test_the_limit_is_where_the_trajectory_ends(name):
    solution, _ = example(name)
    far = solution.end_to_end(1e7)
    assert np.abs(far - solution.limit).max() <= 1e-6 * np.abs(far).max()


@every
def test_times_are_vectorized(name):
    solution, _ = example(name)
    grid = TIMES.reshape(2, 3)
    stacked = solution.end_to_end(grid)
    assert stacked.shape[:2] == (2, 3)
    assert np.allclose(stacked[1, 0], solution.end_to_end(1.5), rtol=1e-13, atol=0)


@every
def test_half_times_are_when_half_of_the_limit_is_reached(name):
    solution, _ = example(name)
    for mode, time in enumerate(solution.times.half):
        if 0 < time < np.inf:
            assert solution.progress(time)[mode] == pytest.approx(0.5, rel=1e-6)


def test_all_solutions_that_apply_agree():
    flow, data = _flow(3, 3, 3), sf.whitened(_random(8, 3, 3))
    found = sf.solve(flow, data, sf.spectral_init(0.2), all=True)
    assert [solution.name for solution in found] == [
        "LogisticMode",
        "HyperbolicMode",
        "Riccati",
    ]
    first, *others = (solution.end_to_end(TIMES) for solution in found)
    for other in others:
        assert np.abs(first - other).max() < 1e-13


def test_a_refusal_says_what_fails_and_by_how_much():
    flow, data = _flow(3, 3, 2), _correlated()
    with pytest.raises(sf.NoClosedForm) as caught:
        sf.solve(flow, data, sf.gaussian_init(rng=0))
    message = str(caught.value)
    assert "LinearRegression" in message
    assert "FourierMode (two convolutions with full" in message
    lines = message.splitlines()
    assert len(lines) < 15
    assert lines[1].startswith("  HyperbolicMode  ")  # one condition fails, not three
    assert max(map(len, lines[-5:])) < 100
    assert "whitened input: fails, ‖Σ_xx − κI‖ = " in message
    assert "squared loss" not in message  # what holds needs no words


def test_a_linear_autoencoder_learns_its_principal_components():
    """With Y = X the modes are w₀e^{2λt}/(1 + w₀(e^{2λt} − 1)), λ of Σ_xx = Σ_yx."""
    samples = _random(6, 8, 3) * [3.0, 1.0, 0.3]
    data = sf.Dataset(samples, samples)
    for network in (sf.LinearNetwork(3, 3, 3), sf.LinearNetwork(3, 2, 3)):
        flow, init = sf.gradient_flow(network, sf.SquaredLoss()), sf.spectral_init(0.1)
        solution = sf.solve(flow, data, init)
        assert solution.name == "LogisticMode"
        run = sf.simulate(flow, data, init, TIMES, method=sf.DOP853(rtol=1e-13))
        assert np.abs(solution.end_to_end(TIMES) - run.end_to_end).max() < 1e-10
        rank = network.widths[1]
        lam, vectors = np.linalg.eigh(samples.T @ samples / 8)
        grown = np.exp(2 * lam[::-1][:rank] * 1.5)
        expected = 0.01 * grown / (1 + 0.01 * (grown - 1))
        found = np.linalg.svd(solution.end_to_end(1.5), compute_uv=False)[:rank]
        assert np.allclose(found, expected, rtol=1e-12)
        top = vectors[:, ::-1][:, :rank]
        assert np.abs(solution.limit - top @ top.T).max() < 1e-10


def test_near_misses_are_refused_and_measured():
    flow, data = _flow(2, 2, 2), sf.whitened([[3, 0], [0, 1]])
    start = ([[0.1, 1e-5], [0, 0.1]], [[0.1, 0], [0, 0.1]])
    answer = next(a for a in attempts(flow, data, start) if a.name == "LogisticMode")
    failed = [h for h in answer.hypotheses if not h.holds]
    assert failed[0].words == "balanced initialization"
    assert 1e-6 < failed[0].defect < 1e-3


def _rotated_floats():
    """Return float data and a float start that are balanced and aligned to rounding."""
    angle = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    return sf.whitened(angle @ np.diag([3.0, 1.0])), (0.1 * np.eye(2), 0.1 * angle)


def test_exact_data_leave_no_defect_and_floats_a_tiny_one():
    flow, tenth = _flow(2, 2, 2), Fraction(1, 10)
    start = ([[tenth, 0], [0, tenth]], [[tenth, 0], [0, tenth]])
    assert sf.solve(flow, sf.whitened([[3, 0], [0, 1]]), start).defect == 0
    exact, *_ = (found := sf.solve(flow, *_rotated_floats(), all=True))[::-1]
    assert found[0].name == "LogisticMode"
    assert 0 < found[0].defect < 1e-14
    # the general form needs no common basis, and goes first as it holds exactly
    assert exact.name == "Riccati"
    assert exact.defect == 0
    assert sf.solve(flow, *_rotated_floats()).name == "Riccati"


def test_floats_that_hold_to_rounding_validate_at_fifty_digits():
    flow, (data, start) = _flow(2, 2, 2), _rotated_floats()
    run = precise(flow, data, start, [1, 3, 10], digits=50)
    found = sf.solve(flow, data, start, all=True)
    report = sf.validate(found, run)
    assert report.ok, report
    # without the slack the first would fail: its hypotheses hold to 1e-17 only
    assert 1e-20 < report.rows[0].residual < report.rows[0].bound < 1e-10


def test_the_amplification_bounds_what_a_perturbation_does():
    flow, data = _flow(2, 2, 2), sf.whitened([[3, 0], [0, 1]])
    solution = sf.solve(flow, data, sf.spectral_init(0.05))
    first, second = (weight.copy() for weight in solution.problem.weights)
    first[0, 1] += 1e-7 * 0.05
    moved = sf.simulate(
        flow, data, (first, second), TIMES, method=sf.DOP853(rtol=1e-13)
    ).end_to_end
    plain = solution.end_to_end(TIMES)
    gaps = np.abs(moved - plain).max(axis=(1, 2)) / np.abs(plain).max(axis=(1, 2))
    assert np.all(gaps <= 1e-7 * amplification(solution, TIMES))


def test_a_generator_is_read_once():
    flow, data = _flow(2, 3, 2), sf.whitened([[3, 0], [0, 1]])
    rng = np.random.default_rng(0)
    solution = sf.solve(flow, data, sf.spectral_init(0.1), rng=rng)
    assert np.array_equal(solution.end_to_end(1.0), solution.end_to_end(1.0))


@pytest.mark.parametrize("time", [sf.oo, np.nan, [0, np.inf], "x", 1j])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_time_that_is_no_finite_number_is_refused(depth, time):
    """The logistic mode gave NaN for it, and a deep one never came back."""
    flow, data = _flow(*[2] * (depth + 1)), sf.whitened([[3, 0], [0, 0]])
    start = sf.gaussian_init(1, rng=0) if depth == 1 else sf.spectral_init(0.5)
    for solution in sf.solve(flow, data, start, all=True):
        with pytest.raises(sf.InvalidArgument, match="time has to be"):
            solution.end_to_end(time)
