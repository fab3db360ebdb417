"""Laws of all networks: proved, conserved in floats, and in steps of descent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra import entrywise, inline
from symflow.conservation.proof import entrywise_step

NETWORKS = {
    "two layers": sf.LinearNetwork(3, 2, 2),
    "three layers": sf.LinearNetwork(2, 3, 2, 1),
    "dense, diagonal": sf.Network(sf.Dense(2, 3), sf.Diagonal(3), sf.Dense(3, 2)),
    "dense, circulant": sf.Network(sf.Dense(2, 4), sf.Circulant(4), sf.Dense(4, 1)),
    "mixed": sf.Network(
        sf.Circulant(4), sf.Diagonal(4), sf.Circulant(4, support=2), sf.Dense(4, 2)
    ),
    "dense readout": sf.Network(sf.Dense(2, 3), sf.Readout(3)),
    "diagonal": sf.DiagonalNetwork(3, 3),
    "signed": sf.DiagonalNetwork(3, 2, signed=True),
    "signed, deep": sf.DiagonalNetwork(2, 3, signed=True),
    "convolution": sf.ConvolutionalNetwork(5, (5, 5, 5)),
    "filters": sf.ConvolutionalNetwork(5, (2, 3)),
    "squares": sf.HadamardDifference(3),
    "row space": sf.SymmetricFactorization(2, 4),
    "tensor": sf.TensorNetwork(np.random.default_rng(3).integers(-2, 3, (3, 2, 2, 3))),
}
LOSSES = [sf.SquaredLoss(), sf.ExponentialLoss(), sf.LogisticLoss()]


def problem(network, loss, rng):
    X = rng.standard_normal((6, network.widths[0]))
    Y = rng.choice([-1.0, 1.0], (6, network.widths[-1]))
    return sf.gradient_flow(network, loss), sf.Dataset(X, Y)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_laws_hold_along_simulated_flows(name, loss, rng):
    flow, data = problem(NETWORKS[name], loss, rng)
    laws = sf.conserved(flow)
    assert laws
    run = sf.simulate(flow, data, sf.gaussian_init(0.7, rng=4), [0, 0.5, 1, 2])
    moved = max(np.max(np.abs(w[-1] - w[0])) for w in run.weights)
    assert moved > 1e-2
    for law in laws:
        assert float(max(law.residuals(run))) < 1e-10
    assert sf.validate(laws, run).ok


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_laws_hold_to_all_digits_of_precise_flows(name, loss, rng):
    """The drift is at most 10^−(digits − 3)."""
    flow, data = problem(NETWORKS[name], loss, rng)
    start = sf.gaussian_init(0.7, rng=4)
    run = sf.precise(flow, data, start, [0, Fraction(1, 4)], digits=25)
    assert max(abs(entry) for w in run.weights for entry in (w[1] - w[0]).flat) > 1e-3
    for law in sf.conserved(flow):
        assert max(law.residuals(run)) < 1e-22


@pytest.mark.parametrize("name", NETWORKS)
def test_laws_are_proved_entry_by_entry(name):
    """∇Q · θ̇ = 0 for the scalar ODEs of the squared loss, by plain differentiation."""
    network = NETWORKS[name]
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    odes = flow.entries(network.widths)
    random = np.random.default_rng(1)
    symbols = {s for rate in odes.rhs for s in rate.free_symbols} - set(odes.state)
    data = {s: int(random.integers(-5, 6)) for s in sorted(symbols, key=str)}
    point = {s: sympy.Rational(int(random.integers(-9, 10)), 7) for s in odes.state}
    for law in sf.conserved(flow):
        for step in law.proof():
            assert step.check()
        quantity = entrywise(law.expr)
        entries = quantity if isinstance(quantity, sympy.MatrixBase) else [quantity]
        for entry in entries:
            gradient = [entry.diff(w).xreplace(point) for w in odes]
            velocity = [odes[w].xreplace(data).xreplace(point) for w in odes]
            pairs = zip(gradient, velocity, strict=True)
            assert sum(slope * speed for slope, speed in pairs) == 0
            assert any(value != 0 for value in gradient)


@pytest.mark.parametrize("name", NETWORKS)
def test_weight_decay_gives_the_exact_rate(name, rng):
    flow, data = problem(NETWORKS[name], sf.SquaredLoss(l2=0.3), rng)
    run = sf.simulate(flow, data, sf.gaussian_init(0.7, rng=4), [0, 1, 2])
    for law in sf.conserved(flow):
        assert law.is_conserved == (law.degree == 0)
        assert law.rate == law.degree * sympy.Rational(3, 10)
        assert all(step.check() for step in law.proof())
        first, *_, last = law.value(run.weights)
        kept = np.exp(-0.6 * law.degree) * first
        np.testing.assert_allclose(last, kept, rtol=0, atol=1e-9)


def test_autocorrelations_are_the_fourier_moduli(rng):
    d = 5
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(d, (d, d)), sf.SquaredLoss())
    (law,) = sf.conserved(flow)
    weights = [rng.standard_normal((d, 1)) for _ in range(2)]
    moduli = [np.abs(np.fft.fft(w[:, 0])) ** 2 for w in weights]
    ours = np.fft.fft(law.value(weights)[:, 0])
    np.testing.assert_allclose(ours, moduli[1] - moduli[0], atol=1e-12)


def test_names_and_formulas():
    flow = sf.gradient_flow(sf.HadamardDifference("d"), sf.SquaredLoss())
    assert [inline(law.expr) for law in sf.conserved(flow)] == ["u∘v"]
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(5, (2, 3)), sf.SquaredLoss())
    assert [inline(law.expr) for law in sf.conserved(flow)] == ["tr(w₂ᵀw₂) − tr(w₁ᵀw₁)"]
    symbolic = sf.Network(sf.Dense("d", "h"), sf.Diagonal("h"))
    (law,) = sf.conserved(sf.gradient_flow(symbolic, sf.SquaredLoss()))
    assert law.name == "squares Δ1"
    assert all(step.check() for step in law.proof())


def test_false_entrywise_steps_are_refused():
    from symflow.algebra.nodes import Leaf, subtract, transpose

    A = Leaf(sympy.MatrixSymbol("A", 2, 2))
    with pytest.raises(ArithmeticError, match="not an identity"):
        entrywise_step(subtract(A, transpose(A)), "false")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("decay", [0, 0.25])
def test_a_step_of_descent_changes_laws_exactly(name, decay, rng):
    network, loss = NETWORKS[name], sf.SquaredLoss(l2=decay)
    gd = sf.gradient_descent(network, loss)
    _, data = problem(network, loss, rng)
    run = sf.descend(gd, data, sf.gaussian_init(0.7, rng=4), 5, step_size=0.05)
    for law in sf.conserved(gd):
        assert law.order == (2 if decay == 0 else 1)
        assert float(max(law.residuals(run))) < 1e-13
        assert all(step.check() for step in law.proof())


def test_drift_of_descent_is_of_first_order(rng):
    """Halving η halves the drift over a fixed time: slope 1 within a few percent."""
    gd = sf.gradient_descent(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
    _, data = problem(gd.network, gd.loss, rng)
    (law,) = sf.conserved(gd.flow)
    etas = [0.02, 0.01, 0.005, 0.0025]
    drifts = []
    for eta in etas:
        start = sf.gaussian_init(0.7, rng=4)
        run = sf.descend(gd, data, start, round(1 / eta), step_size=eta)
        values = law.value(run.weights)
        drifts.append(np.max(np.abs(values[-1] - values[0])))
    slope = np.polyfit(np.log(etas), np.log(drifts), 1)[0]
    assert abs(slope - 1) < 0.05


def test_descent_follows_the_hand_written_update(rng):
    gd = sf.gradient_descent(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    data = sf.Dataset(rng.standard_normal((5, 2)), rng.standard_normal((5, 1)))
    W1, W2 = rng.standard_normal((2, 2)), rng.standard_normal((1, 2))
    run = sf.descend(gd, data, [W1, W2], 3, step_size=0.1)
    for k in range(4):
        np.testing.assert_allclose(run.weights[0][k], W1, rtol=1e-13)
        np.testing.assert_allclose(run.weights[1][k], W2, rtol=1e-13)
        residual = data.X @ (W2 @ W1).T - data.Y
        G = residual.T @ data.X / 5
        W1, W2 = W1 - 0.1 * W2.T @ G, W2 - 0.1 * G @ W1.T
    assert len(gd.updates) == 2
    assert str(gd).startswith("W₁⁺ = W₁ + η·")


def test_descent_says_what_it_needs(rng):
    gd = sf.gradient_descent(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    data = sf.Dataset([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(sf.InvalidArgument, match="positive number"):
        sf.descend(gd, data, [[[1.0]]], 2, step_size=0)
    with pytest.raises(sf.InvalidArgument, match="an integer from 1"):
        sf.descend(gd, data, [[[1.0]]], 0, step_size=1)
    with pytest.raises(sf.IntegrationFailed, match="leaves the floats"):
        sf.descend(gd, data, [[[1.0]]], 1000, step_size=1e9)
    with pytest.raises(sf.InvalidArgument, match="gradient_descent"):
        sf.descend(gd.flow, data, [[[1.0]]], 2, step_size=1)


@pytest.mark.parametrize("name", ["diagonal", "convolution", "filters", "mixed"])
def test_a_generator_proves_moment_laws_for_every_size(name):
    for law in sf.conserved(sf.gradient_flow(NETWORKS[name], sf.SquaredLoss())):
        first = law.proof()[0]
        assert first.check()
        assert "for every size" in first.reason


def test_false_cyclic_identities_are_refused():
    from symflow.algebra.nodes import Leaf, product, scale, trace, transpose
    from symflow.conservation.proof import step

    A, B = (Leaf(sympy.MatrixSymbol(name, 3, 2)) for name in "AB")
    left, right = trace(product(transpose(A), B)), trace(product(transpose(B), A))
    assert step(left, right, "turned", {}).check()
    with pytest.raises(ArithmeticError, match="not an identity"):
        step(left, scale(2, right), "false", {})


def test_the_row_space_is_a_projection_that_other_flows_turn(rng):
    """With a dense first layer U instead, the same quantity is lost."""
    (law,) = sf.conserved(sf.gradient_flow(NETWORKS["row space"], sf.SquaredLoss()))
    U = rng.standard_normal((2, 4))
    P = law.value([U])
    np.testing.assert_allclose(P @ P, P, atol=1e-12)
    np.testing.assert_allclose(np.trace(P), 2)
    dense, data = problem(sf.LinearNetwork(4, 2, 4), sf.SquaredLoss(), rng)
    run = sf.simulate(dense, data, sf.gaussian_init(0.7, rng=4), [0, 1])
    before, after = (law.value([w]) for w in run.weights[0])
    assert np.max(np.abs(after - before)) > 1e-2
