"""Sensing and completion, against sums over the measurements written out."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import mpmath
import numpy as np
import pytest
import sympy
from oracles.entrywise import integer_matrix, matrix

import symflow as sf
from symflow.algebra.calculus import pull_back
from symflow.algebra.elementwise import Number
from symflow.algebra.entries import at_sizes, entrywise
from symflow.algebra.nodes import Leaf, add
from symflow.algebra.sympy_form import to_sympy
from symflow.errors import HypothesisFailed, InvalidArgument, ShapeMismatch

DENSE = sf.LinearNetwork(3, 2, 2)


def sensing(count=4, shape=(2, 3), seed=0):
    rng = np.random.default_rng(seed)
    return sf.Measurements(
        rng.standard_normal((count, *shape)), rng.standard_normal(count)
    )


def start(net, seed=1, size=0.7):
    rng = np.random.default_rng(seed)
    return [size * rng.standard_normal(w.shape) for w in net.parameters]


def test_the_flow_is_the_entrywise_gradient():
    random, decay = Random(5), sympy.Rational(1, 3)
    A = [integer_matrix(random, 2, 3) for _ in range(3)]
    y = [sympy.Rational(random.randint(-9, 9), 2) for _ in A]
    W1, W2 = matrix("W1", 2, 3), matrix("W2", 2, 2)
    entries = [*W1, *W2]
    W = W2 * W1
    loss = sum(
        (sum(part.multiply_elementwise(W)) - value) ** 2 / 2
        for part, value in zip(A, y, strict=True)
    ) + decay / 2 * sum(entry**2 for entry in entries)
    flow = sf.gradient_flow(DENSE, sf.MeasurementLoss(l2=decay))
    derived = flow.entries((3, 2, 2), samples=3)
    data = sf.Measurements(A, y)
    numbers = {
        sympy.Symbol(f"{name}_{i}_{j}", real=True): value
        for name, array in flow.loss.arrays(data).items()
        for (i, j), value in np.ndenumerate(array)
    }
    assert list(derived) == entries
    for entry, rate in derived.items():
        assert sympy.expand(rate.xreplace(numbers) + sympy.diff(loss, entry)) == 0


def test_the_force_is_the_gradient_of_the_value():
    W, loss = Leaf(sympy.MatrixSymbol("W", 2, 3)), sf.MeasurementLoss()
    (slope,) = pull_back(loss.value(W), Number(sympy.S.One), [W.symbol])
    phi, y = loss.data_symbols(3, 2)
    sizes = {phi.shape[0]: sympy.Integer(2)}
    gap = entrywise(at_sizes(to_sympy(add(slope, loss.force(W))), sizes))
    assert gap.shape == (2, 3)
    assert all(sympy.expand(entry) == 0 for entry in gap)
    assert y.shape == (phi.shape[0], 1)


def test_symbolic_sizes_take_theirs_from_the_measurements():
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.MeasurementLoss())
    assert str(flow) == (
        "Ẇ₁ = W₂ᵀmat(Φᵀ(y − Φ·vec(W₂W₁)), m)\nẆ₂ = mat(Φᵀ(y − Φ·vec(W₂W₁)), m)W₁ᵀ"
    )
    data, weights = sensing(), start(DENSE)
    known = sf.gradient_flow(DENSE, sf.MeasurementLoss())
    for ours, theirs in zip(
        sf.compile(flow, data)(*weights), sf.compile(known, data)(*weights), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    run = sf.precise(flow, data, weights, [0, 1], digits=20)
    other = sf.precise(known, data, weights, [0, 1], digits=20)
    assert np.max(np.abs(run.end_to_end[-1] - other.end_to_end[-1])) < 1e-19


@pytest.mark.parametrize(
    "net", [DENSE, sf.LinearNetwork(3, 1) @ sf.LinearNetwork(3, 3)]
)
def test_kernels_are_differences_of_the_loss(net):
    shape = int(net.widths[-1]), int(net.widths[0])
    data, weights, width = sensing(shape=shape), start(net), 1e-5
    flow = sf.gradient_flow(net, sf.MeasurementLoss(l2=0.1))
    loss = sf.compile(flow, data, outputs="loss")

    def written(weights):
        W = np.linalg.multi_dot(weights[::-1])
        gaps = [
            np.sum(part * W) - value for part, value in zip(data.A, data.y, strict=True)
        ]
        decay = sum(np.sum(weight**2) for weight in weights)
        return 0.5 * np.sum(np.square(gaps)) + 0.05 * decay

    assert float(loss(*weights)) == pytest.approx(written(weights), rel=1e-13)
    for place, rate in enumerate(sf.compile(flow, data)(*weights)):
        for index in np.ndindex(*rate.shape):
            ends = []
            for sign in (1, -1):
                moved = [weight.copy() for weight in weights]
                moved[place][index] += sign * width
                ends.append(written(moved))
            slope = (ends[0] - ends[1]) / (2 * width)
            assert rate[index] == pytest.approx(-slope, rel=1e-6, abs=1e-7)


def test_one_entry_of_one_by_one_follows_its_formula():
    net = sf.LinearNetwork(1, 1)
    data = sf.Measurements.entries({(0, 0): Fraction(1, 3)}, shape=(1, 1))
    flow = sf.gradient_flow(net, sf.MeasurementLoss())
    run = sf.precise(flow, data, [[[0]]], [0, 2], digits=40)
    with mpmath.workdps(50):
        known = (1 - mpmath.exp(-2)) / 3
        assert abs(run.end_to_end[-1][0, 0] - known) < mpmath.mpf("1e-40")


def test_completion_of_all_entries_is_whitened_regression():
    target = [[2, 1, 0], [0, 1, -1]]
    places = {(i, j): target[i][j] for i in range(2) for j in range(3)}
    weights = start(DENSE)
    runs = [
        sf.precise(sf.gradient_flow(DENSE, loss), data, weights, [0, 1], digits=30)
        for loss, data in (
            (sf.MeasurementLoss(), sf.Measurements.entries(places, shape=(2, 3))),
            (sf.SquaredLoss(), sf.whitened(target)),
        )
    ]
    assert np.max(np.abs(runs[0].end_to_end[-1] - runs[1].end_to_end[-1])) < 1e-29
    assert np.max(np.abs(runs[0].loss - runs[1].loss)) < 1e-28


def test_enclosures_contain_precise_runs():
    data = sf.Measurements.entries({(0, 0): 1, (0, 2): 2, (1, 0): -1}, shape=(2, 3))
    weights = start(DENSE)
    flow = sf.gradient_flow(DENSE, sf.MeasurementLoss(l2=Fraction(1, 7)))
    ball = sf.enclose(flow, data, weights, 1, digits=15)
    run = sf.precise(flow, data, weights, [0, 1], digits=30)
    assert ball.contains([weight[-1] for weight in run.weights])
    assert ball.excludes(run.end_to_end[-1] + 1e-12)
    rough = sf.simulate(flow, data, weights, [0, 1])
    np.testing.assert_allclose(
        rough.loss, np.array(run.loss, dtype=float), rtol=1e-8, atol=1e-12
    )


@pytest.mark.parametrize("kind", ["sensing", "completion", "contradiction"])
def test_limits_contain_long_runs(kind):
    net, rng = sf.LinearNetwork(2, 2, 2), np.random.default_rng(4)
    data = {
        "sensing": sensing(count=2, shape=(2, 2)),
        "completion": sf.Measurements.entries({(0, 0): 2, (1, 0): -1}, shape=(2, 2)),
        "contradiction": sf.Measurements([[[1, 0], [0, 0]]] * 2, [1, 2]),
    }[kind]
    weights = [np.eye(2) + 0.3 * rng.standard_normal((2, 2)) for _ in range(2)]
    flow = sf.gradient_flow(net, sf.MeasurementLoss())
    ball = sf.enclose(flow, data, weights, sf.oo, digits=10)
    run = sf.precise(flow, data, weights, [0, 120], digits=25)
    assert ball.contains([weight[-1] for weight in run.weights])
    assert ball.contains(run.end_to_end[-1])
    assert ball.excludes(run.end_to_end[-1] + 1e-8)
    W = np.array(run.end_to_end[-1], dtype=float)
    residuals = data.rows.astype(float) @ W.ravel() - data.y.astype(float)
    expected = 0.5 if kind == "contradiction" else 0.0
    np.testing.assert_allclose(abs(residuals), expected, atol=1e-9)


def test_limits_are_refused_where_they_are_not_proven():
    net = sf.LinearNetwork(2, 2, 2)
    flow, eye = sf.gradient_flow(net, sf.MeasurementLoss()), [np.eye(2)] * 2
    nothing = sf.Measurements([np.zeros((2, 2))], [1.0])
    with pytest.raises(HypothesisFailed, match="nothing moves"):
        sf.enclose(flow, nothing, eye, sf.oo)
    root = sf.Measurements([[[sympy.sqrt(2), 0], [0, 0]]], [1])
    with pytest.raises(HypothesisFailed, match="rational numbers"):
        sf.enclose(flow, root, eye, sf.oo)


def test_a_limit_under_decay_is_where_a_late_run_is():
    net, eye = sf.LinearNetwork(2, 2, 2), [np.eye(2)] * 2
    decaying, data = (
        sf.gradient_flow(net, sf.MeasurementLoss(l2=1)),
        sensing(shape=(2, 2)),
    )
    ball = sf.enclose(decaying, data, eye, sf.oo, digits=10)
    late = sf.precise(decaying, data, eye, 60, digits=20).end_to_end[-1]
    found = np.array(ball.limit, dtype=float)
    np.testing.assert_allclose(found, late.astype(float), atol=1e-9)


def test_what_no_measurement_sees_stays():
    net = sf.LinearNetwork(2, 2)
    data = sf.Measurements.entries({(0, 1): 3.0}, shape=(2, 2))
    flow = sf.gradient_flow(net, sf.MeasurementLoss())
    run = sf.simulate(flow, data, [[[1.0, 0.0], [2.0, 5.0]]], [0, 40])
    np.testing.assert_allclose(run.end_to_end[-1], [[1, 3], [2, 5]], atol=1e-9)
    nothing = sf.Measurements([np.zeros((2, 2))], [1.0])
    still = sf.simulate(flow, nothing, [[[1.0, 0.0], [2.0, 5.0]]], [0, 4])
    assert np.array_equal(still.end_to_end[0], still.end_to_end[-1])
    assert still.loss.tolist() == [0.5, 0.5]


def test_numbers_are_exact_or_floats_and_are_kept(tmp_path):
    exact = sf.Measurements.entries({(0, 0): Fraction(1, 3)}, shape=(1, 2))
    assert exact.exact
    assert exact.A.tolist() == [[[1, 0]]]
    mixed = sf.Measurements([[[1, 0]]], [0.1])
    assert not mixed.exact
    assert mixed.exactly.y[0] == sympy.Rational(*(0.1).as_integer_ratio())
    again = sf.load(sf.save(exact, tmp_path / "data.json"))
    assert again.y.tolist() == exact.y.tolist()
    net = sf.LinearNetwork(2, 1, 1)
    flow = sf.gradient_flow(net, sf.MeasurementLoss())
    run = sf.simulate(flow, exact, start(net), [0, 1])
    assert sf.load(sf.save(run, tmp_path / "run.npz")).flow == flow


def test_modules_test_themselves(tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.MeasurementLoss())
    namespace = {"__name__": "written"}
    exec(sf.write_module(flow, tmp_path / "sensing.py").read_text(), namespace)
    assert namespace["self_test"]()


@pytest.mark.parametrize(
    ("kind", "make", "words"),
    [
        (ShapeMismatch, lambda: sf.Measurements(np.eye(2), [1, 2]), "shape .k, m, d."),
        (ShapeMismatch, lambda: sf.Measurements([], []), "shape .k, m, d."),
        (ShapeMismatch, lambda: sf.Measurements([np.eye(2)], [1, 2]), "one number"),
        (
            ShapeMismatch,
            lambda: sf.Measurements([np.eye(2), np.eye(3)], [1, 2]),
            "2×2, 3×3",
        ),
        (
            InvalidArgument,
            lambda: sf.Measurements.entries({(2, 0): 1}, shape=(2, 2)),
            "no place",
        ),
        (InvalidArgument, lambda: sf.Measurements.entries({}, shape=(2, 2)), "mapping"),
        (
            InvalidArgument,
            lambda: sf.Measurements.entries({(0, 0): 1}, shape=(2, 0)),
            "two positive integers",
        ),
    ],
)
def test_bad_measurements_are_refused(kind, make, words):
    with pytest.raises(kind, match=words):
        make()


def test_losses_and_data_that_do_not_belong_together_are_refused():
    data, weights = sensing(), start(DENSE)
    sensed = sf.gradient_flow(DENSE, sf.MeasurementLoss())
    with pytest.raises(InvalidArgument, match="MeasurementLoss"):
        sf.simulate(sf.gradient_flow(DENSE, sf.SquaredLoss()), data, weights, [0, 1])
    with pytest.raises(InvalidArgument, match="Measurements"):
        sf.simulate(sensed, sf.whitened([[1] * 3] * 2), weights, [0, 1])
    turned = sensing(shape=(3, 2))
    for call in (
        lambda: sf.simulate(sensed, turned, weights, [0, 1]),
        lambda: sf.compile(sensed, turned),
    ):
        with pytest.raises(ShapeMismatch, match="measured matrix has shape 3×2"):
            call()
    for question in (sf.implicit_bias, sf.solve):
        with pytest.raises(Exception, match="fails, MeasurementLoss") as found:
            question(sensed, data, weights)
        assert isinstance(found.value, sf.SymflowError)
    assert len(sf.rates(sensed, data, weights)) == 0
    assert len(sf.conserved(sensed)) == 1


def test_no_closed_form_is_no_crash():
    """Every closed form refuses a loss that has no samples, by its own conditions."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.MeasurementLoss())
    data = sf.Measurements.entries({(0, 0): 3, (1, 0): 2}, shape=(2, 2))
    with pytest.raises(sf.NoClosedForm):
        sf.solve(flow, data, sf.gaussian_init(0.3, rng=1))
