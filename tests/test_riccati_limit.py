"""Where Riccati equations end: integrations, degenerate starts, digits, mutants."""

from dataclasses import replace
from fractions import Fraction as F

import numpy as np
import pytest
import scipy.integrate
import sympy

import symflow as sf
from symflow.bias import RiccatiLimit
from symflow.flow.problem import bind
from symflow.flow.riccati import block_of, ending

ROTATED = np.array([[F(3, 5), F(-4, 5)], [F(4, 5), F(3, 5)]])
TURNED = np.array([[F(5, 13), F(-12, 13)], [F(12, 13), F(5, 13)]])
HALF = F(1, 2)


def flow_of(network, l2):
    return sf.gradient_flow(network, sf.SquaredLoss(l2=l2))


def attempt(flow, data, init):
    return RiccatiLimit.attempt(bind(flow, data, init))


def frame(rng, rows, columns):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


@pytest.mark.parametrize("seed", range(100))
def test_random_balanced_starts_end_in_a_soft_threshold(seed):
    """The largest, as many as there are units, by NumPy and by SciPy."""
    rng = np.random.default_rng(seed)
    inputs, units, outputs = (int(k) for k in rng.integers(1, 5, 3))
    count = min(inputs, units, outputs)
    inner, size = frame(rng, units, count), rng.uniform(0.3, 1.5, count)
    first = inner * size @ frame(rng, inputs, count).T
    second = frame(rng, outputs, count) * size @ inner.T
    target, kappa = rng.standard_normal((outputs, inputs)), float(rng.uniform(0.5, 2))
    l2 = F(round(float(rng.uniform(0, 1)), 3)).limit_denominator(1000)
    given = sf.Moments(kappa * np.eye(inputs), target), (first, second)
    bias = attempt(flow_of(sf.LinearNetwork(inputs, units, outputs), l2), *given)
    left, sigma, right = np.linalg.svd(target, full_matrices=False)
    square = inputs == outputs <= units and sigma[-1] > float(l2)
    if square and np.linalg.det(target) * np.linalg.det(second @ first) < 0:
        assert "not told from zero" in str(bias)  # rests in a saddle
        return
    kept = np.maximum(sigma - float(l2), 0) * (np.arange(len(sigma)) < units) / kappa
    assert bias.limit == pytest.approx(left * kept @ right, abs=1e-9)

    def speed(_, theta):
        a, b = theta[: first.size].reshape(first.shape), theta[first.size :]
        b = b.reshape(second.shape)
        pull = target - kappa * b @ a
        moved = b.T @ pull - float(l2) * a, pull @ a.T - float(l2) * b
        return np.concatenate([part.ravel() for part in moved])

    theta = np.concatenate([first.ravel(), second.ravel()])
    run = scipy.integrate.solve_ivp(
        speed, (0, 400), theta, rtol=1e-9, atol=1e-12, method="LSODA"
    )
    a, b = run.y[: first.size, -1], run.y[first.size :, -1]
    end = b.reshape(second.shape) @ a.reshape(first.shape)
    gaps = np.abs(np.subtract.outer([*sigma, float(l2)], [*sigma, float(l2)]))
    if gaps[gaps > 0].min() > 0.05 and len(sigma) > 0:
        assert bias.limit == pytest.approx(end, abs=1e-6)


def turned_target(*sigma):
    return TURNED @ np.diag(sigma) @ ROTATED.T


def along(*amplitudes):
    """Return W_1, W_2 of one unit with so much of both modes of `turned_target`."""
    row = np.array(amplitudes)
    return (ROTATED @ row)[None], (TURNED @ row)[:, None]


@pytest.mark.parametrize(
    ("sigma", "amplitudes", "end"),
    [
        ((3, 1), (1, 1), (F(5, 2), 0, 0)),  # the greater one takes the unit
        ((3, 1), (F(1, 10**30), 1), (F(5, 2), 0, 0)),
        ((3, 1), (0, 1), (0, F(1, 2), 0)),
        ((3, 3), (1, 2), (F(1, 2), 2, 1)),  # equal ones share it
        ((3 + F(1, 10**30), 3), (1, 2), (F(5, 2), 0, 0)),
        ((3, HALF), (0, 1), (0, 0, 0)),  # σ = l2 dies
        ((HALF + F(1, 10**30), 0), (1, 1), (F(1, 10**30), 0, 0)),
        ((3, 1), (0, 0), (0, 0, 0)),
    ],
)
def test_one_unit_is_decided_in_fractions(sigma, amplitudes, end):
    data, start = sf.whitened(turned_target(*sigma)), along(*amplitudes)
    flow = flow_of(sf.LinearNetwork(2, 1, 2), HALF)
    bias = attempt(flow, data, start)
    first, second, mixed = map(float, end)
    goal = TURNED.astype(float) @ [[first, mixed], [mixed, second]] @ ROTATED.T
    assert bias.limit == pytest.approx(goal.astype(float), rel=1e-12, abs=1e-42)
    assert bias.status.value == "proved"


