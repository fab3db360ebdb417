"""The clock of the rank-one flow: t(τ) = ∫ s^{−(1−2/L)} dτ and its inverse, L ≥ 3.

With n² = Σ c_j² e^{2f_jτ}, the leading rate f = max f_j and Λ = Lf, the numbers

    p = e^{−2fτ} n²,    D = e^{−Λτ}(1 + Lκs₀∫n^L),    s = s₀ p^{L/2}/D

neither overflow nor cancel, and D obeys Ḋ = −ΛD + Lκs₀ p^{L/2}, D(0) = 1.  The time is
found by power series, panel after panel, in Arb balls that keep account of rounding.
Where D follows its source (the exponential e^{−Λτ} has died out) the series of D is
that of the source alone: the polynomial solution of the same equation, which is exact
and lets the panels grow with τ.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from flint import arb, arb_poly, arb_series

from symflow.algebra.arrays import Array
from symflow.algebra.balls import (
    ALONE,
    midpoint,
    present_bits,
    to_arb,
    with_series,
    workbits,
)
from symflow.algebra.threads import cached_property
from symflow.errors import PrecisionLost
from symflow.solutions.any_precision import context_of

#: Bits beyond the digits asked for, and the longest panel relative to what is missing.
GUARD_BITS, REACH = 40, 4
#: Panels and Newton steps after which something is wrong.
MOST_PANELS, MOST_STEPS = 20_000, 200

#: Digits in which a float64 time is turned into an internal one: a start of size 1e-12
#: waits for a time whose rounding alone would move it.
INNER_DIGITS = 34
#: Digits of a table for float64, and up to which time it reaches.
TABLE_DIGITS, HORIZON = 17, 1e9
#: The columns of a table: t = high + low and τ where a panel starts, its length, and
#: the polynomials of t and D in θ/length.
COLUMNS = ("HIGH", "LOW", "TAU", "LENGTH", "PASSED", "LEVEL")


class Panel(NamedTuple):
    """The clock between τ and τ + length: t − t(τ), dt/dτ and D, by powers of θ."""

    tau: Any
    time: Any
    length: Any
    passed: Any
    speed: Any
    level: Any


@dataclass(eq=False)
class InternalTime:
    """The map between t and τ along one trajectory, extended as far as it is asked.

    The depth is L ≥ 3, the `pull` Lκs₀ and the `strength` s₀; `rates` are the f_j,
    falling, and `squares` the c_j² with Σc_j² = 1 and c_1 ≠ 0; t(τ) has so many correct
    `digits`, relative.
    """

    depth: int
    pull: Any
    strength: Any
    rates: Any
    squares: Any
    digits: int
    panels: list[Panel] = field(default_factory=list)

    @property
    def _bits(self) -> int:
        return int(3.33 * self.digits) + GUARD_BITS

    @property
    def order(self) -> int:
        """The number of coefficients of a series."""
        return int(1.15 * self.digits) + 6

    def at(self, time: Any, context: Any) -> tuple[Any, Any]:
        """Return τ and D at a time t ≥ 0, in an mpmath context."""
        with ALONE, workbits(self._bits):
            target = to_arb(time)
            self._extend(lambda p: p.time + p.passed(p.length) < target, target)
            place = bisect_right(self.panels, target, key=lambda panel: panel.time)
            panel = self.panels[max(place - 1, 0)]
            angle = _solve(panel, target - panel.time)
            level = midpoint(panel.level(angle), context)
            return midpoint(panel.tau + angle, context), level

    def time(self, tau: Any, context: Any) -> Any:
        """Return t(τ) in an mpmath context."""
        with ALONE, workbits(self._bits):
            target = to_arb(tau)
            self._extend(lambda panel: panel.tau + panel.length < target, None)
            place = bisect_right(self.panels, target, key=lambda panel: panel.tau)
            panel = self.panels[max(place - 1, 0)]
            return midpoint(panel.time + panel.passed(target - panel.tau), context)

    def floats(self, times: Array) -> Any:
        """Return τ and D in float64 at times t ≥ 0 of any shape."""
        if not times.size or np.max(times) <= HORIZON:
            return clock_read(np, times, *self.table)
        context = context_of(self.digits)
        pairs = [self.at(time, context) for time in times.ravel().tolist()]
        found = np.array([[float(tau), float(level)] for tau, level in pairs])
        return np.moveaxis(found.reshape(*times.shape, 2), -1, 0)

    @cached_property
    def table(self) -> tuple[Array, ...]:
        """The panels up to the horizon, for float64, one array per column."""
        return _table(replace(self, digits=TABLE_DIGITS, panels=[]))

    def _extend(self, behind: Any, target: Any) -> None:
        """Add panels until one is no longer behind."""
        if not self.panels:
            self.panels.append(self._panel(arb(0), arb(0), arb(1), target))
        while behind(last := self.panels[-1]):
            if len(self.panels) > MOST_PANELS:
                msg = f"t(τ): {MOST_PANELS} panels reach τ = {float(last.tau):.3g} only"
                raise PrecisionLost(msg)
            following = (
                (last.tau + last.length).mid(),
                (last.time + last.passed(last.length)).mid(),
                last.level(last.length).mid(),
            )
            self.panels.append(self._panel(*following, target))

    def _panel(self, tau: Any, time: Any, level: Any, target: Any) -> Panel:
        """Expand around τ, and say how far the series can be trusted."""
        power, series, speed = with_series(self.order, lambda: self._series(tau, level))
        length = min(self._trust(part.coeffs()) for part in (power, series, speed))
        if target is not None:
            ahead = REACH * (target - time) / speed.coeffs()[0]
            length = min(length, max(float(ahead.abs_upper()), 1e-300))
        slope = arb_poly(speed.coeffs())
        level_poly = arb_poly(series.coeffs())
        return Panel(tau, time, arb(length), slope.integral(), slope, level_poly)

    def _series(self, tau: Any, level: Any) -> tuple[Any, Any, Any]:
        """Return p, D and dt/dτ by powers of θ, as far as Arb keeps them."""
        power = self._power(tau)
        source = self._pull * power ** (arb(self.depth) / 2)
        rate = self.depth * self._rates[0]
        series = _followed(source, rate, level, self._tolerance)
        if series is None:
            series = _forced(source, rate, level, self.order)
        # dt/dτ = (D/(s₀p^{L/2}))^{1−2/L}, and the source is Lκs₀p^{L/2}
        scale = self._pull / to_arb(self.strength)
        return power, series, (scale * series / source) ** (1 - arb(2) / self.depth)

    @property
    def _pull(self) -> Any:
        return to_arb(self.pull)

    @property
    def _rates(self) -> list[Any]:
        return [to_arb(rate) for rate in self.rates]

    @property
    def _tolerance(self) -> Any:
        return arb(10) ** -self.digits

    def _power(self, tau: Any) -> Any:
        """Return the series of p around τ."""
        rates, total = self._rates, arb_series([0])
        for rate, square in zip(rates, self.squares, strict=True):
            slope = 2 * (rate - rates[0])
            growth = arb_series([0, slope]).exp()
            total += to_arb(square) * (slope * tau).exp() * growth
        return total

    def _trust(self, series: list[Any]) -> float:
        """Return θ up to which what is left out is below the tolerance."""
        head = abs(series[0])
        reach = [
            _root(self._tolerance * head / series[k].abs_upper(), k)
            for k in range(self.order - 4, len(series))
            if series[k].abs_upper() > 0
        ]
        return min(reach, default=1e300)


def _root(value: Any, k: int) -> float:
    # a bound may lie far outside the floats where its k-th root does not
    mantissa, exponent = value.mid().man_exp()
    shift = int(mantissa).bit_length() - 60
    scaled = float(int(mantissa) >> shift if shift > 0 else int(mantissa))
    logarithm = (int(exponent) + max(shift, 0)) / k
    return float(scaled ** (1 / k) * 2.0 ** min(logarithm, 900.0))


def _solve(panel: Panel, target: Any) -> Any:
    """Return θ with t(τ + θ) − t(τ) = target, by Newton steps kept in a bracket."""
    low, high = arb(0), panel.length
    angle = (target / panel.speed(arb(0))).mid()
    angle = angle if 0 <= angle <= high else high / 2
    close = panel.length * arb(2) ** (8 - present_bits())
    for _ in range(MOST_STEPS):
        gap = (target - panel.passed(angle)).mid()
        low, high = (angle, high) if gap >= 0 else (low, angle)
        following = (angle + gap / panel.speed(angle)).mid()
        if not low <= following <= high:
            following = ((low + high) / 2).mid()
        if abs(following - angle) <= close:
            return following
        angle = following
    return angle


def _forced(source: Any, rate: Any, level: Any, order: int) -> Any:
    """Return D from its value at θ = 0: Ḋ = source − rate·D."""
    given, result = source.coeffs(), [level]
    forces = given + [arb(0)] * (order - len(given))
    for k, force in enumerate(forces[:-1]):
        result.append((force - rate * result[k]) / (k + 1))
    return arb_series(result)


def _followed(source: Any, rate: Any, level: Any, tolerance: Any) -> Any:
    """Return the polynomial solution of Ḋ = source − rate·D, or None if D is off it."""
    if not rate > 0:
        return None
    forces, above = source.coeffs(), arb(0)
    result = [arb(0)] * len(forces)
    for k in reversed(range(len(forces))):
        result[k] = (forces[k] - above) / rate
        above = k * result[k]
    gap = abs(result[0] - level).abs_upper()
    return arb_series(result) if gap <= (tolerance * level).abs_lower() else None


def _table(clock: InternalTime) -> tuple[Array, ...]:
    # times have a low part: rounding them would move what a start of 1e-12 waits for
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


def powers(xp: Any, x: Any, count: int) -> Any:
    """Return 1, x, x², …, by doubling: loops of many terms are slow to compile."""
    found = xp.stack([1 + 0 * x, x], axis=-1)
    while found.shape[-1] < count:
        found = xp.concat([found, found * found[..., -1:] * x[..., None]], axis=-1)
    return found[..., :count]


def clock_read(
    xp: Any,
    t: Any,
    high: Any,
    low: Any,
    tau: Any,
    length: Any,
    passed: Any,
    level: Any,
) -> Any:
    """Return τ and D at times t ≥ 0, which the columns of a table reach."""
    flat = xp.reshape(t, (-1,))
    place = xp.searchsorted(high, flat, side="right") - 1
    wanted = (flat - xp.take(high, place)) - xp.take(low, place)
    row, source = xp.take(passed, place, axis=0), xp.take(level, place, axis=0)
    x = xp.clip(wanted / xp.sum(row, axis=-1), 0.0, 1.0)
    slopes = row[:, 1:] * xp.arange(1, row.shape[-1], dtype=row.dtype)
    for step in range(13):
        ladder = powers(xp, x, row.shape[-1])
        gap = xp.sum(row * ladder, axis=-1) - wanted
        x = x - gap / xp.sum(slopes * ladder[:, :-1], axis=-1)
        # the last three have the right derivatives also where x is an end
        x = xp.clip(x, 0.0, 1.0) if step < 10 else x
    total = xp.sum(source * powers(xp, x, row.shape[-1]), axis=-1)
    inner = xp.take(tau, place) + xp.take(length, place) * x
    return xp.reshape(inner, t.shape), xp.reshape(total, t.shape)


def mode_clock(
    depth: int, sigma: Any, lam: Any, start: Any, digits: int
) -> InternalTime | None:
    """Return the clock of ẇ = L w^{2−2/L}(σ − λw), in which w = w₀/D; None at rest."""
    if not start or not lam:
        return None
    return InternalTime(depth, depth * lam * start, start, [sigma], [1], digits)


def deep_strengths(
    context: Any, depth: int, times: Iterable[Any], sigma: Any, lam: Any, start: Any
) -> Iterator[Any]:
    """Yield w(t) of ẇ = L w^{2−2/L}(σ − λw), L ≥ 3, in an mpmath context."""
    clock = mode_clock(depth, sigma, lam, start, context.dps + 5)
    for time in times:
        yield start / clock.at(time, context)[1] if clock and time else start
