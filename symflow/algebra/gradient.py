"""Gradients of scalar matrix expressions, right for symbolic shapes and checked.

SymPy 1.14 returns 0 for the derivative of, for example, ‖R‖²/2 + λ‖W‖² or exp(tr WᵀW).
"""

from __future__ import annotations

from random import Random
from typing import Any

import sympy

from symflow.algebra.calculus import pull_back
from symflow.algebra.elementwise import Number
from symflow.algebra.entries import at_sizes, entrywise
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.nodes import Node, trace
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.threads import evaluated
from symflow.errors import FLAG, NotDifferentiable, ShapeMismatch, expect

#: Digits at which the entrywise check compares, and those that have to agree.
_DIGITS, _AGREE = 40, 25


def gradient(expr: Any, W: sympy.MatrixSymbol, *, check: bool = True) -> Any:
    """Return the matrix of the derivatives of a scalar with respect to a matrix.

    Parameters
    ----------
    expr : sympy.Expr or sympy.MatrixExpr
        A scalar built from traces, determinants, sums, products, powers and functions;
        inside them sums, products, powers, inverses, Hadamard products, elementwise
        functions and diagonal matrices of matrix symbols.  A 1×1 matrix expression
        counts as a scalar.
    W : sympy.MatrixSymbol
        With respect to what; its shape may be symbolic.
    check : bool, keyword-only
        Compare with entrywise differentiation at two random integer shapes.

    Returns
    -------
    sympy.MatrixExpr
        Of the shape of `W`.

    Raises
    ------
    NotDifferentiable
        If the expression is outside the grammar.
    ShapeMismatch
        If it is not a scalar.

    Examples
    --------
    >>> import sympy
    >>> X, W = sympy.MatrixSymbol("X", 5, 3), sympy.MatrixSymbol("W", 3, 2)
    >>> gradient(sympy.log(1 + sympy.Trace(W.T * X.T * X * W)), W)
    (2/(Trace(W.T*X.T*X*W) + 1))*X.T*X*W
    """
    if not isinstance(W, sympy.MatrixSymbol):
        msg = f"gradient(expr, W): W has to be a matrix symbol; got {W!r}"
        raise NotDifferentiable(msg)
    node = scalar_node(expr)
    (derivative,) = pull_back(node, Number(sympy.S.One), [W])
    result = sympy.ZeroMatrix(*W.shape) if derivative is None else to_sympy(derivative)
    if expect(check, FLAG, "gradient(expr, W, check=…)", "True or False"):
        for seed in (1, 2):
            _check_entrywise(to_sympy(node), result, W, Random(seed))
    return result


def scalar_node(expr: Any) -> Node:
    """Return a scalar expression as a node; a 1×1 matrix becomes its trace.

    Raises NotDifferentiable if the expression is outside the grammar, and ShapeMismatch
    if it is not a scalar.
    """
    node = from_sympy(expr)
    if node.is_scalar:
        return node
    if tuple(node.shape) != (1, 1):
        rows, columns = node.shape
        msg = f"gradient(expr, W): needs a scalar; got a {rows}×{columns} matrix"
        raise ShapeMismatch(msg)
    return trace(node)


def _check_entrywise(
    expr: sympy.Expr, result: Any, W: sympy.MatrixSymbol, random: Random
) -> None:
    """Differentiate entry by entry at random sizes and numbers, and compare."""
    matrices = expr.atoms(sympy.MatrixSymbol) | {W}
    names = sorted({s for m in matrices for s in m.shape if not s.is_Integer}, key=str)
    sizes = {name: random.randint(1, 3) for name in names}
    scalar, claimed = (entrywise(at_sizes(e, sizes)) for e in (expr, result))
    variables = entrywise(at_sizes(W, sizes))
    symbols = sorted(
        scalar.free_symbols | claimed.free_symbols | variables.free_symbols, key=str
    )
    values = {s: sympy.Rational(random.randint(1, 40), 29) for s in symbols}
    others = {s: v for s, v in values.items() if s not in variables.free_symbols}
    scalar = scalar.xreplace(others)
    for entry, value in zip(variables, claimed, strict=True):
        expected = scalar.diff(entry).xreplace(values)
        gap = evaluated(expected - value.xreplace(values), _DIGITS, maxn=400)
        size = 1 + abs(evaluated(expected, 15))
        if not abs(gap) <= size * sympy.Float(10) ** (-_AGREE):
            msg = (
                f"gradient({expr}, {W}): the result {result} differs from entrywise "
                f"differentiation by {evaluated(gap, 5)} at the sizes {sizes}. Please "
                "report this expression"
            )
            raise NotDifferentiable(msg)
