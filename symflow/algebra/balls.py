"""Arb balls from exact numbers, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
