"""Two layers of an imbalance of two levels: against SciPy, NumPy and many digits."""

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import sympy

import symflow as sf
from symflow.convergence.mixed import MixedFlow
from symflow.flow.problem import bind
from symflow.solutions import MixedRiccati

ROTATED = np.array([[F(3, 5), F(-4, 5)], [F(4, 5), F(3, 5)]])
TURNED = np.array([[F(5, 13), F(-12, 13)], [F(12, 13), F(5, 13)]])
TARGET = [[3, 1], [1, 2]]


def exact_start(a, b, grown=(1, 1), idle=0):
    """Levels b² and −a²; mode k has gone on as if cosh were (u + 1/u)/2."""
    hidden = 2 * len(grown) + idle
    first = np.zeros((hidden, len(grown)), dtype=object)
    second = first.T.copy()
    for k, u in enumerate(map(F, grown)):
        cosh, sinh = (u + 1 / u) / 2, (u - 1 / u) / 2
        first[2 * k, k], first[2 * k + 1, k] = a * cosh, b * sinh
        second[k, 2 * k], second[k, 2 * k + 1] = a * sinh, b * cosh
    return first @ ROTATED, TURNED @ second


def squared(start):
    widths = start[0].shape[1], len(start[0]), len(start[1])
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())


def solution_of(data, start):
    found = MixedRiccati.attempt(bind(squared(start), data, start))
    assert isinstance(found, MixedRiccati), found
    return found


def integrated(target, kappa, first, second, times):
    """Return W at times by SciPy, from entries."""

    def speed(_, theta):
        a = theta[: first.size].reshape(first.shape)
        b = theta[first.size :].reshape(second.shape)
        pull = target - kappa * b @ a
        return np.concatenate([(b.T @ pull).ravel(), (pull @ a.T).ravel()])

    theta = np.concatenate([first.ravel(), second.ravel()])
    run = scipy.integrate.solve_ivp(
        speed, (0, times[-1]), theta, t_eval=times, rtol=1e-11, atol=1e-13
    )
    a = run.y[: first.size].T.reshape(-1, *first.shape)
    return run.y[first.size :].T.reshape(-1, *second.shape) @ a


@pytest.mark.parametrize("seed", range(100))
def test_random_starts_follow_the_integrated_flow(seed):
    rng = np.random.default_rng(seed)
    inputs, outputs, idle = (int(k) for k in rng.integers(1, 4, 3))
    hidden = inputs + outputs + idle - 1
    frame = np.linalg.qr(rng.standard_normal((hidden, inputs + outputs)))[0]
    sizes = 10.0 ** rng.uniform(-1.5, 0.5, 2)
    first, second = sizes[0] * frame[:, :inputs], sizes[1] * frame[:, inputs:].T
    target, kappa = rng.standard_normal((outputs, inputs)), rng.uniform(0.5, 2)
    if seed % 4 == 0:  # of rank one, or zero
        target = np.outer(target[:, 0], target[0]) * (seed % 8 > 0)
    data = sf.Moments(kappa * np.eye(inputs), target)
    solution = solution_of(data, (first, second))
    times = np.array([0.0, 0.2, 1.0, 3.0])
    run = integrated(target, kappa, first, second, times)
    assert solution.end_to_end(times) == pytest.approx(run, rel=1e-7, abs=1e-9)
    assert solution.limit == pytest.approx(target / kappa)


CASES = [
    ((1, 1), (1, 1), TARGET, 0),
    ((F(1, 10**6), F(1, 10**6)), (1, 1), TARGET, 1),
    ((1, 3), (2, 1000), [[1, 0], [0, 1]], 0),  # W(0) is large
    ((F(1, 100), 2), (F(1, 2), 1), [[1, 1], [1, 1]], 2),
    ((1, 2), (1, 3), [[F(1, 10**9), 0], [0, 50]], 0),
    ((1, 3), (2, 3), [[0, 0], [0, 0]], 0),  # W dies
    ((30, 30), (1, 1), TARGET, 0),  # lazy
]


