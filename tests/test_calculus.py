"""Matrix calculus against entrywise differentiation by SymPy, and what is refused."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import sympy
from sympy import (
    Determinant,
    HadamardProduct,
    Identity,
    Inverse,
    Lambda,
    MatrixSymbol,
    OneMatrix,
    Sum,
    Trace,
    cos,
    exp,
    log,
    sin,
    sqrt,
    tanh,
)
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.diagonal import DiagMatrix, DiagonalOf

import symflow as sf
from symflow.algebra import at_sizes
from symflow.algebra.functions import sigmoid, softplus
from symflow.algebra.matrix_maps import ElementwiseExpr
from symflow.algebra.sympy_form import to_sympy as sympy_form
from symflow.errors import NotDifferentiable, ShapeMismatch

n, d, m = sympy.symbols("n d m", integer=True, positive=True)
lam = sympy.Symbol("lambda", positive=True)
z = sympy.Symbol("z")
i, j, k = sympy.symbols("i j k", integer=True)
over = {i: (i, 0, m - 1), j: (j, 0, d - 1), k: (k, 0, d - 1)}
W, V = MatrixSymbol("W", m, d), MatrixSymbol("V", d, m)
X, Y = MatrixSymbol("X", n, d), MatrixSymbol("Y", n, m)
A, B = MatrixSymbol("A", d, d), MatrixSymbol("B", m, m)
w = MatrixSymbol("w", d, 1)
C = MatrixSymbol("C", 2, 2)
R = X * W.T - Y
square = Trace(R.T * R)


def each(function, matrix):
    return matrix.applyfunc(Lambda(z, function))


CASES = {
    "least squares": (square / 2, W),
    "weight decay": (square / 2 + lam * Trace(W.T * W) / 2, W),
    "loss plus constant": (square / 2 + 7, W),
    "symbolic constant": (square + lam, W),
    "exponential of a trace": (exp(-Trace(W.T * W) / 9), W),
    "logarithm": (log(1 + square), W),
    "square of a trace": (Trace(W * V) ** 2, W),
    "product of traces": (Trace(W * V) * Trace(W.T * B * W), W),
    "ratio of traces": (Trace(W * V) / (1 + Trace(W.T * W)), W),
    "square root": (sqrt(2 + Trace(W.T * W)), W),
    "inverse power": ((3 + Trace(W.T * W)) ** -2, W),
    "two to the trace": (2 ** (Trace(W * V) / 5), W),
    "linear": (Trace(V * W), W),
    "transpose": (Trace(W * A * W.T * B), W),
    "two factors": (Trace((Y - X * V).T * (Y - X * V)), V),
    "fourth order": (Trace(W * W.T * W * W.T), W),
    "power of a matrix": (Trace(A**3), A),
    "inverse": (Trace(Inverse(Identity(m) + W * W.T) * B), W),
    "inverse square": (Trace((Identity(d) + W.T * W) ** -2), W),
    "determinant": (Determinant(Identity(m) + W * W.T), W),
    "log determinant": (log(Determinant(Identity(d) + W.T * W)), W),
    "determinant of the symbol": (Determinant(A), A),
    "Hadamard": (Trace(HadamardProduct(W, W).T * W), W),
    "Hadamard with data": (Trace(HadamardProduct(Y, X * W.T).T * Y), W),
    "sum of squares": (Trace(OneMatrix(d, m) * HadamardProduct(W, W)), W),
    "sum of entries": (Trace(OneMatrix(m, n) * X * W.T), W),
    "exponential loss": (Trace(OneMatrix(m, n) * each(exp(-z), R)), W),
    "softplus": (Trace(OneMatrix(m, n) * each(softplus(-z), R)), W),
    "sigmoid": (Trace(OneMatrix(m, n) * each(sigmoid(z), X * W.T)), W),
    "log of one plus exp": (Trace(OneMatrix(m, n) * each(log(1 + exp(-z)), R)), W),
    "sine of a matrix": (Trace(each(sin(z), W) * V), W),
    "hyperbolic tangent": (Trace(each(tanh(z), W * A).T * W), W),
    "cosine of a trace": (cos(Trace(W * V)), W),
    "diagonal matrix": (Trace(DiagMatrix(w) * A * DiagMatrix(w)), w),
    "diagonal of a matrix": ((w.T * DiagonalOf(A)), A),
    "one by one": (w.T * A * w, w),
    "one by one, matrix": (w.T * A * w, A),
    "nested": (log(1 + exp(Trace(W * V)) * Trace(W.T * W)), W),
    "weighted matrix": (Trace(Trace(W * V) * W.T * W), W),
    "explicit numbers": (Trace(sympy.Matrix([[1, 2], [3, 4]]) * C), C),
    "independent": (Trace(A), W),
    "coefficient with sizes": (square / (2 * n), W),
    "entries": (C[0, 1] ** 2 * C[1, 1] + exp(C[1, 0]), C),
    "entry of a product": ((C * C)[0, 1], C),
    "first entry": (W[0, 0] ** 2, W),
    "one by one with ones": (OneMatrix(1, m) * each(z**2, W) * OneMatrix(d, 1), W),
    "ones in a function": (exp((OneMatrix(1, m) * W * OneMatrix(d, 1))[0, 0] / 9), W),
    "index sum": (Sum(W[i, j] ** 2, over[i], over[j]), W),
    "index sum, transposed": (Sum(W[i, j] ** 2 * V[j, i], over[j], over[i]), V),
    "index sum of residuals": (Sum((W[i, j] - V[j, i]) ** 2, over[i], over[j]) / 2, W),
    "index sum of functions": (Sum(exp(-lam * W[i, j]) + 3, over[i], over[j]), W),
    "powers of numbers": (Sum(2 ** W[i, j], over[i], over[j]), W),
    "quadratic form": (Sum(w[j, 0] * A[j, k] * w[k, 0], over[j], over[k]), w),
    "trace as a sum": (Sum(A[j, j] ** 2, over[j]), A),
    "trace within a sum": (Sum(A[j, j] * A[j, k], over[j], over[k]), A),
    "one row": (Sum(W[0, j] * w[j, 0], over[j]), W),
    "one row of a sum": (Sum(A[k, j] * W[0, k], over[j], over[k]), W),
    "trace times a sum": (Trace(A) * Sum(w[j, 0] * Trace(A), over[j]), w),
    "written out": (Sum(Trace(A) ** z, (z, 0, 3)), A),
    "part of a sum": (Sum(C[j, 0] * j, (j, 0, 1)), C),
    "sum inside a product": (Trace((W + 2 * V.T) * (V - 3 * W.T)), W),
}  # fmt: skip


def plain(expression):
    """Expand by SymPy's own `as_explicit`, entries as its own matrix elements."""
    if isinstance(expression, sympy.Expr) and not expression.is_Matrix:
        expression = expression.replace(Sum, lambda *args: Sum(*args).doit())
        traces = {t: plain(t.arg).trace() for t in expression.atoms(Trace)}
        traces |= {t: plain(t.arg).det() for t in expression.atoms(Determinant)}
        outermost = dict(sorted(traces.items(), key=lambda item: -len(str(item[0]))))
        return expression.xreplace(outermost)
    if isinstance(expression, sympy.MatMul):
        scalar, matrices = expression.as_coeff_matrices()
        result = plain(matrices[0])
        for matrix in matrices[1:]:
            result = result * plain(matrix)
        return plain(scalar) * result
    if isinstance(expression, sympy.MatAdd):
        return sum(map(plain, expression.args[1:]), plain(expression.args[0]))
    if isinstance(expression, sympy.Transpose):
        return plain(expression.arg).T
    if isinstance(expression, sympy.Inverse):
        return plain(expression.arg).inv()
    if isinstance(expression, sympy.MatPow):
        return plain(expression.base) ** expression.exp
    if isinstance(expression, HadamardProduct):
        result = plain(expression.args[0])
        for factor in expression.args[1:]:
            result = result.multiply_elementwise(plain(factor))
        return result
    if isinstance(expression, sympy.HadamardPower):
        return plain(expression.base).applyfunc(lambda x: x**expression.exp)
    if isinstance(expression, DiagMatrix):
        return sympy.diag(*plain(expression.args[0]))
    if isinstance(expression, DiagonalOf):
        return plain(expression.args[0]).diagonal().T
    if hasattr(expression, "function"):
        return plain(expression.expr).applyfunc(expression.function)
    return sympy.Matrix(expression.as_explicit())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_gradient_is_that_of_the_entries(name, seed):
    expr, variable = CASES[name]
    result = sf.gradient(expr, variable, check=False)
    assert result.shape == variable.shape
    random = Random(f"{name} {seed}")
    top = 2 if "inverse" in name or "determinant" in name else 3
    sizes = {
        n: random.randint(1, top),
        d: random.randint(1, top),
        m: random.randint(1, 2),
    }
    scalar = plain(
        at_sizes(expr.replace(ElementwiseApplyFunction, ElementwiseExpr), sizes)
    )
    scalar = scalar[0, 0] if isinstance(scalar, sympy.MatrixBase) else scalar
    entries = sympy.Matrix(at_sizes(variable, sizes).as_explicit())
    claimed = plain(at_sizes(result, sizes))
    atoms = scalar.atoms(sympy.matrices.expressions.matexpr.MatrixElement)
    atoms |= claimed.atoms(sympy.matrices.expressions.matexpr.MatrixElement)
    names = {e: sympy.Dummy(str(e)) for e in sorted(atoms | set(entries), key=str)}
    point = {s: sympy.Rational(random.randint(1, 30), 23) for s in names.values()}
    point[lam] = sympy.Rational(2, 3)
    scalar, claimed = scalar.xreplace(names), claimed.xreplace(names)
    for entry, value in zip(entries, claimed, strict=True):
        gap = scalar.diff(names[entry]).xreplace(point) - value.xreplace(point)
        assert abs(sympy.N(gap, 40)) < 1e-30


