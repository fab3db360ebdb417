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
from symflow.errors import FLAG, NotDifferentiable, ShapeMismatch, expect, shown

#: Digits at which the check compares, those that have to agree, and how small, in
#: digits, the step of its difference quotients is, which leaves twice as many right.
_DIGITS, _AGREE, _STEP = 40, 25, 30
#: How many points are tried until the expression has a value.
_DRAWS = 20


def gradient(expr: Any, W: sympy.MatrixSymbol, *, check: bool = True) -> Any:
    """Return the matrix of the derivatives of a scalar with respect to a matrix.

    Parameters
    ----------
    expr : sympy.Expr or sympy.MatrixExpr
        A scalar built from traces, determinants, entries, sums of entries over indices
        (`sympy.Sum`), sums, products, powers and functions; inside them sums, products,
        powers, inverses, Hadamard products, elementwise functions and diagonal matrices
        of matrix symbols.  A 1×1 matrix expression counts as a scalar.
    W : sympy.MatrixSymbol
        With respect to what; its shape may be symbolic.
    check : bool, keyword-only
        Compare with the slopes along two random lines, at random rational points and
        sizes, to 25 digits: they share nothing with the derivation.

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
        msg = f"gradient(expr, W): W has to be a matrix symbol; got {shown(W)}"
        raise NotDifferentiable(msg)
    node = scalar_node(expr)
    (derivative,) = pull_back(node, Number(sympy.S.One), [W])
    result = sympy.ZeroMatrix(*W.shape) if derivative is None else to_sympy(derivative)
    if expect(check, FLAG, "gradient(expr, W, check=…)", "True or False"):
        for least in (1, 2):
            _check_along(sympy.sympify(expr), result, W, least)
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


def _check_along(expr: Any, result: Any, W: sympy.MatrixSymbol, least: int) -> None:
    """Compare with a difference quotient along a line of random rational points.

    Sizes that are symbols are between `least` and 3.
    """
    random = Random(least)
    matrices = {W, *expr.atoms(sympy.MatrixSymbol), *result.atoms(sympy.MatrixSymbol)}
    names = sorted(
        {s for m in matrices for n in m.shape for s in n.free_symbols}, key=str
    )
    for _ in range(_DRAWS):
        sizes = {name: random.randint(least, 3) for name in names}
        try:
            parts = [at_sizes(part, sizes) for part in (expr, result, W)]
            found = {at_sizes(matrix, sizes) for matrix in matrices}
            claimed, expected, value = _slopes(parts, found, random)
        except (ValueError, IndexError, ZeroDivisionError):
            continue  # there is no value at these sizes, or at this point
        gap = evaluated(claimed - expected, _DIGITS, maxn=400)
        size = abs(evaluated(expected, 15)) + abs(evaluated(value, 15))
        if gap.is_finite and size.is_finite:
            if abs(gap) <= size * sympy.Float(10) ** (-_AGREE):
                return
            msg = (
                f"gradient({expr}, {W}): the result {result} differs from the slope "
                f"along a line by {evaluated(gap, 5)} at the sizes {sizes}. Please "
                "report this expression"
            )
            raise NotDifferentiable(msg)
    msg = f"gradient({expr}, {W}): has a value at none of {_DRAWS} random points"
    raise NotDifferentiable(msg)


def _slopes(
    parts: list[Any], matrices: set[Any], random: Random
) -> tuple[sympy.Expr, ...]:
    """Return ⟨∇f, E⟩, (f(W + hE) − f(W − hE))/2h and f, at random W and E."""
    expr, result, W = parts

    def number(*_: Any) -> sympy.Rational:
        return sympy.Rational(random.randint(1, 40), 29)

    def drawn(symbol: Any) -> sympy.ImmutableDenseMatrix:
        return sympy.ImmutableDenseMatrix(*map(int, symbol.shape), number)

    def value(part: Any, shift: Any) -> Any:
        moved = {**point, W: point[W] + shift * along}
        return sympy.sympify(entrywise(part, moved.__getitem__)).xreplace(scalars)

    along = drawn(W)
    point = {symbol: drawn(symbol) for symbol in sorted(matrices, key=str)}
    free = (expr.free_symbols | result.free_symbols) - matrices
    scalars = {symbol: number() for symbol in sorted(free, key=str)}
    step = sympy.Rational(1, 10**_STEP)
    slopes = value(result, 0).multiply_elementwise(along)
    ends = [value(expr, shift) for shift in (step, -step)]
    ahead, behind = (end[0, 0] if end.is_Matrix else end for end in ends)
    return sympy.Add(*slopes), (ahead - behind) / (2 * step), ahead
