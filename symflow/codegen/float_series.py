"""Taylor steps in float64: the recurrence on NumPy arrays, at high order.

The coefficients of a series are stacked, one factor forwards and the other backwards,
so that a Cauchy sum is a single matrix product without copies.  The step follows from
the last coefficients: a series of order K is used where its last terms fall below the
tolerance, h = min_k (rtol · |θ| / |c_k|)^(1/k).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import frexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.codegen.lower import rhs_program
from symflow.codegen.series import Convolution, Fading, Recurrence, Shape
from symflow.codegen.series_arithmetic import ArrayArithmetic
from symflow.errors import IntegrationFailed
from symflow.flow.problem import Problem

Floats = NDArray[np.float64]

#: Order at which float64 steps are cheapest per unit of time.
ORDER = 20


class FloatConvolution(Convolution):
    """A Cauchy product as one BLAS call on stacked coefficients."""

    def __init__(self, left: Shape, right: Shape, order: int) -> None:
        self._inner, self._order = left[1], order + 1
        self._left = np.zeros((left[0], self._order * left[1]))
        self._right = np.zeros((self._order * left[1], right[1]))
        self._count = 0

    def push(self, left: Any, right: Any) -> Floats:
        """Stack both coefficients and sum over all pairs of this order."""
        inner, count = self._inner, self._count
        top = (self._order - 1 - count) * inner
        self._left[:, count * inner : (count + 1) * inner] = left
        self._right[top : top + inner] = right
        self._count += 1
        return np.asarray(self._left[:, : (count + 1) * inner] @ self._right[top:])


class FloatEntrywise(Convolution):
    """An entrywise Cauchy product on stacked coefficients."""

    def __init__(self, shape: Shape, order: int) -> None:
        self._left = np.empty((order + 1, *shape))
        self._right = np.empty((order + 1, *shape))
        self._count = 0

    def push(self, left: Any, right: Any) -> Floats:
        """Stack both coefficients and sum over all pairs of this order."""
        self._left[self._count] = left
        self._right[-1 - self._count] = right
        self._count += 1
        pairs = self._left[: self._count] * self._right[-self._count :]
        return np.asarray(pairs.sum(axis=0))


class FloatArithmetic(ArrayArithmetic):
    """Float64 matrices."""

    def constant(self, array: Array) -> Any:
        return np.vectorize(to_float, otypes=[float])(array)

    def scalar(self, value: Any) -> Any:
        """Return the nearest float."""
        return to_float(value)

    def trace(self, matrix: Any) -> Any:
        return np.trace(matrix).reshape(1, 1)

    def convolution(self, left: Shape, right: Shape, order: int) -> Convolution:
        return FloatConvolution(left, right, order)

    def entrywise(self, shape: Shape, order: int) -> Convolution:
        return FloatEntrywise(shape, order)

    def rearrange(self, matrix: Any, places: Array) -> Any:
        return np.where(places < 0, 0.0, matrix.ravel()[places])

    def integrate(self, matrix: Any, order: int, unit: Fraction) -> Any:
        return matrix * (float(unit) / order)


#: A step of fewer units in the last place of t leads nowhere.
SMALLEST = 1e4


@dataclass(frozen=True)
class FloatStep:
    """One Taylor step: its start, its length and its scaled coefficients."""

    #: Where it starts and how long it is valid.
    t: float
    h: float
    unit: float  # the time by which coefficients are scaled
    series: tuple[Floats, ...]  # for each weight, shape (order + 1, rows, columns)

    def at(self, t: float) -> tuple[Floats, ...]:
        """Return the weights at a time within the step."""
        powers = ((t - self.t) / self.unit) ** np.arange(len(self.series[0]))
        return tuple(np.tensordot(powers, terms, axes=1) for terms in self.series)


def float_steps(
    problem: Problem, end: float, rtol: float = 1e-15, order: int = ORDER
) -> Iterator[FloatStep]:
    """Yield Taylor steps in float64 from t = 0 until `end` is covered.

    `rtol` is the size of the last terms kept, relative to the largest weight.

    Raises IntegrationFailed if the weights stop being finite, or no step leads further,
    with the time that was reached.
    """
    arithmetic = FloatArithmetic()
    program = rhs_program(problem.flow)
    constants = [arithmetic.constant(array) for array in problem.arguments]
    state = [arithmetic.constant(weight) for weight in problem.weights]
    shapes = [array.shape for array in [*state, *constants]]
    c, t, unit = problem.flow.fading, 0.0, _first_unit(problem, state)
    while True:
        recurrence = Recurrence(program, arithmetic, shapes, constants, order)
        fading = Fading(c, Fraction(t)) if c else None
        terms = recurrence.run(state, Fraction(unit), fading)
        series = tuple(_stack(column) for column in terms)
        h = unit * _ratio(series, rtol)
        if not all(np.isfinite(column).all() for column in series):
            msg = f"taylor: the weights are no longer finite after t = {t:g}"
            raise IntegrationFailed(msg)
        if h <= SMALLEST * np.spacing(t):
            msg = (
                f"taylor: the step size became too small to go on after t = {t:g} of "
                f"{end:g}"
            )
            raise IntegrationFailed(msg)
        step = FloatStep(t, min(h, end - t), unit, series)
        yield step
        if t + h >= end:
            return
        state = list(step.at(t + h))
        t += h
        unit = 2.0 ** frexp(h)[1]


def _stack(terms: list[Any]) -> Floats:
    zero = np.zeros_like(terms[0])
    return np.stack([zero if term is None else term for term in terms])


def _ratio(series: tuple[Floats, ...], rtol: float) -> float:
    """Return how many units the step may be long, from the last four terms."""
    scale = max(float(np.max(np.abs(column[0]))) for column in series) or 1.0
    order = len(series[0]) - 1
    ratio = 16.0
    for k in range(order - 3, order + 1):
        size = max(float(np.max(np.abs(column[k]))) for column in series)
        if size > 0:
            ratio = min(ratio, (rtol * scale / size) ** (1 / k))
    return ratio


def _first_unit(problem: Problem, state: list[Floats]) -> float:
    """Return a scale near the radius of convergence, from the first derivative's."""
    arithmetic = FloatArithmetic()
    constants = [arithmetic.constant(array) for array in problem.arguments]
    shapes = [array.shape for array in [*state, *constants]]
    recurrence = Recurrence(rhs_program(problem.flow), arithmetic, shapes, constants, 4)
    series = tuple(_stack(column) for column in recurrence.run(state, Fraction(1)))
    return float(2.0 ** frexp(_ratio(series, 1.0))[1])
