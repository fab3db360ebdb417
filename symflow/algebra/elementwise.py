"""Nodes that act entry by entry, and nodes that make and use numbers.

Hadamard products, elementwise functions, the sum of all entries, and a number (such
as a trace) times a matrix.  A number counts as its own only entry, so that exp(tr A)
is the elementwise exponential of tr A and a product of numbers a Hadamard product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.functions import Z
from symflow.algebra.nodes import (
    Alike,
    Atom,
    Binary,
    Node,
    Scalar,
    Scaled,
    Shape,
    Unary,
    makes,
    product,
    scale,
    trace,
    transpose,
)
from symflow.algebra.threads import cached_property
from symflow.errors import ShapeMismatch


@dataclass(frozen=True, eq=False)
class Hadamard(Binary):
    """The entrywise product of two nodes of one shape, or of two numbers."""

    left: Node
    right: Node

    @cached_property
    def shape(self) -> Shape:
        return self.left.shape

    @cached_property
    def is_scalar(self) -> bool:
        return self.left.is_scalar

    @cached_property
    def is_symmetric(self) -> bool:
        return self.left.is_symmetric and self.right.is_symmetric


@dataclass(frozen=True, eq=False)
class Elementwise(Alike):
    """A function of one variable, an expression in `Z`, applied to every entry."""

    function: sympy.Expr
    body: Node


@dataclass(frozen=True, eq=False)
class Total(Scalar, Unary):
    """The sum of all entries."""

    body: Node


@dataclass(frozen=True, eq=False)
class Softmax(Unary):
    """The exponentials of all entries, divided by their sum."""

    body: Node

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape


@dataclass(frozen=True, eq=False)
class Number(Scalar, Atom):
    """A number or a scalar symbol that stands alone, as the 1 in 1 + tr A."""

    value: sympy.Expr


@dataclass(frozen=True, eq=False)
class Weighted(Node):
    """A number that is computed, such as a trace, times a matrix."""

    weight: Node
    body: Node

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape

    @property
    def children(self) -> tuple[Node, ...]:
        return self.weight, self.body

    @cached_property
    def is_symmetric(self) -> bool:
        return self.body.is_symmetric

    def times(self, right: Node) -> Node | None:
        return weighted(self.weight, product(self.body, right))

    def times_after(self, left: Node) -> Node | None:
        return weighted(self.weight, product(left, self.body))


@makes(Hadamard)
def hadamard(left: Node, right: Node) -> Node:
    """Return the entrywise product.

    Raises ShapeMismatch if the shapes differ.
    """
    if left.shape != right.shape or left.is_scalar != right.is_scalar:
        msg = f"hadamard(left, right): shapes {left.shape} and {right.shape} differ"
        raise ShapeMismatch(msg)
    for first, second in ((left, right), (right, left)):
        if isinstance(first, Number):
            return scale(first.value, second)
        if isinstance(first, Scaled):
            return scale(first.coefficient, hadamard(first.body, second))
        if isinstance(first, Weighted):
            return weighted(first.weight, hadamard(first.body, second))
        if isinstance(first, Ones):
            return second
    return Hadamard(left, right)


@makes(Elementwise)
def elementwise(function: Any, body: Node) -> Node:
    """Return a function, an expression in `Z`, of every entry."""
    expression = sympy.sympify(function, strict=True)
    if expression == Z:
        return body
    if not expression.has(Z):
        if body.is_scalar:
            return Number(expression)
        return scale(expression, Ones(*body.shape))
    number, rest = expression.as_independent(Z, as_Add=False)
    if number != 1 and rest != Z:
        return scale(number, elementwise(rest, body))
    return scale(number, body) if rest == Z else Elementwise(expression, body)


@makes(Total)
def total(body: Node) -> Node:
    """Return the sum of all entries."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, total(body.body))
    return Total(body)


@makes(Weighted)
def weighted(weight: Node, body: Node) -> Node:
    """Return a number, given as a scalar node, times a matrix or a number."""
    if not weight.is_scalar:
        msg = f"weighted(weight, body): the weight has shape {weight.shape}"
        raise ShapeMismatch(msg)
    if isinstance(weight, Number):
        return scale(weight.value, body)
    if isinstance(weight, Scaled):
        return scale(weight.coefficient, weighted(weight.body, body))
    if isinstance(body, Scaled):
        return scale(body.coefficient, weighted(weight, body.body))
    if body.is_scalar:
        return hadamard(weight, body)
    if isinstance(body, Weighted):
        return weighted(hadamard(weight, body.weight), body.body)
    return Weighted(weight, body)


@dataclass(frozen=True, eq=False)
class Ones(Atom):
    """The matrix of ones, which the gradient of a sum of entries is made of."""

    rows: Any
    columns: Any

    @cached_property
    def shape(self) -> Shape:
        return self.rows, self.columns

    @cached_property
    def is_symmetric(self) -> bool:
        return bool(self.rows == self.columns)


@dataclass(frozen=True, eq=False)
class IdentityNode(Atom):
    """The identity matrix."""

    size: Any
    is_symmetric = True

    @cached_property
    def shape(self) -> Shape:
        return self.size, self.size

    def times(self, right: Node) -> Node | None:
        return right

    def times_after(self, left: Node) -> Node | None:
        return left


@dataclass(frozen=True, eq=False)
class Determinant(Scalar, Unary):
    """The determinant of a square node."""

    body: Node


@dataclass(frozen=True, eq=False)
class Inverse(Alike):
    """The inverse of a square node."""

    body: Node
    is_scalar = False


def inner_product(left: Node, right: Node) -> Node:
    """Return tr(leftᵀ right), for numbers their product."""
    if left.is_scalar:
        return hadamard(left, right)
    return trace(product(transpose(left), right))
