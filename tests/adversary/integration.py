"""The flow of a problem by Gragg's method with extrapolation, in decimal numbers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal, Overflow, localcontext
from fractions import Fraction
from math import inf
from typing import Any

from adversary.problem import Problem
from adversary.truth import Flow, State, decimal, fraction

#: Columns of the extrapolation, of order 2·COLUMNS, and the most steps.
COLUMNS, MOST = 12, 600
#: Digits lost to sums of rounding errors.
SPARE = 12


class Unknown(Exception):
    """The flow is out of reach of this route."""


def flow_at(
    problem: Problem, times: Any, digits: int = 40, most: int = MOST
) -> Iterator[State]:
    """Yield the weights at the times as Decimals, good to about `digits` digits.

    Raises
    ------
    Unknown
        If the flow is too stiff or leaves all bounds.
    """
    context = Context(prec=digits + SPARE, Emax=10**9, Emin=-(10**9))
    with localcontext(context):
        flow = Flow(problem)
    state, now, step, budget = flow.start, Fraction(0), Decimal("0.1"), most
    for time in times:
        span = fraction(time) - now
        with localcontext(context):
            state, step, budget = _advance(flow, state, span, step, digits, budget)
        now = fraction(time)
        yield state


def _advance(
    flow: Flow, state: State, span: Fraction, step: Any, digits: int, budget: int
) -> tuple[State, Any, int]:
    left, allowed = decimal(span), Decimal(10) ** -digits
    scale = _top(flow.start) or Decimal(1)
    while left > 0:
        budget -= 1
        if budget < 0:
            raise Unknown("too many steps")
        trial = min(step, left)
        try:
            new, error = _extrapolated(flow, state, trial)
        except Overflow:
            new, error = None, None
        # relative to the start, be it of 1e-13: a ball is as small as that
        size = max(scale, _top(new)) if error is not None else scale
        part = float(error / (allowed * size)) if error is not None else inf
        grow = 3.0 if part == 0 else 0.9 * part ** (-1 / (2 * COLUMNS - 1))
        if part <= 1:
            state, left = new, left - trial
        step = trial * Decimal(min(3.0, max(0.2, grow)))
    return state, max(step, Decimal("1e-9")), budget


def _top(state: State) -> Any:
    return max(abs(x) for weight in state for x in weight.flat)


def _extrapolated(flow: Flow, state: State, step: Any) -> tuple[Any, Any]:
    """Return the state after a step, and the difference of the last two columns."""
    previous: list[State] = []
    for row in range(COLUMNS):
        count = 2 * (row + 1)
        current = [_midpoint(flow, state, step / count, count)]
        if _top(current[0]) > 10**12:
            return None, None
        for k in range(1, row + 1):
            ratio = Decimal((row + 1) ** 2) / Decimal((row + 1 - k) ** 2) - 1
            current.append(
                [
                    a + (a - b) / ratio
                    for a, b in zip(current[k - 1], previous[k - 1], strict=True)
                ]
            )
        previous = current
    error = _top([a - b for a, b in zip(previous[-1], previous[-2], strict=True)])
    return previous[-1], error


def _midpoint(flow: Flow, state: State, h: Any, count: int) -> State:
    before = state
    here = [w + h * k for w, k in zip(state, flow(state), strict=True)]
    for _ in range(count - 1):
        slopes = flow(here)
        after = [w + 2 * h * k for w, k in zip(before, slopes, strict=True)]
        before, here = here, after
    slopes = flow(here)
    return [(a + b + h * k) / 2 for a, b, k in zip(here, before, slopes, strict=True)]
