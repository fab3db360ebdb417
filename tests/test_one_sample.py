"""One sample and any quadratic model, against pairs of singular vectors in NumPy."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import symflow as sf
from symflow.bias import OneSampleDirection, OneSampleLimit
from symflow.flow.one_sample import excitation, quadratic_forms
from symflow.flow.problem import bind
from symflow.solutions import OneSample

SHAPES = [(2, 2), (3, 3), (2, 3), (3, 1), (1, 1), (4, 2)]
TIMES = [0, 0.3, 2, 9]


def rotation(rng, size):
    """Return an orthogonal matrix of fractions: reflections along integer vectors."""
    total = np.array(np.eye(size, dtype=int), dtype=object)
    for _ in range(2):
        v = rng.integers(-2, 3, size).astype(object)
        v[0] += 3
        gram = F(2, int(v @ v)) * np.multiply.outer(v, v)
        total = total - gram @ total
    return total


def problem(seed):
    """Return a tensor, a sample and a start; every kind of degeneracy in turn."""
    rng = np.random.default_rng(seed)
    k1, k2 = SHAPES[seed % len(SHAPES)]
    p = min(k1, k2)
    left, right = rotation(rng, k1), rotation(rng, k2)
    sizes = [F(int(s), 2) for s in np.sort(rng.integers(1, 6, p))[::-1]]
    kind = ("plain", "equal", "zero", "y = 0", "below", "aligned", "opposed", "rest")[
        (seed // len(SHAPES)) % 8
    ]
    if kind == "equal":
        sizes = [F(2)] * p
    if kind == "zero":
        sizes[-1] = F(0) if p > 1 else F(1)
    y = F(0) if kind == "y = 0" else F(int(rng.integers(1, 5)), 2)
    y = -y if seed % 2 else y
    a = np.array([F(int(n), 3) for n in rng.integers(1, 5, k1)], dtype=object)
    b = np.array([F(int(n), 4) for n in rng.integers(-3, 4, k2)], dtype=object)
    side = 1 if y >= 0 else -1
    if kind == "below" and p > 1:  # orthogonal to the top pair on the side of y
        b[0] = -side * a[0]
        sizes[0] = sizes[1] + 1
    if kind in ("aligned", "opposed"):
        b[:] = 0
        b[:p] = (side if kind == "aligned" else -side) * a[:p]
    if kind == "rest":
        b[:] = 0
    M = left[:, :p] @ np.diag(sizes) @ right[:, :p].T
    x = np.array([F(1), F(-2)], dtype=object)
    other = rng.integers(-2, 3, (k1, k2)).astype(object)
    tensor = np.stack([M + 2 * other, other])  # M(x) = M_1 - 2 M_2
    return kind, tensor, x, y, (left @ a)[:, None], (right @ b)[:, None]


def case(seed, loss=None, label=None):
    kind, tensor, x, y, v1, v2 = problem(seed)
    net = sf.TensorNetwork(tensor)
    data = sf.Dataset([list(x)], [y if label is None else label])
    return kind, sf.gradient_flow(net, loss or sf.SquaredLoss()), data, (v1, v2)


def singular(tensor, x, v1, v2):
    """Return s, the two frames and the components, in float64."""
    M = np.tensordot(x.astype(float), tensor.astype(float), (0, 0))
    U, s, Vt = np.linalg.svd(M)
    p = len(s)
    return (
        s,
        U,
        Vt.T,
        (U.T @ v1.astype(float).ravel())[:p],
        (Vt @ v2.astype(float).ravel())[:p],
    )


def rotated(tensor, x, v1, v2, xi):
    """Return both weights, rotated hyperbolically by s_jξ."""
    s, U, V, a, b = singular(tensor, x, v1, v2)
    p = len(s)
    ch, sh = np.cosh(s * xi), np.sinh(s * xi)
    first = v1.astype(float).ravel() + U[:, :p] @ (a * (ch - 1) + b * sh)
    second = v2.astype(float).ravel() + V[:, :p] @ (b * (ch - 1) + a * sh)
    return first, second


@pytest.mark.parametrize("seed", range(100))
def test_trajectory_and_limit_are_those_of_singular_pairs(seed):
    kind, tensor, x, y, v1, v2 = problem(seed)
    _, flow, data, start = case(seed)
    s, _, _, a, b = singular(tensor, x, v1, v2)
    M, target = np.tensordot(x.astype(float), tensor.astype(float), (0, 0)), float(y)
    up, down = np.max(s * (a + b) ** 2) > 1e-20, np.max(s * (a - b) ** 2) > 1e-20
    leads = (up or target <= 0) and (down or target >= 0) and (up or down)
    problem_ = bind(flow, data, start)
    answer = OneSample.attempt(problem_)
    assert isinstance(answer, OneSample) == leads, (kind, answer)
    assert isinstance(OneSampleLimit.attempt(problem_), OneSampleLimit) == leads
    if not leads:
        assert "excites a direction" in str(answer)
        return

    def rhs(_, z):
        first, second = z[: len(v1)], z[len(v1) :]
        force = target - first @ M @ second
        return np.concatenate([force * (M @ second), force * (M.T @ first)])

    z0 = np.concatenate([v1, v2]).astype(float).ravel()
    run = solve_ivp(rhs, (0, 9), z0, "DOP853", TIMES, rtol=1e-12, atol=1e-13)
    found = np.concatenate([w[..., 0] for w in answer.weights(TIMES)], axis=-1)
    assert np.allclose(found, run.y.T, rtol=1e-8, atol=1e-8)

    def misfit(xi):
        first, second = rotated(tensor, x, v1, v2, xi)
        return first @ M @ second - target

    xi = brentq(misfit, -12 / s[0], 12 / s[0], xtol=1e-15)
    first, second = rotated(tensor, x, v1, v2, xi)
    wanted = np.einsum("iab,a,b->i", tensor.astype(float), first, second)
    bias = OneSampleLimit.attempt(problem_)
    for limit in (answer.limit, bias.limit):
        assert np.allclose(limit[0], wanted, rtol=1e-9, atol=1e-10)
    assert bias.kkt_residual(bias.limit) == 0
    assert bias.kkt_residual(wanted[None] + 0.1) > 1e-3


@pytest.mark.parametrize("label", [1, -1])
@pytest.mark.parametrize("seed", range(48))
def test_classification_ends_in_the_top_pairs_that_are_excited(seed, label):
    kind, tensor, x, _, v1, v2 = problem(seed)
    _, flow, data, start = case(seed, sf.ExponentialLoss(), label)
    s, U, V, a, b = singular(tensor, x, v1, v2)
    lead = np.where(abs(a + label * b) > 1e-10, s, 0)
    answer = OneSampleDirection.attempt(bind(flow, data, start))
    assert isinstance(answer, OneSampleDirection) == bool(np.max(lead) > 0), kind
    if not np.max(lead) > 0:
        return
    top = np.flatnonzero(abs(lead - np.max(lead)) < 1e-10)
    amounts = (a + label * b)[top]
    first, second = U[:, top] @ amounts, label * V[:, top] @ amounts
    wanted = np.einsum("iab,a,b->i", tensor.astype(float), first, second)
    assert np.allclose(answer.limit[0], wanted / np.linalg.norm(wanted), atol=1e-12)
    assert np.isclose(answer.margin, np.max(lead))


def test_thirty_digits_agree_with_integration_and_with_balls():
    for seed in (0, 8, 13, 26, 44):
        _, flow, data, start = case(seed)
        answer = OneSample.attempt(bind(flow, data, start))
        run = sf.precise(flow, data, start, [F(1, 10), 2], digits=35)
        for index, time in enumerate((F(1, 10), 2)):
            gap = abs(answer.precise(time, digits=35) - run.end_to_end[index]).max()
            assert gap < 1e-32
    ball = sf.enclose(flow, data, start, [2], digits=40)
    assert ball.contains(answer.precise(2, digits=60))
    assert ball.excludes(answer.precise(2, digits=60) * (1 + F(1, 10**30)))


def test_the_curve_solves_the_equations_of_sympy_entry_by_entry():
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(3, (2, 3)), sf.SquaredLoss())
    data, start = sf.Dataset([[1, 2, -1]], [3]), ([[1], [2]], [[0], [-1], [1]])
    answer = sf.solve(flow, data, start)
    found, xi = excitation(answer.problem, 40), sympy.Symbol("xi")
    z = sympy.symbols("a0:2 b0:3")
    tensor = flow.network.as_tensor()
    f = sum(
        int(tensor[i, j, k]) * x * z[j] * z[2 + k]
        for i, x in enumerate((1, 2, -1))
        for j in range(2)
        for k in range(3)
    )
    grown = [
        sum(
            sympy.Float(str(q), 40) * c * sympy.exp(sympy.Float(str(theta), 40) * xi)
            for q, c, theta in zip(
                row, map(sympy.sympify, found.amounts), found.theta, strict=True
            )
        )
        for row in found.basis
    ]
    here = sympy.Rational(1, 7)
    point = dict(zip(z, (part.subs(xi, here) for part in grown), strict=True))
    for variable, part in zip(z, grown, strict=True):
        pushed = -sympy.diff((3 - f) ** 2 / 2, variable).subs(point)
        moved = part.diff(xi).subs(xi, here) * (3 - f).subs(point)
        assert abs(pushed - 2 * moved) < 1e-35  # ξ is that of x/2


@pytest.mark.parametrize(
    "net",
    [
        sf.LinearNetwork(2, 3, 1),
        sf.DiagonalNetwork(2, 2, signed=True),
        sf.HadamardDifference(2),
        sf.ConvolutionalNetwork(2, (1, 2)),
        sf.ConvolutionalNetwork(2, (2, 2)),
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_quadratic_model_of_one_output_is_covered(net, reduction):
    flow = sf.gradient_flow(net, sf.SquaredLoss(reduction))
    data, start = sf.Dataset([[1.0, -2.0]], [0.7]), sf.gaussian_init(0.8, rng=3)
    answer = OneSample.attempt(bind(flow, data, start))
    run = sf.simulate(flow, data, start, [0, 1, 4], rtol=1e-11, atol=1e-12)
    assert np.allclose(answer.end_to_end([0, 1, 4]), run.end_to_end, atol=1e-8)
    assert np.max(answer.residuals(run)) < 1e-8
    assert sf.validate([answer, OneSampleLimit.attempt(answer.problem)], run).ok


def test_what_is_not_one_sample_or_not_quadratic_is_refused():
    start = ([[1], [2]], [[0], [1]])
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.SquaredLoss())
    two = sf.Dataset([[1, 2], [1, F(2) + F(1, 10**20)]], [1, 1])
    assert not isinstance(OneSample.attempt(bind(flow, two, start)), OneSample)
    again = sf.Dataset([[1, 2], [-2, -4]], [1, -2])
    assert isinstance(OneSample.attempt(bind(flow, again, start)), OneSample)
    torn = sf.Dataset([[1, 2], [1, 2]], [1, 2])  # one sample with the mean target
    found = OneSample.attempt(bind(flow, torn, start))
    assert np.allclose(found.limit @ [1, 2], 1.5)
    nothing = sf.Dataset([[0, 0]], [1])
    assert not isinstance(OneSample.attempt(bind(flow, nothing, start)), OneSample)
    deep = sf.gradient_flow(sf.DiagonalNetwork(2, 3), sf.SquaredLoss())
    assert quadratic_forms(bind(deep, again, (*start, start[0]))) is None


def test_a_part_of_1e60_of_the_top_pair_decides_where_numbers_are_exact():
    tiny = F(1, 10**60)
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.ExponentialLoss())
    data = sf.Dataset([[F(2), F(1)]], [F(1)])
    for part, wanted in ((F(0), [0, 1]), (tiny, [1, 0])):
        start = ([[part], [F(1)]], [[F(0)], [F(0)]])
        bias = OneSampleDirection.attempt(bind(flow, data, start))
        assert np.allclose(bias.limit, [wanted])
    rounded = ([[1e-17], [1.0]], [[0.0], [0.0]])
    assert not isinstance(
        OneSampleDirection.attempt(bind(flow, data, rounded)), OneSampleDirection
    )
    near = sf.Dataset([[1 + F(1, 10**40), F(1)]], [F(1)])
    start = ([[F(1)], [F(1)]], [[F(0)], [F(0)]])
    assert np.allclose(
        OneSampleDirection.attempt(bind(flow, near, start)).limit, [[1, 0]]
    )


def test_a_drawn_start_does_not_hide_that_two_singular_values_differ():
    """1 and 1 + 10⁻⁴⁰ are no tie, √2 + √3 and √(5 + 2√6) are not known to be one."""
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.ExponentialLoss())
    start = sf.gaussian_init(1, rng=2)
    near = sf.Dataset([[F(1), 1 + F(1, 10**40)]], [F(1)])
    bias = OneSampleDirection.attempt(bind(flow, near, start))
    assert np.allclose(bias.limit, [[0, 1]])
    tied = sf.Dataset([[F(1), F(1)]], [F(1)])
    bias = OneSampleDirection.attempt(bind(flow, tied, start))
    assert np.min(abs(bias.limit)) > 0.001
    one, other = sympy.sqrt(2) + sympy.sqrt(3), sympy.sqrt(5 + 2 * sympy.sqrt(6))
    irrational = sf.Dataset([[one, other]], [1])
    refusal = OneSampleDirection.attempt(bind(flow, irrational, start))
    assert "digits do not tell" in str(refusal)
