"""Numbers with six digits, rounded to the side on which a statement stays true."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal
from typing import Any

import sympy

from symflow.algebra.numbers import exact

#: Significant digits of a printed number.
PRINTED = 6


def printed_down(value: Any) -> sympy.Float:
    """Return a number of six digits that is at most `value`, as near as they allow.

    Parameters
    ----------
    value : number
        A finite real one, taken as the number that it is.

    Examples
    --------
    >>> printed_down(2 / 3), printed_down(-2 / 3), printed_down(0.5)
    (0.666666, -0.666667, 0.5)
    """
    number = exact(value)
    context = Context(prec=PRINTED, rounding=ROUND_FLOOR)
    digits = context.plus(Decimal(str(sympy.N(number, 50))))
    rounded = sympy.Float(str(digits), PRINTED)
    while sympy.Rational(rounded) > number:  # its mantissa is binary, of few bits
        digits = context.next_minus(digits)
        rounded = sympy.Float(str(digits), PRINTED)
    return rounded


def printed_up(value: Any) -> sympy.Float:
    """Return a number of six digits that is at least `value`, as near as they allow.

    Examples
    --------
    >>> printed_up(2 / 3), printed_up(-2 / 3)
    (0.666667, -0.666666)
    """
    return -printed_down(-exact(value))
