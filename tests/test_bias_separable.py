"""Potentials of separable networks, convolutions, one neuron: independent routes."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
from oracles.minimizers import on_line

import symflow as sf
from symflow.bias import (
    DiagonalPotential,
    FourierPotential,
    ProductMap,
    kernel_limit,
    least_potential,
)
from symflow.claims import Status
from symflow.flow.problem import bind

TIGHT = sf.DOP853(rtol=1e-12, atol=1e-14)


def flow_of(net):
    return sf.gradient_flow(net, sf.SquaredLoss())


def ends(net, data, start, t=400):
    run = sf.simulate(flow_of(net), data, start, [0, t / 2, t], method=TIGHT)
    return run


@pytest.fixture
def few(rng):
    return sf.Dataset(rng.standard_normal((2, 5)), rng.standard_normal(2))


def column(values):
    return np.reshape(values, (-1, 1))


def general_starts(rng):
    """Starts away from β = 0, of each form that has a mirror map."""
    size, small = rng.uniform(0.8, 1.4, 5), rng.uniform(-0.5, 0.5, 5)
    for depth in (2, 3, 4):
        signs = [rng.choice([-1, 1], 5) for _ in range(depth - 1)]
        start = [column(size * sign) for sign in signs] + [column(small)]
        yield sf.DiagonalNetwork(5, depth), start
    yield sf.HadamardDifference(5), [column(size), column(small + 0.6)]
    four = [column(rng.standard_normal(5)) for _ in range(4)]
    yield sf.DiagonalNetwork(5, 2, signed=True), four
    sides = [column(size)] * 3 + [column(size * 0.7)] * 3
    yield sf.DiagonalNetwork(5, 3, signed=True), sides


def test_general_starts_end_at_the_bregman_projection_of_their_start(rng, few):
    for net, start in general_starts(rng):
        bias = sf.implicit_bias(flow_of(net), few, start)
        assert isinstance(bias, DiagonalPotential)
        run = ends(net, few, start)
        assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-8), net
        assert bias.kkt_residual(run.end_to_end[-1]) < 1e-7
        assert max(bias.residuals(run)) < 1e-8
        # SciPy minimizes over the null space, a route of its own
        found = on_line(bias.value, few.X, few.Y.ravel(), bias.limit[0] + 0.05)
        assert found == pytest.approx(bias.limit[0], abs=1e-8)
        # without the linear term it is another point
        plain = least_potential(bias.mirror, bias.sizes, few.X, few.Y.ravel())
        assert np.abs(plain - bias.limit[0]).max() > 1e-3


def test_scale_and_shape_of_azulay(rng, few):
    """2c² = 2α²(1 + s²)/(1 − s²), with 1 + s² in the numerator."""
    alpha, shape = 0.4, 0.6
    u = alpha * np.sqrt((1 + shape) / (1 - shape))
    v = alpha * np.sqrt((1 - shape) / (1 + shape))
    start = [np.full((5, 1), w) for w in (u, v, u, v)]
    net = sf.DiagonalNetwork(5, 2, signed=True)
    bias = sf.implicit_bias(flow_of(net), few, start)
    expected = alpha**2 * (1 + shape**2) / (1 - shape**2)
    assert bias.sizes**2 == pytest.approx(np.full(5, expected), rel=1e-14)
    end = ends(net, few, start).end_to_end[-1]
    assert end == pytest.approx(bias.limit, abs=1e-9)


@pytest.mark.parametrize("terms", [3, 5])
def test_decomposable_tensors_end_at_the_minimizer_in_transformed_inputs(rng, terms):
    """Fewer terms than inputs, and more: then ρ is not determined by β alone."""
    rows = rng.standard_normal((terms, 4))
    factors = [np.linalg.qr(rng.standard_normal((5, 5)))[0][:, :terms] for _ in "abc"]
    tensor = np.einsum("ji,aj,bj,cj->iabc", rows, *factors)
    net = sf.TensorNetwork(tensor)
    data = sf.Dataset(rng.standard_normal((2, 4)), rng.standard_normal(2))
    shape = rng.uniform(0.6, 1.2, terms)
    start = [column(U @ shape) for U in factors[:2]] + [np.zeros((5, 1))]
    bias = sf.implicit_bias(flow_of(net), data, start)
    run = sf.simulate(flow_of(net), data, start, [0, 5, 100])
    assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-7)
    assert max(bias.residuals(run)) < 1e-7
    assert bias.kkt_residual(run.end_to_end[-1]) < 1e-6
    twin = least_potential(ProductMap(3), shape, data.X @ rows.T, data.Y.ravel())
    assert bias.limit[0] == pytest.approx(twin @ rows, abs=1e-9)


def weighted_l1(A, b, weights):
    both = np.hstack([A, -A])
    found = scipy.optimize.linprog(np.tile(weights, 2), A_eq=both, b_eq=b)
    half = len(found.x) // 2
    return found.x[:half] - found.x[half:]


def potential(net, data, start):
    return sf.implicit_bias(flow_of(net), data, start)


def test_regimes_agree_with_linear_programs_and_least_squares(rng):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        data = sf.Dataset(rng.standard_normal((3, 7)), rng.standard_normal(3))
        shape = rng.uniform(0.5, 2.0, 7)
        for depth in (2, 3, 4):
            net = sf.DiagonalNetwork(7, depth)
            start = [column(shape)] * (depth - 1) + [np.zeros((7, 1))]
            bias = potential(net, data, start)
            sparse = weighted_l1(data.X, data.Y.ravel(), shape ** (2.0 - depth))
            assert bias.rich.limit[0] == pytest.approx(sparse, abs=1e-8)
            kept = shape ** (2 * depth - 2)
            gram = (data.X * kept) @ data.X.T
            least = kept * (data.X.T @ np.linalg.solve(gram, data.Y.ravel()))
            assert bias.lazy.limit[0] == pytest.approx(least, abs=1e-8)
            assert bias.rich.excess > 0
            assert bias.lazy.excess > 0


def test_regimes_say_how_far_a_scale_is_from_them(rng, few):
    shape = rng.uniform(0.5, 2.0, 5)
    far = {}
    for depth, scales in ((2, (1e-8, 1e-32)), (3, (1e-2, 1e-4))):
        net = sf.DiagonalNetwork(5, depth)
        for scale in (*scales, 30.0, 300.0):
            start = [column(scale * shape)] * (depth - 1) + [np.zeros((5, 1))]
            bias = potential(net, few, start)
            far[depth, scale] = bias.rich.distance, bias.lazy.distance
        assert far[depth, scales[1]][0] < far[depth, scales[0]][0] < 0.5
        assert far[depth, scales[1]][0] < 1e-3
        assert far[depth, 300.0][1] < far[depth, 30.0][1] / 50 < 1e-3
    moved = [column(shape), column(shape / 2)]
    with pytest.raises(sf.HypothesisFailed, match="a start at β = 0"):
        assert potential(sf.DiagonalNetwork(5, 2), few, moved).lazy


def even(rows):
    return (rows + np.roll(rows[:, ::-1], 1, axis=1)) / 2


def convolutions(rng):
    for depth in (2, 3):
        yield depth, rng.standard_normal((1, 5))
        yield depth, rng.standard_normal((1, 2))
        yield depth, even(rng.standard_normal((2, 6)))


@pytest.mark.parametrize("alpha", [0.4])
def test_convolutions_of_constant_phase_minimize_their_potential(rng, alpha):
    for depth, X in convolutions(rng):
        d = X.shape[1]
        data = sf.Dataset(X, rng.standard_normal(len(X)))
        first = column(alpha * rng.standard_normal(d))
        start = [first] * (depth - 1) + [np.zeros((d, 1))]
        net = sf.ConvolutionalNetwork(d, filters=(d,) * depth)
        bias = sf.implicit_bias(flow_of(net), data, start)
        assert isinstance(bias, FourierPotential)
        assert bias.status is Status.PROVED
        run = ends(net, data, start)
        assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-8)
        assert max(bias.residuals(run)) < 1e-7
        assert max(bias.scaled(0.3).residuals(run)) > 1e-5
        assert bias.kkt_residual(bias.limit) < 1e-9


def test_convolutions_of_turning_phases_are_estimated_only():
    rng = np.random.default_rng(3)
    data = sf.Dataset(rng.standard_normal((3, 4)), rng.standard_normal(3))
    net = sf.ConvolutionalNetwork(4, filters=(4, 4))
    start = [column(0.5 * rng.standard_normal(4)), np.zeros((4, 1))]
    with pytest.raises(sf.HypothesisFailed, match="even signals: constant phases: f"):
        sf.implicit_bias(flow_of(net), data, start)
    guess = FourierPotential.estimate(bind(flow_of(net), data, start))
    assert guess.status is Status.HEURISTIC
    end = ends(net, data, start).end_to_end[-1]
    gap = np.abs(end - guess.limit).max() / np.abs(end).max()
    assert 1e-4 < gap < 0.5  # near, and not right


@pytest.mark.parametrize("outer", [2.0, -1.5])
def test_one_neuron_of_any_imbalance_ends_where_predicted(rng, outer):
    data = sf.Dataset(rng.standard_normal((2, 4)), rng.standard_normal(2))
    net = sf.LinearNetwork(4, 1, 1)
    start = [0.5 * rng.standard_normal((1, 4)), [[outer]]]
    bias = sf.implicit_bias(flow_of(net), data, start)
    assert bias.name == "OneNeuron"
    run = ends(net, data, start)
    assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-9)
    assert max(bias.residuals(run)) < 1e-8
    assert bias.kkt_residual(bias.limit) < 1e-9
    # SciPy minimizes the radial potential over the null space
    linear = bias.slope(outer * start[0][0])
    half = bias.delta / 2

    def value(w):
        x = np.linalg.norm(w)
        area, _ = scipy.integrate.quad(
            lambda y: np.sqrt(np.hypot(y, half) - half), 0, x, epsabs=1e-13
        )
        return area - linear @ w

    found = on_line(value, data.X, data.Y.ravel(), bias.limit[0] + 0.1)
    assert found == pytest.approx(bias.limit[0], abs=1e-8)


def test_one_neuron_whose_outer_weight_may_turn_is_refused(rng):
    data = sf.Dataset(rng.standard_normal((2, 4)), rng.standard_normal(2))
    first = rng.standard_normal((1, 4))
    start = [first, [[-0.1 * np.sign((first @ data.X.T @ data.Y).item())]]]
    with pytest.raises(sf.HypothesisFailed, match="keeps its sign"):
        sf.implicit_bias(flow_of(sf.LinearNetwork(4, 1, 1)), data, start)


def test_large_first_layers_give_the_kernel_solution(rng):
    data = sf.Dataset(rng.standard_normal((2, 4)), rng.standard_normal(2))
    net, wide = sf.LinearNetwork(4, 5, 1), rng.standard_normal((5, 4))
    gaps = []
    for alpha in (1.0, 3.0, 10.0):
        start = [alpha * wide, np.zeros((1, 5))]
        limit = kernel_limit(flow_of(net), data, start)
        K = wide.T @ wide
        solved = np.linalg.solve(data.X @ K @ data.X.T, data.Y.ravel())
        assert limit.limit[0] == pytest.approx(K @ data.X.T @ solved, abs=1e-10)
        gaps.append(limit.distance(ends(net, data, start, 60).end_to_end[-1]))
    assert gaps[2] < gaps[1] / 20 < gaps[0] / 400
    with pytest.raises(sf.HypothesisFailed, match="last layer starts at zero: fails"):
        kernel_limit(flow_of(net), data, sf.gaussian_init(1, rng=0))
