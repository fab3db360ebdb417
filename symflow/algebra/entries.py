"""Entrywise form: matrix expressions at integer sizes, as polynomials in scalars."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add, mul
from typing import Any

import sympy
from sympy.matrices.expressions import diagonal as sympy_diagonal
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from symflow.algebra.matrix_maps import MatrixMap
from symflow.algebra.symbols import entry_symbol


def explicit(symbol: sympy.MatrixSymbol) -> sympy.ImmutableDenseMatrix:
    """Return the matrix of the scalar symbols of a matrix symbol of integer shape."""
    rows, columns = (int(size) for size in symbol.shape)
    return sympy.ImmutableDenseMatrix(
        rows, columns, lambda i, j: entry_symbol(symbol, int(i), int(j))
    )


def at_sizes(expression: Any, sizes: dict[sympy.Symbol, int]) -> Any:
    """Return `expression` with every symbolic width replaced by an integer.

    The `sizes` are integers, or other symbols, by symbol.
    """
    return expression.xreplace({name: sympy.sympify(n) for name, n in sizes.items()})


def entrywise(expression: Any, leaf: Callable[[Any], Any] = explicit) -> Any:
    """Return a matrix expression of integer shape as an explicit matrix.

    The entries of every matrix symbol are the plain scalars of `entry_symbol`, or of
    the explicit matrix that `leaf` makes; a trace becomes a scalar.  This is plain
    substitution and multiplication, kept apart from the derivation engine so that it
    can check it.  The expression is built from symbols, sums, products, transposes and
    traces, and the answer is not expanded.
    """
    if isinstance(expression, sympy.MatrixSymbol):
        return leaf(expression)
    if isinstance(expression, sympy.Transpose):
        return entrywise(expression.arg, leaf).T
    if isinstance(expression, sympy.Trace):
        return sympy.Add(*entrywise(expression.arg, leaf).diagonal())
    if isinstance(expression, sympy.Sum):
        return entrywise(expression.doit(), leaf)
    if isinstance(expression, sympy.ZeroMatrix):
        return sympy.ImmutableDenseMatrix.zeros(*expression.shape)
    if isinstance(expression, sympy.Identity):
        return sympy.ImmutableDenseMatrix.eye(expression.shape[0])
    if isinstance(expression, ElementwiseApplyFunction):
        return entrywise(expression.expr, leaf).applyfunc(expression.function)
    if isinstance(expression, (sympy.MatrixBase, sympy.OneMatrix)):
        return sympy.ImmutableDenseMatrix(expression.as_explicit())
    if isinstance(expression, MatrixMap):
        return expression.of(entrywise(expression.arg, leaf), int(expression.size))
    parts = [entrywise(part, leaf) for part in expression.args]
    if isinstance(expression, (sympy.MatAdd, sympy.Add)):
        return reduce(add, parts)
    if isinstance(expression, (sympy.MatMul, sympy.Mul)):
        return reduce(mul, parts)
    for kind, function in _FUNCTIONS.items():
        if isinstance(expression, kind):
            return function(*parts)
    return expression.func(*parts) if parts else expression


def _method(matrix: Any) -> str:
    """Return how a matrix is inverted: numbers exactly, symbols without a division."""
    return "DM" if all(entry.is_Rational for entry in matrix) else "ADJ"


def entry_products(left: Any, right: Any) -> Any:
    """Return the product of two matrices entry by entry."""
    return left.multiply_elementwise(right)


_FUNCTIONS: dict[type, Any] = {
    sympy.HadamardProduct: lambda *parts: reduce(entry_products, parts),
    sympy.HadamardPower: lambda base, power: base.applyfunc(lambda x: x**power),
    sympy.Determinant: lambda matrix: matrix.det(method="berkowitz"),
    sympy.Inverse: lambda matrix, _: matrix.inv(method=_method(matrix)),
    sympy.MatPow: lambda base, power: base**power,
    sympy.KroneckerProduct: lambda *parts: reduce(sympy.kronecker_product, parts),
    sympy_diagonal.DiagMatrix: lambda column: sympy.diag(*column),
    sympy_diagonal.DiagonalOf: lambda matrix: matrix.diagonal().T,
}
