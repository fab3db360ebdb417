"""Nodes as SymPy expressions: what people see, and what the entrywise oracle reads."""

from __future__ import annotations

from typing import Any

import sympy

from symflow.algebra import matrix_maps
from symflow.algebra.elementwise import (
    Determinant,
    Elementwise,
    Hadamard,
    IdentityNode,
    Inverse,
    Number,
    Ones,
    Softmax,
    Total,
    Weighted,
    elementwise,
    total,
    weighted,
)
from symflow.algebra.embeddings import LinearMap
from symflow.algebra.functions import Z
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Traced,
    Transposed,
    remembered,
)
from symflow.algebra.tensors import Constant, Contraction, Kronecker


def to_sympy(node: Node) -> Any:
    """Return `node` as a SymPy matrix expression, or a scalar one for a trace.

    Products are written flat and transposes reach the symbols, as one writes them on
    paper; sums inside a product stay factored.  The expression is not expanded.
    """
    return _scalar(node) if node.is_scalar else _matrix(node, flip=False)


@remembered
def _scalar(node: Node) -> sympy.Expr:
    match node:
        case Traced(body):
            return sympy.Trace(_matrix(body, flip=False))
        case Total(body):
            rows, columns = body.shape
            ones = sympy.OneMatrix(columns, rows)
            return sympy.Trace(sympy.MatMul(ones, _matrix(body, flip=False)))
        case Determinant(body):
            return sympy.Determinant(_matrix(body, flip=False))
        case Number(value):
            return value
        case Scaled(coefficient, body):
            return coefficient * _scalar(body)
        case Sum(terms):
            return sympy.Add(*map(_scalar, terms))
        case Hadamard(left, right):
            return _scalar(left) * _scalar(right)
        case Elementwise(function, body):
            return function.xreplace({Z: _scalar(body)})
    msg = f"to_sympy: a {type(node).__name__} is not a scalar"
    raise TypeError(msg)


@remembered
def _matrix(node: Node, *, flip: bool) -> sympy.MatrixExpr:
    """Return the matrix expression of `node`, or of its transpose when `flip`."""
    match node:
        case Leaf(symbol):
            return symbol.T if flip else symbol
        case Transposed(body):
            return _matrix(body, flip=not flip)
        case Scaled(coefficient, body):
            while isinstance(body, Weighted):
                coefficient, body = coefficient * _scalar(body.weight), body.body
            return sympy.MatMul(coefficient, *_factors(body, flip=flip))
        case Sum(terms):
            return sympy.MatAdd(*(_matrix(term, flip=flip) for term in terms))
        case Product():
            return sympy.MatMul(*_factors(node, flip=flip))
        case Weighted(weight, body):
            return sympy.MatMul(_scalar(weight), *_factors(body, flip=flip))
        case Hadamard():
            parts = [_matrix(part, flip=flip) for part in _entrywise_factors(node)]
            return sympy.HadamardProduct(*parts)
        case Elementwise(function, body):
            inner = _matrix(body, flip=flip)
            return matrix_maps.ElementwiseExpr(sympy.Lambda(Z, function), inner)
        case Softmax(body):
            powers = elementwise(sympy.exp(Z), body)
            shares = weighted(elementwise(1 / Z, total(powers)), powers)
            return _matrix(shares, flip=flip)
        case Contraction():
            return _matrix(node.lowered, flip=flip)
        case Kronecker(left, right):
            # SymPy cannot transpose a product of which one factor has a coefficient.
            pair = [_matrix(part, flip=flip) for part in (left, right)]
            return sympy.KroneckerProduct(*pair)
    form = _special(node)
    return form.T if flip and not node.is_symmetric else form


def _special(node: Node) -> sympy.MatrixExpr:
    """Return what has a SymPy class of its own."""
    match node:
        case LinearMap():
            return node.sympy_form(_matrix(node.body, flip=False))
        case Inverse(body):
            return sympy.Inverse(_matrix(body, flip=False))
        case IdentityNode(size):
            return sympy.Identity(size)
        case Ones(rows, columns):
            return sympy.OneMatrix(rows, columns)
        case Constant(matrix, symbol):
            return matrix if symbol is None else symbol
    msg = f"to_sympy: no SymPy form of a {type(node).__name__}"
    raise TypeError(msg)


def _entrywise_factors(node: Node) -> list[Node]:
    if not isinstance(node, Hadamard):
        return [node]
    return [*_entrywise_factors(node.left), *_entrywise_factors(node.right)]


def _factors(node: Node, *, flip: bool) -> list[sympy.MatrixExpr]:
    """Return the factors of a product, outermost first."""
    if isinstance(node, Transposed):
        return _factors(node.body, flip=not flip)
    if not isinstance(node, Product):
        return [_matrix(node, flip=flip)]
    pair = (node.right, node.left) if flip else (node.left, node.right)
    return [factor for side in pair for factor in _factors(side, flip=flip)]
