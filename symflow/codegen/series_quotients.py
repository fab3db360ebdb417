"""Series of functions by their differential equations; a number times a matrix.

    y = exp u:       y' = u'y                     y = sigmoid u:   y' = (y − y²)u'
    y = softmax u:   y' = y∘u' − ⟨y, u'⟩y        y = softplus u:  y' = u'∘sigmoid u
    y = 1/u:         y' = −u'y²

where ⟨ , ⟩ sums over all entries.  None divides series.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symflow.codegen.series_arithmetic import Arithmetic, Shape
from symflow.codegen.series_rules import (
    Occurrence,
    Rule,
    SeriesNode,
    entrywise_product,
    linear,
)
from symflow.errors import NoClosedForm


class Differential:
    """y = f(u), whose coefficients come from an equation for y' in u'.

    The first coefficient is the value of the function, by its name in
    `Arithmetic.function`; each further one is that of y', integrated.  The `rate`
    returns the next coefficient of y' from this and that of u'.
    """

    def __init__(
        self, at: Occurrence, name: str, rate: Callable[[Differential, Any], Any]
    ) -> None:
        self.arithmetic, self.shape, self.value = at.arithmetic, at.shape, None
        self._name, self._rate, self._order = name, rate, 0
        # y' has two products at most
        self.first, self.second = (
            at.arithmetic.entrywise(at.shape, at.order).push for _ in range(2)
        )

    def __call__(self, argument: Any) -> Any:
        """Return the next coefficient of f(u)."""
        arithmetic = self.arithmetic
        if self._order == 0:
            self.value = arithmetic.function(self._name, argument)
        else:
            number = arithmetic.scalar(sympy.Integer(self._order))
            slope = None if argument is None else arithmetic.scale(number, argument)
            rate = self._rate(self, slope)
            (self.value,) = arithmetic.integrate_all([rate], self._order, Fraction(1))
        self._order += 1
        return self.value


def _exp(y: Differential, slope: Any) -> Any:
    return y.first(slope, y.value)


def _sigmoid(y: Differential, slope: Any) -> Any:
    square = y.first(y.value, y.value)
    return y.second(slope, y.arithmetic.subtract(y.value, square))


def _softmax(y: Differential, slope: Any) -> Any:
    moved = y.first(slope, y.value)
    mean = None if moved is None else _total(moved, y.arithmetic, y.shape)
    shared = y.second(mean, y.value)
    return moved if shared is None else y.arithmetic.subtract(moved, shared)


def _reciprocal(y: Differential, slope: Any) -> Any:
    rate = y.second(slope, y.first(y.value, y.value))
    return None if rate is None else y.arithmetic.negate(rate)


def _softplus(at: Occurrence) -> SeriesNode:
    sigmoid = Differential(at, "sigmoid", _sigmoid)
    y = Differential(at, "softplus", lambda y, slope: y.first(slope, sigmoid.value))

    def following(argument: Any) -> Any:
        value = y(argument)  # from the sigmoid one order below
        sigmoid(argument)
        return value

    return following


def _spread(arithmetic: Arithmetic, shape: Shape) -> Callable[[Any], Any]:
    """Return what makes of a number a matrix of equal entries."""
    places = np.zeros(shape, dtype=int)
    return lambda number: arithmetic.rearrange(number, places)


def _total(matrix: Any, arithmetic: Arithmetic, shape: Shape) -> Any:
    """Return the sum of all entries, as a matrix of equal ones."""
    rows, columns = shape
    column = arithmetic.matmul(matrix, arithmetic.constant(np.ones((columns, 1))))
    number = arithmetic.matmul(arithmetic.constant(np.ones((1, rows))), column)
    return _spread(arithmetic, shape)(number)


_RATES = {
    "exp": _exp,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "reciprocal": _reciprocal,
}


def _named(at: Occurrence) -> SeriesNode:
    (slot,), name = at.slots, at.step.operation
    if name == "power":
        if at.step.constant != -1:
            msg = f"taylor: the power {at.step.constant} has no series recurrence"
            raise NoClosedForm(msg)
        name = "reciprocal"
    if slot.constant:
        return linear(lambda matrix: at.arithmetic.function(name, matrix))
    return _softplus(at) if name == "softplus" else Differential(at, name, _RATES[name])


def _weigh(at: Occurrence) -> SeriesNode:
    """Multiply a number with a matrix, as an entrywise product."""
    product, spread = entrywise_product(at), _spread(at.arithmetic, at.shape)
    return lambda number, matrix: product(
        None if number is None else spread(number), matrix
    )


#: The rules of this file.
QUOTIENTS: dict[str, Rule] = {
    **dict.fromkeys(("exp", "sigmoid", "softmax", "softplus", "power"), _named),
    "weigh": _weigh,
}
