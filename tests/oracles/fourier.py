"""The flow of the Fourier coefficients of two full circular filters.

With whitened input, ċ_1 = F conj(c_2), ċ_2 = F conj(c_1) and F = ŷ − c_1c_2 for the
coefficients of the filters at one frequency: a diagonal network over the complex
numbers.  It is integrated by its Taylor series in mpmath, without anything of symflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any


def transform(context: Any, column: Sequence[Any]) -> list[Any]:
    """Return Σ_j x_j e^{−2πijk/d} for all k."""
    d = len(column)
    roots = [context.expjpi(context.mpf(-2 * k) / d) for k in range(d)]
    return [
        sum((x * roots[j * k % d] for j, x in enumerate(column)), context.mpc(0))
        for k in range(d)
    ]


def inverse(context: Any, hats: Sequence[Any]) -> list[Any]:
    """Return the real signal of Fourier coefficients."""
    turned = transform(context, [context.conj(hat) for hat in hats])
    return [context.re(value) / len(hats) for value in turned]


def coefficients(
    context: Any, start: Sequence[Any], target: Any, end: Any, steps: int, order: int
) -> list[Any]:
    """Return c_1 and c_2 of one frequency at time `end`, by Taylor steps."""
    values, step = list(start), end / steps
    for _ in range(steps):
        first, second = [values[0]], [values[1]]
        force: list[Any] = []
        for k in range(order):
            force.append(-_convolved(first, second, k) + (target if k == 0 else 0))
            turned = [list(map(context.conj, series)) for series in (first, second)]
            rates = [_convolved(force, series, k) for series in reversed(turned)]
            first.append(rates[0] / (k + 1))
            second.append(rates[1] / (k + 1))
        values = [_summed(series, step) for series in (first, second)]
    return values


def _convolved(left: Sequence[Any], right: Sequence[Any], order: int) -> Any:
    return sum(left[j] * right[order - j] for j in range(order + 1))


def _summed(series: Sequence[Any], step: Any) -> Any:
    return reduce(lambda total, term: total * step + term, reversed(series))
