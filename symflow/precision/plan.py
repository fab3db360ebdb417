"""How many bits an integration needs, from a forecast in float64.

At every requested time t the error has to stay below 10^(−digits) · max|θ(t)|.  Each
of N steps adds a truncation error of at most 2^(−tolerance), which later grows by at
most exp ∫ max(μ, 0); rounding adds some more units in the last of `bits` places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, inf, log, log2

from symflow.errors import PrecisionLost
from symflow.flow.problem import Problem
from symflow.precision.growth import Forecast, forecast
from symflow.precision.steps import best_order

#: A float64 step of order 20 is about this much longer than one of high order.
STEPS_PER_FLOAT_STEP = 2
#: More bits than this are refused.
MOST_BITS = 1_000_000
#: Bits to spare, for what the forecast does not see.
SPARE_BITS = 6
#: Proven growth exceeds the forecast by at most about this fraction, …
GROWTH_MARGIN = 0.15
#: … and by this many bits.
EXTRA_BITS = 2
#: How much larger, as a power of e, errors may grow if a dearer bound is to be used.
CLOSE_GROWTH = 60


@dataclass(frozen=True)
class Plan:
    """Bits and order for an integration."""

    tolerance: int  # truncation per step is below 2^(−tolerance)
    bits: int  # places after the binary point
    order: int  # order of the series
    first: float  # a guess at log2 of the first step
    forecast: Forecast  # what it was made from
    close: bool = False  # whether μ has to be bounded closely

    def tightened(self, shortfall: float) -> Plan:
        """Return the plan with the missing bits added."""
        more = ceil(shortfall) + SPARE_BITS
        tolerance = self.tolerance + more
        return replace(
            self,
            tolerance=tolerance,
            bits=self.bits + more,
            # fewer and longer steps, where each takes long to prove
            order=best_order(tolerance) * (1 + self.close),
        )

    def noise(self, h: float) -> float:
        """Return log2 of the rounding error of one step, in units of 2^(−bits)."""
        return _noise(self.order, self.forecast.magnitude, h)


def planned(
    problem: Problem, times: Sequence[Fraction], digits: int, closely: bool = False
) -> Plan:
    """Return a plan whose error bound is likely to be proven.

    A bound of μ that is dear is used where it may be, `closely`, and saves many bits.
    """
    end = float(times[-1])
    seen = forecast(problem.floats, end, "norms")
    closely = closely and problem.flow.is_gradient
    close = closely and seen.growth_at(end) > CLOSE_GROWTH
    if close:
        near = forecast(problem.floats, end, "jacobian")
        close = near.growth_at(end) + CLOSE_GROWTH < seen.growth_at(end)
        seen = near if close else seen
    growth = GROWTH_MARGIN * seen.growth_at(times[-1]) / log(2)
    plan = replace(make_plan(times, digits, seen), close=close)
    return plan.tightened(growth + EXTRA_BITS)


def make_plan(times: Sequence[Fraction], digits: int, seen: Forecast) -> Plan:
    """Choose tolerance, bits and order.

    `seen` is a float64 run up to the last time.
    """
    steps = 1 + STEPS_PER_FLOAT_STEP * len(seen.steps)
    loss = max(seen.growth_at(t) / log(2) - _log2(seen.size_at(t)) for t in times)
    loss += seen.spread
    tolerance = ceil(digits * log2(10) + loss + log2(steps)) + SPARE_BITS
    if tolerance > MOST_BITS:
        msg = (
            f"precise: errors may grow by a factor of 2^{loss:.3g} up to the last "
            f"time; at most {MOST_BITS} bits are used. Give an earlier last time"
        )
        raise PrecisionLost(msg)
    order = best_order(tolerance)
    longest = max((step.h for step in seen.steps), default=0.0)
    first = seen.steps[0].h if seen.steps and seen.steps[0].h else 1.0
    return Plan(
        tolerance=tolerance,
        bits=tolerance + ceil(_noise(order, seen.magnitude, longest)) + SPARE_BITS,
        order=order,
        first=log2(first),
        forecast=seen,
    )


def _noise(order: int, magnitude: float, h: float) -> float:
    """Bound the rounding of coefficients, carried through the products."""
    return log2(order + 1) + log2(1 + h * 4 ** max(magnitude, 0.0)) + 2


def _log2(value: float) -> float:
    return log2(value) if 0 < value < inf else 0.0
