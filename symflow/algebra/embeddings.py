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
from typing import Any, ClassVar

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
    makes,
    product,
    scale,
    transpose,
)
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import Width


class LinearMap(Unary):
    """A fixed linear map applied to a node; `operation` is its name in a program."""

    operation: ClassVar[str]
    #: The SymPy expression, a function of the operand and of the size.
    expression: ClassVar[Any]

    @property
    def size(self) -> Width | None:
        """The size that the operation needs besides its operand."""
        further = self.parts[1:]
        return further[0] if further else None

    @cached_property
    def shape(self) -> Shape:
        """A column of that size, unless a map says otherwise."""
        return self.size, 1

    @abstractmethod
    def adjoint(self, force: Node) -> Node:
        """Return the adjoint map (for the entrywise inner product) of `force`."""

    def sympy_form(self, body: sympy.MatrixExpr) -> sympy.MatrixExpr:
        """Return the map applied to a SymPy matrix."""
        size = () if self.size is None else (sympy.sympify(self.size),)
        return self.expression(body, *size)


@dataclass(frozen=True, eq=False)
class Diag(LinearMap):
    """The diagonal matrix of a column."""

    body: Node
    operation = "diag"
    expression = sympy_diagonal.DiagMatrix
    is_symmetric = True

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape[0], self.body.shape[0]

    def adjoint(self, force: Node) -> Node:
        return diagonal_of(force)

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
    expression = sympy_diagonal.DiagonalOf

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape[0], 1

    def adjoint(self, force: Node) -> Node:
        return diag(force)


@dataclass(frozen=True, eq=False)
class CirculantNode(LinearMap):
    """The circulant matrix whose first row is a column's entries, then zeros."""

    body: Node
    order: Width
    operation = "circulant"
    expression = matrix_maps.CirculantExpr

    @cached_property
    def shape(self) -> Shape:
        return self.order, self.order

    def adjoint(self, force: Node) -> Node:
        return circulant_sums(force, self.body.shape[0])


@dataclass(frozen=True, eq=False)
class CirculantSums(LinearMap):
    """The sums over the first cyclic diagonals: the adjoint of `CirculantNode`."""

    body: Node
    count: Width
    operation = "circulant_sums"
    expression = matrix_maps.CirculantSumsExpr

    def adjoint(self, force: Node) -> Node:
        return CirculantNode(force, self.body.shape[0])


@dataclass(frozen=True, eq=False)
class Padded(LinearMap):
    """A column with zeros below."""

    body: Node
    rows: Width
    operation = "pad"
    expression = matrix_maps.PaddedExpr

    def adjoint(self, force: Node) -> Node:
        return crop(force, self.body.shape[0])


@dataclass(frozen=True, eq=False)
class Cropped(LinearMap):
    """The first entries of a column."""

    body: Node
    rows: Width
    operation = "crop"
    expression = matrix_maps.CroppedExpr

    def adjoint(self, force: Node) -> Node:
        return pad(force, self.body.shape[0])


@dataclass(frozen=True, eq=False)
class Flattened(LinearMap):
    """The entries of a matrix as a column, row by row."""

    body: Node
    operation = "vec"

    @cached_property
    def shape(self) -> Shape:
        rows, columns = self.body.shape
        return rows * columns, 1

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
    expression = matrix_maps.FoldedExpr

    @cached_property
    def shape(self) -> Shape:
        return self.rows, self.columns

    def adjoint(self, force: Node) -> Node:
        return flattened(force)


@makes(Flattened)
def flattened(body: Node) -> Node:
    """Return the entries of a matrix as a column, row by row."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, flattened(body.body))
    return body.body if isinstance(body, Folded) else Flattened(body)


@makes(Folded)
def folded(body: Node, rows: Width, columns: Width) -> Node:
    """Return the matrix whose entries, row by row, are a column."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, folded(body.body, rows, columns))
    return Folded(body, rows, columns)


@makes(Diag)
def diag(body: Node) -> Node:
    """Return the diagonal matrix of a column."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, diag(body.body))
    return Diag(body)


@makes(DiagonalOf)
def diagonal_of(body: Node) -> Node:
    """Return the diagonal of a square matrix; that of an outer product entrywise."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, diagonal_of(body.body))
    if isinstance(body, Diag):
        return body.body
    if isinstance(body, Product) and body.left.shape[1] == 1:
        return hadamard(body.left, transpose(body.right))
    return DiagonalOf(body)


@makes(CirculantSums)
def circulant_sums(body: Node, count: Width) -> Node:
    """Return the sums over the first `count` cyclic diagonals."""
    if isinstance(body, Scaled):
        return scale(body.coefficient, circulant_sums(body.body, count))
    return CirculantSums(body, count)


@makes(Padded)
def pad(body: Node, rows: Width) -> Node:
    """Return a column continued by zeros to `rows` entries."""
    return body if body.shape[0] == rows else Padded(body, rows)


@makes(Cropped)
def crop(body: Node, rows: Width) -> Node:
    """Return the first `rows` entries of a column."""
    return body if body.shape[0] == rows else Cropped(body, rows)
