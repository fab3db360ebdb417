"""Directions of classification: predicted, against SciPy and against flows."""

import mpmath
import numpy as np
import pytest
import scipy.optimize
import sympy

import symflow as sf
from symflow.bias import (
    DenseMaxMargin,
    ModeMaxMargin,
    SignedMaxMargin,
    SingularVectors,
)
from symflow.bias.margin_problems import (
    least_euclidean,
    least_moduli,
    stationarity,
)
from symflow.bias.max_margin import smoothed_margins
from symflow.bias.reached import least_power
from symflow.bias.separation import soft_margin
from symflow.flow.problem import bind

TWO = sf.Dataset([[1, 2], [0, -3]], [1, -1])
LOSSES = (sf.ExponentialLoss(), sf.LogisticLoss("sum"))


def separable(rng, n=6, d=3):
    """Return rows y_i x_i on one side, with their labels."""
    rows = rng.standard_normal((n, d)) + np.array([2.0, 0.5, 0.0])
    rows = np.where(rows[:, :1] > 0.3, rows, rows * [[-1, 1, 1]] + [[0.6, 0, 0]])
    labels = rng.choice([-1.0, 1.0], n)
    return sf.Dataset(labels[:, None] * rows, labels), rows


def by_scipy(norm, rows, size):
    """Return argmin of a smooth norm under rows·β ≥ 1, by sequential programming."""
    start = np.linalg.lstsq(rows, np.ones(len(rows)) * 2, rcond=None)[0]
    found = scipy.optimize.minimize(
        norm,
        start,
        constraints=scipy.optimize.LinearConstraint(rows, 1, np.inf),
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 2000},
    )
    assert len(found.x) == size
    return found.x


def unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("widths", [(3, 1), (3, 4, 1), (3, 2, 3, 1)])
def test_dense_direction_is_the_widest_slab(rng, loss, widths):
    """Any depth, against SciPy to 1e-8; the flow stays below its margin."""
    data, rows = separable(rng)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), loss)
    sizes = zip(widths[1:], widths, strict=False)
    start = [rng.standard_normal(size) / 2 for size in sizes]
    first = np.linalg.multi_dot([*start[::-1], np.eye(3)])[0]
    good = np.array([1.0, 0.0, 0.0])
    start[0] = start[0] @ reflection(unit(first), good)
    start[0] *= 4 / np.min(rows @ good) / np.linalg.norm(first)
    bias = sf.implicit_bias(flow, data, start)
    assert isinstance(bias, DenseMaxMargin)
    expected = unit(by_scipy(lambda b: b @ b, rows, 3))
    assert bias.limit[0] == pytest.approx(expected, abs=1e-8)
    assert bias.margin == pytest.approx(np.min(rows @ expected), abs=1e-8)
    assert bias.kkt_residual(5 * bias.limit) < 1e-12
    run = sf.simulate(flow, data, start, [0, 1, 100, 1e6])
    assert sf.validate([bias], run).ok


def reflection(source, target):
    """Return a symmetric orthogonal matrix that exchanges two unit vectors."""
    axis = source - target
    if np.linalg.norm(axis) < 1e-12:
        return np.eye(len(axis))
    return np.eye(len(axis)) - 2 * np.outer(axis, axis) / (axis @ axis)


def test_two_points_in_the_plane():
    """Euclidean margins give (1, 2)/√5, two diagonal layers (0, 1)."""
    loss = sf.ExponentialLoss("sum")
    dense = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), loss)
    start = ([[1, 0], [0, 1]], [[1, 1]])
    bias = sf.implicit_bias(dense, TWO, start)
    assert bias.limit[0] == pytest.approx(np.array([1, 2]) / np.sqrt(5), abs=1e-14)
    context = mpmath.MPContext()
    context.dps = 50
    fine = bias.direction(context)[0]
    assert abs(fine[0] - 1 / context.sqrt(5)) < context.mpf(10) ** -48
    diagonal = sf.gradient_flow(sf.DiagonalNetwork(2, 2), loss)
    start = ([2, 2], [1, 1])
    bias = sf.implicit_bias(diagonal, TWO, start)
    assert bias.limit.tolist() == [[0.0, 1.0]]
    assert bias.kkt_residual([[0.0, 3.0]]) < 1e-12
    assert bias.kkt_residual([[1.0, 2.0]]) > 0.1
    circular = sf.gradient_flow(sf.ConvolutionalNetwork(2, (2, 2)), loss)
    bias = sf.implicit_bias(circular, TWO, ([2, 0.5], [1, 0.3]))
    assert bias.limit[0] == pytest.approx([0.5**0.5, 0.5**0.5], abs=1e-12)


