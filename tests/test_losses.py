"""Losses on samples, against plain SymPy and NumPy written out sample by sample."""

from __future__ import annotations

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy
from oracles.entrywise import integer_matrix, matrix

import symflow as sf
from symflow.codegen import evaluate, loss_program
from symflow.codegen.evaluate import elementwise
from symflow.errors import InvalidArgument, InvalidData, NotDifferentiable

SAMPLES = 3
PHI = {
    sf.ExponentialLoss: lambda z: sympy.exp(-z),
    sf.LogisticLoss: lambda z: sympy.log(1 + sympy.exp(-z)),
}


def labels(random, rows, columns):
    return sympy.Matrix(rows, columns, lambda i, j: random.choice([-1, 1]))


def written_out(kind, W, X, Y, mean):
    """The textbook sum over samples and outputs."""
    total = sympy.S.Zero
    for row in range(X.rows):
        output = W * X[row, :].T
        for column in range(Y.cols):
            total += PHI[kind](Y[row, column] * output[column])
    return total / X.rows if mean else total


@pytest.mark.parametrize("kind", PHI)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("widths", [(2, 1), (2, 2, 1), (1, 2, 2)])
def test_flow_on_samples_is_the_entrywise_gradient(kind, reduction, widths):
    from itertools import pairwise
    from random import Random

    random = Random(str(widths))
    weights = [
        matrix(f"W{layer}", rows, columns)
        for layer, (columns, rows) in enumerate(pairwise(widths), start=1)
    ]
    X = integer_matrix(random, SAMPLES, widths[0])
    Y = labels(random, SAMPLES, widths[-1])
    W = weights[0]
    for weight in weights[1:]:
        W = weight * W
    decay = sympy.Rational(1, 5)
    loss = written_out(kind, W, X, Y, reduction == "mean")
    variables = [entry for weight in weights for entry in weight]
    loss += decay / 2 * sum(variable**2 for variable in variables)
    flow = sf.gradient_flow(
        sf.LinearNetwork(*widths), kind(reduction=reduction, l2=decay)
    )
    odes = flow.entries(widths, samples=SAMPLES)
    assert list(odes.state) == variables
    data = dict(zip(matrix("X", *X.shape), X, strict=True))
    data |= dict(zip(matrix("Y", *Y.shape), Y, strict=True))
    point = {v: sympy.Rational(random.randint(-9, 9), 7) for v in variables}
    for variable, rate in odes.items():
        ours = rate.xreplace(data).xreplace({sympy.Symbol("n"): SAMPLES})
        ours = ours.subs({s: SAMPLES for s in ours.free_symbols if s.name == "n"})
        gap = ours.xreplace(point) + loss.diff(variable).xreplace(point)
        assert abs(sympy.N(gap, 30)) < 1e-25


@pytest.mark.parametrize("kind", PHI)
def test_kernel_takes_samples_and_batches(kind, rng):
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), kind())
    kern = sf.compile(flow)
    assert kern.arguments == ("W1", "W2", "X", "Y")
    W1, W2 = rng.standard_normal((5, 3, 4)), rng.standard_normal((5, 2, 3))
    X, Y = rng.standard_normal((7, 4)), rng.choice([-1.0, 1.0], (7, 2))
    margins = Y * (X @ np.swapaxes(W2 @ W1, -1, -2))
    slope = (
        np.exp(-margins) if kind is sf.ExponentialLoss else 1 / (1 + np.exp(margins))
    )
    force = np.swapaxes(Y * slope, -1, -2) @ X / 7
    dW1, dW2 = kern(W1, W2, X, Y)
    np.testing.assert_allclose(dW1, np.swapaxes(W2, -1, -2) @ force, rtol=1e-12)
    np.testing.assert_allclose(dW2, force @ np.swapaxes(W1, -1, -2), rtol=1e-12)


@pytest.mark.parametrize("z", [-800.0, -40.0, -1e-9, 0.0, 3.5, 45.0, 800.0])
def test_stable_functions_keep_all_digits(z):
    context = mpmath.MPContext()
    context.dps = 400
    exact = {
        "sigmoid": 1 / (1 + context.exp(-context.mpf(z))),
        "softplus": context.log1p(context.exp(context.mpf(z))),
    }
    for name, expected in exact.items():
        with np.errstate(over="raise", invalid="raise"):
            got = float(elementwise(name, np.array([[z]]))[0, 0])
        # A few roundings; below 1e-308 floats are denormal or zero.
        assert abs(got - float(expected)) <= 8e-16 * float(expected) + 1e-320
        boxed = np.array([[context.mpf(z)]], dtype=object)
        assert (
            abs(elementwise(name, boxed)[0, 0] / expected - 1) < context.mpf(10) ** -390
        )


