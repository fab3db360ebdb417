"""SymPy matrix expressions as nodes: the grammar that symflow can differentiate."""

from __future__ import annotations

import numbers
from functools import reduce
from typing import Any

import numpy as np
import sympy
from sympy.matrices.expressions import diagonal as sympy_diagonal
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from symflow.algebra import matrix_maps
from symflow.algebra.elementwise import (
    Determinant,
    IdentityNode,
    Inverse,
    Number,
    Ones,
    elementwise,
    hadamard,
    total,
    weighted,
)
from symflow.algebra.embeddings import (
    CirculantNode,
    circulant_sums,
    crop,
    diag,
    diagonal_of,
    flattened,
    folded,
    pad,
)
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Leaf, Node, add, product, scale, trace, transpose
from symflow.algebra.tensors import Constant
from symflow.errors import NotDifferentiable, shown

#: Terms up to which a sum of another form is written out.
MOST_SUMMANDS = 400


def from_sympy(expression: Any) -> Node:
    """Return a SymPy scalar or matrix expression as a node, a scalar one for a scalar.

    It may have matrix symbols, explicit matrices of numbers, sums, products,
    transposes, integer powers, inverses, Hadamard products, elementwise functions,
    identities and diagonal matrices; traces, determinants, entries, sums of entries
    over all values of one or two indices, and sums, products, powers and functions of
    these. Anything else is `NotDifferentiable`, by its name.
    """
    if getattr(expression, "is_Matrix", False) or isinstance(
        expression, sympy.MatrixBase
    ):
        return _matrix(expression)
    # arrays are none: SymPy reads a masked one as what the mask hides
    plain = isinstance(expression, sympy.Basic | numbers.Number)
    span = isinstance(expression, np.timedelta64)  # a number to Python, not to SymPy
    scalar = sympy.sympify(expression, strict=True) if plain and not span else None
    if not isinstance(scalar, sympy.Expr):
        msg = f"gradient: needs a SymPy expression; got {shown(expression)}"
        raise NotDifferentiable(msg)
    return _scalar(scalar)


def _matrix(expression: Any) -> Node:
    match expression:
        case sympy.MatrixSymbol():
            return Leaf(expression)
        case sympy.MatMul():
            coefficient, factors = expression.as_coeff_matrices()
            inner = product(*map(_matrix, factors))
            return weighted(_scalar(coefficient), inner)
        case sympy.MatAdd():
            return add(*map(_matrix, expression.args))
        case sympy.Transpose():
            return transpose(_matrix(expression.arg))
        case sympy.Inverse():
            return Inverse(_matrix(expression.arg))
        case sympy.MatPow():
            return _power(expression)
        case sympy.Identity():
            return IdentityNode(expression.shape[0])
        case sympy.OneMatrix():
            return Ones(*expression.shape)
        case sympy.ZeroMatrix():
            return scale(0, Ones(*expression.shape))
    return _entrywise(expression)


def _entrywise(expression: Any) -> Node:
    match expression:
        case sympy.HadamardProduct():
            first, *others = map(_matrix, expression.args)
            for other in others:
                first = hadamard(first, other)
            return first
        case sympy.HadamardPower():
            return elementwise(Z**expression.exp, _matrix(expression.base))
        case ElementwiseApplyFunction():
            return elementwise(_body(expression.function), _matrix(expression.expr))
        case sympy_diagonal.DiagMatrix():
            return diag(_matrix(expression.args[0]))
        case sympy_diagonal.DiagonalOf():
            return diagonal_of(_matrix(expression.args[0]))
        case sympy.MatrixBase():
            if all(entry.is_number for entry in expression):
                return Constant(sympy.ImmutableDenseMatrix(expression))
        case matrix_maps.MatrixMap():
            return _map(expression)
    raise _outside(expression)


def _map(expression: matrix_maps.MatrixMap) -> Node:
    makers: dict[type, Any] = {
        matrix_maps.CirculantExpr: CirculantNode,
        matrix_maps.CirculantSumsExpr: circulant_sums,
        matrix_maps.PaddedExpr: pad,
        matrix_maps.CroppedExpr: crop,
    }
    if isinstance(expression, matrix_maps.FlattenedExpr):
        return flattened(_matrix(expression.arg))
    if isinstance(expression, matrix_maps.FoldedExpr):
        return folded(_matrix(expression.arg), *expression.shape)
    node: Node = makers[type(expression)](_matrix(expression.arg), expression.size)
    return node


def _power(expression: sympy.MatPow) -> Node:
    exponent = expression.exp
    if not exponent.is_Integer or exponent == 0:
        raise _outside(expression)
    base = _matrix(expression.base)
    return product(*[base if exponent > 0 else Inverse(base)] * abs(int(exponent)))


#: How many values the one or two indices of a sum have, which count from 0.
Sizes = dict[Any, Any]