def test_two_diagonal_layers_have_the_largest_margin_in_l1(rng):
    for _ in range(20):
        _, rows = separable(rng, n=4, d=3)
        found = least_moduli(rows, np.eye(3))
        split = np.hstack([rows, -rows])
        check = scipy.optimize.linprog(np.ones(6), -split, -np.ones(4))
        assert np.sum(np.abs(found.point)) == pytest.approx(check.fun, rel=1e-10)
        assert stationarity(rows, found.point, 2, off_support=True) < 1e-10
        if found.unique:
            assert found.point == pytest.approx(check.x[:3] - check.x[3:], abs=1e-8)


def test_full_filters_have_the_largest_margin_in_fourier_moduli(rng):
    """Against sequential programming on a smoothed sum of moduli."""
    transform = np.fft.fft(np.eye(4)) / 2
    basis = np.linalg.inv(transform)
    for _ in range(2):
        rows = rng.standard_normal((3, 4))
        found = least_moduli(rows, basis)
        beta = (basis @ found.point).real
        check = by_scipy(
            lambda b: np.sum(np.sqrt(np.abs(transform @ b) ** 2 + 1e-14)), rows, 4
        )
        value = np.sum(np.abs(transform @ beta))
        assert np.min(rows @ beta) > 1 - 1e-9
        # the dual value is a lower bound: the gap proves the optimum
        force = basis.conj().T @ (rows.T @ found.multipliers)
        assert np.max(np.abs(force)) < 1 + 1e-9
        assert np.min(found.multipliers) > -1e-12
        assert np.sum(found.multipliers) == pytest.approx(value, rel=1e-8)
        assert value <= np.sum(np.abs(transform @ check)) * (1 + 1e-9)
        assert value == pytest.approx(np.sum(np.abs(transform @ check)), rel=1e-6)
        assert stationarity(rows @ basis, found.point, 2, off_support=True) < 1e-8


def test_many_solutions_are_reported():
    rows = np.array([[1.0, 1.0]])
    assert not least_moduli(rows, np.eye(2)).unique
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.ExponentialLoss())
    bias = sf.implicit_bias(flow, sf.Dataset([[1, 1]], [1]), ([2, 2], [1, 1]))
    with pytest.raises(sf.HypothesisFailed, match="several directions"):
        _ = bias.limit
    assert bias.kkt_residual([[1.0, 0.0]]) < 1e-12
    assert bias.kkt_residual([[0.3, 0.7]]) < 1e-12


def test_three_diagonal_layers_are_only_stationary():
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 3), sf.ExponentialLoss())
    data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
    bias = sf.implicit_bias(flow, data, ([2, 2], [2, 2], [1, 1]))
    with pytest.raises(sf.HypothesisFailed, match="many stationary points"):
        _ = bias.limit
    assert bias.kkt_residual([[0.0, 1.0]]) < 1e-12
    # the exponent matters: (1, 1) is no stationary point for any μ
    assert bias.kkt_residual([[1.0, 1.0]]) > 0.05


def test_a_turned_tensor_has_the_direction_of_its_modes(rng):
    """M(x) = Σ (Sx)_j ⊗ turned factors: the ℓ₁ margin in transformed inputs."""
    S = rng.standard_normal((3, 3)) + 3 * np.eye(3)
    factors = [np.linalg.qr(rng.standard_normal((k, 3)))[0] for k in (4, 3)]
    tensor = np.einsum("ji,aj,bj->iab", S, *factors)
    rows = np.array([[2.0, 1.0, 0.5], [0.3, 1.0, -0.2]]) @ np.linalg.inv(S).T
    flow = sf.gradient_flow(sf.TensorNetwork(tensor), sf.ExponentialLoss("sum"))
    start = [factors[0] @ np.full((3, 1), 2.0), factors[1] @ np.full((3, 1), 1.5)]
    data = sf.Dataset(rows, [1.0, 1.0])
    bias = sf.implicit_bias(flow, data, start)
    split = np.hstack([rows @ S.T, -rows @ S.T])
    check = scipy.optimize.linprog(np.ones(6), -split, -np.ones(2)).x
    expected = unit(S.T @ (check[:3] - check[3:]))
    assert bias.limit[0] == pytest.approx(expected, abs=1e-8)
    run = sf.simulate(flow, data, start, [0, 10, 1000])
    assert sf.validate([bias], run).ok
    assert bias.kkt_residual(run.end_to_end[-1]) < bias.kkt_residual(run.end_to_end[0])


