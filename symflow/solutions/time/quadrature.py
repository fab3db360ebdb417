"""A time that is known as an integral, t(y) = ∫ g dy with g > 0, and its inverse.

g is smooth in y and tends to a constant as y → ∞, so that Gauss–Legendre quadrature on
panels of bounded width converges geometrically.  For float64 the panels are integrated
once, in more digits; within a panel t is a polynomial in y, and a time is inverted
there with the full relative precision of its distance from the edge of the panel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.solutions.any_precision import context_of

#: Digits of the panels for float64, how far beyond the y from which g is nearly
#: constant a float64 value is the limit, and the least number of nodes of a panel.
INNER_DIGITS, FAR, NODES = 45, 43.0, 24

#: Panels that resolve the start for float64, and by how much each is longer.
START, LONGER = 12, 16

#: Where g has settled to this part of its last digits, panels may be wider.
WIDER = 5.0

#: Newton steps for a time within its panel.
STEPS = 60

#: Maps an mpmath context and the largest y to g: a function of y in that context.
Density = Callable[[Any, Any], Callable[[Any], Any]]


@lru_cache(maxsize=32)
def gauss_legendre(count: int, digits: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return nodes and weights of Gauss–Legendre quadrature on [−1, 1]."""
    context = context_of(digits + 5)
    nodes, weights = [], []
    for guess in np.polynomial.legendre.leggauss(count)[0].tolist():
        x, slope = context.mpf(guess), context.one
        for _ in range(digits.bit_length() + 1):
            last, value = context.one, x
            for k in range(2, count + 1):
                last, value = value, ((2 * k - 1) * x * value - (k - 1) * last) / k
            slope = count * (x * value - last) / (x * x - 1)
            x = x - value / slope
        nodes.append(x)
        weights.append(2 / ((1 - x * x) * slope**2))
    return tuple(nodes), tuple(weights)


def _quadrature(context: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the nodes and weights of a panel, in as many digits as the context."""
    digits = -(-context.dps // 25) * 25
    return gauss_legendre(max(NODES, int(digits / 1.5)), digits)


class Clock:
    """The map from times to y; y counts from zero at t = 0.

    `density` returns g for an mpmath context, `width` is that of the panels, below the
    distance of the singularities of g, `settled` the y from which g is nearly constant,
    and its singularities are far, and `rate` the limit of 1/g.
    """

    def __init__(
        self, density: Density, width: float, settled: float, rate: Any
    ) -> None:
        self._density, self._width, self._settled = density, width, settled
        self._rate = rate

    def passages(
        self, context: Any, end: Any, start: int
    ) -> Iterator[tuple[Any, Any, Any, list[Any]]]:
        """Yield edge, width, time at the edge and g at the nodes, panel by panel."""
        nodes, weights = _quadrature(context)
        g = self._density(context, end)
        edge, time = context.zero, context.zero
        width = context.mpf(self._width) / LONGER**start
        while True:
            half = width / 2
            values = [g(edge + half * (1 + node)) for node in nodes]
            yield edge, width, time, values
            time += half * context.fdot(weights, values)
            edge += width
            late = WIDER if edge > self._settled else 1
            width = min((LONGER - 1) * edge, context.mpf(late * self._width))

    def at(self, time: Any, context: Any) -> Any:
        """Return y(t) in an mpmath context; infinity where the limit is reached."""
        far = 2.4 * context.dps + max(self._settled, 0.0)
        if self._rate * time > 2 * far:
            place, passed = self.far
            if place + self._rate * (time - passed) > far + 1:
                return context.inf
        return self._inverse(context, time, far)

    def _inverse(self, context: Any, time: Any, end: Any) -> Any:
        if not time:
            return context.zero
        found = self._panel(context, time, end)
        if found is None:
            return context.inf
        edge, width, rest = found
        g = self._density(context, end)
        nodes, weights = _quadrature(context)
        low, high = context.zero, width
        y = min(rest / g(edge), width)
        for _ in range(STEPS):
            half = y / 2
            value = half * context.fdot(
                weights, [g(edge + half * (1 + node)) for node in nodes]
            )
            low, high = (y, high) if value <= rest else (low, y)
            following = y + (rest - value) / g(edge + y)
            if not low <= following <= high:
                following = (low + high) / 2
            if abs(following - y) <= 4 * context.eps * abs(y):
                break
            y = following
        return edge + y

    def _panel(self, context: Any, time: Any, end: Any) -> Any:
        """Return the edge and width of the panel of a time, and the rest of it."""
        before = None
        for edge, width, start, _ in self.passages(context, end, 0):
            if start > time:
                break
            before = edge, width, time - start
            if edge > end:
                return None
        assert before is not None
        return before

    @cached_property
    def _table(self) -> tuple[Array, ...]:
        """Edges, widths, times as unevaluated sums of two floats, and polynomials."""
        context, last = context_of(INNER_DIGITS), self._settled + FAR
        rows = []
        for row in self.passages(context, last, START):
            rows.append(row)
            if row[0] > last:
                break
        first = to_float_array(np.array([row[2] for row in rows], dtype=object))
        rest = [
            float(row[2] - to_mpf(t, context))
            for row, t in zip(rows, first, strict=True)
        ]
        nodes = to_float_array(np.array(_quadrature(context)[0]))
        density = to_float_array(np.array([row[3] for row in rows], dtype=object))
        basis = np.asarray(np.polynomial.legendre.legvander(nodes, len(nodes) - 1))
        fitted = np.linalg.solve(basis, density.T)
        edges = to_float_array(np.array([row[0] for row in rows], dtype=object))
        widths = to_float_array(np.array([row[1] for row in rows], dtype=object))
        return edges, widths, first, np.array(rest), fitted

    @property
    def far(self) -> tuple[float, float]:
        """The y and the time from which a float64 value is the limit."""
        return float(self._table[0][-1]), float(self._table[2][-1])

    def floats(self, times: Array) -> Array:
        """Return y(t) in float64 for times of any shape; infinite where it is far."""
        edges, widths, first, rest, fitted = self._table
        place = np.maximum(np.searchsorted(first, times, side="right") - 1, 0)
        remaining = (times - first[place]) - rest[place]
        half, coefficients = widths[place] / 2, fitted[:, place]
        integrals = np.polynomial.legendre.legint(coefficients, lbnd=-1)
        x = np.full(times.shape, -1.0)
        low, high = np.full(times.shape, -1.0), np.full(times.shape, 1.0)
        for _ in range(STEPS):
            gap = remaining - half * np.polynomial.legendre.legval(
                x, integrals, tensor=False
            )
            low, high = np.where(gap >= 0, x, low), np.where(gap >= 0, high, x)
            slope = np.polynomial.legendre.legval(x, coefficients, tensor=False)
            following = x + gap / (half * slope)
            inside = (following >= low) & (following <= high)
            following = np.where(inside, following, (low + high) / 2)
            if np.all(np.abs(following - x) <= 1e-16):
                break
            x = following
        y = edges[place] + half * (1 + x)
        tiny = place == 0
        start = np.polynomial.legendre.legval(-1.0, fitted[:, 0])
        y = np.where(tiny, times / start, y)
        return np.where(y > self._settled + FAR, np.inf, y)
