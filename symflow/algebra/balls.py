"""Arb balls from exact numbers and back, and bounds of what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.numbers import as_fraction, to_fixed


def to_arb(value: Any) -> Any:
    """Return a ball that contains an exact number, at the current precision.

    Examples
    --------
    >>> from fractions import Fraction
    >>> to_arb(Fraction(1, 4))
    0.250000000000000
    """
    ratio = as_fraction(value)
    if ratio is not None:
        return arb(fmpq(ratio.numerator, ratio.denominator))
    places = ctx.prec + 8
    unit = arb(1) / arb(2) ** places
    return arb(to_fixed(value, places), 2) * unit


def to_arb_array(array: Array) -> Array:
    """Return an object array of balls."""
    return map_entries(to_arb, array)


def midpoint(ball: Any, context: Any) -> Any:
    """Return the middle of a ball as an `mpf` of an mpmath context.

    Examples
    --------
    >>> from mpmath import MPContext
    >>> midpoint(arb(3, 0.1) / 4, MPContext())
    mpf('0.75')
    """
    mantissa, exponent = ball.mid().man_exp()
    return context.ldexp(context.mpf(int(mantissa)), int(exponent))


@contextmanager
def series_length(order: int) -> Iterator[None]:
    """Let Arb keep that many coefficients, and restore its setting."""
    before = ctx.cap
    ctx.cap = order
    try:
        yield
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


def upward(bound: Any) -> float:
    """Return a float that is not below the upper end of a ball; of NaN, infinity.

    Examples
    --------
    >>> upward(arb("nan"))
    inf
    """
    if bound.is_nan():
        return inf
    value = float(bound.upper())
    while not arb(value) >= bound.upper():
        value = float(np.nextafter(value, np.inf))
    return value
