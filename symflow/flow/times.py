"""Time points: exact, increasing, and starting at or after zero."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.numbers import MOST_DIGITS, as_fraction, exact, is_ball, whole
from symflow.errors import InvalidArgument, shown

#: Time points of one call.
MOST_TIMES = 1_000_000

#: Latest time of an integration, whatever the units of the data.
LATEST_TIME = 10**100


def as_times(t: Any, call: str, name: str = "t") -> tuple[Fraction, ...]:
    """Return time points as exact rationals.

    A float stands for the binary rational that it is.  Raises InvalidArgument, which
    names `call` and its argument, if a time is not a finite rational, is negative, or
    does not increase.
    """
    points = time_points(t)
    if len(points) > MOST_TIMES:
        msg = f"{call}(t=…): takes at most {MOST_TIMES} times, which are all kept"
        raise InvalidArgument(msg)
    if not points:
        msg = f"{call}({name}=…): needs at least one time; got none"
        raise InvalidArgument(msg)
    times = tuple(_as_time(point, call, name) for point in points)
    if max(times) > LATEST_TIME:
        late = shown(points[times.index(max(times))])
        msg = (
            f"{call}(t=…): {late} is later than {LATEST_TIME:.0e}, which "
            "no integration reaches. A closed form has values there, and limits"
        )
        raise InvalidArgument(msg)
    if times[0] < 0:
        early = shown(points[0])
        msg = f"{call}({name}=…): the flow starts at t = 0; got the time {early}"
        raise InvalidArgument(msg)
    for number, (first, second) in enumerate(pairwise(times), start=1):
        if second <= first:
            msg = (
                f"{call}({name}=…): times have to increase, but t[{number}] = "
                f"{float(second):g} comes after t[{number - 1}] = {float(first):g}"
            )
            raise InvalidArgument(msg)
    return times


def time_points(t: Any) -> list[Any]:
    """Return what `t` lists, or `t` alone where it is no list of times."""
    if isinstance(t, np.ndarray) and t.ndim == 0:
        return [t.item()]
    # bytes would be integers, and a set has no order
    if isinstance(t, str | bytes | set | frozenset | dict) or np.ma.is_masked(t):
        return [t]
    return list(islice(t, MOST_TIMES + 1)) if isinstance(t, Iterable) else [t]


def float_times(t: Any) -> NDArray[np.float64]:
    """Return the times of a closed form in float64, in the shape that they came in.

    Raises InvalidArgument if a time is not a finite real number.
    """
    try:
        given = np.asarray(t)
        # NumPy would read text and truth values, drop imaginary parts and masks
        if given.dtype.kind not in "fiuO" or not given.size or np.ma.is_masked(t):
            raise TypeError
        if given.dtype == object and any(map(_is_no_number, given.flat)):
            raise TypeError
        times = given.astype(float)
    except (TypeError, ValueError, OverflowError, MemoryError):
        msg = f"Solution(t=…): every time has to be a real number; got {shown(t)}"
        raise InvalidArgument(msg) from None
    if not np.all(np.isfinite(times)):
        msg = (
            f"Solution(t=…): every time has to be finite; got {shown(t)}. The value as "
            "t → ∞ is `.limit`"
        )
        raise InvalidArgument(msg)
    if np.any(times < 0):
        msg = f"Solution(t=…): the flow starts at t = 0; got {shown(t)}"
        raise InvalidArgument(msg)
    return times


def check_time(t: Any, call: str, digits: Any) -> None:
    """Raise `InvalidArgument` unless `t` is a real t ≥ 0, and `digits` a count."""
    whole(digits, f"{call}: digits", most=MOST_DIGITS)
    if _is_no_number(t) or exact(t).is_negative:
        msg = f"{call}: needs a time, t ≥ 0; got {shown(t)}"
        raise InvalidArgument(msg)


def _is_no_number(entry: Any) -> bool:
    return is_ball(entry) or isinstance(entry, str | bytes | bool | np.bool_ | complex)


def _as_time(point: Any, call: str, name: str) -> Fraction:
    try:
        odd = _is_no_number(point)
        time = None if odd else as_fraction(point)
    except InvalidArgument:
        raise InvalidArgument(_not_finite(point, call, name)) from None
    if time is not None:
        return time
    if getattr(point, "is_infinite", False) is True:
        raise InvalidArgument(_not_finite(point, call, name))
    if getattr(point, "is_irrational", False) is True:
        msg = (
            f"{call}({name}=…): times are taken exactly, so they have to be rational; "
            f"got {shown(point)}. Round it as you like, for example by float(…)"
        )
        raise InvalidArgument(msg)
    msg = f"{call}({name}=…): every time has to be a number; got {shown(point)}"
    raise InvalidArgument(msg)


def _not_finite(point: Any, call: str, name: str) -> str:
    return f"{call}({name}=…): every time has to be finite; got {shown(point)}"
