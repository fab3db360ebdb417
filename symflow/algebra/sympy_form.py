"""Nodes as SymPy expressions: what people see, and what the entrywise oracle reads."""

from __future__ import annotations

from typing import Any

import sympy

from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Traced,
    Transposed,
)


def to_sympy(node: Node) -> Any:
    """Return `node` as a SymPy matrix expression, or a scalar one for a trace.

    Products are written flat and transposes reach the symbols, as one writes them
    on paper; sums inside a product stay factored.

    Parameters
    ----------
    node : Node
        Any matrix expression.

    Returns
    -------
    sympy.MatrixExpr or sympy.Expr
        The expression, not expanded.

    Examples
    --------
    >>> from symflow.algebra import nodes
    >>> A = nodes.Leaf(sympy.MatrixSymbol("A", 2, 3))
    >>> to_sympy(nodes.transpose(nodes.product(A, nodes.transpose(A))))
    A*A.T
    """
    if isinstance(node, Traced):
        return sympy.Trace(_matrix(node.body, flip=False))
    if isinstance(node, Scaled) and _is_scalar(node.body):
        return node.coefficient * to_sympy(node.body)
    if isinstance(node, Sum) and _is_scalar(node.terms[0]):
        return sympy.Add(*(to_sympy(term) for term in node.terms))
    return _matrix(node, flip=False)


def _is_scalar(node: Node) -> bool:
    match node:
        case Traced():
            return True
        case Scaled(_, body):
            return _is_scalar(body)
        case Sum(terms):
            return _is_scalar(terms[0])
    return False


def _matrix(node: Node, *, flip: bool) -> sympy.MatrixExpr:
    """Return the matrix expression of `node`, or of its transpose when `flip`."""
    match node:
        case Leaf(symbol):
            return symbol.T if flip else symbol
        case Transposed(body):
            return _matrix(body, flip=not flip)
        case Scaled(coefficient, body):
            return sympy.MatMul(coefficient, *_factors(body, flip=flip))
        case Sum(terms):
            return sympy.MatAdd(*(_matrix(term, flip=flip) for term in terms))
    return sympy.MatMul(*_factors(node, flip=flip))


def _factors(node: Node, *, flip: bool) -> list[sympy.MatrixExpr]:
    """Return the factors of a product, outermost first."""
    if isinstance(node, Transposed):
        return _factors(node.body, flip=not flip)
    if not isinstance(node, Product):
        return [_matrix(node, flip=flip)]
    pair = (node.right, node.left) if flip else (node.left, node.right)
    return [factor for side in pair for factor in _factors(side, flip=flip)]
