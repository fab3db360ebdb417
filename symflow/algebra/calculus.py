"""Derivatives of nodes by the reverse chain rule, with symbolic shapes.

A scalar is differentiated by carrying a *force* from it down to the symbols: if ds is
the inner product of F with d(node), each operation says which forces act on its
operands.  The nodes that come out share their parts with those that went in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy

from symflow.algebra.elementwise import (
    Determinant,
    Elementwise,
    Hadamard,
    IdentityNode,
    Inverse,
    Number,
    Ones,
    Total,
    Weighted,
    elementwise,
    hadamard,
    inner_product,
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
    add,
    fold,
    postorder,
    product,
    scale,
    transpose,
)
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.tensors import Constant, Contraction, Kronecker
from symflow.errors import NotDifferentiable

Force = tuple[Node, Node]


def pull_back(
    node: Node, force: Node, symbols: Sequence[sympy.MatrixSymbol]
) -> tuple[Node | None, ...]:
    """Return the adjoint of d(node)/d(symbol) applied to `force`, for every symbol.

    The `force` has the shape of `node`, and is ``Number(1)`` for the gradient of a
    scalar.  The adjoint is None where the node does not depend on the symbol.  Raises
    NotDifferentiable if a function has no derivative in closed form.
    """
    collected: dict[Node, list[Node]] = {node: [force]}
    below = list(postorder(node))
    depends: set[Node] = set()
    for current in below:
        is_wanted = isinstance(current, Leaf) and current.symbol in symbols
        if is_wanted or not depends.isdisjoint(current.children):
            depends.add(current)
    for current in reversed(below):
        if current in collected and current in depends:
            total = collect(collected[current])
            for operand, pushed in _forces(current, total):
                if operand in depends:
                    collected.setdefault(operand, []).append(pushed)
    leaves = [collected.get(Leaf(symbol)) for symbol in symbols]
    return tuple(None if terms is None else collect(terms) for terms in leaves)


def collect(terms: Iterable[Node]) -> Node:
    """Return the sum of nodes, those added up that are written alike."""
    found: dict[Any, tuple[sympy.Expr, Node]] = {}
    for term in terms:
        for part in term.terms if isinstance(term, Sum) else (term,):
            scaled = part if isinstance(part, Scaled) else Scaled(sympy.S.One, part)
            form = to_sympy(scaled.body)
            count, body = found.get(form, (sympy.S.Zero, scaled.body))
            found[form] = count + scaled.coefficient, body
    parts = [scale(count, body) for count, body in found.values() if count != 0]
    return add(*parts) if parts else scale(0, next(iter(found.values()))[1])


def _forces(node: Node, force: Node) -> list[Force]:
    """Return the operands of a node with the force on each."""
    match node:
        case Leaf() | Number():
            return []
        case Product(left, right):
            return [
                (left, product(force, transpose(right))),
                (right, product(transpose(left), force)),
            ]
        case Sum(terms):
            return [(term, force) for term in terms]
        case Scaled(coefficient, body):
            return [(body, scale(coefficient, force))]
        case Transposed(body):
            terms = force.terms if isinstance(force, Sum) else (force,)
            return [(body, add(*map(transpose, terms)))]
        case LinearMap():
            return [(node.body, node.adjoint(force))]
        case Contraction(_, _, columns):
            return [(c, node.adjoint(k, force)) for k, c in enumerate(columns)]
    return _scalar_forces(node, force)


def _scalar_forces(node: Node, force: Node) -> list[Force]:
    match node:
        case Traced(body):
            return [(body, weighted(force, IdentityNode(body.shape[0])))]
        case Total(body):
            if body.is_scalar:
                return [(body, force)]
            return [(body, weighted(force, Ones(*body.shape)))]
        case Hadamard(left, right):
            return [(left, hadamard(force, right)), (right, hadamard(force, left))]
        case Elementwise(function, body):
            return [(body, hadamard(force, elementwise(_slope(function), body)))]
        case Weighted(weight, body):
            return [
                (weight, inner_product(force, body)),
                (body, weighted(weight, force)),
            ]
        case Determinant(body):
            cofactor = hadamard(force, node)
            return [(body, weighted(cofactor, Inverse(transpose(body))))]
        case Inverse(body):
            turned = Inverse(transpose(body))
            return [(body, scale(-1, product(turned, force, turned)))]
    msg = f"no derivative of a {type(node).__name__} is known"
    raise NotDifferentiable(msg)


def push_forward(
    node: Node, velocities: Mapping[sympy.MatrixSymbol, Node]
) -> Node | None:
    """Return the time derivative of a node whose symbols move with given velocities.

    The node is polynomial in its symbols, up to elementwise functions; None where
    nothing below it moves.
    """
    return fold(node, lambda current, *moved: _moved(current, moved, velocities))


def _moved(
    node: Node,
    moved: tuple[Node | None, ...],
    velocities: Mapping[sympy.MatrixSymbol, Node],
) -> Node | None:
    """Return the time derivative of a node from those of its operands."""
    match node:
        case Leaf(symbol):
            return velocities.get(symbol)
        case Constant() | IdentityNode() | Ones() | Number():
            return None
        case Sum():
            found = [term for term in moved if term is not None]
            return add(*found) if found else None
        case Product() | Hadamard() | Kronecker() | Contraction() | Weighted():
            return _product_rule(node, moved)
    inner = moved[0]
    if inner is None:
        return None
    match node:
        case Elementwise(function, body):
            return hadamard(elementwise(_slope(function), body), inner)
        case Inverse():
            return scale(-1, product(node, inner, node))
        case Determinant(body):
            return hadamard(node, inner_product(Inverse(transpose(body)), inner))
        case Scaled() | Transposed() | Traced() | Total() | LinearMap():
            return node.rebuild(inner)
    msg = f"no derivative of a {type(node).__name__} along a flow is known"
    raise NotDifferentiable(msg)


def _product_rule(node: Node, moved: tuple[Node | None, ...]) -> Node | None:
    children, terms = node.children, []
    for place, velocity in enumerate(moved):
        if velocity is not None:
            parts = (*children[:place], velocity, *children[place + 1 :])
            terms.append(node.rebuild(*parts))
    return add(*terms) if terms else None


def _slope(function: sympy.Expr) -> Any:
    slope = function.diff(Z)
    if slope.has(sympy.Derivative, sympy.Subs, sympy.DiracDelta):
        msg = f"the function {function} has no derivative in closed form"
        raise NotDifferentiable(msg)
    return slope
