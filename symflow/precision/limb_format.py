"""Numbers as float64 limbs: cutting, carrying, and adding products of equal weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from symflow.algebra.threads import cached_property
from symflow.errors import PrecisionLost

Floats = NDArray[np.float64]

#: Bits of a float64 significand.
MANTISSA = 53
#: Carries make digits this much larger than half the base, in bits.
SLACK = 0.5
#: Bits of a 64-bit word that digits may fill, with a sign and a carry to spare.
WORD_BITS = 62
#: Bits of headroom above the largest number that was forecast.
HEADROOM = 6


@dataclass(frozen=True)
class Format:
    """How numbers are cut into limbs."""

    beta: int  # bits per limb
    whole: int  # limbs before the binary point
    limbs: int  # all limbs

    @classmethod
    def choose(cls, bits: int, terms: int, magnitude: float) -> Format:
        """Return the widest limbs for which sums of `terms` digit products are exact.

        `bits` are places after the binary point, and `magnitude` is log2 of the largest
        number.
        """
        for beta in range(24, 8, -1):
            whole = max(1, ceil((magnitude + HEADROOM + 1) / beta))
            limbs = whole + ceil(bits / beta)
            if 2 * (beta - 1 + SLACK) + log2(terms * limbs) < MANTISSA:
                return cls(beta, whole, limbs)
        msg = f"precise: a product of {terms} terms is too long for float64 limbs"
        raise PrecisionLost(msg)

    @property
    def places(self) -> int:
        """Bits after the binary point."""
        return self.beta * (self.limbs - self.whole)

    def needed(self, dropped: float) -> int:
        """Return how many limbs are needed when some of the last bits are not."""
        return min(self.limbs, max(1, self.limbs - int(dropped / self.beta)))

    @cached_property
    def weights(self) -> Floats:
        """The value of a unit in every limb."""
        exponents = self.beta * (self.whole - 1 - np.arange(self.limbs))
        return np.ldexp(1.0, exponents)

    def digits(self, numbers: Sequence[int]) -> Floats:
        """Return balanced digits, shape (limbs, numbers)."""
        half, mask = 1 << (self.beta - 1), (1 << self.beta) - 1
        result = np.empty((self.limbs, len(numbers)))
        rest = list(numbers)
        for limb in range(self.limbs - 1, 0, -1):
            digits = [((number + half) & mask) - half for number in rest]
            result[limb] = digits
            rest = [
                (number - digit) >> self.beta
                for number, digit in zip(rest, digits, strict=True)
            ]
        result[0] = rest
        return result

    def integers(self, digits: Floats) -> list[int]:
        """Return the numbers times 2^places; the inverse of `digits`."""
        totals = [0] * digits.shape[1]
        for width, word in self._words(digits):
            pairs = zip(totals, word.tolist(), strict=True)
            totals = [(total << width) + part for total, part in pairs]
        return totals

    def as_flint(self, digits: Floats) -> Any:
        """Return a matrix of numbers times 2^places as an `fmpz_mat`."""
        _, rows, columns = digits.shape
        total = None
        for width, word in self._words(digits):
            part = fmpz_mat(rows, columns, word.ravel().tolist())
            total = part if total is None else total * (1 << width) + part
        return total

    def _words(self, digits: Floats) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield the digits in groups that fit a 64-bit word, with the bits of each."""
        group = WORD_BITS // self.beta
        for first in range(0, self.limbs, group):
            block = digits[first : first + group]
            word = np.zeros(digits.shape[1:], dtype=np.int64)
            for row in block:
                word = (word << self.beta) + row.astype(np.int64)
            yield self.beta * len(block), word

    def carry(self, digits: Floats, passes: int) -> Floats:
        """Bring digits back to at most about half the base, in place."""
        base, upper, lower = float(1 << self.beta), digits[:-1], digits[1:]
        for _ in range(passes):
            carries = lower * (1 / base)
            upper += np.rint(carries, carries)
            carries *= base
            lower -= carries
        return digits

    def round(self, digits: Floats) -> Floats:
        """Normalize sums of products, one guard limb long, and drop the guard."""
        return self.carry(digits, 2)[:-1]

    def toeplitz(self, number: int) -> Floats:
        """Return the matrix by which digits are multiplied by one number."""
        limbs = self.limbs
        padded = np.zeros(3 * limbs)
        padded[limbs : 2 * limbs] = self.digits([number])[:, 0]
        return np.asarray(padded[self._diagonals])

    @cached_property
    def _diagonals(self) -> NDArray[np.int64]:
        """Where the entries of a Toeplitz matrix stand among padded digits."""
        rows, columns = np.indices((self.limbs + 1, self.limbs))
        return np.asarray(self.limbs + rows + self.whole - 1 - columns)


class Folding:
    """Where products of digits are put, to add those of equal weight.

    The product of digit a in one of so many rows by digit b in one of so many columns
    has the weight of limb a + b + 1 − whole.  Rows of `products` belong to pairs (a,
    row), first `row` runs, and columns to pairs (b, column); behind the last digit b
    there are zeros, so that one view of the same memory has equal weights in line.
    """

    def __init__(self, form: Format, limbs: int, rows: int, columns: int) -> None:
        self._form, self._limbs = form, limbs
        self._shape = (rows, form.limbs + 1, columns)
        line = max(2 * limbs - 1, limbs + form.whole) * columns
        self.products = np.zeros((limbs * rows, line))
        unit, first = self.products.itemsize, (form.whole - 1) * columns
        self._lines = np.ndarray(
            (limbs, rows, limbs + 1, columns),
            buffer=self.products,
            offset=unit * first,
            strides=[unit * n for n in (rows * line - columns, line, columns, 1)],
        )

    def sums(self) -> Floats:
        """Return the sums as numbers of all limbs, rounded once."""
        limbs = self._limbs
        total = np.empty(self._shape)
        np.add.reduce(self._lines, out=total[:, : limbs + 1])
        total[:, limbs + 1 :] = 0.0
        digits = total.transpose(1, 0, 2)
        self._form.round(digits[: limbs + 1])
        digits[limbs] = 0.0
        return digits[:-1]
