"""Balls: Arb numbers from exact ones, and proven bounds of matrices.

Every function here returns an upper or a lower bound that holds for all matrices in
the given balls; what is trusted is Arb (FLINT).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
from flint import arb, arb_mat

from symflow.algebra.arrays import Array
from symflow.algebra.balls import (
    ALONE as ALONE,
    as_matrix as as_matrix,
    frobenius as frobenius,
    from_ball_matrix as from_ball_matrix,
    in_bits as in_bits,
    present_bits as present_bits,
    root as root,
    to_arb as to_arb,
    to_arb_array as to_arb_array,
    upward as upward,
    workbits as workbits,
)

#: Precision of bounds, whose own digits do not matter.
NORM_BITS = 64
#: Squarings in the bound of a spectral norm; the bound is loose by n^(1/64) at most.
SQUARINGS = 5


def filled(shape: Any, entries: Iterable[Any]) -> Array:
    """Return an object array; NumPy itself would unroll polynomials as sequences."""
    result = np.empty(shape, dtype=object)
    for index, entry in zip(np.ndindex(*result.shape), entries, strict=True):
        result[index] = entry
    return result


def size_of(matrices: Iterable[Any]) -> Any:
    """Return an upper bound of the Frobenius norm of several `arb_mat` together."""
    entries = list(chain.from_iterable(matrix.entries() for matrix in matrices))
    flat = arb_mat(1, len(entries), entries)
    return root((flat * flat.transpose())[0, 0])


def spectral(matrix: Any) -> Any:
    """Return an upper bound of the largest singular value of an array or `arb_mat`.

    With the Gram matrix G, σ₁ ≤ tr(G^(2^p))^(1/2^(p+1)).
    """
    flat = matrix if isinstance(matrix, arb_mat) else as_matrix(matrix)
    wide = flat.nrows() < flat.ncols()
    gram = flat * flat.transpose() if wide else flat.transpose() * flat
    scale = gram.trace().upper()
    if scale == 0:  # and not what is no number
        return scale
    gram = gram * (1 / scale)
    for _ in range(SQUARINGS):
        gram = gram * gram
    power = arb(2) ** (-SQUARINGS)
    return root(scale * gram.trace().upper() ** power)


def positive_definite(matrix: Array) -> bool:
    """Say whether every symmetric matrix in the balls is proven positive definite."""
    rest = matrix.copy()
    for pivot in range(len(rest)):
        if not rest[pivot, pivot] > 0:
            return False
        below = rest[pivot + 1 :, pivot]
        update = np.outer(below, below) / rest[pivot, pivot]
        rest[pivot + 1 :, pivot + 1 :] = rest[pivot + 1 :, pivot + 1 :] - update
    return True


def smallest_ratio(matrix: Array, metric: Array, guess: float) -> Any:
    """Return a proven s ≥ 0 with matrix ⪰ s · metric, close to the largest such s.

    Both are symmetric arrays of balls, `metric` positive definite; `guess` is the
    generalized smallest eigenvalue, from float64.
    """
    for slack in (1e-6, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        candidate = arb(max(guess, 0.0) * (1 - slack))
        if candidate > 0 and positive_definite(matrix - candidate * metric):
            return candidate
    return arb(0)


def distance_between(given: list[Array], middle: list[Array]) -> Any:
    """Return the Frobenius distance of exact arrays as a ball, for comparisons."""
    total = arb(0)
    for first, second in zip(given, middle, strict=True):
        for entry in (to_arb_array(first) - to_arb_array(second)).flat:
            total += entry * entry
    return total.nonnegative_part().sqrt()


@in_bits(NORM_BITS)
def log2_above(bound: Any) -> float:
    """Return log2 of an upper bound, rounded up to an integer."""
    top = bound.upper()
    if not top > 0:
        return -1e9
    mantissa, exponent = top.man_exp()
    return float(int(exponent) + int(mantissa).bit_length())
