"""Nodes over GF(p)[t_1, …, t_k] with t_i² = 0: exact derivatives at a point.

An element is stored by its 2^k coefficients, one per subset of the t_i, as the axis
before the matrix axes.  Every evaluation is polynomial arithmetic modulo p, without
rounding: a directional derivative is the coefficient of one t_i, a nested bracket that
of a product t_1⋯t_k.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symflow.algebra.elementwise import Hadamard
from symflow.algebra.embeddings import LinearMap
from symflow.algebra.nodes import Node, Product
from symflow.algebra.numbers import as_fraction
from symflow.algebra.values import Values

#: The prime 2³¹ − 1; products of two residues fit into 64 bits.
PRIME = 2**31 - 1

Residues = NDArray[np.int64]


class NilpotentValues(Values):
    """Evaluates nodes on arrays of shape (…, 2^k, rows, columns) modulo `PRIME`.

    Parameters
    ----------
    leaves : mapping
        The residues of every matrix symbol.
    count : int
        The number k of nilpotents.

    Examples
    --------
    >>> from symflow.algebra.nodes import Leaf
    >>> A = sympy.MatrixSymbol("A", 1, 1)
    >>> dual = np.array([[[3]], [[1]]])  # 3 + t
    >>> square = Product(Leaf(A), Leaf(A))
    >>> NilpotentValues({A: dual}, 1).of(square).ravel().tolist()
    [9, 6]
    """

    def __init__(
        self, leaves: Mapping[sympy.MatrixSymbol, Residues], count: int
    ) -> None:
        super().__init__(leaves)
        self.count = count

    def multiply(self, kind: type[Node], left: Any, right: Any) -> Any:
        """Return a bilinear operation, coefficient by coefficient."""
        if kind is Product:
            return nilpotent_product(left, right, self.count, matmul)
        if kind is Hadamard:
            return nilpotent_product(left, right, self.count, entrywise)
        return nilpotent_product(left, right, self.count, kronecker)

    def add(self, left: Any, right: Any) -> Any:
        """Return the sum modulo p."""
        return (left + right) % PRIME

    def scale(self, coefficient: sympy.Expr, array: Any) -> Any:
        """Return a rational number times an array modulo p."""
        return array * residue(coefficient) % PRIME

    def constant(self, matrix: sympy.ImmutableDenseMatrix) -> Any:
        """Return a constant matrix, which has no t_i."""
        table = np.array([[residue(entry) for entry in row] for row in matrix.tolist()])
        element = np.zeros((2**self.count, *table.shape), dtype=np.int64)
        element[0] = table
        return element

    def mapped(self, node: LinearMap) -> Any:
        """Return a fixed linear map, whose sums may have left the residues."""
        return super().mapped(node) % PRIME

    def total(self, array: Any) -> Any:
        """Return the sums of all entries modulo p."""
        # 2^32 entries would be needed for a sum to leave 64 bits
        return array.sum(axis=(-2, -1)) % PRIME


def residue(number: Any) -> int:
    """Return a rational number modulo p.

    Examples
    --------
    >>> residue(sympy.Rational(1, 2)) * 2 % PRIME
    1
    """
    ratio = as_fraction(number)
    if ratio is None:
        msg = f"count_conserved: the coefficient {number} is irrational"
        raise TypeError(msg)
    return ratio.numerator * pow(ratio.denominator, -1, PRIME) % PRIME


def matmul(left: Any, right: Any) -> Any:
    """Return the matrix product modulo p, one outer product at a time."""
    total = left[..., :, :1] * right[..., :1, :] % PRIME
    for k in range(1, left.shape[-1]):
        total += left[..., :, k : k + 1] * right[..., k : k + 1, :] % PRIME
    return total % PRIME


def entrywise(left: Any, right: Any) -> Any:
    """Return the Hadamard product modulo p."""
    return left * right % PRIME


def kronecker(left: Any, right: Any) -> Any:
    """Return the Kronecker product of columns modulo p."""
    outer = matmul(left, np.swapaxes(right, -1, -2))
    return outer.reshape(*outer.shape[:-2], -1, 1)


@cache
def _splits(count: int) -> tuple[tuple[int, list[tuple[int, int]]], ...]:
    """Return every subset with its splits into two disjoint parts."""
    return tuple(
        (
            whole,
            [(part, whole ^ part) for part in range(whole + 1) if part & ~whole == 0],
        )
        for whole in range(2**count)
    )


def nilpotent_product(left: Any, right: Any, count: int, operation: Any) -> Any:
    """Return a bilinear operation of two elements, Σ over disjoint pairs of subsets.

    Coefficients that are zero in the whole batch are skipped.
    """
    live = [
        [bool(x[..., s, :, :].any()) for s in range(2**count)] for x in (left, right)
    ]
    columns: list[Any] = []
    shape: Any = None
    for _, pairs in _splits(count):
        total: Any = None
        for one, other in pairs:
            if live[0][one] and live[1][other]:
                term = operation(left[..., one, :, :], right[..., other, :, :])
                total = term if total is None else total + term
        columns.append(None if total is None else total % PRIME)
        shape = shape if total is None else total.shape
    if shape is None:
        zero = operation(left[..., 0, :, :], right[..., 0, :, :])
        shape = zero.shape
    filled = [np.zeros(shape, dtype=np.int64) if c is None else c for c in columns]
    return np.stack(filled, axis=-3)
