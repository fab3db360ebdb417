"""Rational matrices: from arrays of numbers to FLINT and back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction


def to_flint(array: Array) -> fmpq_mat | None:
    """Return a matrix in fractions; None where an entry is irrational.

    A float is the fraction that it is.

    Examples
    --------
    >>> to_flint(np.array([[0.5, 2.0]]))
    [1/2, 2]
    """
    ratios = [as_fraction(entry) for entry in array.flat]
    known = [fmpq(q.numerator, q.denominator) for q in ratios if q is not None]
    rows, columns = array.shape
    return fmpq_mat(rows, columns, known) if len(known) == len(ratios) else None


def from_flint(matrix: fmpq_mat) -> Array:
    """Return the matrix as an array of `Fraction`."""
    result = np.empty((matrix.nrows(), matrix.ncols()), dtype=object)
    result.flat[:] = [Fraction(int(x.p), int(x.q)) for x in matrix.entries()]
    return result
