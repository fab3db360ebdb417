"""Constant matrices, and a constant tensor contracted with columns.

M ∘ (v_1, …, I, …, v_L) keeps one mode of M free and contracts every other mode with a
column.  Such contractions are closed under taking adjoints; in a program each is one
matrix, M with the free mode as rows, times a Kronecker product of columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import sympy

from symflow.algebra.nodes import Atom, Binary, Node, Product, Shape
from symflow.algebra.threads import cached_property


@dataclass(frozen=True, eq=False)
class Constant(Atom):
    """A matrix of exact numbers, perhaps with a symbol by which formulas call it."""

    matrix: sympy.ImmutableDenseMatrix
    symbol: sympy.MatrixSymbol | None = None

    @cached_property
    def shape(self) -> Shape:
        return int(self.matrix.rows), int(self.matrix.cols)


@dataclass(frozen=True, eq=False)
class Kronecker(Binary):
    """The Kronecker product of two columns."""

    left: Node
    right: Node

    @cached_property
    def shape(self) -> Shape:
        return self.left.shape[0] * self.right.shape[0], 1


@dataclass(frozen=True, eq=False)
class Contraction(Node):
    """A tensor contracted with one column in every mode but the free one.

    `columns` are those of the other modes, in the order of the modes.
    """

    tensor: sympy.ImmutableDenseNDimArray
    free: int
    columns: tuple[Node, ...]

    @cached_property
    def shape(self) -> Shape:
        return int(self.tensor.shape[self.free]), 1

    @property
    def children(self) -> tuple[Node, ...]:
        return self.columns

    def rebuild(self, *children: Node) -> Node:
        return Contraction(self.tensor, self.free, children)

    def adjoint(self, position: int, force: Node) -> Node:
        """Return the contraction that keeps the mode of one column free instead."""
        modes = list(self.columns)
        modes.insert(self.free, force)
        free = position if position < self.free else position + 1
        del modes[free]
        return Contraction(self.tensor, free, tuple(modes))

    @cached_property
    def lowered(self) -> Node:
        """The same as a constant matrix times a Kronecker product."""
        array = np.array(self.tensor.tolist(), dtype=object).reshape(self.tensor.shape)
        rows = np.moveaxis(array, self.free, 0).reshape(self.shape[0], -1)
        matrix = Constant(sympy.ImmutableDenseMatrix(rows.tolist()))
        if not self.columns:
            return matrix
        return Product(matrix, reduce(Kronecker, self.columns))
