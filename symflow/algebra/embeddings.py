"""Fixed linear maps between matrices, with their adjoints.

The embedding of a vector as a diagonal or a circulant matrix and zero padding are
linear maps that no product of symbols expresses.  Each is a node that names its
program operation, its adjoint and its SymPy form; the engine treats them alike.
Circulant means (C(w)x)_i = Σ_j w_j x_{(i+j) mod d}: the first row is w, and every row
is the one above, shifted to the right.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy.matrices.expressions import diagonal as sympy_diagonal

from symflow.algebra import matrix_maps
from symflow.algebra.elementwise import hadamard
from symflow.algebra.nodes import (
    Node,
    Product,
    Scaled,
    Shape,
    Unary,
    product,
    scale,
    transpose,
)
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import Width


class LinearMap(Unary):
    """A fixed linear map applied to a node; `operation` is its name in a program."""

    operation: ClassVar[str]

    @property
    def size(self) -> Width | None:
        """The size that the operation needs besides its operand."""
        return None

    @abstractmethod
    def adjoint(self, force: Node) -> Node:
        """Return the adjoint map (for the entrywise inner product) of `force`."""

    @abstractmethod
    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        """Return the map applied to a SymPy matrix."""


@dataclass(frozen=True, eq=False)
class Diag(LinearMap):
    """The diagonal matrix of a column."""

    body: Node
    operation = "diag"
    is_symmetric = True

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape[0], self.body.shape[0]

    def rebuild(self, *children: Node) -> Node:
        return diag(*children)

    def adjoint(self, force: Node) -> Node:
        return diagonal_of(force)

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return sympy_diagonal.DiagMatrix(body)

    def times(self, right: Node) -> Node | None:
        """Scale the rows of a diagonal matrix, a column or an outer product."""
        if isinstance(right, Diag):
            return diag(hadamard(self.body, right.body))
        if right.shape[1] == 1:
            return hadamard(self.body, right)
        if isinstance(right, Product) and right.left.shape[1] == 1:
            return product(hadamard(self.body, right.left), right.right)
        return None

    def times_after(self, left: Node) -> Node | None:
        """Scale the columns of a row or an outer product."""
        if left.shape[0] == 1:
            return transpose(hadamard(self.body, transpose(left)))
        if isinstance(left, Product) and left.right.shape[0] == 1:
            return product(left.left, product(left.right, self))
        return None


@dataclass(frozen=True, eq=False)
class DiagonalOf(LinearMap):
    """The diagonal of a square matrix, as a column."""

    body: Node
    operation = "diagonal"

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape[0], 1

    def rebuild(self, *children: Node) -> Node:
        return diagonal_of(*children)

    def adjoint(self, force: Node) -> Node:
        return diag(force)

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return sympy_diagonal.DiagonalOf(body)


@dataclass(frozen=True, eq=False)
class CirculantNode(LinearMap):
    """The circulant matrix whose first row is a column's entries, then zeros."""

    body: Node
    order: Width
    operation = "circulant"

    @cached_property
    def shape(self) -> Shape:
        return self.order, self.order

    @property
    def size(self) -> Width | None:
        return self.order

    def rebuild(self, *children: Node) -> Node:
        (body,) = children
        return CirculantNode(body, self.order)

    def adjoint(self, force: Node) -> Node:
        return circulant_sums(force, self.body.shape[0])

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return matrix_maps.CirculantExpr(body, sympy.sympify(self.order))


@dataclass(frozen=True, eq=False)
class CirculantSums(LinearMap):
    """The sums over the first cyclic diagonals: the adjoint of `CirculantNode`."""

    body: Node
    count: Width
    operation = "circulant_sums"

    @cached_property
    def shape(self) -> Shape:
        return self.count, 1

    @property
    def size(self) -> Width | None:
        return self.count

    def rebuild(self, *children: Node) -> Node:
        (body,) = children
        return circulant_sums(body, self.count)

    def adjoint(self, force: Node) -> Node:
        return CirculantNode(force, self.body.shape[0])

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return matrix_maps.CirculantSumsExpr(body, sympy.sympify(self.count))