@pytest.mark.parametrize(("levels", "grown", "target", "idle"), CASES)
@pytest.mark.parametrize("kappa", [1, F(1, 3)])
def test_exact_starts_agree_with_series_to_25_digits(
    levels, grown, target, idle, kappa
):
    start, data = (
        exact_start(*levels, grown, idle),
        sf.Moments(kappa * np.eye(2, dtype=int), target),
    )
    solution = solution_of(data, start)
    assert solution.status.value == "proved"
    times = [0, F(1, 10**6), F(1, 200), F(1, 10)]
    run = sf.precise(squared(start), data, start, times, digits=40)
    floats = solution.end_to_end(list(map(float, times)))
    for t, value, product in zip(times, floats, run.end_to_end, strict=True):
        size = abs(product).max() or 1
        assert abs(solution.precise(t, digits=25) - product).max() < 1e-25 * size
        assert abs(value - product).max() < 1e-12 * size


def test_the_first_derivatives_are_those_of_the_entries():
    """d⁰ to d⁵ of W at t = 0 by SymPy, entry by entry, against W(10⁻¹⁵)."""
    first, second = [[F(5, 4)], [F(3, 4)]], [[F(3, 4), F(5, 4)]]  # levels ±1
    theta = a, b, c, d = sympy.symbols("a b c d")
    pull = 3 - 2 * (a * c + b * d)
    speed = [c * pull, d * pull, a * pull, b * pull]
    at = dict(
        zip(theta, map(sympy.Rational, ("5/4", "3/4", "3/4", "5/4")), strict=True)
    )
    derived, total, t = a * c + b * d, 0, sympy.Rational(1, 10**15)
    for k in range(6):
        total += derived.subs(at) * t**k / sympy.factorial(k)
        derived = sum(derived.diff(x) * v for x, v in zip(theta, speed, strict=True))
    start = np.array(first), np.array(second)
    solution = solution_of(sf.Moments([[2]], [[3]]), start)
    value = solution.precise(F(1, 10**15), digits=85).item()
    with mpmath.workdps(100):
        assert abs(value - mpmath.mpf(total.p) / total.q) < mpmath.mpf("1e-80")


def test_late_times_neither_overflow_nor_lose_what_dies():
    solution = solution_of(sf.whitened(TARGET), exact_start(1, 1))
    assert np.array_equal(solution.end_to_end([1e3, 1e9]), [solution.limit] * 2)
    dies = solution_of(sf.whitened([[0, 0], [0, 0]]), exact_start(1, 3, (2, 3)))
    # with no target the mode obeys ẇ = −2w√(¼λ² + c² + w²): here to the first order
    late = dies.end_to_end([10.0, 11.0])
    assert late[1] / late[0] == pytest.approx(np.full((2, 2), np.exp(-10)), rel=1e-9)
    assert np.all(dies.end_to_end(1e5) == 0)
    with pytest.raises(sf.PrecisionLost, match="smaller than the weights"):
        dies.precise(10**5, digits=20)


def test_weights_and_generated_code_are_those_of_the_flow():
    start, data = exact_start(1, 2, (1, 3)), sf.whitened(TARGET)
    solution = solution_of(data, start)
    times = np.array([0.0, 0.5, 2.0])
    run = sf.simulate(squared(start), data, start, times, method=sf.DOP853(rtol=1e-13))
    for mine, theirs in zip(solution.weights(times), run.weights, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9)
    code = sf.compile(solution)
    assert code(times) == pytest.approx(solution.end_to_end(times), rel=1e-13)


