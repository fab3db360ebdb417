"""Series of functions by their differential equations; a number times a matrix.

    y = exp u:       y' = u'y                     y = sigmoid u:   y' = (y − y²)u'
    y = softmax u:   y' = y∘u' − ⟨y, u'⟩y        y = softplus u:  y' = u'∘sigmoid u
    y = 1/u:         y' = −u'y²

where ⟨ , ⟩ sums over all entries.  None divides series.
"""

from __future__ import annotations

from abc import abstractmethod
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.codegen.series_arithmetic import Arithmetic, Shape
from symflow.codegen.series_rules import (
    Linear,
    Occurrence,
    Rule,
    SeriesNode,
    entrywise_product,
)
from symflow.errors import NoClosedForm


class Differential(SeriesNode):
    """y = f(u), whose coefficients come from an equation for y' in u'.

    The first coefficient is the function's value; each further one is that of y',
    integrated.
    """

    #: What `Arithmetic.function` calls f.
    name: ClassVar[str]

    def __init__(self, arithmetic: Arithmetic, shape: Shape, order: int) -> None:
        self._arithmetic, self._shape, self._order = arithmetic, shape, 0
        # y' has two products at most
        self._first, self._second = (
            arithmetic.entrywise(shape, order) for _ in range(2)
        )
        self._value: Any = None

    @abstractmethod
    def _rate(self, slope: Any) -> Any:
        """Return the next coefficient of y' from that of u'; None is zero."""

    def next(self, *operands: Any) -> Any:
        """Return the next coefficient of f(u)."""
        arithmetic, (argument,) = self._arithmetic, operands
        if self._order == 0:
            self._value = arithmetic.function(self.name, argument)
        else:
            number = arithmetic.scalar(sympy.Integer(self._order))
            slope = None if argument is None else arithmetic.scale(number, argument)
            rate = self._rate(slope)
            (self._value,) = arithmetic.integrate_all([rate], self._order, Fraction(1))
        self._order += 1
        return self._value


class Exponential(Differential):
    """y = exp u entrywise, from y' = u' y."""

    name = "exp"

    def _rate(self, slope: Any) -> Any:
        return self._first.push(slope, self._value)


class Sigmoid(Differential):
    """y = 1 / (1 + exp(−u)) entrywise, from y' = (y − y²) u'."""

    name = "sigmoid"

    def _rate(self, slope: Any) -> Any:
        square = self._first.push(self._value, self._value)
        return self._second.push(slope, self._arithmetic.subtract(self._value, square))


class SpreadSeries:
    """A number as a matrix of equal entries."""

    def __init__(self, arithmetic: Arithmetic, shape: Shape) -> None:
        self._arithmetic = arithmetic
        self._places = np.zeros(shape, dtype=int)

    def __call__(self, number: Any) -> Any:
        """Return the matrix."""
        return self._arithmetic.rearrange(number, self._places)


class SoftmaxSeries(Differential):
    """y = exp u / Σ exp u, from y' = y∘u' − ⟨y, u'⟩y."""

    name = "softmax"

    def _rate(self, slope: Any) -> Any:
        moved = self._first.push(slope, self._value)
        mean = None if moved is None else self._total(moved)
        shared = self._second.push(mean, self._value)
        return moved if shared is None else self._arithmetic.subtract(moved, shared)

    def _total(self, matrix: Any) -> Any:
        """Return the sum of all entries, as a matrix of equal ones."""
        arithmetic, (rows, columns) = self._arithmetic, self._shape
        column = arithmetic.matmul(matrix, arithmetic.constant(np.ones((columns, 1))))
        number = arithmetic.matmul(arithmetic.constant(np.ones((1, rows))), column)
        return SpreadSeries(arithmetic, self._shape)(number)


class Reciprocal(Differential):
    """y = 1/u entrywise, from y' = −u'y²."""

    name = "reciprocal"

    def _rate(self, slope: Any) -> Any:
        square = self._first.push(self._value, self._value)
        rate = self._second.push(slope, square)
        return None if rate is None else self._arithmetic.negate(rate)


class Softplus(Differential):
    """y = log(1 + exp u) entrywise, from y' = u'∘sigmoid u."""

    name = "softplus"

    def __init__(self, arithmetic: Arithmetic, shape: Shape, order: int) -> None:
        super().__init__(arithmetic, shape, order)
        self._sigmoid = Sigmoid(arithmetic, shape, order)
        self._share: Any = None

    def next(self, *operands: Any) -> Any:
        """Return the next coefficient of log(1 + exp u)."""
        value = super().next(*operands)
        self._share = self._sigmoid.next(*operands)
        return value

    def _rate(self, slope: Any) -> Any:
        return self._first.push(slope, self._share)


def _named(at: Occurrence) -> SeriesNode:
    (slot,), name = at.slots, at.step.operation
    if name == "power":
        if at.step.constant != -1:
            msg = f"taylor: the power {at.step.constant} has no series recurrence"
            raise NoClosedForm(msg)
        name = Reciprocal.name
    if slot.constant:
        return Linear(lambda matrix: at.arithmetic.function(name, matrix))
    return _KINDS[name](at.arithmetic, at.shape, at.order)


class Weighing(SeriesNode):
    """A number times a matrix, as an entrywise product."""

    def __init__(self, product: SeriesNode, spread: SpreadSeries) -> None:
        self._product, self._spread = product, spread

    def next(self, *operands: Any) -> Any:
        """Multiply the coefficients."""
        number, matrix = operands
        spread = None if number is None else self._spread(number)
        return self._product.next(spread, matrix)


_KINDS = {
    kind.name: kind
    for kind in (Exponential, Sigmoid, SoftmaxSeries, Softplus, Reciprocal)
}

#: The rules of this file.
QUOTIENTS: dict[str, Rule] = {
    **dict.fromkeys(("exp", "sigmoid", "softmax", "softplus", "power"), _named),
    "weigh": lambda at: Weighing(
        entrywise_product(at), SpreadSeries(at.arithmetic, at.shape)
    ),
}