@pytest.mark.parametrize("kind", PHI)
@pytest.mark.parametrize("decay", [0, "lam"])
def test_written_module_tests_itself(kind, decay, tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), kind(l2=decay))
    path = sf.write_module(flow, tmp_path / "module.py")
    run = subprocess.run([sys.executable, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("kind", PHI)
def test_imbalance_is_conserved_and_loss_falls(kind, rng):
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), kind())
    X = rng.standard_normal((8, 3))
    data = sf.Dataset(X, np.sign(X @ [1.0, -2.0, 0.5]))
    run = sf.simulate(flow, data, sf.gaussian_init(0.5, rng=1), [0, 1, 5, 20])
    assert sf.validate(sf.conserved(flow), run).ok
    assert run.stats["drift imbalance Δ1"] < 1e-10
    margins = data.Y * (data.X @ np.swapaxes(run.end_to_end, -1, -2))
    phi = np.exp(-margins) if kind is sf.ExponentialLoss else np.log1p(np.exp(-margins))
    np.testing.assert_allclose(run.loss, phi.mean(axis=(-2, -1)), rtol=1e-12)
    assert np.all(np.diff(run.loss) < 0)


def test_margin_losses_need_samples_and_labels():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.LogisticLoss())
    with pytest.raises(InvalidArgument, match="needs the samples"):
        sf.simulate(flow, sf.whitened([[1.0]]), [[[1.0]]], [0, 1])
    with pytest.raises(InvalidData, match=r"needs labels 1 and -1; got the label 0\.0"):
        sf.simulate(flow, sf.Dataset([1.0, 2.0], [1.0, 0.0]), [[[1.0]]], [0, 1])
    with pytest.raises(InvalidArgument, match="Say how many"):
        flow.entries((1, 1))
    with pytest.raises(InvalidArgument, match="reduction"):
        sf.ExponentialLoss("median")


def custom_squared():
    d, m, n = sympy.symbols("d m n", integer=True, positive=True)
    W, X = sympy.MatrixSymbol("W", m, d), sympy.MatrixSymbol("X", n, d)
    R = X * W.T - sympy.MatrixSymbol("Y", n, m)
    return sympy.Trace(R.T * R) / (2 * n)


def test_custom_squared_loss_runs_like_the_squared_loss(rng):
    network = sf.LinearNetwork(3, 2, 2)
    data = sf.Dataset(rng.standard_normal((6, 3)), rng.standard_normal((6, 2)))
    start = sf.gaussian_init(0.6, rng=3)
    losses = sf.CustomLoss(custom_squared(), l2=0.1), sf.SquaredLoss(l2=0.1)
    runs = [
        sf.simulate(sf.gradient_flow(network, loss), data, start, [0, 1, 4])
        for loss in losses
    ]
    for ours, theirs in zip(runs[0].weights, runs[1].weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(runs[0].loss, runs[1].loss, rtol=1e-7)


def test_custom_loss_with_functions_of_traces_and_determinants(tmp_path):
    m, d = sympy.symbols("m d", integer=True, positive=True)
    W, S = sympy.MatrixSymbol("W", m, d), sympy.MatrixSymbol("Sigma_yx", m, d)
    mu = sympy.Symbol("mu")
    expr = sympy.log(sympy.Determinant(sympy.Identity(m) + W * W.T)) + mu * sympy.exp(
        -sympy.Trace(S.T * W)
    )
    loss = sf.CustomLoss(expr)
    assert loss.parameters == (mu,)
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), loss)
    path = sf.write_module(flow, tmp_path / "custom.py")
    run = subprocess.run([sys.executable, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    program = loss_program(flow)
    one = np.eye(1) * 0.5
    (value,) = evaluate(program, [one, one, one, 2.0])
    np.testing.assert_allclose(value, np.log(1 + 1 / 16) + 2 * np.exp(-1 / 8))


def test_custom_loss_refuses_what_it_cannot_use(rng):
    W, A = sympy.MatrixSymbol("W", 2, 2), sympy.MatrixSymbol("A", 2, 2)
    with pytest.raises(InvalidArgument, match="needs the matrix symbol W"):
        sf.CustomLoss(sympy.Trace(A))
    with pytest.raises(NotDifferentiable):
        sf.CustomLoss(W[sympy.Symbol("i"), 0])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2), sf.CustomLoss(sympy.Trace(A.T * W)))
    data = sf.Dataset(rng.standard_normal((3, 2)), rng.standard_normal((3, 2)))
    some = sf.CustomLoss(sympy.MatrixSymbol("W", *sympy.symbols("m d"))[0, 0])
    with pytest.raises(sf.NoClosedForm, match="needs its size as a number"):
        sf.compile(sf.gradient_flow(sf.LinearNetwork("d", "m"), some))
    with pytest.raises(InvalidArgument, match="do not say what A is"):
        sf.simulate(flow, data, [np.eye(2)], [0, 1])
    with pytest.raises(sf.ShapeMismatch, match="W is 2×2"):
        sf.gradient_flow(sf.LinearNetwork(3, 2), sf.CustomLoss(sympy.Trace(W))).rhs  # noqa: B018
