"""Tangent kernels and sharpness along runs, against SymPy entry by entry."""

import numpy as np
import pytest
import sympy
from matplotlib import pyplot
from oracles.arrays import tangent_kernel

import symflow as sf
from symflow import plot
from symflow.codegen import linearized

A, B, S = (sympy.MatrixSymbol(name, 2, 2) for name in "ABS")
DATA = sf.Dataset([[1.0, 2], [3, -1], [1, 1]], [[0.5, 1], [-1, 2], [2, 0.25]])
LABELS = sf.Dataset([[1.0, 2], [3, -1], [-1, -2]], [1.0, 1, -1])
ONE = sympy.eye(2)

#: Model, loss, data, shapes, and W written out in SymPy matrices of scalars.
CASES = {
    "products": (
        sf.LinearNetwork(2, 3, 2),
        sf.SquaredLoss(l2=0.25),
        DATA,
        ((3, 2), (2, 3)),
        lambda a, b: b * a,
    ),
    "sum": (
        sf.Model(B * A + S, (A, B, S)),
        sf.SquaredLoss(),
        DATA,
        3 * ((2, 2),),
        lambda a, b, s: b * a + s,
    ),
    "residual": (
        sf.Model((sympy.Identity(2) + B) * A, (A, B)),
        sf.SquaredLoss(),
        DATA,
        2 * ((2, 2),),
        lambda a, b: (ONE + b) * a,
    ),
    "diagonal": (
        sf.DiagonalNetwork(2, signed=True),
        sf.LogisticLoss(),
        LABELS,
        4 * ((2, 1),),
        lambda u1, u2, v1, v2: (
            (u1.multiply_elementwise(u2) - v1.multiply_elementwise(v2)).T
        ),
    ),
    "tails": (
        sf.LinearNetwork(2, 2, 1),
        sf.ExponentialLoss(l2=0.5),
        LABELS,
        ((2, 2), (1, 2)),
        lambda a, b: b * a,
    ),
}


def entries(weights):
    """Return matrices of scalars, and the value of every scalar."""
    letters = [
        sympy.Matrix(*w.shape, lambda i, j, k=k: sympy.Symbol(f"w{k}_{i}_{j}"))
        for k, w in enumerate(weights)
    ]
    flat = [x for letter in letters for x in letter]
    numbers = [sympy.Rational(float(v)) for w in weights for v in np.ravel(w)]
    return letters, dict(zip(flat, numbers, strict=True))


def oracle(flow, data, weights, product):
    """Return the kernel and the Hessian by entrywise differentiation."""
    letters, point = entries(weights)
    flat, total = [*point], product(*letters)
    X, Y = sympy.Matrix(data.X.tolist()), sympy.Matrix(data.Y.tolist())
    X, Y = X.applyfunc(sympy.Rational), Y.applyfunc(sympy.Rational)
    if isinstance(flow.loss, sf.SquaredLoss):
        value = sum(r**2 for r in Y - X * total.T) / (2 * data.n)
    else:
        tail = (
            (lambda z: sympy.log(1 + sympy.exp(-z)))
            if isinstance(flow.loss, sf.LogisticLoss)
            else (lambda z: sympy.exp(-z))
        )
        margins = [y * f for y, f in zip(Y, X * total.T, strict=True)]
        value = sum(map(tail, margins)) / data.n
    value += sympy.nsimplify(flow.loss.l2) * sum(x**2 for x in flat) / 2
    stacked = total.T.reshape(total.rows * total.cols, 1)  # columns of W
    J = stacked.jacobian(flat).subs(point)
    H = sympy.hessian(value, flat).subs(point)
    return J * J.T, H


@pytest.mark.parametrize("name", CASES)
def test_both_are_those_of_entrywise_differentiation(rng, name):
    network, loss, data, shapes, product = CASES[name]
    flow = sf.gradient_flow(network, loss)
    start = [rng.integers(-8, 9, shape) / 8.0 for shape in shapes]
    kernel, hessian = oracle(flow, data, start, product)
    run = sf.simulate(flow, data, start, [0, 0.5])
    sharp = sf.precise(flow, data, start, [0, 0.5], digits=40)
    expected = np.array(kernel.evalf(50).tolist(), dtype=float)
    assert run.tangent_kernel(0) == pytest.approx(expected, abs=1e-12)
    gaps = sharp.tangent_kernel(0) - np.array(kernel.tolist(), dtype=object)
    assert max(abs(sympy.N(gap, 50)) for gap in gaps.flat) < 1e-38
    context = sharp.context
    rows = [[context.mpf(str(sympy.N(x, 60))) for x in row] for row in hessian.tolist()]
    largest = max(context.eigsy(context.matrix(rows), eigvals_only=True))
    assert abs(sharp.sharpness(0) - largest) < 1e-38
    assert run.sharpness(0) == pytest.approx(float(largest), abs=1e-12)
    # later, and between the times that were asked for
    for time in (0.5, 0.3):
        assert run.sharpness(time) == pytest.approx(float(sharp.sharpness(time)), 1e-7)