def test_there_are_forty_cases():
    assert len(CASES) >= 40


def test_check_finds_a_wrong_gradient(monkeypatch):
    import sys

    from symflow.algebra.sympy_form import to_sympy

    module = sys.modules["symflow.algebra.gradient"]
    monkeypatch.setattr(
        module,
        "to_sympy",
        lambda node: to_sympy(node) if node.is_scalar else 2 * to_sympy(node),
    )
    assert sf.gradient(Trace(W.T * W), W, check=False) == 4 * W
    with pytest.raises(NotDifferentiable, match="differs from the slope"):
        sf.gradient(Trace(W.T * W), W)


@pytest.mark.parametrize("wrong", [lambda g: g.T, lambda g: (1 + lam / 10**9) * g])
def test_check_sees_a_small_error_and_a_transposition(monkeypatch, wrong):
    import sys

    module = sys.modules["symflow.algebra.gradient"]
    monkeypatch.setattr(module, "to_sympy", lambda node: wrong(sympy_form(node)))
    small = Trace(A * A * A) / 10**40
    for value in (Trace(Inverse(Identity(d) + A.T * A)), exp(Trace(A * A) / 9), small):
        with pytest.raises(NotDifferentiable, match="differs from the slope"):
            sf.gradient(value, A)


def test_check_is_of_what_was_given_and_not_of_what_was_read(monkeypatch):
    import sys

    module = sys.modules["symflow.algebra.gradient"]
    read = module.from_sympy
    monkeypatch.setattr(module, "from_sympy", lambda expr: read(2 * expr))
    with pytest.raises(NotDifferentiable, match="differs from the slope"):
        sf.gradient(Sum(A[j, k] * w[j, 0] ** 2, over[j], over[k]), w)