@pytest.mark.parametrize("depth", [2, 3])
def test_signed_products_have_the_margin_of_beta(depth):
    """From equal and from ordered starts, in the clock of the loss."""
    network = sf.DiagonalNetwork(2, depth, signed=True)
    data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
    flow = sf.directional_flow(sf.gradient_flow(network, sf.ExponentialLoss("sum")))
    equal = [[1.5, 1.7]] * depth + [[0.4, 0.3]] * depth
    ordered = [
        *[[1.8, 1.7]] * (depth - 1),
        [1.2, 1.5],
        *[[0.9, 0.8]] * (depth - 1),
        [0, 0],
    ]
    for start in (equal, ordered):
        bias = sf.implicit_bias(flow, data, start)
        assert isinstance(bias, SignedMaxMargin)
        run = sf.simulate(flow, data, start, [0, 1, 10, 100, 10_000])
        assert sf.validate([bias], run).ok
        found = [bias.kkt_residual(row) for row in run.end_to_end]
        assert found[-1] < 0.4 * found[0]
        if depth == 2:
            assert bias.limit.tolist() == [[0.0, 1.0]]
            assert bias.angle(run.end_to_end[-1]) < 0.05
    dead = [[1.5, 1.7]] * depth + [[0.4, 0.0]] * depth
    with pytest.raises(
        sf.HypothesisFailed, match="starts smallest, or all start equal"
    ):
        sf.implicit_bias(flow, data, dead)


def test_squares_have_the_l1_margin():
    """A sample that pulls one coordinate below zero: v has to grow there."""
    data = sf.Dataset([[1, -2], [0.5, -1]], [1, 1])
    flow = sf.directional_flow(
        sf.gradient_flow(sf.HadamardDifference(2), sf.LogisticLoss())
    )
    start = ([2, 0.5], [0.5, 0.7])
    bias = sf.implicit_bias(flow, data, start)
    assert bias.limit.tolist() == [[0.0, -1.0]]
    run = sf.simulate(flow, data, start, [0, 1, 10, 100, 10_000])
    assert sf.validate([bias], run).ok
    found = [bias.kkt_residual(row) for row in run.end_to_end]
    assert sorted(found, reverse=True) == found
    # mutated: the ceiling of two separate layers is half as high
    assert max(smoothed_margins(bias.problem, run, 2)) > bias.margin / 2
    with pytest.raises(sf.HypothesisFailed, match="no weight starts at zero: fails"):
        sf.implicit_bias(flow, data, ([2, 0.5], [0.5, 0]))


def test_small_filters_end_at_singular_vectors():
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(3, (2, 2)), sf.ExponentialLoss())
    data, start = sf.Dataset([[1.0, 2.0, 0.0]], [1.0]), ([1.5, 0.5], [1.0, 0.4])
    assert sf.implicit_bias(flow, data, start).name == "OneSampleDirection"
    bias = SingularVectors.attempt(bind(flow, data, start))
    assert isinstance(bias, SingularVectors)
    run = sf.simulate(flow, data, start, [0, 1, 1e3, 1e6])
    found = [bias.kkt_residual([w[k] for w in run.weights]) for k in range(4)]
    assert sorted(found, reverse=True) == found
    assert found[-1] < 0.5 * found[0]
    assert sf.validate([bias], run).ok
    with pytest.raises(sf.HypothesisFailed, match="does not determine"):
        _ = bias.limit
    with pytest.raises(sf.InvalidArgument, match="weights of every layer"):
        bias.kkt_residual(run.end_to_end[-1])