def test_the_kernel_is_the_one_of_the_catalogue(rng):
    flow = sf.gradient_flow(sf.LinearNetwork(3, 4, 5, 2), sf.SquaredLoss())
    start = [rng.standard_normal(s) for s in ((4, 3), (5, 4), (2, 5))]
    data = sf.whitened(rng.standard_normal((2, 3)))
    run = sf.simulate(flow, data, start, [0, 0.1])
    kernel = run.tangent_kernel(0)
    assert kernel == pytest.approx(tangent_kernel(start, np.eye(3)))
    X = rng.standard_normal((4, 3))
    lifted = np.kron(X, np.eye(2))
    assert lifted @ kernel @ lifted.T == pytest.approx(tangent_kernel(start, X))
    slope = np.ravel(start[2] @ start[1] @ start[0] - data.sigma_yx, order="F")
    ahead = run.at(1e-6)
    moved = (ahead[2] @ ahead[1] @ ahead[0] - start[2] @ start[1] @ start[0]) / 1e-6
    assert np.ravel(moved, order="F") == pytest.approx(
        -kernel @ slope, rel=1e-3, abs=1e-3
    )


def test_products_with_the_hessian_find_the_same_eigenvalue(rng, monkeypatch):
    flow = sf.gradient_flow(sf.LinearNetwork(6, 5, 6), sf.SquaredLoss())
    start = [rng.standard_normal((5, 6)), rng.standard_normal((6, 5))]
    run = sf.simulate(flow, sf.whitened(rng.standard_normal((6, 6))), start, [0, 1])
    dense = run.sharpness(1)
    monkeypatch.setattr(linearized, "MOST_DENSE", 10)
    assert run.sharpness(1) == pytest.approx(dense, rel=1e-11)


def test_a_saddle_of_three_layers_is_flat():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2, 2), sf.SquaredLoss())
    zero = [np.zeros((2, 2))] * 3
    run = sf.simulate(flow, sf.whitened(np.eye(2)), zero, [0, 1])
    assert run.sharpness(1) == 0
    assert not run.tangent_kernel(1).any()


def test_rates_and_clock_do_not_enter():
    start = [[[1.0, 2.0]], [[3.0]]]
    plain = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.ExponentialLoss())
    timed = sf.directional_flow(plain)
    rated = sf.gradient_flow(plain.network, plain.loss, learning_rates=(2, 3))
    found = [
        sf.simulate(f, LABELS, start, [0, 0.1]).sharpness(0)
        for f in (plain, timed, rated)
    ]
    assert found[1:] == pytest.approx([found[0]] * 2)


def test_what_cannot_be_answered_is_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(10, 10, 10), sf.SquaredLoss())
    data, start = sf.whitened(np.eye(10)), sf.gaussian_init(0.1, rng=0)
    run = sf.precise(flow, data, start, [0, 0.125], digits=20)
    with pytest.raises(
        sf.InvalidArgument, match="200 weights; many digits is for at m"
    ):
        run.sharpness(0)
    with pytest.raises(sf.InvalidArgument, match=r"from 0 to 0\.125"):
        run.tangent_kernel(1)
    with pytest.raises(
        sf.InvalidArgument, match=r"trajectory\.sharpness\(t=…\): every"
    ):
        run.sharpness("soon")
    with pytest.raises(sf.InvalidArgument, match="needs one time; got 2"):
        run.sharpness([0, 0.125])


def test_descent_is_drawn_with_its_bound():
    gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    problem = sf.whitened([[2]]), [[[1.0]], [[1.0]]]
    run = sf.descend(gd, *problem, 30, step_size=0.1, momentum=0.5)
    _, ax = pyplot.subplots()
    assert plot.sharpness(run, ax=ax) is ax
    curve, bound = ax.lines
    assert bound.get_ydata()[0] == pytest.approx(2 * 1.5 / 0.1)
    assert curve.get_ydata()[-1] == pytest.approx(4, rel=0.1)  # λ = w₁² + w₂²
    with pytest.raises(sf.InvalidArgument, match="needs a positive number"):
        plot.sharpness(run, step_size=0)
    pyplot.close("all")


@pytest.mark.parametrize("kind", ["determinant", "inverse", "logarithm"])
def test_losses_of_your_own_have_a_sharpness(rng, kind):
    W = sympy.MatrixSymbol("W", 2, 2)
    gram = sympy.Identity(2) + W.T * W
    formulas = {
        "determinant": (sympy.Determinant(gram), lambda G: G.det()),
        "inverse": (sympy.Trace(gram.I), lambda G: G.inv().trace()),
        "logarithm": (sympy.log(sympy.Trace(gram)), lambda G: sympy.log(G.trace())),
    }
    given, written = formulas[kind]
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.CustomLoss(given))
    start = [rng.integers(-8, 9, (2, 2)) / 8.0 for _ in range(2)]
    letters, point = entries(start)
    total = letters[1] * letters[0]
    value = written(ONE + total.T * total)
    hessian = sympy.hessian(value, [*point]).subs(point).evalf(30)
    expected = np.linalg.eigvalsh(np.array(hessian.tolist(), dtype=float))[-1]
    run = sf.simulate(flow, DATA, start, [0, 0.1])
    assert run.sharpness(0) == pytest.approx(expected, rel=1e-10, abs=1e-10)
