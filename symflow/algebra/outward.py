"""Rounding to the safe side: floats and printed digits below or above a number."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import inf, nextafter
from typing import Any

import sympy
from flint import arb

from symflow.algebra.balls import FINE_BITS, in_bits
from symflow.algebra.numbers import exact
from symflow.algebra.threads import evaluated

#: Digits of a printed bound.
SHOWN = 6


@in_bits(FINE_BITS)
def at_least(ball: Any) -> float:
    """Return the largest float that is certainly not above the number in a ball."""
    if ball.is_nan():
        return -inf
    end = ball.lower()
    value = float(ball.mid() if ball.rad() == 0 else end)
    while not arb(value) <= end:
        value = nextafter(value, -inf)
    return value


@in_bits(FINE_BITS)
def at_most(ball: Any) -> float:
    """Return the least float that is certainly not below the number in a ball."""
    return 0.0 - at_least(-ball)


def float_down(value: Any) -> sympy.Float:
    """Return six digits that are not above a number, neither printed nor in binary."""
    return _shown(value, ROUND_FLOOR)


def float_up(value: Any) -> sympy.Float:
    """Return six digits that are not below a number, neither printed nor in binary."""
    return _shown(value, ROUND_CEILING)


def said_down(value: Any) -> str:
    """Return six digits that are not above a float, as a text."""
    return f"{float(float_down(value)):.{SHOWN}g}"


def _shown(value: Any, rounding: str) -> sympy.Float:
    goal = exact(value)
    near = Decimal(str(evaluated(goal, 50)))
    rounded = near.normalize(Context(prec=SHOWN, rounding=rounding))
    found = sympy.Float(str(rounded), SHOWN)
    low = rounding == ROUND_FLOOR
    while (sympy.Rational(found) > goal) if low else (sympy.Rational(found) < goal):
        context = Context(prec=SHOWN)
        step = context.next_minus if low else context.next_plus
        rounded = step(rounded)
        found = sympy.Float(str(rounded), SHOWN)
    return found