def test_near_misses_are_refused():
    first, second = exact_start(1, 1)
    near = first.copy()
    near[0, 0] += F(1, 10**30)
    refused = MixedRiccati.attempt(
        bind(squared((near, second)), sf.whitened(TARGET), (near, second))
    )
    assert "two levels: fails" in str(refused)
    balanced = [[1, 0], [0, 1]], [[0, 1], [1, 0]]
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    refused = MixedFlow.attempt(bind(flow, sf.whitened(TARGET), balanced))
    assert "opposite sign: fails" in str(refused)
    scaled = sf.lambda_balanced_init(F(1, 2), 0.3, rng=1)
    refused = MixedFlow.attempt(bind(flow, sf.whitened(TARGET), scaled))
    assert "fails" in str(refused)
    decaying = sf.gradient_flow(sf.LinearNetwork(2, 4, 2), sf.SquaredLoss(l2=1))
    refused = MixedFlow.attempt(bind(decaying, sf.whitened(TARGET), (first, second)))
    assert "no weight decay" in str(refused)


def test_any_data_and_loss_keep_the_two_levels():
    start = exact_start(1, 2, (1, 3))
    one = start[0], start[1][:1]  # one output: the other row of W_2 is missing
    assert "fails" in str(
        MixedFlow.attempt(bind(squared(one), sf.whitened([[1, 2]]), one))
    )
    points = sf.Dataset([[1, 2], [3, 1], [0, 1]], [[1, 0], [2, 1], [1, 1]])
    (claim,) = (
        c for c in sf.companions(squared(start), points, start) if c.name == "MixedFlow"
    )
    assert claim.levels == (3, 4)
    run = sf.simulate(squared(start), points, start, [0, 0.5, 3])
    for product, second in zip(run.end_to_end, run.weights[1], strict=True):
        root = scipy.linalg.sqrtm(6.25 * np.eye(2) + product @ product.T)
        assert second @ second.T == pytest.approx(1.5 * np.eye(2) + root, rel=1e-8)
    hidden = [[1, 0], [0, 1], [0, 0]], [[0, 0, 2]]
    net = sf.LinearNetwork(2, 3, 1)
    for loss in (sf.LogisticLoss(), sf.ExponentialLoss()):
        flow, labels = (
            sf.gradient_flow(net, loss),
            sf.Dataset([[1, 2], [0, -3]], [1, -1]),
        )
        claim = MixedFlow.attempt(bind(flow, labels, hidden))
        assert claim.levels == (3, 4)
        run = sf.precise(flow, labels, hidden, [0, 1, 5], digits=20)
        assert sf.validate([claim], run).ok
        ball = sf.certify(claim, flow, labels, hidden, [1], digits=15)
        assert ball.status.value == "enclosed"


def test_drawn_starts_of_one_input_and_output_have_levels_to_all_digits():
    """N has two rows, and every such N obeys N² = λN + c²I."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 3, 1), sf.SquaredLoss())
    given = flow, sf.whitened([[2]]), sf.gaussian_init(0.5, rng=0)
    found = sf.companions(*given), sf.solve(*given, all=True)
    claims = [c for part in found for c in part if c.name.startswith("Mixed")]
    assert [claim.name for claim in claims] == ["MixedFlow", "MixedRiccati"]
    assert "lambda" in str(claims[0].statement)
    run = sf.precise(*given, [0, 1, 2], digits=30)
    assert sf.validate(claims, run, sf.simulate(*given, [0, 1, 2])).ok


def test_a_false_relation_is_noticed():
    start, data = exact_start(1, 1), sf.whitened(TARGET)
    claim = MixedFlow.attempt(bind(squared(start), data, start))
    other = exact_start(1, 1)[0] * F(10**12 + 1, 10**12), start[1]
    run = sf.precise(squared(start), data, other, [0, 1], digits=30)
    assert not sf.validate([claim], run).ok


def test_wide_gaussian_layers_come_near():
    """The relation of N, relative, falls as one over the root of the width."""
    rng = np.random.default_rng(1)
    gaps = []
    for hidden in (100, 10_000):
        first = rng.standard_normal((hidden, 2)) / hidden**0.5
        second = 2 * rng.standard_normal((2, hidden)) / hidden**0.5
        side = np.concatenate([first.T, second])
        signed = np.diag([-1, -1, 1, 1]) @ side @ side.T
        gaps.append(np.linalg.norm(signed @ signed - 3 * signed - 4 * np.eye(4)))
    assert 0.03 < gaps[1] / gaps[0] < 0.3
