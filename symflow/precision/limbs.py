"""Fixed point in float64 limbs, multiplied by BLAS without rounding.

A number is Σ_a d_a B^(g−1−a) with integer digits |d_a| ≤ B/2 (nearly), B = 2^β, held as
floats; a matrix is an array of shape (limbs, rows, columns).  β is chosen so that a
whole Cauchy sum of digit products stays below 2^53: then a float64 matrix product is
exact in any order of summation, and one BLAS call replaces all integer products of an
order of the series (Ozaki, Ogita, Oishi, Rump 2012 use this idea for matrix products).
Digits are brought back into range by carries; the last place is rounded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from math import log2
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_fixed_array
from symflow.algebra.numbers import to_fixed
from symflow.codegen.series import Convolution, Multiply, Shape
from symflow.errors import PrecisionLost
from symflow.precision.engine import ExactEngine
from symflow.precision.limb_format import Floats, Folding, Format

#: Large products leave out digits without influence, in so many blocks of rows.
BLOCKS = 4
#: Entries of a product from which this pays.
BLOCK_SIZE = 60


class LimbConvolution(Convolution):
    """A Cauchy sum as one exact BLAS product."""

    def __init__(
        self, form: Format, left: Shape, right: Shape, order: int, drop: float
    ) -> None:
        self._form, self._order, self._drop = form, order, drop
        self._rows, self._inner, self._columns = left[0], left[1], right[1]
        length = (order + 1) * left[1]
        self._left = np.empty((form.limbs, left[0], order + 1, left[1]))
        self._right = np.empty((order + 1, left[1], form.limbs, right[1]))
        self._left_flat = self._left.reshape(form.limbs * left[0], length)
        self._right_flat = self._right.reshape(length, form.limbs * right[1])
        self._count = 0
        self._blocks = BLOCKS if left[0] * right[1] >= BLOCK_SIZE else 1
        self._foldings: dict[int, Folding] = {}

    def push(self, left: Any, right: Any) -> Floats:
        """Store both coefficients, one forwards and one backwards, and multiply."""
        order, inner = self._count, self._inner
        limbs = self._form.needed(order * self._drop)
        place = self._order - order
        self._left[:, :, order] = left
        self._right[place] = right.transpose(1, 0, 2)
        self._count += 1
        first = self._left_flat[:, : self._count * inner]
        second = self._right_flat[place * inner :]
        folding = self._foldings.get(limbs)
        if folding is None:
            sizes = limbs, self._rows, self._columns
            folding = self._foldings[limbs] = Folding(self._form, *sizes)
        pieces = self._blocks if limbs >= self._blocks else 1
        for piece in range(pieces):
            low, high = limbs * piece // pieces, limbs * (piece + 1) // pieces
            rows = slice(low * self._rows, high * self._rows)
            width = min(limbs, limbs + self._form.whole - low) * self._columns
            np.matmul(first[rows], second[:, :width], folding.products[rows, :width])
        return folding.sums()

    def alone(self, left: Any, right: Any) -> Floats:
        """Return the product of two matrices; what was pushed before is forgotten."""
        self._count = 0
        return self.push(left, right)


class LimbEntrywise(Convolution):
    """An entrywise Cauchy sum as exact BLAS products, one per entry."""

    def __init__(self, form: Format, shape: Shape, order: int) -> None:
        self._form, self._shape = form, shape
        size = shape[0] * shape[1]
        self._left = np.empty((size, form.limbs, order + 1))
        self._right = np.empty((size, order + 1, form.limbs))
        self._order, self._count = order, 0
        self._folding = Folding(form, form.limbs, size, 1)
        products = self._folding.products.reshape(form.limbs, size, -1)
        self._products = products[:, :, : form.limbs].transpose(1, 0, 2)

    def push(self, left: Any, right: Any) -> Floats:
        """Store both coefficients, one forwards and one backwards, and multiply."""
        top = self._order - self._count
        self._left[:, :, self._count] = left.reshape(self._form.limbs, -1).T
        self._right[:, top] = right.reshape(self._form.limbs, -1).T
        self._count += 1
        left, right = self._left[:, :, : self._count], self._right[:, top:]
        np.matmul(left, right, self._products)
        return self._folding.sums().reshape(self._form.limbs, *self._shape)


class LimbPoint(ExactEngine):
    """Fixed-point matrices in float64 limbs.

    Series are scaled to a unit near the radius of convergence: all coefficients are
    then of one size, and those of high order need few limbs.
    """

    lead = 0.8

    def __init__(self, form: Format) -> None:
        self.form = form
        self.bits = form.places
        self._reciprocal = lru_cache(maxsize=None)(self._make_reciprocal)
        self._powers = lru_cache(maxsize=64)(self._make_powers)
        self._drop = 0.0

    def begin(self, drop: float) -> None:
        """Leave out the last limbs of products at high orders."""
        self._drop = drop

    def constant(self, array: Array) -> Floats:
        """Return the array with every entry rounded once."""
        digits = self.form.digits(to_fixed_array(array, self.bits))
        return digits.reshape(-1, *array.shape)

    def add(self, left: Any, right: Any) -> Floats:
        return self.form.carry(left + right, 1)

    def subtract(self, left: Any, right: Any) -> Floats:
        return self.form.carry(left - right, 1)

    def negate(self, matrix: Any) -> Any:
        return -matrix

    def scalar(self, value: Any) -> Floats:
        """Return the Toeplitz matrix of the number's digits."""
        return self.form.toeplitz(to_fixed(value, self.bits))

    def scale(self, scalar: Any, matrix: Any) -> Floats:
        """Return a number times a matrix."""
        product = scalar @ matrix.reshape(self.form.limbs, -1)
        return self.form.round(product).reshape(matrix.shape)

    def transpose(self, matrix: Any) -> Any:
        return matrix.transpose(0, 2, 1)

    def trace(self, matrix: Any) -> Floats:
        total = np.trace(matrix, axis1=1, axis2=2).reshape(-1, 1, 1)
        return self.form.carry(total, 2)

    def matmul(self, left: Any, right: Any) -> Floats:
        """Return the product, rounded once."""
        shapes = left.shape[1:], right.shape[1:]
        return LimbConvolution(self.form, *shapes, 0, 0.0).push(left, right)

    def multiplier(self, left: Shape, right: Shape) -> Multiply:
        return LimbConvolution(self.form, left, right, 0, 0.0).alone

    def convolution(self, left: Shape, right: Shape, order: int) -> Convolution:
        return LimbConvolution(self.form, left, right, order, self._drop)

    def hadamard(self, left: Any, right: Any) -> Floats:
        """Return the entrywise product, rounded once."""
        rows, columns = left.shape[1:]
        return LimbEntrywise(self.form, (rows, columns), 0).push(left, right)

    def entrywise(self, shape: Shape, order: int) -> Convolution:
        return LimbEntrywise(self.form, shape, order)

    def rearrange(self, matrix: Any, places: Array) -> Floats:
        """Return the entries at these places, zero where negative."""
        flat = matrix.reshape(self.form.limbs, -1)
        return np.where(places < 0, 0.0, flat[:, places])

    def integrate(self, matrix: Any, order: int, unit: Fraction) -> Floats:
        # integers are hashed faster than fractions
        factor = self._reciprocal(unit.numerator, unit.denominator * order)
        return self.scale(factor, matrix)

    def integrate_all(
        self, matrices: Sequence[Any], order: int, unit: Fraction
    ) -> list[Any]:
        """Integrate all matrices by one product."""
        known = [matrix for matrix in matrices if matrix is not None]
        if len(known) < len(matrices):
            return super().integrate_all(matrices, order, unit)
        flat = [matrix.reshape(self.form.limbs, -1) for matrix in known]
        scaled = self.integrate(np.concatenate(flat, axis=1), order, unit)
        ends = [0, *accumulate(part.shape[1] for part in flat)]
        parts = (scaled[:, low:high] for low, high in pairwise(ends))
        return [p.reshape(m.shape) for p, m in zip(parts, known, strict=True)]

    def fits(self, terms: Sequence[Any]) -> bool:
        """Say whether the leading digits of all coefficients are in range."""
        known = np.stack([term[0] for term in terms if term is not None])
        return bool(np.max(np.abs(known)) < 2.0 ** (self.form.beta - 1))

    def size(self, matrix: Any) -> float:
        top = float(np.max(np.abs(self.floats(matrix))))
        if not np.isfinite(top):
            return np.inf
        return log2(top) if top else -np.inf

    def evaluate(self, terms: Sequence[Any], ratio: Fraction) -> Floats:
        """Return Σ_k terms[k] · ratio^k as one exact product.

        Raises PrecisionLost if a coefficient has outgrown the limbs before the point.
        """
        if not self.fits(terms):
            msg = "precise: a coefficient has outgrown its fixed-point format"
            raise PrecisionLost(msg)
        known = np.stack([term for term in terms if term is not None])
        count, limbs, *shape = known.shape
        powers = self._powers(ratio, count)
        entries = known[0, 0].size
        folding = Folding(self.form, limbs, 1, entries)
        products = folding.products[:, : limbs * entries]
        np.matmul(powers, known.reshape(count, -1), products)
        return folding.sums().reshape(limbs, *shape)

    def export(self, matrix: Any, context: Any) -> Array:
        """Return the entries as `mpf` numbers, exactly."""
        numbers = self.form.integers(matrix.reshape(self.form.limbs, -1))
        entries = [context.ldexp(number, -self.bits) for number in numbers]
        return np.array(entries, dtype=object).reshape(matrix.shape[1:])

    def shape(self, matrix: Any) -> Shape:
        rows, columns = matrix.shape[1:]
        return rows, columns

    def coefficients(self, series: Sequence[Sequence[Any]]) -> Any:
        """Return several matrix series times 2^bits, one row per order."""
        stacks = []
        for terms in series:
            zero = np.zeros_like(terms[0])
            known = [zero if term is None else term for term in terms]
            stacks.append(np.stack(known, axis=1).reshape(len(zero), len(terms), -1))
        return self.form.as_flint(np.concatenate(stacks, axis=2))

    def floats(self, matrix: Any) -> Floats:
        return np.tensordot(self.form.weights, matrix, axes=1)

    def _make_reciprocal(self, top: int, bottom: int) -> Floats:
        return self.form.toeplitz(((top << self.bits + 1) + bottom) // (2 * bottom))

    def _make_powers(self, ratio: Fraction, count: int) -> Floats:
        """Return the digits of 1, ratio, ratio², …, shape (limbs, count)."""
        power, powers = 1 << self.bits, []
        for _ in range(count):
            powers.append(power)
            power = power * ratio.numerator // ratio.denominator
        return self.form.digits(powers)
