"""Online products of long series of long numbers, by fast multiplication in blocks.

At thousands of bits a Cauchy sum term by term is slow.  The coefficients are grouped
into blocks of `BLOCK` orders.  As soon as a block is complete, its products with all
earlier blocks are formed as products of polynomials (FLINT chooses the algorithm) and
added to the orders that are still ahead; only pairs with a member in the current,
incomplete block are summed directly (the idea of relaxed multiplication).
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from flint import fmpz, fmpz_mat, fmpz_poly

from symflow.codegen.series import Convolution, Shape
from symflow.precision.fixed_matrix import FixedMatrix

#: Orders per block.
BLOCK = 64


class BlockConvolution(Convolution):
    """A Cauchy product whose far terms are computed ahead, block by block."""

    def __init__(self, left: Shape, right: Shape, bits: int) -> None:
        self._bits, self._left_shape, self._right_shape = bits, left, right
        self._shape = (left[0], right[1])
        self._left: list[list[Any]] = []
        self._right: list[list[Any]] = []
        self._left_blocks: list[list[Any]] = []
        self._right_blocks: list[list[Any]] = []
        self._ahead: dict[int, list[Any]] = {}

    def push(self, left: FixedMatrix, right: FixedMatrix) -> FixedMatrix:
        """Sum what is near directly, and take what was computed ahead."""
        order = len(self._left)
        self._left.append(left.entries)
        self._right.append(right.entries)
        near = self._near(order)
        far = self._ahead.pop(order, None)
        total = near if far is None else [a + b for a, b in zip(near, far, strict=True)]
        if (order + 1) % BLOCK == 0:
            self._complete(order // BLOCK)
        return FixedMatrix([x >> self._bits for x in total], self._shape)

    def _near(self, order: int) -> list[Any]:
        """Sum the pairs of which one is in the current block, as one product."""
        start = order - order % BLOCK
        pairs = [(i, order - i) for i in range(start, order + 1)]
        if start:
            pairs += [(j, i) for i, j in pairs]
        inner, columns = self._right_shape
        rows = [
            self._left[i][row * inner : (row + 1) * inner]
            for row in range(self._left_shape[0])
            for i, _ in pairs
        ]
        stacked = chain.from_iterable(self._right[j] for _, j in pairs)
        depth = inner * len(pairs)
        first = fmpz_mat(
            len(rows) // len(pairs), depth, list(chain.from_iterable(rows))
        )
        return list((first * fmpz_mat(depth, columns, list(stacked))).entries())

    def _complete(self, block: int) -> None:
        """Multiply a finished block with itself and all earlier ones."""
        span = slice(block * BLOCK, (block + 1) * BLOCK)
        self._left_blocks.append(_polynomials(self._left[span]))
        self._right_blocks.append(_polynomials(self._right[span]))
        for other in range(block + 1):
            self._spread(block, other, block)
            if other < block:
                self._spread(other, block, block)

    def _spread(self, left: int, right: int, block: int) -> None:
        """Add the product of two blocks to the orders after the finished block."""
        inner, columns = self._right_shape
        first, second = self._left_blocks[left], self._right_blocks[right]
        base = (left + right) * BLOCK
        skipped = max(0, (block + 1) * BLOCK - base)
        for place in range(self._shape[0] * columns):
            row, column = divmod(place, columns)
            total = fmpz_poly([])
            for k in range(inner):
                total += first[row * inner + k] * second[k * columns + column]
            for offset, value in enumerate(total.coeffs()[skipped:], start=skipped):
                self._sums(base + offset)[place] += value

    def _sums(self, order: int) -> list[Any]:
        if order not in self._ahead:
            self._ahead[order] = [fmpz(0)] * (self._shape[0] * self._shape[1])
        return self._ahead[order]


def _polynomials(coefficients: list[list[Any]]) -> list[Any]:
    return [fmpz_poly(list(entry)) for entry in zip(*coefficients, strict=True)]
