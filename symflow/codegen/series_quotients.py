"""Series of quotients: softmax, softplus, a reciprocal, a number times a matrix.

    y = softmax u:   y' = y∘u' − ⟨y, u'⟩y        y = 1/u:  y' = −u'y²
    y = softplus u:  y' = u'∘sigmoid u

where ⟨ , ⟩ sums over all entries.  None divides series.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symflow.codegen.program import Instruction
from symflow.codegen.series_arithmetic import Arithmetic, Shape
from symflow.codegen.series_rules import (
    Fixed,
    Linear,
    Rule,
    SeriesNode,
    SeriesProduct,
    Sigmoid,
    Slot,
    differentiated,
)
from symflow.errors import NoClosedForm


class SpreadSeries:
    """A number as a matrix of equal entries."""

    def __init__(self, arithmetic: Arithmetic, shape: Shape) -> None:
        self._arithmetic = arithmetic
        self._places = np.zeros(shape, dtype=int)

    def __call__(self, number: Any) -> Any:
        """Return the matrix."""
        return self._arithmetic.rearrange(number, self._places)


class SoftmaxSeries(SeriesNode):
    """y = exp u / Σ exp u, from y' = y∘u' − ⟨y, u'⟩y."""

    def __init__(self, arithmetic: Arithmetic, shape: Shape, order: int) -> None:
        self._arithmetic, self._order = arithmetic, 0
        self._moved, self._mean = (arithmetic.entrywise(shape, order) for _ in range(2))
        self._spread = SpreadSeries(arithmetic, shape)
        rows, columns = shape
        self._left = arithmetic.constant(np.ones((1, rows)))
        self._right = arithmetic.constant(np.ones((columns, 1)))
        self._value: Any = None

    def next(self, *operands: Any) -> Any:
        """Return the next coefficient of the softmax of u."""
        arithmetic, (slope,) = self._arithmetic, operands
        if self._order == 0:
            self._value = arithmetic.function("softmax", slope)
        else:
            if slope is not None:
                slope = differentiated(arithmetic, slope, self._order)
            moved = self._moved.push(slope, self._value)
            mean = None if moved is None else self._spread(self._total(moved))
            shared = self._mean.push(mean, self._value)
            rate = moved if shared is None else arithmetic.subtract(moved, shared)
            self._value = _integrated(arithmetic, rate, self._order)
        self._order += 1
        return self._value

    def _total(self, matrix: Any) -> Any:
        column = self._arithmetic.matmul(matrix, self._right)
        return self._arithmetic.matmul(self._left, column)


class Reciprocal(SeriesNode):
    """y = 1/u entrywise, from y' = −u'y²."""

    def __init__(self, arithmetic: Arithmetic, shape: Shape, order: int) -> None:
        self._arithmetic, self._order = arithmetic, 0
        self._square, self._rate = (
            arithmetic.entrywise(shape, order) for _ in range(2)
        )
        self._value: Any = None

    def next(self, *operands: Any) -> Any:
        """Return the next coefficient of 1/u."""
        arithmetic, (slope,) = self._arithmetic, operands
        if self._order == 0:
            self._value = arithmetic.function("reciprocal", slope)
        else:
            if slope is not None:
                slope = differentiated(arithmetic, slope, self._order)
            square = self._square.push(self._value, self._value)
            rate = self._rate.push(slope, square)
            turned = None if rate is None else arithmetic.negate(rate)
            self._value = _integrated(arithmetic, turned, self._order)
        self._order += 1
        return self._value


class Softplus(SeriesNode):
    """y = log(1 + exp u) entrywise, from y' = u'∘sigmoid u."""

    def __init__(self, arithmetic: Arithmetic, shape: Shape, order: int) -> None:
        self._arithmetic, self._order = arithmetic, 0
        self._sigmoid = Sigmoid(arithmetic, shape, order)
        self._rate = arithmetic.entrywise(shape, order)
        self._share: Any = None

    def next(self, *operands: Any) -> Any:
        """Return the next coefficient of log(1 + exp u)."""
        (argument,) = operands
        if self._order == 0:
            value = self._arithmetic.function("softplus", argument)
        else:
            slope = differentiated(self._arithmetic, argument, self._order)
            rate = self._rate.push(slope, self._share)
            value = _integrated(self._arithmetic, rate, self._order)
        self._share = self._sigmoid.next(argument)
        self._order += 1
        return value


def _integrated(arithmetic: Arithmetic, rate: Any, order: int) -> Any:
    return None if rate is None else arithmetic.integrate(rate, order, Fraction(1))


def _named(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    return _nonlinear(arithmetic, step.operation, slots[0], order)


def _power(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    if step.constant != -1:
        msg = f"taylor: the power {step.constant} has no series recurrence"
        raise NoClosedForm(msg)
    return _nonlinear(arithmetic, "reciprocal", slots[0], order)


def _nonlinear(
    arithmetic: Arithmetic, name: str, slot: Slot, order: int
) -> tuple[Slot, SeriesNode]:
    if slot.constant:
        node: SeriesNode = Linear(lambda matrix: arithmetic.function(name, matrix))
    else:
        node = _KINDS[name](arithmetic, slot.shape, order)
    return Slot(slot.shape, constant=slot.constant), node


class Weighing(SeriesNode):
    """A number times a matrix, as an entrywise product."""

    def __init__(self, product: SeriesNode, spread: SpreadSeries) -> None:
        self._product, self._spread = product, spread

    def next(self, *operands: Any) -> Any:
        """Multiply the coefficients."""
        number, matrix = operands
        spread = None if number is None else self._spread(number)
        return self._product.next(spread, matrix)


def _weigh(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    number, matrix = slots
    if number.constant or matrix.constant:
        place = 0 if number.constant else 1
        product: SeriesNode = Fixed(arithmetic.hadamard, place)
    else:
        product = SeriesProduct(arithmetic.entrywise(matrix.shape, order))
    slot = Slot(matrix.shape, constant=number.constant and matrix.constant)
    return slot, Weighing(product, SpreadSeries(arithmetic, matrix.shape))


_KINDS: dict[str, Callable[[Arithmetic, Shape, int], SeriesNode]] = {
    "softmax": SoftmaxSeries,
    "softplus": Softplus,
    "reciprocal": Reciprocal,
}

#: The rules of this file.
QUOTIENTS: dict[str, Rule] = {
    "softmax": _named,
    "softplus": _named,
    "power": _power,
    "weigh": _weigh,
}