B = [[1, 0, 2], [0, 1, 1], [1, 1, 0]]
TARGET = [[3, 1, 0], [0, 2, 1], [1, 0, 1]]


@pytest.mark.parametrize(("units", "l2"), [(1, HALF), (3, HALF), (2, F(0))])
def test_irrational_modes_agree_with_integration_to_30_digits(units, l2):
    start = B[:units], np.transpose(B[:units]).tolist()
    flow, data = flow_of(sf.LinearNetwork(3, units, 3), l2), sf.whitened(TARGET)
    bias = attempt(flow, data, start)
    assert bias.status.value == "proved"
    late = sf.precise(flow, data, start, [0, 80], digits=36)
    found = block_of(bias.problem, bias._lifted(late))
    assert abs(found - late.end_to_end[-1]).max() < 1e-30
    assert sf.validate([bias], late).ok
    if l2:
        assert sf.implicit_bias(flow, data, start).name == "RiccatiLimit"
        proven = sf.certify(bias, flow, data, start, sf.oo, digits=15)
        assert proven.status.value == "enclosed"
    solution = sf.solve(flow, data, start)
    assert solution.limit == pytest.approx(bias.limit, abs=1e-13)


def test_a_start_without_a_part_of_one_mode_never_learns_it():
    """Modes (3 ± √5)/2 are reached, and that of σ = 1 is not."""
    target = [[1, 1, 0], [1, 2, 0], [0, 0, 1]]  # its modes are 1 and (3 ± √5)/2
    data, flow = sf.whitened(target), flow_of(sf.LinearNetwork(3, 2, 3), HALF)
    start = [[1, 1, 0], [1, 0, 0]], [[1, 1], [1, 0], [0, 0]]
    bias = attempt(flow, data, start)
    # both of the upper block, and nothing of the third, though σ = 1 > l2
    upper = np.array(target, dtype=float)[:2, :2]
    values, vectors = np.linalg.eigh(upper)
    goal = np.zeros((3, 3))
    goal[:2, :2] = vectors * np.maximum(values - 0.5, 0) @ vectors.T
    assert bias.limit == pytest.approx(goal, abs=1e-12)
    assert bias.status.value == "proved"
    ball = sf.enclose(flow, data, start, [4], digits=20)
    assert abs(ball.midpoints.end_to_end[-1][2]).max() == 0


@pytest.mark.parametrize("l2", [HALF, F(0)])
def test_a_tied_factor_keeps_what_is_positive(l2):
    network = sf.SymmetricFactorization(2, 2)
    data = sf.whitened([[2, 1], [0, -1]])
    bias = sf.implicit_bias(flow_of(network, l2), data, ([[1, 0], [2, 1]],))
    assert bias.name == "RiccatiLimit"
    values, vectors = np.linalg.eigh([[2, 0.5], [0.5, -1]])
    kept = np.maximum(values - float(l2) / 2, 0)
    assert bias.limit == pytest.approx(vectors * kept @ vectors.T, abs=1e-12)
    run = sf.simulate(bias.problem.flow, data, ([[1, 0], [2, 1]],), [0, 1, 60])
    assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-7)
    assert sf.validate([bias], run).ok


def test_what_would_jump_is_refused_for_floats():
    flow = flow_of(sf.LinearNetwork(2, 1, 2), HALF)
    data = sf.whitened([[3.0, 0.0], [0.0, 3.0]])
    for target, row in (
        (data, [[1.0, 2.0]]),
        (sf.whitened(np.diag([3.0, 1])), [[0.0, 1.0]]),
    ):
        refusal = attempt(flow, target, (row, np.transpose(row)))
        assert "it is known which modes the start reaches: fails" in str(refusal)
    both = flow_of(sf.LinearNetwork(2, 2, 2), HALF)
    rows = np.array([[1.0, 2.0], [0.5, -1.0]])
    whole = attempt(both, data, (rows, rows.T))  # equal ones, both reached
    assert whole.limit == pytest.approx(np.diag([2.5, 2.5]), abs=1e-12)
    assert whole.status.value == "verified"
    unbalanced = attempt(
        both, sf.whitened([[3, 1], [0, 2]]), ([[1, 1], [0, 2]], [[1, 0], [1, 1]])
    )
    assert "fails" in str(unbalanced)


