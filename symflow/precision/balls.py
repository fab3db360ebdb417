"""Balls: Arb numbers from exact ones, and proven bounds of matrices.

Every function here returns an upper or a lower bound that holds for all matrices in
the given balls; what is trusted is Arb (FLINT).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from flint import arb, arb_mat, arb_poly, ctx, fmpz_poly

from symflow.algebra.arrays import Array
from symflow.algebra.balls import to_arb as to_arb
from symflow.algebra.balls import to_arb_array as to_arb_array

#: Precision of bounds, whose own digits do not matter.
NORM_BITS = 64
#: Squarings in the bound of a spectral norm; the bound is loose by n^(1/64) at most.
SQUARINGS = 5


def polynomials(coefficients: list[list[int]], shape: Any, bits: int) -> Array:
    """Return an array of polynomials with exact coefficients n / 2^bits.

    Parameters
    ----------
    coefficients : list of lists of int
        One list for every entry, lowest order first.
    shape : tuple of int
        Shape of the array.
    bits : int
        Places after the binary point.
    """
    unit = arb(1) / arb(2) ** bits
    entries = [arb_poly(fmpz_poly(entry)) * unit for entry in coefficients]
    return filled(shape, entries)


def filled(shape: Any, entries: Iterable[Any]) -> Array:
    """Return an object array; NumPy itself would unroll polynomials as sequences."""
    result = np.empty(shape, dtype=object)
    for index, entry in zip(np.ndindex(*result.shape), entries, strict=True):
        result[index] = entry
    return result


def frobenius(arrays: Iterable[Array]) -> Any:
    """Return an upper bound of the Frobenius norm of several arrays together."""
    total = arb(0)
    for array in arrays:
        for entry in array.flat:
            total += entry * entry
    return root(total)


def root(square: Any) -> Any:
    """Return an upper bound of the square root of a number that is not negative."""
    return square.upper().max(arb(0)).sqrt().upper()


def spectral(matrix: Array) -> Any:
    """Return an upper bound of the largest singular value.

    With the Gram matrix G, σ₁ ≤ tr(G^(2^p))^(1/2^(p+1)).

    Examples
    --------
    >>> import numpy as np
    >>> round(float(spectral(to_arb_array(np.diag([3.0, 1.0])))), 12)
    3.0
    """
    rows, columns = matrix.shape
    flat = arb_mat(rows, columns, list(matrix.flat))
    wide = rows < columns
    gram = flat * flat.transpose() if wide else flat.transpose() * flat
    scale = gram.trace().upper()
    if not scale > 0:
        return arb(0)
    gram = gram * (1 / scale)
    for _ in range(SQUARINGS):
        gram = gram * gram
    power = arb(2) ** (-SQUARINGS)
    return root(scale * gram.trace().upper() ** power)


def positive_definite(matrix: Array) -> bool:
    """Say whether every symmetric matrix in the balls is proven positive definite.

    Examples
    --------
    >>> import numpy as np
    >>> one = to_arb_array(np.eye(2))
    >>> positive_definite(one), positive_definite(-one)
    (True, False)
    """
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

    Parameters
    ----------
    matrix, metric : arrays of balls
        Symmetric; `metric` positive definite.
    guess : float
        The generalized smallest eigenvalue, from float64.
    """
    for slack in (1e-6, 1e-3, 1e-1, 0.5):
        candidate = arb(max(guess, 0.0) * (1 - slack))
        if candidate > 0 and positive_definite(matrix - candidate * metric):
            return candidate
    return arb(0)


def bound_on(polynomial: Any, end: Any) -> Any:
    """Return an upper bound of |p(x)| for 0 ≤ x ≤ end."""
    with ctx.workprec(NORM_BITS):
        sizes = [coefficient.abs_upper() for coefficient in polynomial.coeffs()]
        return arb_poly(sizes)(end).upper()


def map_arrays(function: Callable[[Any], Any], arrays: Iterable[Array]) -> list[Array]:
    """Apply a function to every entry of several arrays."""
    return [filled(a.shape, (function(x) for x in a.flat)) for a in arrays]


def distance_between(given: list[Array], middle: list[Array]) -> Any:
    """Return the Frobenius distance of exact arrays as a ball, for comparisons."""
    total = arb(0)
    for first, second in zip(given, middle, strict=True):
        for entry in (to_arb_array(first) - to_arb_array(second)).flat:
            total += entry * entry
    return total.nonnegative_part().sqrt()


def product_radius(weights: list[Array], radius: Any) -> Any:
    """Return how far W_L⋯W_1 can move when all weights together move by `radius`.

    |W(θ + E) − W(θ)| ≤ Π(‖W_l‖₂ + |E|) − Π‖W_l‖₂.
    """
    with_error, without = arb(1), arb(1)
    for weight in weights:
        norm = spectral(weight)
        with_error *= norm + radius
        without *= norm
    return (with_error - without).upper()


def upward(bound: Any) -> float:
    """Return a float that is not below the upper end of a ball."""
    value = float(bound.upper())
    while not arb(value) >= bound.upper():
        value = float(np.nextafter(value, np.inf))
    return value
