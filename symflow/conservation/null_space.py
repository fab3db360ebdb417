"""Null spaces over ℚ."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array


def null_space(matrix: Array) -> Array:
    """Return a basis of the vectors that a rational matrix maps to zero, as rows.

    Parameters
    ----------
    matrix : array of Fraction, shape (rows, columns)
        The matrix.

    Returns
    -------
    array of Fraction, shape (nullity, columns)
        The basis that is one in one free column each and zero in the others.

    Examples
    --------
    >>> null_space(np.array([[Fraction(1), Fraction(2)]])).tolist()
    [[Fraction(-2, 1), Fraction(1, 1)]]
    """
    reduced, pivots = _row_echelon(matrix)
    columns = matrix.shape[1]
    free = [k for k in range(columns) if k not in pivots]
    basis = np.full((len(free), columns), Fraction(0), dtype=object)
    for place, column in enumerate(free):
        basis[place, column] = Fraction(1)
        for row, pivot in enumerate(pivots):
            basis[place, pivot] = -reduced[row][column]
    return basis


def row_space(matrix: Array) -> Array:
    """Return the basis of the row space of a rational matrix in echelon form.

    Examples
    --------
    >>> row_space(np.array([[Fraction(2), Fraction(4)]])).tolist()
    [[Fraction(1, 1), Fraction(2, 1)]]
    """
    reduced, pivots = _row_echelon(matrix)
    basis = np.full((len(pivots), matrix.shape[1]), Fraction(0), dtype=object)
    for place in range(len(pivots)):
        basis[place] = reduced[place]
    return basis


def short_basis(rows: Array) -> Array:
    """Return a basis of the same space whose vectors start and end in their own places.

    Of two vectors that end alike, the one that starts later shortens the other.

    Parameters
    ----------
    rows : array of Fraction, shape (size, columns)
        Independent rows.

    Examples
    --------
    >>> differences = [[Fraction(1), Fraction(0), Fraction(-1)], [0, 1, -1]]
    >>> short_basis(np.array(differences) * Fraction(1)).astype(int).tolist()
    [[1, -1, 0], [0, 1, -1]]
    """
    basis = row_space(rows)
    for here in reversed(range(len(basis))):
        ends = {np.flatnonzero(row)[-1]: row for row in basis[here + 1 :]}
        while (end := np.flatnonzero(basis[here])[-1]) in ends:
            basis[here] -= basis[here][end] / ends[end][end] * ends[end]
    return basis


def _row_echelon(matrix: Array) -> tuple[list[list[Fraction]], list[int]]:
    """Return the reduced row echelon form and the columns of its pivots."""
    from flint import fmpq, fmpq_mat

    rows, columns = matrix.shape
    entries: list[Any] = [fmpq(x.numerator, x.denominator) for x in matrix.flat]
    reduced, rank = fmpq_mat(rows, columns, entries).rref()
    table = [
        [Fraction(int(x.p), int(x.q)) for x in row] for row in reduced.tolist()[:rank]
    ]
    pivots = [next(k for k, x in enumerate(row) if x) for row in table]
    return table, pivots