def test_wrong_norms_fail():
    """Mutated: the ℓ₁ margin for dense layers is less than what the flow reaches."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss("sum"))
    start = ([[2, 0], [0, 2]], [[2, 2]])
    run = sf.simulate(flow, TWO, start, [0, 10, 1000])
    bias = sf.implicit_bias(flow, TWO, start)
    assert max(bias.residuals(run)) == 0

    class Swapped(DenseMaxMargin):
        margin = 2 / np.sqrt(5)

    wrong = Swapped(bias.problem, ())
    assert wrong.margin < bias.margin
    assert max(wrong.residuals(run)) > 1e-2


def test_what_fails_is_said():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
    with pytest.raises(sf.HypothesisFailed, match="total loss below 1: fails"):
        sf.implicit_bias(flow, TWO, [[[-0.1, 0.0]]])
    decayed = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss(l2=0.1))
    with pytest.raises(sf.HypothesisFailed, match="without weight decay: fails"):
        sf.implicit_bias(decayed, TWO, [[[3.0, 3.0]]])
    diagonal = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.ExponentialLoss())
    bias = sf.implicit_bias(diagonal, TWO, ([1.0, 1.0], [2.0, 2.0]))
    assert isinstance(bias, SingularVectors)
    refusal = ModeMaxMargin.attempt(bind(diagonal, TWO, ([1.0, 1.0], [2.0, 2.0])))
    assert "starts smaller" in str(refusal)


def test_solver_of_the_slab(rng):
    with pytest.raises(sf.HypothesisFailed, match="no hyperplane"):
        least_euclidean(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    with pytest.raises(sf.HypothesisFailed, match="no ρ"):
        least_moduli(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.eye(2))
    for _ in range(20):
        _, rows = separable(rng)
        found = least_euclidean(rows)
        assert np.min(rows @ found.point) > 1 - 1e-12
        assert rows.T @ found.multipliers == pytest.approx(found.point, abs=1e-12)
        assert np.min(found.multipliers) >= 0
        assert found.point == pytest.approx(
            by_scipy(lambda b: b @ b, rows, 3), abs=1e-7
        )


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_soft_margin_by_its_definition(rng, loss):
    """Σφ(z_i) = φ(u), near and far, in float64 and with 30 digits."""
    phi = sympy.lambdify(
        sympy.Symbol("z"),
        type(loss)
        .profile.rewrite(sympy.log)
        .subs(sympy.Symbol("z", real=True), sympy.Symbol("z")),
        "mpmath",
    )
    context = mpmath.MPContext()
    context.dps = 30
    for size in (1.0, 30.0, 300.0):
        margins = size * rng.uniform(0.5, 1.5, (1, 4))
        fine = np.array([[context.mpf(z) for z in margins[0]]], dtype=object)
        u = soft_margin(loss, fine, context)[0]
        with mpmath.workdps(400):
            total = sum(phi(mpmath.mpf(z)) for z in fine[0])
            assert abs(phi(mpmath.mpf(u)) / total - 1) < 1e-25
        assert soft_margin(loss, margins)[0] == pytest.approx(
            float(u), abs=1e-12 * size
        )


@pytest.mark.parametrize(
    ("start", "row", "excess"),
    [((2, 0.5), [1, 0], 0.1292), ((0.5, 2), [0, 1], 0.0)],
)
def test_a_run_singles_out_one_of_several_stationary_points(start, row, excess):
    """Depth 3 on one sample (1, 1.2): the start decides, not the objective."""
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 3), sf.ExponentialLoss())
    data, sizes = sf.Dataset([[1, 1.2]], [1]), np.array(start)[:, None]
    weights = (sizes, sizes, sizes * 0.9)
    bias = sf.implicit_bias(flow, data, weights)
    run = sf.simulate(sf.directional_flow(flow), data, weights, [0, 1e3, 5e5, 1e6])
    found = bias.reached(run)
    assert found.settled
    assert np.allclose(found.direction, [row], atol=1e-3)
    assert found.least == pytest.approx(1.2 ** (-2 / 3))
    assert found.excess == pytest.approx(excess, abs=1e-3)
    early = sf.simulate(sf.directional_flow(flow), data, weights, [0, 5, 10])
    assert not bias.reached(early).settled


def test_the_least_power_is_that_of_a_grid():
    rng = np.random.default_rng(5)
    for _ in range(20):
        rows = rng.standard_normal((3, 2))
        rows[:, 0] = abs(rows[:, 0])
        angles = np.linspace(-np.pi, np.pi, 200_001)
        units = np.stack([np.cos(angles), np.sin(angles)])
        margins = np.min(rows @ units, axis=0)
        kept = margins > 1e-6
        for depth in (2, 3, 5):
            sizes = np.sum(
                np.abs(units[:, kept] / margins[kept]) ** (2 / depth), axis=0
            )
            found = least_power(rows, depth)
            assert found <= np.min(sizes) * (1 + 1e-9)
            assert found == pytest.approx(np.min(sizes), rel=2e-2)


def test_what_a_run_of_a_tensor_reaches_has_a_residual_and_no_objective():
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(3, (2, 2)), sf.ExponentialLoss())
    data = sf.Dataset([[1, 2, 0], [0, 1, 2]], [1, 1])
    weights = ([[1.0], [2.0]], [[2.0], [1.5]])
    bias = sf.implicit_bias(flow, data, weights)
    run = sf.simulate(sf.directional_flow(flow), data, weights, [0, 1e3, 2e4, 4e4])
    found = bias.reached(run)
    assert bias.name == "SingularVectors"
    assert found.settled
    assert np.isnan(found.least)
    assert "singled out" in str(found)
