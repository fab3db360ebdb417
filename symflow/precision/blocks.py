"""Online products of long series of long numbers, by fast multiplication in blocks.

At thousands of bits a Cauchy sum term by term is slow.  The coefficients are grouped
into blocks of `BLOCK` orders.  Only pairs with a member in the current, incomplete
block (the other is then in block 0) are summed directly.  When n blocks are complete,
their products are added to the orders ahead in squares that double in size: for every
power of two p that divides n, with 2p ≤ n, blocks p … 2p − 1 of one factor meet the
last p blocks of the other.  Every pair of blocks after the first occurs once, before it
is needed, mostly in a long product, for which FLINT has fast algorithms (relaxed
multiplication, van der Hoeven 2002).

Later coefficients are smaller, for a series is scaled to its step.  Where one factor of
a pair is below 2^h, digits of the other below 2^(bits − h) only reach what is rounded
away: they are cut off, but for so many guard bits that all of them together stay below
1/256 of the last place.  A pair that is below that as a whole is left out: to cut more
than all digits would make −2^cut of a small negative number.
"""

from __future__ import annotations

from itertools import chain
from operator import add
from typing import Any

from flint import fmpz_mat, fmpz_poly

from symflow.codegen.series import Convolution, Shape
from symflow.precision.fixed_matrix import FixedMatrix

#: Orders per block.
BLOCK = 16
#: log2 of the parts of the last place that cut digits may come to.
GUARD_BITS = 8


class BlockConvolution(Convolution):
    """A Cauchy product whose far terms are computed ahead, block by block."""

    def __init__(self, left: Shape, right: Shape, bits: int, order: int) -> None:
        self._bits, self._left_shape, self._right_shape = bits, left, right
        # of every term of a sum both factors are cut
        self._spare = bits - (2 * (order + 1) * left[1]).bit_length() - GUARD_BITS
        self._shape = (left[0], right[1])
        self._left: list[list[Any]] = []
        self._right: list[list[Any]] = []
        self._kept: dict[tuple[int, int, int], list[Any]] = {}
        self._ahead: dict[int, list[Any]] = {}

    def push(self, left: FixedMatrix, right: FixedMatrix) -> FixedMatrix:
        """Sum what is near directly, and take what was computed ahead."""
        order = len(self._left)
        self._left.append(left.entries)
        self._right.append(right.entries)
        near = self._near(order)
        far = self._ahead.pop(order, None)
        total = near if far is None else map(add, near, far)
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
        """Multiply what becomes possible, and useful, with a finished block."""
        count = block + 1
        self._spread((0, 1), (block, count), count)
        if block:
            self._spread((block, count), (0, 1), count)
        size = 1
        while count % size == 0 and 2 * size <= count:
            early, late = (size, 2 * size), (count - size, count)
            self._spread(early, late, count)
            if early != late:
                self._spread(late, early, count)
            size *= 2

    def _spread(
        self, left: tuple[int, int], right: tuple[int, int], count: int
    ) -> None:
        """Add the product of two ranges of blocks to the orders after the last one."""
        inner, columns = self._right_shape
        first, second = self._range(0, left), self._range(1, right)
        heights = _height(first), _height(second)
        if sum(heights) <= self._spare:
            return
        cuts = [max(0, self._spare - height) for height in reversed(heights)]
        first, second = map(_cut, (first, second), cuts)
        whole = 1 << sum(cuts)
        base = (left[0] + right[0]) * BLOCK
        skipped = max(0, count * BLOCK - base)
        length = (left[1] - left[0] + right[1] - right[0]) * BLOCK - 1
        found = []
        for place in range(self._shape[0] * columns):
            row, column = divmod(place, columns)
            total = fmpz_poly([])
            for k in range(inner):
                total += first[row * inner + k] * second[k * columns + column]
            known = (total * whole).coeffs()[skipped:]
            found.append(known + [0] * (length - skipped - len(known)))
        for order, sums in enumerate(zip(*found, strict=True), start=base + skipped):
            old = self._ahead.get(order)
            self._ahead[order] = list(sums if old is None else map(add, old, sums))

    def _range(self, side: int, blocks: tuple[int, int]) -> list[Any]:
        """Return the entries of one factor as polynomials of some blocks' orders."""
        first, last = blocks
        key = (side, first, last)
        if key in self._kept:
            return self._kept[key]
        terms = (self._left, self._right)[side][first * BLOCK : last * BLOCK]
        found = [fmpz_poly(list(entry)) for entry in zip(*terms, strict=True)]
        if last == max(1, 2 * first):
            self._kept[key] = found  # it will meet every later range
        return found


def _height(polynomials: list[Any]) -> int:
    """Return the bits of the largest coefficient."""
    return max(int(polynomial.height_bits()) for polynomial in polynomials)


def _cut(polynomials: list[Any], bits: int) -> list[Any]:
    """Return polynomials without the last bits of their coefficients."""
    if not bits:
        return polynomials
    return [fmpz_poly([c >> bits for c in p.coeffs()]) for p in polynomials]
