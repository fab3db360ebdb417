"""Eigenvalues of symmetric matrices in balls.

The characteristic polynomial of a matrix of fractions is formed exactly, and Arb
encloses its roots: multiple and vanishing eigenvalues are found as such, and a small
one beside large ones has as many digits as they have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb, fmpq, fmpq_mat

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.balls import FINE_BITS, in_bits, to_arb
from symflow.algebra.numbers import as_fraction
from symflow.algebra.outward import at_most

#: Lets a function compute with balls for what ends in a float.
in_balls = in_bits(FINE_BITS)
#: Rows beyond which an eigenvalue is computed in float64, with a bound on its error.
MOST_ROWS = 24
#: Rounding of float64 eigenvalues and of what they are computed from, per row.
FLOAT_ERROR = 4e-15


def to_rationals(array: Array) -> Array:
    """Return numbers as `fmpq`; an irrational one as a ball."""
    return map_entries(_rational, array)


def eigenvalues(matrix: Array, error: float = 0.0) -> list[Any]:
    """Return balls that contain the eigenvalues, largest first.

    The matrix is symmetric up to rounding, of floats, or of fractions and balls, and
    may be off by `error` in the spectral norm.  The null space of one of fractions
    gives exact zeros.
    """
    if matrix.dtype != object or len(matrix) > MOST_ROWS:
        floats = np.array([[float(x) for x in row] for row in matrix])
        found = [arb(float(value)) for value in np.linalg.eigvalsh(floats)]
        error += FLOAT_ERROR * len(floats) * float(np.linalg.norm(floats))
    else:
        symmetric = (matrix + matrix.T) / 2
        middles = [_middle(entry) for entry in symmetric.flat]
        spread = root(sum((radius**2 for _, radius in middles), arb(0)))
        error = at_most(spread + error)
        size = len(matrix)
        exact = fmpq_mat(size, size, [middle for middle, _ in middles])
        found = []
        roots: Any = exact.charpoly().complex_roots()
        for value, multiplicity in roots:
            found += [value.real] * multiplicity
    around = arb(0, error)
    falling = sorted(found, key=lambda ball: ball.mid(), reverse=True)
    return [ball + around for ball in falling] if error else falling


def kth(falling: list[Any], k: int) -> Any:
    """Return the k-th of some balls, not below zero; 0 where there are fewer."""
    return clipped(falling[k - 1]) if k <= len(falling) else arb(0)


def root(ball: Any) -> Any:
    """Return √x of x ≥ 0, also where a ball around it reaches below zero."""
    if ball > 0 or ball.is_nan():
        return ball.sqrt()
    return arb(0).union(ball.upper().max(arb(0)).sqrt().upper())


def clipped(ball: Any) -> Any:
    """Return max(x, 0) of a ball."""
    return ball.max(arb(0))


def _rational(value: Any) -> Any:
    ratio = as_fraction(value)
    if ratio is None:
        return to_arb(value)
    return fmpq(ratio.numerator, ratio.denominator)


def _middle(value: Any) -> tuple[Any, Any]:
    """Return a fraction, and how far the number may be from it."""
    if not isinstance(value, arb):
        return fmpq(value), arb(0)
    mantissa, exponent = value.mid().man_exp()
    power = fmpq(2) ** int(exponent)
    return fmpq(mantissa) * power, arb(value.rad())
