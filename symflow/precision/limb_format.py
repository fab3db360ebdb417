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

    def fold(self, blocks: Sequence[Floats]) -> Floats:
        """Add digit products of equal weight.

        Blocks are consecutive rows, of shapes (a, b, …): products[a, b] has the weight
        of limb a + b + 1 − whole; those without influence may be missing at the end of
        the second axis.
        """
        limbs, first = sum(map(len, blocks)), self.whole - 1
        shape = blocks[0].shape[2:]
        skewed = np.zeros((limbs, 2 * limbs, *shape))
        at = 0
        for block in blocks:
            skewed[at : at + len(block), : block.shape[1]] = block
            at += len(block)
        flat = skewed.reshape(2 * limbs * limbs, -1)[: limbs * (2 * limbs - 1)]
        lines = flat.reshape(limbs, 2 * limbs - 1, -1)[:, first : first + limbs + 1]
        total = np.add.reduce(lines, axis=0)
        if len(total) <= limbs:
            total = np.vstack([total, np.zeros((1, total.shape[1]))])
        rounded = self.round(total)
        if limbs < self.limbs:
            full = np.zeros((self.limbs, rounded.shape[1]))
            full[:limbs] = rounded
            rounded = full
        return rounded.reshape(self.limbs, *shape)

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
