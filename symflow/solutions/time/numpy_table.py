"""The internal clock of `power_series` as a table of polynomials, read with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.balls import midpoint
from symflow.solutions.any_precision import context_of
from symflow.solutions.time.power_series import InternalTime, Panel

#: Up to this time a table reaches.
HORIZON = 1e9

#: Digits of a table for float64.
TABLE_DIGITS = 17

#: The columns of a table: t = high + low and τ where a panel starts, its length, and
#: the polynomials of t and D in θ/length.
COLUMNS = ("HIGH", "LOW", "TAU", "LENGTH", "PASSED", "LEVEL")


def clock_table(clock: InternalTime) -> tuple[Array, ...]:
    """Return the panels of a clock up to the horizon, one array per column.

    The times carry a low part, because a start of size 1e-12 waits for a time whose
    rounding alone would move it.
    """
    context = context_of(clock.digits + 15)
    clock.at(HORIZON, context)
    width = clock.order + 1
    rows = [_row(panel, width, context) for panel in clock.panels]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def _row(panel: Panel, width: int, context: Any) -> tuple[Any, ...]:
    time, length = midpoint(panel.time, context), midpoint(panel.length, context)
    scaled = []
    for polynomial in (panel.passed, panel.level):
        numbers = [midpoint(c, context) for c in polynomial.coeffs()]
        numbers += [context.zero] * (width - len(numbers))
        scaled.append([float(c * length**k) for k, c in enumerate(numbers)])
    high = float(time)
    tau = float(midpoint(panel.tau, context))
    return high, float(time - high), tau, float(length), *scaled


def clock_read(
    t: Array,
    high: Array,
    low: Array,
    tau: Array,
    length: Array,
    passed: Array,
    level: Array,
) -> Any:
    """Return τ and D at times t ≥ 0 from the columns of a table.

    Beyond the last panel both are those of its end.
    """
    place = np.clip(np.searchsorted(high, t, side="right") - 1, 0, None)
    wanted = (t - high[place]) - low[place]
    row = passed[place]
    x = np.clip(wanted / row.sum(axis=-1), 0.0, 1.0)
    for _ in range(12):
        value, slope = 0 * x, 0 * x
        for k in range(row.shape[-1] - 1, -1, -1):
            slope = slope * x + value
            value = value * x + row[..., k]
        x = np.clip(x - (value - wanted) / slope, 0.0, 1.0)
    source, total = level[place], 0 * x
    for k in range(source.shape[-1] - 1, -1, -1):
        total = total * x + source[..., k]
    return tau[place] + length[place] * x, total
