"""Diagonal and decomposable networks: every start and scale, by other routes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import symflow as sf
from symflow.precision import precise
from symflow.solutions import attempts

HALF = Fraction(1, 2)


def flow_of(net):
    return sf.gradient_flow(net, sf.SquaredLoss())


def columns(array):
    return [np.array(column, dtype=object).reshape(-1, 1) for column in array]


def agree(net, data, start, t, digits):
    """Hold the closed form against the Taylor integration, values and weights."""
    flow = flow_of(net)
    solution = sf.solve(flow, data, start)
    run = precise(flow, data, start, [t], digits=digits)
    value = solution.precise(t, digits=digits)[0]
    context = value[0].context
    truth = [context.mpf(x) for x in run.end_to_end[0, 0]]
    size = max(1, max(abs(x) for x in truth))
    assert max(abs(a - b) for a, b in zip(value, truth, strict=True)) < (
        size * context.mpf(10) ** (5 - digits)
    )
    for mine, theirs in zip(solution.weights(float(t)), run.weights, strict=True):
        assert mine == pytest.approx(theirs[0].astype(float), abs=1e-12 * float(size))
    return solution


tenths = st.integers(-30, 30).map(lambda k: Fraction(k, 10))
data_of_one = st.tuples(tenths, st.integers(1, 20).map(lambda k: Fraction(k, 10)))


@settings(max_examples=6)
@given(mode=data_of_one, start=st.lists(tenths, min_size=4, max_size=4))
@pytest.mark.parametrize("kind", ["product", "squares", "difference"])
def test_depth_two_agrees_with_integration_from_every_start(kind, mode, start):
    sigma, lam = mode
    data = sf.Moments([[lam]], [[sigma]])
    net = {
        "product": sf.DiagonalNetwork(1, 2),
        "squares": sf.HadamardDifference(1),
        "difference": sf.DiagonalNetwork(1, 2, signed=True),
    }[kind]
    weights = columns([[w] for w in start[: net.depth]])
    agree(net, data, weights, Fraction(7, 10), 32)


@settings(max_examples=4)
@given(
    mode=data_of_one,
    depth=st.integers(3, 5),
    start=st.lists(tenths, min_size=5, max_size=5, unique_by=abs),
)
def test_deep_products_agree_with_integration_from_generic_starts(mode, depth, start):
    sigma, lam = mode
    data = sf.Moments([[lam]], [[sigma]])
    agree(
        sf.DiagonalNetwork(1, depth),
        data,
        columns([[w] for w in start[:depth]]),
        Fraction(3, 10),
        32,
    )


@settings(max_examples=4)
@given(
    mode=data_of_one,
    depth=st.integers(3, 6),
    sides=st.tuples(*[st.integers(1, 20).map(lambda k: Fraction(k, 10))] * 2),
)
def test_deep_differences_agree_with_integration(mode, depth, sides):
    sigma, lam = mode
    data = sf.Moments([[lam]], [[sigma]])
    net = sf.DiagonalNetwork(1, depth, signed=True)
    weights = columns([[sides[0]]] * depth + [[sides[1]]] * depth)
    agree(net, data, weights, Fraction(1, 5), 32)


@pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, 1)])
def test_balanced_deep_products_rise_or_fade(signs):
    data = sf.Moments([[1]], [[2]])
    weights = columns([[sign * HALF] for sign in signs])
    solution = agree(sf.DiagonalNetwork(1, 3), data, weights, 2, 32)
    assert solution.limit[0, 0] == (2.0 if np.prod(signs) > 0 else 0.0)


NETS = {
    "product": sf.DiagonalNetwork(3, 2),
    "squares": sf.HadamardDifference(3),
    "deep": sf.DiagonalNetwork(3, 3),
    "deep difference": sf.DiagonalNetwork(3, 3, signed=True),
}


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e6])
@pytest.mark.parametrize("name", NETS)
def test_floats_keep_twelve_digits_over_scales_and_times(name, scale):
    data = sf.Moments(np.diag([1.0, 0.5, 2.0]), [[3.0, -1.0, 0.25]])
    net = NETS[name]
    shape = {"product": [1, 0], "deep": [1, 1.5, 0]}.get(name, [1] * net.depth)
    start = [np.full((3, 1), scale * factor) for factor in shape]
    solution = sf.solve(flow_of(net), data, start)
    for time in (1e-9, 9.2, 1e8):
        sharp = solution.precise(time, digits=20)
        truth = np.array([float(x) for x in sharp[0]])
        gap = np.abs(solution.end_to_end(time)[0] - truth)
        # where a coefficient has passed from a huge start to its limit, digits of the
        # start are gone; everywhere else each coordinate is right on its own
        assert np.all(gap <= 1e-12 * np.maximum(np.abs(truth), 1e-300)), (time, truth)


@pytest.mark.parametrize("signed", [False, True])
def test_floats_follow_a_long_wait_and_a_fast_escape(signed):
    """β leaves zero within a part of 1e-5 of the wait; t is given to 1e-16."""
    net, data = sf.DiagonalNetwork(1, 3, signed=signed), sf.Moments([[1.0]], [[3.0]])
    shape = [1] * 6 if signed else [1, 1, 0]
    solution = sf.solve(flow_of(net), data, [np.full((1, 1), 1e-5 * k) for k in shape])
    (wait,) = solution.times.half
    for time in wait * np.array([1 + 1e-6, 1.0002]):
        truth = solution.precise(time, digits=20)[0, 0]
        assert abs(solution.end_to_end(time)[0, 0] - truth) <= 1e-12 * abs(truth), time


def test_the_smallest_starts_that_floats_can_write():
    data = sf.Moments([[1.0]], [[2.0]])
    start = [np.full((1, 1), 1e-200)] * 2
    solution = sf.solve(flow_of(sf.HadamardDifference(1)), data, start)
    # β = u² grows with the rate 4σ until it is of order one
    wait = float(sympy.log(10**400)) / 8
    assert solution.end_to_end(wait - 3)[0, 0] < 1e-9
    assert solution.end_to_end(wait + 6)[0, 0] == pytest.approx(2.0, abs=1e-15)


def decomposable(rng, depth, rows):
    """A tensor of orthonormal factors and orthogonal rows S, and its parts."""
    factors = [
        np.linalg.qr(rng.standard_normal((4, 4)))[0][:, :3] for _ in range(depth)
    ]
    letters = "abc"[:depth]
    pattern = f"ji,{','.join(f'{x}j' for x in letters)}->i{letters}"
    return np.einsum(pattern, rows, *factors), factors


@pytest.mark.parametrize("depth", [2, 3])
def test_decomposable_tensors_follow_their_diagonal_network(rng, depth):
    """The amplitudes U_lᵀv_l obey a diagonal network on the inputs Sx."""
    rows = np.diag([2.0, 1.0, 0.5]) @ np.linalg.qr(rng.standard_normal((5, 5)))[0][:3]
    tensor, factors = decomposable(rng, depth, rows)
    net, target = sf.TensorNetwork(tensor), rng.standard_normal((1, 5))
    start = [rng.standard_normal((4, 1)) for _ in range(depth)]
    data = sf.Moments(np.eye(5), target)
    solution = sf.solve(flow_of(net), data, start)
    run = sf.simulate(
        flow_of(net), data, start, [0, 0.4, 2.0], method=sf.DOP853(rtol=1e-12)
    )
    assert solution.end_to_end(run.t) == pytest.approx(run.end_to_end, abs=1e-9)
    for mine, theirs in zip(solution.weights(run.t), run.weights, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9)
    # to 30 digits against the diagonal network with the same amplitudes
    inner = sf.Moments(np.diag(np.diag(rows @ rows.T)), target @ rows.T)
    amplitudes = [U.T @ v for U, v in zip(factors, start, strict=True)]
    twin = sf.solve(flow_of(sf.DiagonalNetwork(3, depth)), inner, amplitudes)
    assert solution.end_to_end(0.4)[0] == pytest.approx(
        twin.end_to_end(0.4)[0] @ rows, abs=1e-12
    )


@pytest.mark.parametrize("depth", [2, 3])
def test_exact_tensors_agree_with_integration_to_thirty_digits(depth):
    """A signed permutation of a diagonal tensor is decomposable in exact numbers."""
    tensor = np.zeros((2,) * (depth + 1), dtype=int)
    tensor[(0, 1, 0, 1)[: depth + 1]], tensor[(1, 0, 1, 0)[: depth + 1]] = 2, -1
    data = sf.Moments([[1, 0], [0, 2]], [[3, -1]])
    start = columns([[HALF, 1], [2, Fraction(1, 3)], [Fraction(3, 2), -3]])[:depth]
    solution = agree(sf.TensorNetwork(tensor), data, start, 1, 35)
    assert solution.defect == 0


def test_refusals_say_which_hypothesis_fails(rng):
    correlated = sf.Moments([[2.0, 0.3], [0.3, 1.0]], [[1.0, 1.0]])
    start = [np.ones((2, 1))] * 2
    flow = flow_of(sf.DiagonalNetwork(2, 2))
    with pytest.raises(sf.NoClosedForm, match=r"Σ_xx off the diagonal: 0\.15"):
        sf.solve(flow, correlated, start)
    data = sf.Moments([[1, 0], [0, 1]], [[1, 2]])
    deep = flow_of(sf.DiagonalNetwork(2, 3))
    tied = columns([[1, 1], [1, 2], [2, 2]])
    with pytest.raises(sf.NoClosedForm, match="not so in coordinate 1"):
        sf.solve(deep, data, tied)
    generic = sf.TensorNetwork(rng.standard_normal((2, 2, 2)))
    names = {
        answer.name: answer
        for answer in attempts(flow_of(generic), data, [np.ones((2, 1))] * 2)
    }
    assert "decomposable network of 2 factors: fails" in str(names["HypentropyMode"])
    with pytest.raises(sf.InvalidData, match="outside the range"):
        sf.solve(flow, sf.Moments([[1, 0], [0, 0]], [[1, 2]]), start)


def test_a_coordinate_that_the_data_do_not_see_stays():
    data = sf.Moments([[1, 0], [0, 0]], [[2, 0]])
    for depth in (2, 3):
        start = columns([[1, HALF]] * (depth - 1) + [[0, 3]])
        solution = sf.solve(flow_of(sf.DiagonalNetwork(2, depth)), data, start)
        rest = 3 * 0.5 ** (depth - 1)
        assert solution.end_to_end(5.0)[0, 1] == pytest.approx(rest, rel=1e-15)
        assert solution.limit[0].tolist() == pytest.approx([2.0, rest])


@settings(max_examples=6)
@given(
    d=st.integers(1, 5),
    numbers=st.lists(tenths, min_size=15, max_size=15),
)
def test_convolutions_agree_with_integration_from_every_start(d, numbers):
    row = [Fraction(6), *(Fraction(1, 2 + min(k, d - k)) for k in range(1, d))]
    circulant = [[row[(j - i) % d] for j in range(d)] for i in range(d)]
    data = sf.Moments(circulant, [numbers[:d]])
    start = columns([numbers[d : 2 * d], numbers[2 * d : 3 * d]])
    net = sf.ConvolutionalNetwork(d, filters=(d, d))
    solution = agree(net, data, start, Fraction(3, 10), 32)
    if d > 1:  # straight lines: β̂(t) − σ/λ keeps its direction
        goal = np.fft.fft(solution.limit[0])
        moved = solution.strengths([0.0, 0.2]) - goal
        assert np.imag(moved[1] * moved[0].conj()) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e3])
def test_convolutions_keep_twelve_digits_over_scales_and_times(scale):
    data = sf.Moments([[2.0, 0.5, 0.5], [0.5, 2.0, 0.5], [0.5, 0.5, 2.0]], [[3, -1, 2]])
    start = [scale * np.array([[1.0], [0.3], [-0.2]]), np.zeros((3, 1))]
    solution = sf.solve(flow_of(sf.ConvolutionalNetwork(3, (3, 3))), data, start)
    for time in (0.0, 1e-9, 1.0, 9.2, 30.0, 1e8):
        sharp = solution.precise(time, digits=20).astype(float)
        gap = np.abs(solution.end_to_end(time) - sharp).max()
        assert gap <= 1e-12 * np.abs(sharp).max(), time


@settings(max_examples=3)
@given(
    d=st.integers(1, 4),
    depth=st.integers(3, 4),
    numbers=st.lists(tenths, min_size=10, max_size=10),
)
def test_deep_convolutions_agree_with_integration_from_balanced_starts(
    d, depth, numbers
):
    """Shifted copies of one filter have its moduli; one filter has any phases."""
    row = [Fraction(6), *(Fraction(1, 2 + min(k, d - k)) for k in range(1, d))]
    circulant = [[row[(j - i) % d] for j in range(d)] for i in range(d)]
    data, filters = sf.Moments(circulant, [numbers[:d]]), numbers[5 : 5 + d]
    shifts = [filters[k % d :] + filters[: k % d] for k in range(depth)]
    net = sf.ConvolutionalNetwork(d, filters=(d,) * depth)
    try:
        agree(net, data, columns(shifts), Fraction(1, 10), 32)
    except sf.NoClosedForm as refusal:
        assert "passes zero closely: fails" in str(refusal)  # noqa: PT017


@pytest.mark.parametrize("scale", [1e-6, 10.0])
def test_deep_convolutions_keep_twelve_digits_over_scales_and_times(scale):
    data = sf.Moments([[2.0, 0.5, 0.5], [0.5, 2.0, 0.5], [0.5, 0.5, 2.0]], [[3, -1, 2]])
    rows = ([1.0, 0.3, -0.2], [0.3, -0.2, 1.0], [-0.2, 1.0, 0.3])
    start = [scale * np.array([row]).T for row in rows]
    solution = sf.solve(flow_of(sf.ConvolutionalNetwork(3, (3,) * 3)), data, start)
    for time in (1e-9, 9.2, 1e8):
        sharp = solution.precise(time, digits=20).astype(float)
        gap = np.abs(solution.end_to_end(time) - sharp).max()
        assert gap <= 1e-12 * np.abs(sharp).max(), time


def test_short_filters_and_correlated_inputs_are_refused():
    start = [np.ones((2, 1)), np.ones((3, 1))]
    short = flow_of(sf.ConvolutionalNetwork(3, (2, 3)))
    with pytest.raises(sf.NoClosedForm, match=r"two convolutions\s+with\s+full"):
        sf.solve(short, sf.Moments(np.eye(3), [[1.0, 2.0, 3.0]]), start)
    full = flow_of(sf.ConvolutionalNetwork(3, (3, 3)))
    with pytest.raises(sf.NoClosedForm, match=r"circulant: fails, off by 0\.5"):
        sf.solve(
            full,
            sf.Moments(np.diag([2.0, 1.0, 1.0]), [[1.0, 2.0, 3.0]]),
            [np.ones((3, 1))] * 2,
        )


DESIGN = sf.Moments([[2, 0, 0], [0, 1, 0], [0, 0, HALF]], [[3, -1, 1]])
CIRCULANT = sf.Moments([[2, 1, 1], [1, 2, 1], [1, 1, 2]], [[3, -1, 2]])
ENCLOSED = {
    "product": (sf.DiagonalNetwork(3, 2), DESIGN, [[1, HALF, 1], [0, 1, -HALF]]),
    "squares": (sf.HadamardDifference(3), DESIGN, [[HALF] * 3, [HALF] * 3]),
    "signed": (sf.DiagonalNetwork(3, 2, signed=True), DESIGN, [[HALF, 1, 1]] * 4),
    "deep": (sf.DiagonalNetwork(3, 3), DESIGN, [[1, 1, 2], [1, 1, 2], [0, HALF, 0]]),
    "filters": (sf.ConvolutionalNetwork(3, (3, 3)), CIRCULANT, [[1, HALF, 0]] * 2),
    "deep filters": (
        sf.ConvolutionalNetwork(3, (3, 3, 3)),
        CIRCULANT,
        [[1, HALF, 0], [HALF, 0, 1], [0, 1, HALF]],
    ),
}


@pytest.mark.parametrize("name", ENCLOSED)
def test_proven_enclosures_contain_the_closed_form(name):
    net, data, start = ENCLOSED[name]
    problem = flow_of(net), data, columns(start)
    solution = sf.solve(*problem)
    certificate = sf.certify(solution, *problem, [HALF], digits=30)
    assert certificate.status is sf.Status.ENCLOSED
    assert certificate.radius < 1e-25
    ball = sf.enclose(*problem, [HALF], digits=30)
    exact = solution.precise(HALF, digits=45)
    assert ball.contains(exact)
    moved = exact + exact[0, 0].context.mpf(10) ** -20
    assert ball.excludes(moved)