def _scalar(expression: sympy.Expr, sizes: Sizes | None = None) -> Node:
    """Return a scalar as a node; with indices, the matrix of its values."""
    if sizes and not expression.free_symbols & {*sizes}:
        rows, columns = (*sizes.values(), 1)[:2]
        return weighted(_scalar(expression), Ones(rows, columns))
    if not expression.has(sympy.MatrixExpr, sympy.MatrixBase):
        if sizes:
            raise _outside(expression)
        return Number(expression)
    match expression:
        case MatrixElement() if isinstance(expression.parent, sympy.MatrixSymbol):
            return _values(expression, sizes or {})
        case sympy.Sum() if not sizes:
            return _index_sum(expression)
        case sympy.Trace():
            return _trace(expression.arg)
        case sympy.Determinant():
            return Determinant(_matrix(expression.arg))
        case sympy.Add():
            return add(*(scale(1, _scalar(term, sizes)) for term in expression.args))
        case sympy.Mul():
            parts = [_scalar(factor, sizes) for factor in expression.args]
            return reduce(hadamard if sizes else weighted, parts)
        case sympy.Pow():
            base, power = expression.args
            moving = {*(sizes or ())}
            if not power.has(sympy.MatrixExpr) and not power.free_symbols & moving:
                return elementwise(Z**power, _scalar(base, sizes))
            if not base.has(sympy.MatrixExpr) and not base.free_symbols & moving:
                return elementwise(base**Z, _scalar(power, sizes))
        case sympy.Function():
            if len(expression.args) == 1 and _is_known(expression):
                inner = _scalar(expression.args[0], sizes)
                return elementwise(expression.func(Z), inner)
    raise _outside(expression)


def _index_sum(expression: sympy.Sum) -> Node:
    """Return a sum over all values of indices; others are written out, if short."""
    sizes = {index: high + 1 for index, low, high in expression.limits if low == 0}
    count = sympy.prod(high - low + 1 for _, low, high in expression.limits)
    try:
        if not len(sizes) == len(expression.limits) <= 2 or count.has(*sizes):
            raise _outside(expression)
        return total(_scalar(expression.function, sizes))
    except NotDifferentiable:
        if not count.is_Integer or count > MOST_SUMMANDS:
            raise
        return _scalar(expression.doit())


def _values(element: MatrixElement, sizes: Sizes) -> Node:
    """Return the matrix of the values of an entry, constant along indices it lacks."""
    places, shape, units = element.indices, element.parent.shape, []
    for place, size in zip(places, shape, strict=True):
        if not (sizes[place] == size if place in sizes else place.is_Integer):
            raise _outside(element)
        fixed = place not in sizes and size != 1
        unit = [*[0] * int(place), 1] if fixed else []
        units.append([pad(Constant(sympy.ImmutableDenseMatrix(unit)), size)] * fixed)
    left, right = units
    found = product(*map(transpose, left), Leaf(element.parent), *right)
    moving = [place for place in places if place in sizes]
    if not moving:
        return trace(found)
    if len({*moving}) == 2:
        return found if moving == [*sizes] else transpose(found)
    column = found if places[0] in sizes else transpose(found)
    column = diagonal_of(column) if len(moving) == 2 else column
    first, *second = sizes
    if not second:
        return column
    if moving[0] == first:
        return product(column, Ones(1, sizes[second[0]]))
    return product(Ones(sizes[first], 1), transpose(column))


def _trace(argument: Any) -> Node:
    factors = argument.args if isinstance(argument, sympy.MatMul) else ()
    places = [n for n, f in enumerate(factors) if isinstance(f, sympy.OneMatrix)]
    if len(places) == 1:
        place = places[0]
        rotated = (*factors[place + 1 :], *factors[:place])
        return total(_matrix(sympy.MatMul(*rotated)))
    return trace(_matrix(argument))


#: Functions of a complex number, in branches, or with a derivative that is none.
_NOT_SMOOTH = (
    sympy.Piecewise,
    sympy.conjugate,
    sympy.re,
    sympy.im,
    sympy.sign,
    sympy.Heaviside,
    sympy.DiracDelta,
)


def _is_known(expression: sympy.Function) -> bool:
    undefined = isinstance(expression, sympy.core.function.AppliedUndef)
    return not undefined and not isinstance(expression, _NOT_SMOOTH)


def _body(function: Any) -> sympy.Expr:
    """Return a function of one variable as an expression in `Z`."""
    value = function(Z)
    undefined = sympy.core.function.AppliedUndef
    if not isinstance(value, sympy.Expr) or value.has(undefined, *_NOT_SMOOTH):
        raise _outside(function)
    return value


def _outside(expression: Any) -> NotDifferentiable:
    msg = (
        f"gradient: {type(expression).__name__} is outside the grammar: {expression}. "
        "Write the expression with traces of products, sums, Hadamard products, "
        "elementwise functions, determinants and inverses of matrix symbols"
    )
    return NotDifferentiable(msg)
