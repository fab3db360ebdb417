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
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Node, Product
from symflow.algebra.numbers import as_fraction
from symflow.algebra.values import Values
from symflow.errors import InvalidArgument

#: The prime 2³¹ − 1; products of two residues fit into 64 bits.
PRIME = 2**31 - 1

#: So many products of 16 by 31 bits add up exactly in floats.
EXACT_TERMS = 64

Residues = NDArray[np.int64]


class NilpotentValues(Values):
    """Evaluates nodes on arrays of shape (…, 2^k, rows, columns) modulo `PRIME`.

    The leaves are the residues of every matrix symbol; k is the count.
    """

    def __init__(
        self, leaves: Mapping[sympy.MatrixSymbol, Residues], count: int
    ) -> None:
        super().__init__(leaves)
        self.count = count

    def multiply(self, kind: type[Node], left: Any, right: Any) -> Any:
        """Return a bilinear operation, coefficient by coefficient."""
        operations: dict[type[Node], Any] = {Product: matmul, Hadamard: entrywise}
        operation = operations.get(kind, kronecker)
        return nilpotent_product(left, right, self.count, operation)

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

    def elementwise(self, function: sympy.Expr, array: Any) -> Any:
        """Return the derivative of a function with a rational slope; its value is 0.

        The value of a logarithm is no residue; a Jacobian does not read it.
        """
        if self.count != 1:
            msg = f"count_conserved: the function {function} is not polynomial"
            raise InvalidArgument(msg)
        above, below = sympy.fraction(sympy.together(function.diff(Z)))
        slope = [_polynomial(p, array[..., 0, :, :]) for p in (above, below)]
        inverse = np.vectorize(lambda x: pow(int(x), -1, PRIME), otypes=[np.int64])
        rate = slope[0] * inverse(slope[1]) % PRIME * array[..., 1, :, :] % PRIME
        return np.stack([np.zeros_like(rate), rate], axis=-3)

    def inverse(self, array: Any) -> Any:
        """Return the inverse A⁻¹ − t A⁻¹ȦA⁻¹ of A + tȦ."""
        from flint import nmod_mat

        if self.count != 1:
            msg = "count_conserved: inverses are for laws, not for fields"
            raise InvalidArgument(msg)
        value, slope = array[..., 0, :, :], array[..., 1, :, :]
        size = value.shape[-1]
        turned = [
            nmod_mat(size, size, block.ravel().tolist(), PRIME).inv().tolist()
            for block in value.reshape(-1, size, size)
        ]
        whole = [[[int(x) for x in row] for row in block] for block in turned]
        inverse = np.array(whole, dtype=np.int64).reshape(value.shape)
        moved = -matmul(matmul(inverse, slope), inverse) % PRIME
        return np.stack([inverse, moved], axis=-3)

    def mapped(self, node: LinearMap) -> Any:
        """Return a fixed linear map, whose sums may have left the residues."""
        return super().mapped(node) % PRIME

    def total(self, array: Any) -> Any:
        """Return the sums of all entries modulo p."""
        # 2^32 entries would be needed for a sum to leave 64 bits
        return array.sum(axis=(-2, -1)) % PRIME


def residue(number: Any) -> int:
    """Return a rational number modulo p."""
    ratio = as_fraction(number)
    if ratio is None:
        msg = f"count_conserved: the coefficient {number} is irrational"
        raise InvalidArgument(msg)
    return ratio.numerator * pow(ratio.denominator, -1, PRIME) % PRIME


def _polynomial(polynomial: sympy.Expr, array: Any) -> Any:
    """Return a polynomial in `Z` modulo p, by Horner's rule."""
    total = np.zeros_like(array)
    for coefficient in sympy.Poly(polynomial, Z).all_coeffs():
        total = (total * array + residue(coefficient)) % PRIME
    return total


def matmul(left: Any, right: Any) -> Any:
    """Return the matrix product modulo p, without rounding.

    Short inner dimensions are summed one outer product at a time.  Longer ones go
    through floats: halves of 16 bits times 31 bits, summed `EXACT_TERMS` at a time,
    stay below 2⁵³.
    """
    inner = left.shape[-1]
    if inner < 4:
        terms = (
            left[..., :, k : k + 1] * right[..., k : k + 1, :] % PRIME
            for k in range(inner)
        )
        return sum(terms, start=np.int64(0)) % PRIME
    total = np.int64(0)
    for start in range(0, inner, EXACT_TERMS):
        part = slice(start, start + EXACT_TERMS)
        block, other = left[..., :, part], right[..., part, :].astype(np.float64)
        high = ((block >> 16).astype(np.float64) @ other).astype(np.int64) % PRIME
        low = ((block & 0xFFFF).astype(np.float64) @ other).astype(np.int64)
        total = total + ((high << 16) + low) % PRIME
    return total % PRIME


def entrywise(left: Any, right: Any) -> Any:
    """Return the Hadamard product modulo p."""
    return left * right % PRIME


def kronecker(left: Any, right: Any) -> Any:
    """Return the Kronecker product of columns modulo p."""
    outer = matmul(left, np.swapaxes(right, -1, -2))
    return outer.reshape(*outer.shape[:-2], -1, 1)


def _live(element: Any) -> bytes:
    """Return which coefficients are not zero in the whole batch."""
    subsets, size = element.shape[-3], element.shape[-2] * element.shape[-1]
    found: Any = element.reshape(-1, subsets, size).any(axis=(0, 2))
    return bytes(found)


@cache
def _splits(count: int, left: bytes, right: bytes) -> tuple[Any, Any, Any, Any]:
    """Return pairs of disjoint subsets that are live, sorted by their union.

    After the left and the right parts come the unions, and where each starts.
    """
    pairs = [
        (one | other, one, other)
        for one in range(2**count)
        for other in range(2**count)
        if not one & other and left[one] and right[other]
    ]
    table = np.array(sorted(pairs), dtype=np.intp).reshape(-1, 3)
    unions, starts = np.unique(table[:, 0], return_index=True)
    return table[:, 1], table[:, 2], unions, starts


def nilpotent_product(left: Any, right: Any, count: int, operation: Any) -> Any:
    """Return a bilinear operation of two elements, Σ over disjoint pairs of subsets.

    Coefficients that are zero in the whole batch are skipped.
    """
    one, other, unions, starts = _splits(count, _live(left), _live(right))
    if not len(unions):
        return np.zeros_like(operation(left, right))
    terms = operation(left[..., one, :, :], right[..., other, :, :])
    sums = np.add.reduceat(terms, starts, axis=-3) % PRIME
    if len(unions) == 2**count:
        return sums
    shape = (*sums.shape[:-3], 2**count, *sums.shape[-2:])
    result = np.zeros(shape, dtype=np.int64)
    result[..., unions, :, :] = sums
    return result
