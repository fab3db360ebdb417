"""Time points: exact, increasing, and starting at or after zero."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.numbers import as_fraction, is_ball
from symflow.errors import InvalidArgument


def as_times(t: Any, call: str, name: str = "t") -> tuple[Fraction, ...]:
    """Return time points as exact rationals.

    Parameters
    ----------
    t : number or sequence of numbers
        A float stands for the binary rational that it is.
    call : str
        The call to name in an error message.
    name : str
        What the call calls its times.

    Raises
    ------
    InvalidArgument
        If a time is not a finite rational, is negative, or does not increase.

    Examples
    --------
    >>> as_times([0, 0.5, "1/3"], "f")
    Traceback (most recent call last):
        ...
    symflow.errors.InvalidArgument: f(t=…): every time has to be a number; got '1/3'
    >>> as_times(0.5, "f")
    (Fraction(1, 2),)
    """
    points = list(t) if isinstance(t, Iterable) and not isinstance(t, str) else [t]
    if not points:
        msg = f"{call}({name}=…): needs at least one time; got none"
        raise InvalidArgument(msg)
    times = tuple(_as_time(point, call, name) for point in points)
    if times[0] < 0:
        msg = f"{call}({name}=…): the flow starts at t = 0; got the time {points[0]}"
        raise InvalidArgument(msg)
    for number, (first, second) in enumerate(pairwise(times), start=1):
        if second <= first:
            msg = (
                f"{call}({name}=…): times have to increase, but t[{number}] = "
                f"{float(second):g} comes after t[{number - 1}] = {float(first):g}"
            )
            raise InvalidArgument(msg)
    return times


def float_times(t: Any) -> NDArray[np.float64]:
    """Return the times of a closed form in float64, in the shape that they came in.

    Parameters
    ----------
    t : float or array_like
        Times.

    Raises
    ------
    InvalidArgument
        If a time is not a finite real number.

    Examples
    --------
    >>> float_times([0, Fraction(1, 2)]).tolist()
    [0.0, 0.5]
    """
    try:
        given = np.asarray(t)
        if given.dtype == object and any(map(is_ball, given.flat)):
            raise TypeError
        if given.dtype.kind == "c":  # NumPy would drop the imaginary part
            raise TypeError
        times = given.astype(float)
    except (TypeError, ValueError):
        msg = f"Solution(t=…): every time has to be a real number; got {t!r}"
        raise InvalidArgument(msg) from None
    if not np.all(np.isfinite(times)):
        msg = (
            f"Solution(t=…): every time has to be finite; got {t!r}. The value as "
            "t → ∞ is `.limit`"
        )
        raise InvalidArgument(msg)
    return times


def _as_time(point: Any, call: str, name: str) -> Fraction:
    try:
        odd = isinstance(point, str) or is_ball(point)
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
            f"got {point!r}. Round it as you like, for example float({point!r})"
        )
        raise InvalidArgument(msg)
    msg = f"{call}({name}=…): every time has to be a number; got {point!r}"
    raise InvalidArgument(msg)


def _not_finite(point: Any, call: str, name: str) -> str:
    return f"{call}({name}=…): every time has to be finite; got {point!r}"
