"""Arb balls from exact numbers and back, and the one door to the precision of Arb.

``with ALONE, workbits(n):`` opens a section in which this thread works with n bits, and
`in_bits(n)` makes one of a function.  Both managers are written in C, so that Ctrl-C
comes before or after them and finds nothing half done; a generator would not do.  What
was found is finished inside: Arb rounds when it compares ends, and when it prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from math import inf
from typing import Any, ParamSpec, TypeVar

import numpy as np
from flint import arb, arb_mat, ctx, fmpq

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.intervals import Interval
from symflow.algebra.numbers import as_fraction, exact_entry, to_fixed
from symflow.algebra.threads import ALONE as ALONE

Given = ParamSpec("Given")
Result = TypeVar("Result")

#: Bits for what ends in a float.
FINE_BITS = 192

#: Sets the bits of Arb in a `with` statement, after `ALONE`, and restores them.
workbits: Any = ctx.workprec


def in_bits(
    bits: int,
) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Let a function compute alone, with so many bits."""

    def decorated(function: Callable[Given, Result]) -> Callable[Given, Result]:
        @wraps(function)
        def alone(*arguments: Given.args, **named: Given.kwargs) -> Result:
            with ALONE, workbits(bits):
                return function(*arguments, **named)

        return alone

    return decorated


def present_bits() -> int:
    """Return the bits of the section that is open."""
    return int(ctx.prec)


def to_arb(value: Any) -> Any:
    """Return a ball that contains an exact number, or all of a set of numbers.

    It has the current precision; a ball stays what it is.
    """
    if isinstance(value, arb):
        return value
    if isinstance(value, Interval):
        return to_arb(value.low).union(to_arb(value.high))
    ratio = as_fraction(value)
    if ratio is not None:
        return arb(fmpq(ratio.numerator, ratio.denominator))
    places = present_bits() + 8
    unit = arb(1) / arb(2) ** places
    return arb(to_fixed(value, places), 2) * unit


def to_arb_array(array: Array) -> Array:
    """Return an object array of balls."""
    return map_entries(to_arb, array)


def as_matrix(array: Array) -> Any:
    """Return a matrix of exact numbers or balls as one of Arb."""
    rows, columns = array.shape
    return arb_mat(rows, columns, [to_arb(entry) for entry in array.flat])


def from_ball_matrix(matrix: arb_mat) -> Array:
    """Return a matrix of Arb as an object array of its balls."""
    result = np.empty((matrix.nrows(), matrix.ncols()), dtype=object)
    result.flat[:] = matrix.entries()
    return result


@in_bits(FINE_BITS)
def gram_of_sets(left: Array, right: Array, count: int) -> Array:
    """Return leftᵀ·right / count for entries that may be sets, as intervals.

    Every product of members is in the result, which is wider than their set.
    """
    product = to_arb_array(left).T @ to_arb_array(right)
    return map_entries(exact_entry, np.asarray(product / count))


def midpoint(ball: Any, context: Any) -> Any:
    """Return the middle of a ball as an `mpf` of an mpmath context."""
    mantissa, exponent = ball.mid().man_exp()
    return context.ldexp(context.mpf(int(mantissa)), int(exponent))


def with_series(length: int, function: Callable[[], Result]) -> Result:
    """Call a function while Arb keeps so many coefficients of a series; when alone."""
    before = ctx.cap
    try:
        ctx.cap = length
        return function()
    finally:
        ctx.cap = before


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


@in_bits(FINE_BITS)
def upward(bound: Any) -> float:
    """Return a float that is not below the upper end of a ball; of NaN, infinity."""
    if bound.is_nan():
        return inf
    value = float(bound.upper())
    while not arb(value) >= bound.upper():
        value = float(np.nextafter(value, np.inf))
    return value
