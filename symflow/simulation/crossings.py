"""Where a function of time changes sign within a step, more than once if it does.

A sign change from the start of a step to its end shows one crossing; two show nothing.
Therefore the function is looked at `PARTS` times inside, and where three neighbours of
one sign bend towards zero, their extremum is sought.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

#: Event times are located to this many units in the last place of the time.
ROOT_ULPS = 4
#: Into how many parts a step is cut, …
PARTS = 8
#: … and this part at both ends, which shows whether the function turns there.
EDGE = 1e-4


def crossings(
    value: Callable[[float], float], start: float, end: float
) -> tuple[list[float], float]:
    """Return the times in (start, end] at which a function changes sign.

    A zero at the start belongs to the step before.

    They come in order, with the value at the end.
    """
    inner = np.linspace(start, end, PARTS + 1)[1:-1]
    edge = EDGE * (end - start)
    times = [start, start + edge, *map(float, inner), end - edge, end]
    known = {time: value(time) for time in [*times[:-1], end]}
    for left, middle, right in zip(times, times[1:], times[2:], strict=False):
        known |= _extremum(value, known, left, middle, right)
    found = []
    for (left, low), (right, high) in pairwise(sorted(known.items())):
        if low * high < 0:
            found.append(_root(value, left, right))
        elif low != 0 == high:
            found.append(right)
    return found, known[end]


def _extremum(
    value: Callable[[float], float],
    known: dict[float, float],
    left: float,
    middle: float,
    right: float,
) -> dict[float, float]:
    """Return where a function that bends towards zero has crossed it, if it has."""
    from scipy.optimize import minimize_scalar

    sign = np.sign(known[middle])
    ends = sign * known[left], sign * known[right]
    if not (sign != 0 and min(ends) > 0 and sign * known[middle] <= min(ends)):
        return {}
    answer = minimize_scalar(
        lambda time: sign * value(time), bounds=(left, right), method="bounded"
    )
    time = float(answer.x)
    return {time: value(time)} if left < time < right else {}


def _root(value: Callable[[float], float], left: float, right: float) -> float:
    from scipy.optimize import brentq

    precision = ROOT_ULPS * np.finfo(float).eps
    return float(brentq(value, left, right, xtol=precision * right, rtol=precision))
