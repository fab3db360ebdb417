"""The one gate through which an exact number becomes a float, an mpf or an integer.

symflow keeps a number as it was given (an `int`, a `Fraction`, a SymPy number, or
a binary float, which *is* a rational) until the arithmetic that will use it is
known.  A number is rounded once, here, and never passes through a float on its way
to more digits.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isfinite, ldexp
from numbers import Integral, Rational
from typing import Any

import mpmath
import numpy as np
import sympy
from mpmath.ctx_mp_python import _mpf
from mpmath.libmp import from_float, from_rational, fzero, mpf_exp, mpf_pos

from symflow.algebra.intervals import Interval
from symflow.algebra.reading import LARGEST_BITS, read_expression
from symflow.algebra.symbols import parameter
from symflow.algebra.threads import evaluated
from symflow.errors import InvalidArgument, shown

#: Numbers of 53 bits and any exponent; `mpmath.mp` has the bits that somebody set.
WIDE = mpmath.MPContext()


def context_of(digits: int) -> Any:
    """Return a new mpmath context of `digits` decimal digits.

    Nobody else has it: mpmath raises the precision of a context while it computes,
    which whoever shares it, in another thread perhaps, would see.
    """
    context = mpmath.MPContext()
    context.dps = digits
    return context


#: Bits kept beyond the asked ones when an irrational number is evaluated.
GUARD_BITS = 16

#: Largest binary exponent of a number that is written out as a fraction.
LARGEST_SHIFT = 1 << 26

#: Decimal digits that may be asked for.
MOST_DIGITS = 100_000

#: Below two to this, and above its inverse, floats have all of their bits.
NORMAL_EXPONENT = 1000

#: Numbers below two to this are rounded to zero by float64.
SMALLEST_EXPONENT = -1100


def exact(value: Any) -> sympy.Expr:
    """Return `value` as a real SymPy number without rounding it.

    A binary float stands for the rational number that it is; a string is read as
    arithmetic (``"1/3"``, ``"sqrt(2)"``, ``"0.1"`` for 1/10), and nothing in it is run.
    Raises InvalidArgument if the value is not a finite real number.
    """
    ratio = _ratio(value)
    if ratio is not None:
        return sympy.Rational(*ratio)
    try:
        number = read_expression(value) if isinstance(value, str) else value
    except InvalidArgument as problem:
        msg = f"exact(value): needs a real number; {problem}"
        raise InvalidArgument(msg) from None
    if not isinstance(number, sympy.Expr) or not number.is_number:
        msg = f"exact(value): needs a real number; got {shown(value)}"
        raise InvalidArgument(msg)
    unreal = number.is_extended_real is False or number.is_finite is False
    if unreal or number.has(sympy.nan):
        msg = f"exact(value): needs a finite real number; got {shown(value)}"
        raise InvalidArgument(msg)
    return number


def interval(low: Any, high: Any) -> Any:
    """Return the set of all real numbers between two ends, as an entry of weights.

    `enclose` then encloses the flow from every start in the box, or for all such data.

    Parameters
    ----------
    low, high : number
        Rational numbers or floats, taken exactly; equal ones are that number.

    Returns
    -------
    Interval or Fraction

    Raises
    ------
    InvalidArgument
        If an end is not rational, or `low` is above `high`.

    Examples
    --------
    >>> interval(0.5, 1), interval(2, 2)
    (interval(1/2, 1), Fraction(2, 1))
    """
    first, last = as_fraction(low), as_fraction(high)
    if first is None or last is None or first > last:
        msg = (
            "interval(low, high): needs rational numbers or floats, low ≤ high; got "
            f"{shown(low)} and {shown(high)}"
        )
        raise InvalidArgument(msg)
    return Interval(first, last) if first < last else first


def as_set(value: Any) -> Interval | None:
    """Return an interval or a ball of positive radius as an interval; else None."""
    if isinstance(value, Interval) or not is_ball(value):
        return value if isinstance(value, Interval) else None
    if not value.is_finite() or value.rad() == 0:
        return None
    middle, radius = Fraction(*_center(value.mid())), Fraction(*_center(value.rad()))
    return Interval(middle - radius, middle + radius)


def exact_entry(value: Any) -> Any:
    """Return a number as SymPy has it, unrounded, or the set that it is."""
    known = as_set(value)
    return exact(value) if known is None else known


def formula(value: Any, call: str) -> sympy.Expr:
    """Return an expression that a user gave as one; a text is refused, not parsed.

    A float is read as the decimal that it prints; an error names `call`.  Raises
    InvalidArgument if it is something else.
    """
    if isinstance(value, sympy.Expr):
        return value
    try:
        if not isinstance(value, str):
            return coefficient(value, call)
    except InvalidArgument:
        pass
    msg = f"{call}: needs a SymPy expression or a number; got {shown(value)}"
    raise InvalidArgument(msg)


def coefficient(value: Any, call: str, **assumptions: bool) -> sympy.Expr:
    """Return a number of a formula, or the symbol that a name stands for.

    A float is read as the decimal that it prints.  The `assumptions` are those of a
    symbol that is made here; an error names `call`.  Raises InvalidArgument if it is
    neither, or has more digits than can be written out.
    """
    if name := parameter(value, call, **assumptions):
        return name
    number = exact(repr(value) if isinstance(value, float) else value)
    parts = (abs(n) for x in number.atoms(sympy.Rational) for n in (x.p, x.q))
    if max(parts, default=0).bit_length() > LARGEST_BITS:
        msg = f"{call}: takes numbers of up to {LARGEST_BITS} bits; got {shown(value)}"
        raise InvalidArgument(msg)
    return number


def whole(value: Any, call: str, least: int = 1, most: int = 10**9) -> int:
    """Return an integer in a range.

    Truth values and spans of time, integers to Python or NumPy, are none; an error
    names `call`.  Raises InvalidArgument if it is something else.
    """
    ratio = _ratio(value) if isinstance(value, Integral | sympy.Integer) else None
    if ratio is not None and least <= ratio[0] <= most:
        return ratio[0]
    msg = f"{call}: needs an integer from {least} to {most}; got {shown(value)}"
    raise InvalidArgument(msg)


def is_exact(value: Any) -> bool:
    """Say whether `value` is meant exactly: anything but a binary or SymPy float."""
    if isinstance(value, sympy.Expr):
        return not value.has(sympy.Float)
    return isinstance(value, (Integral, Rational, Interval)) or is_ball(value)


def is_ball(value: Any) -> bool:
    """Say whether `value` is a ball, `flint.arb`, which may stand for many numbers."""
    return hasattr(value, "man_exp") and hasattr(value, "rad")


def exceeds_float(value: Any) -> bool:
    """Say whether a binary number has more digits, or another range, than a float."""
    if type(value) is float or is_exact(value):
        return False
    ratio = as_fraction(value)
    try:
        return ratio is not None and ratio != Fraction(float(ratio))
    except OverflowError:
        return True


def to_float(value: Any) -> float:
    """Return the nearest float.

    Raises InvalidArgument if the value is not a finite real number, or beyond the range
    of floats.
    """
    if type(value) is float and isfinite(value):
        return value + 0.0  # no zero has a sign
    if _vanishes(value):
        return 0.0
    binary = _binary(value)
    if binary is not None and abs(binary[2] + binary[3]) < NORMAL_EXPONENT:
        sign, mantissa, exponent, _ = mpf_pos(binary, 53, "n")
        return ldexp(-mantissa if sign else mantissa, exponent)
    ratio = _ratio(value)
    if ratio is None:
        ratio = _dyadic(_evaluate(value, 53 + GUARD_BITS))
    try:
        return float(Fraction(*ratio))
    except OverflowError:
        msg = f"to_float(value): {shown(value)} is beyond the range of floats"
        raise InvalidArgument(msg) from None


def _vanishes(value: Any) -> bool:
    """Say whether an mpf is so small that the nearest float is zero."""
    raw = getattr(value, "_mpf_", None)
    if not isinstance(raw, tuple):
        return False
    return bool(raw[1]) and raw[2] + raw[3] < SMALLEST_EXPONENT


def to_mpf(value: Any, context: Any) -> Any:
    """Return `value` as an `mpf` of the mpmath `context`, rounded once."""
    binary = _binary(value)
    if binary is not None:
        if type(value) is context.mpf and binary[3] <= context.prec:
            return value
        return context.make_mpf(mpf_pos(binary, context.prec, "n"))
    ratio = _ratio(value)
    if ratio is not None:
        return context.make_mpf(from_rational(*ratio, context.prec, "n"))
    raw = _evaluate(value, context.prec + GUARD_BITS)
    return context.make_mpf(mpf_pos(raw, context.prec, "n"))


def to_fixed(value: Any, bits: int) -> int:
    """Return round(value·2^bits), the fixed-point form of `value`."""
    ratio = _ratio(value)
    if ratio is None:
        _, _, exponent, length = _evaluate(value, GUARD_BITS)
        magnitude = max(0, exponent + length)
        ratio = _dyadic(_evaluate(value, max(0, bits) + magnitude + GUARD_BITS))
    numerator, denominator = ratio
    scaled = numerator << bits if bits >= 0 else numerator
    if bits < 0:
        denominator <<= -bits
    return (2 * scaled + denominator) // (2 * denominator)


def as_fraction(value: Any) -> Fraction | None:
    """Return `value` as a `Fraction`, or None where it is irrational."""
    ratio = _ratio(value)
    return None if ratio is None else Fraction(*ratio)


def _binary(value: Any) -> tuple[int, int, int, int] | None:
    """Return mpmath's raw form of a number that most arrays hold, None for others.

    These are finite floats and `mpf`: no ratio is needed to round them once more.
    """
    if isinstance(value, float) and isfinite(value):
        return tuple(from_float(value))
    if isinstance(value, _mpf):
        raw = value._mpf_
        is_number = raw[1] or raw == fzero  # others have no mantissa either
        return raw if is_number and abs(raw[2]) <= LARGEST_SHIFT else None
    return None


def _ratio(value: Any) -> tuple[int, int] | None:
    """Return numerator and denominator of a rational value, None for others."""
    if isinstance(value, float) and isfinite(value):  # most arrays hold these
        return value.as_integer_ratio()
    # integers to Python and NumPy, classes of numbers, and slips to everyone else
    if isinstance(value, (bool, np.timedelta64, type)):
        return None
    if isinstance(value, (Integral, Rational)):
        return int(value.numerator), int(value.denominator)
    if isinstance(value, sympy.Rational):
        return int(value.p), int(value.q)
    if isinstance(value, sympy.Float):
        return _dyadic(value._mpf_)
    if isinstance(value, Interval):
        raise InvalidArgument(_of_many(value))
    if is_ball(value):  # whose `_mpf_` is the midpoint
        return _center(value)
    if hasattr(value, "_mpf_"):
        return _dyadic(value._mpf_)
    if hasattr(value, "as_integer_ratio"):
        try:
            if isinstance(value, Decimal) and abs(value.adjusted()) > LARGEST_SHIFT:
                raise OverflowError
            numerator, denominator = value.as_integer_ratio()
        except (ValueError, OverflowError):
            msg = f"a finite number is needed; got {shown(value)}"
            raise InvalidArgument(msg) from None
        return int(numerator), int(denominator)
    return None


def _dyadic(raw: Any) -> tuple[int, int]:
    """Return the ratio of mpmath's raw (sign, mantissa, exponent, bits) form."""
    sign, mantissa, exponent, bits = raw
    if mantissa == 0 and (exponent or bits):
        msg = "a finite number is needed; got an infinity or NaN"
        raise InvalidArgument(msg)
    if abs(exponent) > LARGEST_SHIFT:
        msg = f"2**{exponent} is too large, or too small, for exact arithmetic"
        raise InvalidArgument(msg)
    signed = -int(mantissa) if sign else int(mantissa)
    return (signed << exponent, 1) if exponent >= 0 else (signed, 1 << -exponent)


def _center(ball: Any) -> tuple[int, int]:
    """Return the number that a ball of radius zero is."""
    if not ball.is_finite() or ball.rad() != 0:
        raise InvalidArgument(_of_many(ball))
    mantissa, exponent = map(int, ball.man_exp())
    return (mantissa << max(exponent, 0), 1 << max(-exponent, 0))


def _of_many(value: Any) -> str:
    return (
        f"the entry {value} stands for many numbers, and one is needed. Give one of "
        "them; enclose, certify and basin take sets where a start is given by weights"
    )


def _evaluate(value: Any, bits: int) -> Any:
    """Evaluate an irrational SymPy number to `bits` bits, as raw mpf."""
    power = value.exp if isinstance(value, sympy.exp) else None
    if isinstance(power, sympy.Rational):  # every decay, in a sixth of the time
        size = max(0, int(power.p).bit_length() - int(power.q).bit_length() + 1)
        argument = from_rational(int(power.p), int(power.q), bits + size + 8, "n")
        return mpf_exp(argument, bits, "n")
    digits = int(bits * 0.30103) + 2
    return sympy.Float(evaluated(exact(value), digits), digits)._mpf_
