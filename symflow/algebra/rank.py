"""The rank of a matrix: exact for exact numbers, with a visible gap for floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symflow.algebra.arrays import Array, is_exact_array, to_float_array
from symflow.algebra.rational import to_flint

#: What rounding leaves of a singular value that is zero, per row and relative.
NOISE = 4 * np.finfo(float).eps

#: Relative size from which on a singular value of floats is certainly meant.
VISIBLE = 1e-11

#: Entries up to which floats are also looked at as the fractions that they are.
MOST_ENTRIES = 10_000


@dataclass(frozen=True)
class Rank:
    """The rank of a matrix, and how it was found."""

    value: int  #: The rank.
    #: `kept`, `dropped`: the smallest singular value that counts and the largest that
    #: does not, of the matrix with rows and columns scaled to similar size; 0 where
    #: there is none.
    kept: float
    dropped: float
    #: Whether it is the rank of the numbers as they were given.  Otherwise the matrix
    #: has this rank up to rounding.
    exact: bool

    @property
    def is_clear(self) -> bool:
        """Whether it is exact, or nothing lies between rounding and what is meant."""
        return self.exact or (self.kept > VISIBLE and self.dropped < VISIBLE / 100)

    def __str__(self) -> str:
        if self.exact:
            return f"rank {self.value}"
        return (
            f"rank {self.value} to rounding: singular values ≥ {self.kept:.1e} count, "
            f"≤ {self.dropped:.1e} do not"
        )


def decide_rank(matrix: Array) -> Rank:
    """Return the rank of a matrix.

    It is exact for rational numbers, and for floats where the binary fractions that
    they are have the rank that float64 sees.
    """
    large = matrix.dtype != object and matrix.size > MOST_ENTRIES
    rational = None if large else to_flint(matrix)
    if rational is not None and is_exact_array(matrix):
        return Rank(int(rational.rank()), 0.0, 0.0, exact=True)
    values = np.linalg.svd(_equilibrated(to_float_array(matrix)), compute_uv=False)
    noise = NOISE * max(matrix.shape) * max(values[0], 0.0)
    seen = int(np.sum(values > noise))
    meant = int(np.sum(values > VISIBLE * values[0]))
    if rational is not None and seen == int(rational.rank()):
        return Rank(seen, *_ends(values, seen), exact=True)
    return Rank(meant, *_ends(values, meant), exact=False)


def _ends(values: Array, rank: int) -> tuple[float, float]:
    kept = float(values[rank - 1]) if rank else 0.0
    return kept, float(values[rank]) if rank < len(values) else 0.0


def _equilibrated(matrix: Array) -> Array:
    """Return D_1 M D_2 with rows and columns of similar size: the rank is the same.

    Powers of two scale without rounding.
    """
    for axis in (0, 1, 0, 1):
        sizes = np.max(np.abs(matrix), axis=axis, keepdims=True)
        exponents = np.where(sizes > 0, np.frexp(sizes)[1], 0)
        matrix = np.ldexp(matrix, -exponents)
    return np.asarray(matrix)
