"""Fixed-point matrices over FLINT integers.

A matrix holds round(x · 2^bits).  A product of two series collects its Cauchy sum in
one integer matrix product, [A_0 … A_k] · [B_k; …; B_0], exactly, and is rounded once.
For the smallest matrices, where filling a FLINT matrix costs more than multiplying it,
the sum runs over the integers themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import chain
from operator import add, mul, neg, sub
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat

from symflow.algebra.arrays import Array, to_fixed_array
from symflow.algebra.numbers import as_fraction, to_fixed
from symflow.codegen.series import Convolution, Shape
from symflow.precision.blocks import BlockConvolution
from symflow.precision.engine import ExactEngine
from symflow.precision.fixed_matrix import FixedMatrix

#: Series of this order and above are multiplied in blocks.
LONG_ORDER = 150


class MatrixConvolution(Convolution):
    """A Cauchy sum as one product of FLINT matrices."""

    def __init__(self, left: Shape, right: Shape, bits: int) -> None:
        self._shape = (left[0], right[1])
        self._bits = bits
        self._rows: list[list[Any]] = [[] for _ in range(left[0])]
        self._stack: list[Any] = []

    def push(self, left: FixedMatrix, right: FixedMatrix) -> FixedMatrix:
        """Append on the left, prepend on the right, multiply."""
        for row, new in zip(self._rows, left.rows(), strict=True):
            row += new
        self._stack = right.entries + self._stack
        inner = len(self._rows[0])
        stacked = fmpz_mat(
            len(self._rows), inner, list(chain.from_iterable(self._rows))
        )
        total = stacked * fmpz_mat(inner, self._shape[1], self._stack)
        return FixedMatrix([x >> self._bits for x in total.entries()], self._shape)


class EntryConvolution(Convolution):
    """A Cauchy sum entry by entry."""

    def __init__(self, left: Shape, right: Shape, bits: int) -> None:
        self._shape = (left[0], right[1])
        self._bits = bits
        self._rows: list[list[Any]] = [[] for _ in range(left[0])]
        self._columns: list[list[Any]] = [[] for _ in range(right[1])]

    def push(self, left: FixedMatrix, right: FixedMatrix) -> FixedMatrix:
        """Append on the left, prepend on the right, and sum products."""
        for row, new in zip(self._rows, left.rows(), strict=True):
            row += new
        columns = zip(self._columns, right.columns(), strict=True)
        self._columns = [new + old for old, new in columns]
        sums = (
            sum(map(mul, row, column)) for row in self._rows for column in self._columns
        )
        return FixedMatrix([x >> self._bits for x in sums], self._shape)


class EntrywiseConvolution(Convolution):
    """An entrywise Cauchy sum."""

    def __init__(self, shape: Shape, bits: int) -> None:
        self._shape, self._bits = shape, bits
        self._left: list[list[Any]] = []
        self._right: list[list[Any]] = []

    def push(self, left: FixedMatrix, right: FixedMatrix) -> FixedMatrix:
        """Append on the left, prepend on the right, and sum products."""
        self._left.append(left.entries)
        self._right.insert(0, right.entries)
        lefts, rights = zip(*self._left, strict=True), zip(*self._right, strict=True)
        sums = (sum(map(mul, a, b)) for a, b in zip(lefts, rights, strict=True))
        return FixedMatrix([x >> self._bits for x in sums], self._shape)


class FixedPoint(ExactEngine):
    """Fixed-point arithmetic with `bits` binary digits after the point."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def constant(self, array: Array) -> FixedMatrix:
        """Return the array with every entry rounded once."""
        entries = [fmpz(number) for number in to_fixed_array(array, self.bits)]
        return FixedMatrix(entries, array.shape)

    def add(self, left: Any, right: Any) -> FixedMatrix:
        return FixedMatrix(list(map(add, left.entries, right.entries)), left.shape)

    def subtract(self, left: Any, right: Any) -> FixedMatrix:
        return FixedMatrix(list(map(sub, left.entries, right.entries)), left.shape)

    def negate(self, matrix: Any) -> FixedMatrix:
        return FixedMatrix(list(map(neg, matrix.entries)), matrix.shape)

    def scalar(self, value: Any) -> tuple[Any, Any]:
        """Return numerator and denominator; an irrational number is rounded."""
        ratio = as_fraction(value)
        if ratio is None:
            return fmpz(to_fixed(value, self.bits)), fmpz(1) << self.bits
        return fmpz(ratio.numerator), fmpz(ratio.denominator)

    def scale(self, scalar: Any, matrix: Any) -> FixedMatrix:
        """Return a number times a matrix."""
        top, bottom = scalar
        return FixedMatrix([x * top // bottom for x in matrix.entries], matrix.shape)

    def transpose(self, matrix: Any) -> FixedMatrix:
        entries = list(chain.from_iterable(matrix.columns()))
        return FixedMatrix(entries, matrix.shape[::-1])

    def trace(self, matrix: Any) -> FixedMatrix:
        return FixedMatrix([sum(matrix.entries[:: matrix.shape[1] + 1])], (1, 1))

    def matmul(self, left: Any, right: Any) -> FixedMatrix:
        """Return the product, rounded once."""
        product = left.flint * right.flint
        shape = (left.shape[0], right.shape[1])
        return FixedMatrix([x >> self.bits for x in product.entries()], shape)

    def convolution(self, left: Shape, right: Shape, order: int) -> Convolution:
        """Return an empty online product of the cheaper kind."""
        if order >= LONG_ORDER:
            return BlockConvolution(left, right, self.bits, order)
        rows, columns = left[0], right[1]
        kind = (
            EntryConvolution if rows * columns <= rows + columns else MatrixConvolution
        )
        return kind(left, right, self.bits)

    def hadamard(self, left: Any, right: Any) -> FixedMatrix:
        """Return the entrywise product, rounded once."""
        products = map(mul, left.entries, right.entries)
        return FixedMatrix([x >> self.bits for x in products], left.shape)

    def entrywise(self, shape: Shape, order: int) -> Convolution:
        return EntrywiseConvolution(shape, self.bits)

    def rearrange(self, matrix: Any, places: Array) -> FixedMatrix:
        """Return the entries at these places, zero where negative."""
        known = [*matrix.entries, fmpz(0)]
        entries = [known[place] for place in places.ravel().tolist()]
        return FixedMatrix(entries, places.shape)

    def integrate(self, matrix: Any, order: int, unit: Fraction) -> FixedMatrix:
        top, bottom = unit.numerator, fmpz(order * unit.denominator)
        if top == 1:
            return FixedMatrix([x // bottom for x in matrix.entries], matrix.shape)
        return FixedMatrix([x * top // bottom for x in matrix.entries], matrix.shape)

    def size(self, matrix: Any) -> float:
        """Return log2 of the largest entry, rounded up."""
        top = max(abs(x) for x in matrix.entries)
        return int(top).bit_length() - self.bits if top else -np.inf

    def evaluate(self, terms: Sequence[Any], ratio: Fraction) -> FixedMatrix:
        """Return Σ_k terms[k] · ratio^k as one vector times a matrix."""
        known = [term for term in terms if term is not None]
        exact, power, powers = fmpz(ratio.numerator), fmpz(1) << self.bits, []
        for _ in known:
            powers.append(power)
            power = power * exact // ratio.denominator
        stacked = list(chain.from_iterable(term.entries for term in known))
        width = len(known[0].entries)
        total = fmpz_mat(1, len(known), powers) * fmpz_mat(len(known), width, stacked)
        return FixedMatrix([x >> self.bits for x in total.entries()], known[0].shape)

    def export(self, matrix: Any, context: Any) -> Array:
        """Return the entries as `mpf` numbers, exactly."""
        numbers = [context.ldexp(int(x), -self.bits) for x in matrix.entries]
        return np.array(numbers, dtype=object).reshape(matrix.shape)

    def shape(self, matrix: Any) -> Shape:
        return matrix.shape  # type: ignore[no-any-return]

    def coefficients(self, series: Sequence[Sequence[Any]]) -> Any:
        """Return several matrix series times 2^bits, one row per order."""
        zeros = [[0] * len(terms[0].entries) for terms in series]
        rows = [
            zero if term is None else term.entries
            for order in zip(*series, strict=True)
            for term, zero in zip(order, zeros, strict=True)
        ]
        return fmpz_mat(
            len(series[0]), sum(map(len, zeros)), list(chain.from_iterable(rows))
        )

    def floats(self, matrix: Any) -> Array:
        unit = 1 << self.bits
        flat = [int(x) / unit for x in matrix.entries]
        return np.array(flat).reshape(matrix.shape)
