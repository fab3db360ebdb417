r"""A proven bound of the defect of a polynomial, from its values at a few points.

Let g be analytic inside the ellipse with foci 0 and E whose half-axes add up to ρE/2,
and |g| ≤ M there.  Its interpolant p of degree n in n + 1 Chebyshev points satisfies
|g − p| ≤ 4Mρ^(−n)/(ρ − 1) and |p| ≤ Λ max|g(x_i)| on [0, E], with the Lebesgue constant
Λ ≤ 1 + (2/π) log(n + 1) (Trefethen, Approximation Theory and Approximation Practice,
2013, theorem 8.2, which aliasing gives for both kinds of points; Rivlin, The Chebyshev
Polynomials, 1974, for Λ at the points of the first kind).  Applied to ⟨v, d⟩ for all
unit vectors v, this bounds |d| on [0, E] by its values at n + 1 points:

.. math:: \sup|d| ≤ Λ \max_i |d(x_i)| + 4Mρ^{-n}/(ρ − 1).

The ellipse lies in |z| ≤ R with R/E = (2 + ρ + 1/ρ)/4.  There the coefficients bound
how far the polynomial moves from its value at 0, and `regions` how far f moves.  Since
f is analytic where its operations are, this holds for every flow, polynomial or not.
Where f is not bounded so far out (the logistic function has poles), smaller ellipses
are covered by disks around several points of the step: no point of the ellipse is
farther from [0, E] than its half-axis b = E(ρ − 1/ρ)/4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, inf
from typing import Any, NamedTuple

from flint import arb

from symflow.codegen import rhs_program
from symflow.errors import PrecisionLost
from symflow.flow import GradientFlow
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    log2_above,
    size_of,
    to_arb,
    workbits,
)
from symflow.precision.regions import Regions, evaluate_balls
from symflow.precision.sampling import POWER_BITS, ChebyshevGrid, Series

#: Radii R that are tried, in units of the step, with one disk …
RADII = (1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
#: … and with several, …
SMALL_RADII = (1.02, 1.05, 1.1, 1.2, 1.4, 1.7)
#: … of this number, …
DISKS = 8
#: … where one disk asks for more points than this, per bit.
DENSE_POINTS = 0.7
#: Numbers of points are multiples of this, so that grids are used again.
GROUP = 8
#: More points than this are refused.
MOST_POINTS = 4000
#: Points at which values are wanted besides: middles of the pieces of a step, its end.
PIECES = 4
MIDDLES = tuple(Fraction(2 * piece + 1, 2 * PIECES) for piece in range(PIECES))


class Defect:
    """Bounds |θ̃′ − f(θ̃)| for polynomials θ̃ of one order.

    `data` are at full precision; θ̃ has coefficients of `bits` places after the binary
    point, and its defect is expected to stay below 2^(−tolerance).
    """

    def __init__(
        self,
        flow: GradientFlow,
        data: list[Any],
        order: int,
        bits: int,
        tolerance: float,
    ) -> None:
        self._rhs = rhs_program(flow)
        self._slots = [output.slot for output in self._rhs.outputs]
        self._data, self._order, self._bits = data, order, bits
        self._tolerance = tolerance
        self._grids: dict[int, ChebyshevGrid] = {}
        self._last: Ellipse | None = None
        middles = [Fraction(2 * disk + 1, 2 * DISKS) for disk in range(DISKS)]
        self._disks = ChebyshevGrid(0, middles, order, bits + POWER_BITS)
        with ALONE, workbits(NORM_BITS):
            self._rough = [array * 1 for array in data]

    def bound(
        self, series: Series, end: Fraction, unit: Fraction
    ) -> tuple[Any, list[list[Any]]]:
        """Return sup|d| for 0 ≤ x ≤ end, and θ̃ in the `MIDDLES` and at the end.

        `series` is θ̃ as a polynomial in x = t / unit.

        Raises PrecisionLost if the flow is not analytic in a useful neighbourhood of
        the step.
        """
        with ALONE, workbits(NORM_BITS):
            count, between = self._points(series, end, unit)
        grid = self._grid(count)
        values, slopes = series.at(grid, end)
        rate = to_arb(1 / unit)
        worst = arb(0)
        for weights, slope in zip(values, slopes, strict=False):
            slots = evaluate_balls(self._rhs, [*weights, *self._data])
            fields = (slots[slot] for slot in self._slots)
            gaps = [d * rate - f for d, f in zip(slope, fields, strict=True)]
            with ALONE, workbits(NORM_BITS):
                worst = worst.max(size_of(gaps)).upper()
        with ALONE, workbits(NORM_BITS):
            return (lebesgue(count) * worst + between).upper(), values[count:]

    def _grid(self, count: int) -> ChebyshevGrid:
        if count not in self._grids:
            extra = (*MIDDLES, Fraction(1))
            bits = self._bits + POWER_BITS
            self._grids[count] = ChebyshevGrid(count, extra, self._order, bits)
        return self._grids[count]

    def _points(self, series: Series, end: Fraction, unit: Fraction) -> tuple[int, Any]:
        """Return how many points are taken, and the error between them."""
        rate = to_arb(1 / unit)
        wanted = -self._tolerance + log2_above(rate)
        around = _Step(series, end, rate, wanted)
        best = self._again(around)
        if best is None:
            best = min(self._ellipses(around, RADII))
            if best.needed > DENSE_POINTS * self._tolerance:
                best = min(best, *self._ellipses(around, SMALL_RADII))
        if best.needed > MOST_POINTS:
            msg = (
                "enclose: the vector field is not bounded near a step. Ask for more "
                "digits, or enclose earlier times"
            )
            raise PrecisionLost(msg)
        self._last = best
        count = GROUP * max(1, ceil((best.needed + 1) / GROUP))
        return count, (best.factor * best.rho ** (1 - count)).upper()

    def _again(self, around: _Step) -> Ellipse | None:
        """Return the ellipse that was best at the last step, while it is good."""
        if self._last is None:
            return None
        radii = RADII if self._last.radius in RADII else SMALL_RADII
        found = min(self._ellipses(around, radii, self._last.radius))
        return found if found.needed <= self._last.needed + GROUP else None

    def _ellipses(
        self, around: _Step, radii: Sequence[float], only: float | None = None
    ) -> list[Ellipse]:
        """Return what is known on ellipses; the disks follow from the radii."""
        series, end, rate, wanted = around
        several = radii is SMALL_RADII
        centres = series.at(self._disks, end)[0] if several else [series.start()]
        regions = [
            Regions(self._rhs, [*(matrix * 1 for matrix in centre), *self._rough])
            for centre in centres
        ]
        sizes = [sum(map(size_of, ([f] for f in r.centres)), arb(0)) for r in regions]
        found = []
        for radius in radii if only is None else (only,):
            rho = _rho(radius)
            x, slopes = to_arb(end) * radius, series.slope(to_arb(end) * radius)
            moves = series.reach(x)
            if several:
                far = to_arb(end) * ((rho - 1 / rho) / 4 + arb(1) / (2 * DISKS))
                moves = [(far * slope).upper() for slope in slopes]
            fields = (
                sum(region.spreads(moves), size)
                for region, size in zip(regions, sizes, strict=True)
            )
            top = max(field.upper() for field in fields)
            factor = 4 * (rate * sum(slopes, arb(0)) + top) / (rho - 1)
            found.append(Ellipse.of(factor.upper(), rho, wanted, radius))
        return found


class _Step(NamedTuple):
    """A step as a polynomial on 0 ≤ x ≤ end, dx/dt, and log2 of the error wanted."""

    series: Series
    end: Fraction
    rate: Any
    wanted: float


@dataclass(frozen=True, order=True)
class Ellipse:
    """The error between points on an ellipse, factor · ρ^(1 − points)."""

    needed: float  # how many points make it as small as is wanted
    factor: Any = field(compare=False)  # 4M / (ρ − 1)
    rho: Any = field(compare=False)  # ρ
    radius: float = field(compare=False)  # R / E

    @classmethod
    def of(cls, factor: Any, rho: Any, wanted: float, radius: float) -> Ellipse:
        """Return it with the number of points for an error of 2^wanted."""
        if not factor.is_finite():
            return cls(inf, factor, rho, radius)
        needed = (log2_above(factor) - wanted) / float(rho.log() / arb(2).log())
        return cls(needed, factor, rho, radius)


def lebesgue(count: int) -> Any:
    """Return a bound of the Lebesgue constant of so many Chebyshev points."""
    return 1 + 2 / arb.pi() * arb(count).log()


def _rho(radius: float) -> Any:
    """Return a lower bound of ρ for R = radius · E."""
    middle = arb(2 * radius - 1)
    return (middle + (middle * middle - 1).sqrt()).lower()
