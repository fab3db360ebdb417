"""Rational matrices: from arrays of numbers to FLINT and back, and what is exact there.

A float is the rational number that it is: what is said of ranks and products holds for
the numbers as given, whatever their sizes; None stands for irrational numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction

#: Entries up to which products and ranks are formed in fractions.
MOST_ENTRIES = 40_000


def to_flint(array: Array) -> fmpq_mat | None:
    """Return a matrix in fractions; None where an entry is irrational.

    A float is the fraction that it is.
    """
    rows, columns = array.shape
    ratios = [as_fraction(entry) for entry in array.flat]
    known = [as_fmpq(ratio) for ratio in ratios if ratio is not None]
    return fmpq_mat(rows, columns, known) if len(known) == len(ratios) else None


def from_flint(matrix: fmpq_mat) -> Array:
    """Return the matrix as an array of `Fraction`."""
    result = np.empty((matrix.nrows(), matrix.ncols()), dtype=object)
    result.flat[:] = list(map(fraction, matrix.entries()))
    return result


def as_fmpq(value: Any) -> fmpq:
    """Return a rational number of any kind, a float included, as one of FLINT."""
    ratio = as_fraction(value)
    assert ratio is not None
    return fmpq(ratio.numerator, ratio.denominator)


def fraction(value: fmpq) -> Fraction:
    """Return a number of FLINT as one of Python."""
    return Fraction(int(value.p), int(value.q))


def row_basis(matrix: fmpq_mat) -> fmpq_mat:
    """Return the basis of the row space in echelon form."""
    echelon, rank = matrix.rref()
    size = matrix.ncols()
    return fmpq_mat(rank, size, echelon.entries()[: rank * size])


def rational(array: Array) -> Any:
    """Return the array as a `fmpq_mat`, or None."""
    rows, columns = array.shape
    if array.size > MOST_ENTRIES:
        return None
    ratios = [ratio for ratio in map(_ratio, array.flat) if ratio is not None]
    return fmpq_mat(rows, columns, ratios) if len(ratios) == array.size else None


def rank_of(array: Array) -> int | None:
    """Return the rank, or None where an entry is not rational."""
    matrix = rational(array)
    return None if matrix is None else int(matrix.rank())


def product_of(factors: Iterable[Array]) -> Array | None:
    """Return the product of the factors as an array of `fmpq`, or None."""
    first, *others = (rational(factor) for factor in factors)
    if first is None or any(other is None for other in others):
        return None
    for other in others:
        first = first * other
    return np.array(first.tolist(), dtype=object)


def height_of(arrays: Iterable[Array]) -> int:
    """Return the decimal digits of the longest numerator or denominator.

    Numbers of this height that differ, differ by more than 10^−2·height: the digits
    that arithmetic needs to tell zero from small.
    """
    bits = [
        max(abs(ratio.p).bit_length(), ratio.q.bit_length())
        for array in arrays
        for ratio in map(_ratio, array.flat)
        if ratio is not None
    ]
    return int(0.302 * max(bits, default=0)) + 1


def _ratio(value: Any) -> fmpq | None:
    if isinstance(value, fmpq):
        return value
    found = None if hasattr(value, "_mpf_") else as_fraction(value)
    return None if found is None else fmpq(found.numerator, found.denominator)


def exactly_aligned(sigma_xx: Array, sigma_yx: Array, start: Array) -> bool | None:
    """Say whether bases exist that diagonalize all three; None if it is not known.

    They do if and only if YWᵀ and YᵀW are symmetric and Σ_xx commutes with YᵀY, WᵀW
    and YᵀW (Y = Σ_yx): singular values are not needed for that.
    """
    xx, yx, w0 = (rational(array) for array in (sigma_xx, sigma_yx, start))
    if xx is None or yx is None or w0 is None:
        return None
    across, along = yx * w0.transpose(), yx.transpose() * w0
    if across != across.transpose() or along != along.transpose():
        return False
    grams = (yx.transpose() * yx, w0.transpose() * w0, along)
    return all(xx * gram == gram * xx for gram in grams)