@dataclass(frozen=True, eq=False)
class Padded(LinearMap):
    """A column with zeros below."""

    body: Node
    rows: Width
    operation = "pad"

    @cached_property
    def shape(self) -> Shape:
        return self.rows, 1

    @property
    def size(self) -> Width | None:
        return self.rows

    def rebuild(self, *children: Node) -> Node:
        (body,) = children
        return pad(body, self.rows)

    def adjoint(self, force: Node) -> Node:
        return crop(force, self.body.shape[0])

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return matrix_maps.PaddedExpr(body, sympy.sympify(self.rows))


@dataclass(frozen=True, eq=False)
class Cropped(LinearMap):
    """The first entries of a column."""

    body: Node
    rows: Width
    operation = "crop"

    @cached_property
    def shape(self) -> Shape:
        return self.rows, 1

    @property
    def size(self) -> Width | None:
        return self.rows

    def rebuild(self, *children: Node) -> Node:
        (body,) = children
        return crop(body, self.rows)

    def adjoint(self, force: Node) -> Node:
        return pad(force, self.body.shape[0])

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return matrix_maps.CroppedExpr(body, sympy.sympify(self.rows))


@dataclass(frozen=True, eq=False)
class Flattened(LinearMap):
    """The entries of a matrix as a column, row by row."""

    body: Node
    operation = "vec"

    @cached_property
    def shape(self) -> Shape:
        rows, columns = self.body.shape
        return rows * columns, 1

    def rebuild(self, *children: Node) -> Node:
        return flattened(*children)

    def adjoint(self, force: Node) -> Node:
        return folded(force, *self.body.shape)

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return matrix_maps.FlattenedExpr(body, sympy.sympify(self.shape[0]))


@dataclass(frozen=True, eq=False)
class Folded(LinearMap):
    """The matrix whose entries, row by row, are a column."""

    body: Node
    rows: Width
    columns: Width
    operation = "unvec"

    @cached_property
    def shape(self) -> Shape:
        return self.rows, self.columns

    @property
    def size(self) -> Width | None:
        return self.rows

    def rebuild(self, *children: Node) -> Node:
        (body,) = children
        return folded(body, self.rows, self.columns)

    def adjoint(self, force: Node) -> Node:
        return flattened(force)

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        return matrix_maps.FoldedExpr(body, sympy.sympify(self.rows))


def flattened(body: Node) -> Node:
    """Return the entries of a matrix as a column, row by row."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, flattened(body.body))
    return body.body if isinstance(body, Folded) else Flattened(body)


def folded(body: Node, rows: Width, columns: Width) -> Node:
    """Return the matrix whose entries, row by row, are a column."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, folded(body.body, rows, columns))
    return Folded(body, rows, columns)


def diag(body: Node) -> Node:
    """Return the diagonal matrix of a column."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, diag(body.body))
    return Diag(body)


def diagonal_of(body: Node) -> Node:
    """Return the diagonal of a square matrix; that of an outer product entrywise."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, diagonal_of(body.body))
    if isinstance(body, Diag):
        return body.body
    if isinstance(body, Product) and body.left.shape[1] == 1:
        return hadamard(body.left, transpose(body.right))
    return DiagonalOf(body)


def circulant_sums(body: Node, count: Width) -> Node:
    """Return the sums over the first `count` cyclic diagonals."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, circulant_sums(body.body, count))
    return CirculantSums(body, count)


def pad(body: Node, rows: Width) -> Node:
    """Return a column continued by zeros to `rows` entries."""
    return body if body.shape[0] == rows else Padded(body, rows)


def crop(body: Node, rows: Width) -> Node:
    """Return the first `rows` entries of a column."""
    return body if body.shape[0] == rows else Cropped(body, rows)