def test_one_unit_on_rational_and_irrational_modes():
    """One vector on irrational modes and on a rational one: the greatest takes it."""
    target = [[1, 1, 0], [1, 2, 0], [0, 0, 1]]
    data, flow = sf.whitened(target), flow_of(sf.LinearNetwork(3, 1, 3), HALF)
    bias = attempt(flow, data, ([[1, 0, 1]], [[1], [0], [1]]))
    assert bias.limit[2].any() is np.False_
    assert len(ending(bias.problem).rates) == 1


def test_entry_by_entry_the_limit_is_a_critical_point():
    target, half = turned_target(3, 1), sympy.Rational(1, 2)
    flow = flow_of(sf.LinearNetwork(2, 1, 2), half)
    bias = attempt(flow, sf.whitened(target), along(1, 1))
    a, b, c, d = names = sympy.symbols("a:d")
    gap = sympy.Matrix(target.tolist()) - sympy.Matrix([c, d]) * sympy.Matrix([[a, b]])
    J = (gap.T * gap).trace() / 2 + half * sum(x**2 for x in names) / 2
    size = sympy.sqrt(sympy.Rational(5, 2))
    values = [size * sympy.Rational(x) for x in (*ROTATED[:, 0], *TURNED[:, 0])]
    at = dict(zip(names, values, strict=True))
    assert not any(sympy.simplify(J.diff(x).subs(at)) for x in names)
    W = np.outer(values[2:], values[:2]).astype(float)
    assert bias.limit == pytest.approx(W, abs=1e-12)


def test_the_limit_of_another_decay_or_start_is_refuted():
    flow, data = (
        flow_of(sf.LinearNetwork(2, 1, 2), HALF),
        sf.whitened([[3, 1], [0, 2]]),
    )
    start = [[1, 2]], [[1], [2]]
    run = sf.simulate(flow, data, start, [0, 1, 4, 60])
    bias = attempt(flow, data, start)
    assert sf.validate([bias], run).ok
    more = attempt(flow_of(sf.LinearNetwork(2, 1, 2), F(5, 2)), data, start)
    assert not sf.validate([more], run).ok
    other = replace(
        bias,
        problem=bias.problem.started_at((np.array([[1, 0]]), np.array([[1], [0]]))),
    )
    assert other.limit == pytest.approx(bias.limit, abs=1e-12)  # any such start
    assert (
        sf.certify(more, flow, data, start, sf.oo, digits=12).status.value == "refuted"
    )


def test_the_sign_of_the_determinant_keeps_a_mode_at_zero():
    """Singular values √(7 ± √13): at l2 = 2 the smaller one dies anyway."""
    target, mirrored = [[3, 1], [0, 2]], [[1, 2], [3, -1]]
    for units in (2, 3):
        rows = np.array([*mirrored, [1, 1]][:units])
        for swap in (1, -1):
            start = rows, (rows * [1, swap]).T
            for l2, kept in ((HALF, 1 if swap < 0 else 2), (F(2), 1)):
                flow = flow_of(sf.LinearNetwork(2, units, 2), l2)
                bias = attempt(flow, sf.whitened(target), start)
                left, values, right = np.linalg.svd(target)
                goal = left * (values - float(l2)) * (np.arange(2) < kept) @ right
                assert bias.limit == pytest.approx(goal, abs=1e-12)


def test_a_unit_is_spent_on_the_greater_of_two_modes():
    """The first unit has both 3 and 2, the second one only 1: 2 is never learned."""
    first = np.array([[1, 1, 0], [0, 0, 1]])
    flow = flow_of(sf.LinearNetwork(3, 2, 3), HALF)
    bias = attempt(flow, sf.whitened(np.diag([3, 2, 1]).tolist()), (first, first.T))
    assert bias.limit == pytest.approx(np.diag([2.5, 0, 0.5]), abs=1e-12)
    assert bias.status.value == "proved"