def test_inverses_are_checked_at_points_where_they_exist():
    P, Q, S, M = (MatrixSymbol(name, 3, 3) for name in "PQSM")
    value = Trace(Inverse(P + M.T * S * M) * M.T * Q * M)
    assert sf.gradient(value, M).shape == (3, 3)
    assert sf.gradient(log(Determinant(W.T * W)), W) == 2 * W * Inverse(W.T * W)
    u = MatrixSymbol("u", 2, 1)
    with pytest.raises(NotDifferentiable, match="at none of"):
        sf.gradient(Trace(Inverse(u * u.T) * C), C)


def test_like_terms_are_collected():
    assert (
        sf.gradient(square / 2 + lam * Trace(W.T * W) / 2, W)
        == lam * W + (W * X.T - Y.T) * X
    )
    assert sf.gradient(Trace(A), W) == sympy.ZeroMatrix(m, d)


f = sympy.Function("f")
OUTSIDE = [
    W[i, 0],
    f(Trace(W * V)),
    sympy.Abs(Trace(W * V)).diff(z)
    + sympy.Piecewise((Trace(W * V), lam > 1), (1, True)),
    Trace(W.applyfunc(f) * V),
    Trace(sympy.MatrixBase.exp(sympy.eye(2)) * sympy.Matrix([[lam, 1], [1, 2]]) * A),
    (W * V)[i, 0],
    Sum(W[i, 0], (i, 0, m - 2)),
    Sum(W[i, j], (j, 0, i), (i, 0, m - 1)),
    Sum(lam ** W[i, j] * i, (i, 0, m - 1), (j, 0, d - 1)),
    Sum(W[i, j], (i, 0, m - 1)),
    Sum(W[i, j] * V[j, k] * B[k, i], (i, 0, m - 1), (j, 0, d - 1), (k, 0, m - 1)),
    Sum(f(W[i, j]), (i, 0, m - 1), (j, 0, d - 1)),
    Sum(sympy.sign(W[i, j]), (i, 0, m - 1), (j, 0, d - 1)),
    Trace(sympy.FunctionMatrix(d, m, Lambda((z, lam), z + lam)) * W),
    Trace(A ** sympy.Rational(1, 2)),
    Trace(A**m),
    sympy.Max(Trace(W * V), 1),
    sympy.Integral(exp(z * Trace(A)), (z, 0, 1)),
    Trace(A) ** Trace(A),
    sympy.sign(Trace(W * V)),
    Trace(A.applyfunc(Lambda(z, sympy.sign(z)))),
    Trace(A.applyfunc(sympy.floor)),
    sympy.Heaviside(Trace(A)),
    sympy.DiracDelta(Trace(A)),
    sympy.conjugate(Trace(W * V)),
    Trace(sympy.Adjoint(W) * W),
    Trace(sympy.KroneckerProduct(A, A)),
    Trace(sympy.BlockMatrix([[A, A], [A, A]])),
    sympy.Permanent(A),
    sympy.Mod(Trace(A), 2),
    sympy.atan2(Trace(A), 1),
    sympy.zeta(Trace(A)),
    sympy.Limit(z * Trace(A), z, 1),
    sympy.Derivative(Trace(z * A), z),
]


