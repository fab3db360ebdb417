r"""Values of matrix polynomials at many points, by one exact integer product.

The coefficients are integers over 2^bits, and so are, after rounding, the powers of the
points; the product of the two integer matrices is exact.  For a polynomial Σ c_k x^k
at x = u · end, 0 ≤ u ≤ 1, powers are kept to q bits:

* U_k = ⌊U_{k−1} U_1 / 2^q⌋ with |U_1 − 2^q u| ≤ 2 gives |U_k − 2^q u^k| ≤ 3k;
* V_k = ⌊U_k ⌊2^q end^k⌋ / 2^q⌋ gives |V_k − 2^q x^k| ≤ 3k end^k + 3 for 3k ≤ 2^q.

So a value is wrong by at most Σ |c_k| (3k end^k + 3) / 2^q, and the derivative, whose
powers are k V_{k−1}, by at most Σ |c_k| k (3(k−1) end^(k−1) + 3) / 2^q.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from operator import mul
from typing import Any

from flint import arb, arb_mat, arb_poly, fmpz_mat

from symflow.codegen.series import Shape
from symflow.precision.balls import ALONE, NORM_BITS, root, workbits

#: Bits of the powers beyond those of the coefficients.
POWER_BITS = 24


def chebyshev_points(count: int) -> list[Any]:
    """Return the Chebyshev points of the first kind on [0, 1], as balls."""
    angles = (arb(2 * i + 1) / (2 * count) for i in range(count))
    return [(1 + angle.cos_pi()) / 2 for angle in angles]


class ChebyshevGrid:
    """Points u in [0, 1] with their powers: Chebyshev points, then some given ones.

    After `count` Chebyshev points come the `extra` ones; powers go up to `order`.
    """

    def __init__(
        self, count: int, extra: Sequence[Fraction], order: int, bits: int
    ) -> None:
        self.count, self.bits, self._order = count, bits, order
        with ALONE, workbits(bits + 32):
            scale = arb(2) ** bits
            near = [(u * scale).mid().floor() for u in chebyshev_points(count)]
        first = [int(u.unique_fmpz()) for u in near]
        first += [(u.numerator << bits) // u.denominator for u in extra]
        self._powers = [self._power_row(min(u, 1 << bits)) for u in first]
        self.powers = lru_cache(maxsize=32)(self._scaled)

    def _power_row(self, point: int) -> list[int]:
        row = [1 << self.bits]
        for _ in range(self._order):
            row.append((row[-1] * point) >> self.bits)
        return row

    def _scaled(self, end: Fraction) -> Any:
        """Return the powers of u · end at all points, then those of the slopes."""
        top = [
            (end.numerator**k << self.bits) // end.denominator**k
            for k in range(self._order + 1)
        ]
        values = [
            [(u * e) >> self.bits for u, e in zip(row, top, strict=True)]
            for row in self._powers
        ]
        slopes = [
            [0, *(k * v for k, v in enumerate(row[:-1], start=1))]
            for row in values[: self.count]
        ]
        rows = [*values, *slopes]
        return fmpz_mat(len(rows), self._order + 1, list(chain.from_iterable(rows)))


@dataclass(frozen=True)
class Series:
    """Matrix polynomials with exact coefficients n / 2^bits."""

    #: One row per order, the entries of all matrices one after the other.
    coefficients: Any
    shapes: list[Shape]  # shapes of the matrices
    #: For every matrix, bounds of the Frobenius norms of its coefficients.
    sizes: list[Any]
    bits: int  # places after the binary point
    first: list[Any]  # the first row

    @classmethod
    def of(cls, coefficients: Any, shapes: list[Shape], bits: int) -> Series:
        """Take coefficients, and measure them."""
        flat, width = coefficients.entries(), coefficients.ncols()
        rows = [flat[at : at + width] for at in range(0, len(flat), width)]
        sizes, first = [], 0
        for shape in shapes:
            last = first + shape[0] * shape[1]
            sizes.append(_sizes([row[first:last] for row in rows], bits))
            first = last
        return cls(coefficients, shapes, sizes, bits, rows[0])

    def at(self, grid: ChebyshevGrid, end: Fraction) -> tuple[list[Any], list[Any]]:
        """Return values at all points of a grid, and slopes at its Chebyshev points.

        The points u stand for x = u · end.  Both lists have for every point a list of
        arb_mat, one per matrix, at the current precision.
        """
        product = grid.powers(end) * self.coefficients
        rows, width = product.entries(), product.ncols()
        lines = [rows[at : at + width] for at in range(0, len(rows), width)]
        places = self.bits + grid.bits
        points = len(lines) - grid.count
        values, slopes = self._errors(grid.bits, end)
        return (
            [self._matrices(line, places, values) for line in lines[:points]],
            [self._matrices(line, places, slopes) for line in lines[points:]],
        )

    def reach(self, x: Any) -> list[Any]:
        """Return bounds of ‖Σ_{k≥1} c_k z^k‖ for |z| ≤ x, one per matrix."""
        return [(size - size(0))(x).upper() for size in self.sizes]

    def start(self) -> list[Any]:
        """Return the values at 0."""
        return exact_matrices(self.first, self.shapes, self.bits)

    def slope(self, x: Any) -> list[Any]:
        """Return bounds of ‖Σ k c_k z^(k−1)‖ for |z| ≤ x, one per matrix."""
        return [size.derivative()(x).upper() for size in self.sizes]

    def _errors(self, bits: int, end: Fraction) -> tuple[list[Any], list[Any]]:
        """Return what rounding the powers costs, as matrices of balls around zero."""
        with ALONE, workbits(NORM_BITS):
            x, one, unit = arb(end.numerator) / end.denominator, arb(1), arb(2) ** -bits
            values, slopes = [], []
            for size in self.sizes:
                first, second = size.derivative(), size.derivative().derivative()
                value = (3 * x * first(x) + 3 * size(one)) * unit
                slope = (3 * x * second(x) + 3 * first(one)) * unit
                values.append(arb(0, value.upper()))
                slopes.append(arb(0, slope.upper()))
            return self._filled(values), self._filled(slopes)

    def _matrices(self, line: list[Any], places: int, errors: list[Any]) -> list[Any]:
        exact = exact_matrices(line, self.shapes, places)
        return [value + error for value, error in zip(exact, errors, strict=True)]

    def _filled(self, entries: list[Any]) -> list[Any]:
        shaped = zip(self.shapes, entries, strict=True)
        return [
            arb_mat(*shape, [entry] * (shape[0] * shape[1])) for shape, entry in shaped
        ]


def exact_matrices(
    integers: Sequence[Any], shapes: Sequence[Shape], bits: int
) -> list[Any]:
    """Cut a list of integers over 2^bits into matrices."""
    at, found, unit = 0, [], arb(2) ** -bits
    for rows, columns in shapes:
        size = rows * columns
        found.append(arb_mat(fmpz_mat(rows, columns, integers[at : at + size])) * unit)
        at += size
    return found


def _sizes(rows: list[list[Any]], bits: int) -> Any:
    """Return Frobenius norms of all orders as the coefficients of a polynomial."""
    with ALONE, workbits(NORM_BITS):
        unit = arb(2) ** -bits
        squares = [sum(map(mul, row, row)) for row in rows]
        return arb_poly([root(arb(square)) * unit for square in squares])
