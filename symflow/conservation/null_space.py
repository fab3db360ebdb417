"""Null spaces over ℚ, of arrays of fractions with vectors as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array


def null_space(matrix: Array) -> Array:
    """Return a basis of the vectors that a rational matrix maps to zero, as rows.

    Each is one in a free column of its own and zero in the others.
    """
    reduced, columns = row_space(matrix), matrix.shape[1]
    pivots = [np.flatnonzero(row)[0] for row in reduced]
    free = [k for k in range(columns) if k not in pivots]
    basis = np.full((len(free), columns), Fraction(0), dtype=object)
    basis[range(len(free)), free] = Fraction(1)
    basis[:, pivots] = -reduced[:, free].T
    return basis


def relations(columns: Sequence[Mapping[Any, Fraction]]) -> Array:
    """Return a basis of the combinations of sparse columns that vanish, as rows."""
    able = _able_to_cancel(columns)
    keys = dict.fromkeys(key for place in able for key in columns[place])
    table = [[columns[k].get(key, Fraction(0)) for k in able] for key in keys]
    small = null_space(np.array(table, dtype=object).reshape(len(keys), len(able)))
    basis = np.full((len(small), len(columns)), Fraction(0), dtype=object)
    basis[:, able] = small
    return basis


def _able_to_cancel(columns: Sequence[Mapping[Any, Fraction]]) -> list[int]:
    """Return the columns that are left without those that have a key of their own."""
    able = list(range(len(columns)))
    while True:
        counts = Counter(key for place in able for key in columns[place])
        left = [k for k in able if all(counts[key] > 1 for key in columns[k])]
        if len(left) == len(able):
            return able
        able = left


def content(row: Sequence[Fraction]) -> Fraction:
    """Return the positive number by which a row, not zero, has coprime integers."""
    numerators, denominators = zip(*(x.as_integer_ratio() for x in row), strict=True)
    return Fraction(gcd(*numerators), lcm(*denominators))


def row_space(matrix: Array) -> Array:
    """Return the basis of the row space of a rational matrix in echelon form."""
    from symflow.algebra.rational import from_flint, row_basis, to_flint

    exact = to_flint(matrix)
    assert exact is not None
    return from_flint(row_basis(exact))


def short_basis(rows: Array) -> Array:
    """Return a basis of the same space whose vectors start and end in their own places.

    Of two vectors that end alike, the one that starts later shortens the other.
    """
    basis = row_space(rows)
    for here in reversed(range(len(basis))):
        ends = {np.flatnonzero(row)[-1]: row for row in basis[here + 1 :]}
        while (end := np.flatnonzero(basis[here])[-1]) in ends:
            basis[here] -= basis[here][end] / ends[end][end] * ends[end]
    return basis