@pytest.mark.parametrize("expr", OUTSIDE, ids=lambda e: str(e)[:40])
def test_everything_else_is_refused(expr):
    variable = A if expr.has(A) and not expr.has(W) else W
    with pytest.raises(NotDifferentiable):
        sf.gradient(expr, variable)


def test_matrices_and_other_variables_are_refused():
    with pytest.raises(ShapeMismatch, match="needs a scalar"):
        sf.gradient(W * V, W)
    with pytest.raises(NotDifferentiable, match="matrix symbol"):
        sf.gradient(Trace(W * V), lam)


@pytest.mark.parametrize("text", ["Trace(W)", None, [1]])
def test_what_is_no_expression_is_refused(text):
    """Text named another W, so that its gradient was zero."""
    with pytest.raises(sf.NotDifferentiable):
        sf.gradient(text, sympy.MatrixSymbol("W", 2, 2))


@pytest.mark.parametrize(
    "expr",
    [
        Sum(W[i, 0], (i, 1, m - 1)),
        Sum(Trace(A), (j, 0, i), (i, 0, m - 1)),
        Sum(W[i, j], (i, 0, m), (j, 0, d - 1)),
    ],
    ids=str,
)
def test_sums_over_a_part_of_the_indices_are_not_read(expr):
    with pytest.raises(NotDifferentiable):
        sf.gradient(expr, A if expr.has(A) else W, check=False)


@pytest.mark.parametrize(
    "value",
    [np.ma.masked, np.array(2.0), np.timedelta64(1, "s"), "W", True, None],
    ids=str,
)
def test_only_numbers_and_expressions_are_differentiated(value):
    """SymPy reads a masked number as what its mask hides."""
    with pytest.raises(NotDifferentiable, match="needs a SymPy expression"):
        sf.gradient(value, sympy.MatrixSymbol("W", 2, 2))
