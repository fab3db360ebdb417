"""Moments without rounding: floats are binary rationals, and so are their products.

A column is cut into slices of `SLICE` bits, integers below 2^20 times a common power of
two.  A product of two slices over `BLOCK` rows is a sum of at most 2^13 integers below
2^40: float64 holds every partial sum exactly, in whatever order BLAS adds.  Therefore
the work is that of a few matrix products, and integers of any length are met only in
the d² sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symflow.algebra.arrays import Array

#: Bits of a slice; twice as many and those of the number of rows make 53, …
SLICE = 20
#: … for this number of rows.
BLOCK = 1 << 53 - 2 * SLICE

Floats = NDArray[np.float64]


def exact_gram(left: Floats, right: Floats, count: int = 1) -> Array:
    """Return leftᵀ·right / count for float64 arrays as rational numbers.

    Shapes are (n, d), (n, m) and (d, m); floats are the binary rationals that they are.
    """
    first, tops = _slices(left)
    second, ends = (first, tops) if left is right else _slices(right)
    total: Any = np.zeros((left.shape[1], right.shape[1]), dtype=object)
    last = len(first) + len(second) - 2
    for depth in range(last + 1):
        total = total * (1 << SLICE)
        for k in range(max(0, depth - len(second) + 1), min(depth + 1, len(first))):
            if left is right and 2 * k > depth:
                break  # the products that are left are transposes
            part = _product(first[k], second[depth - k]).astype(object)
            total = total + part
            if left is right and 2 * k < depth:
                total = total + part.T
    places = np.add.outer(tops, ends) - (last + 2) * SLICE
    result = np.empty(total.shape, dtype=object)
    pairs = zip(total.flat, places.flat, strict=True)
    result.flat[:] = [_shifted(number, int(place), count) for number, place in pairs]
    return result


def _slices(array: Floats) -> tuple[list[Floats], NDArray[Any]]:
    """Cut every column c into integers q_k: c = Σ_k q_k 2^(top − (k + 1)·SLICE)."""
    rest = array.copy()
    tops = np.frexp(np.max(np.abs(array), axis=0))[1].astype(int)
    slices: list[Floats] = []
    while not slices or np.any(rest):
        place = (len(slices) + 1) * SLICE - tops
        slices.append(np.trunc(np.ldexp(rest, place)))
        rest = rest - np.ldexp(slices[-1], -place)
    return slices, tops


def _product(left: Floats, right: Floats) -> NDArray[np.int64]:
    total = np.zeros((left.shape[1], right.shape[1]), dtype=np.int64)
    if not (np.any(left) and np.any(right)):
        return total
    for row in range(0, len(left), BLOCK):
        part = left[row : row + BLOCK].T @ right[row : row + BLOCK]
        total += part.astype(np.int64)
    return total


def _shifted(number: int, place: int, count: int) -> sympy.Rational:
    return sympy.Rational(int(number) << max(place, 0), count << max(-place, 0))
