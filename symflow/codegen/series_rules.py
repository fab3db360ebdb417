"""How every operation of a program acts on power series.

A rule looks at the operands' slots (shapes, and which of them are constant) and returns
a node, which makes the next coefficient from theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.codegen.program import Instruction
from symflow.codegen.series_arithmetic import Arithmetic, Convolution, Shape
from symflow.errors import NoClosedForm


class SeriesNode(ABC):
    """One slot of the program as a series: the next coefficient from its operands'."""

    @abstractmethod
    def next(self, *operands: Any) -> Any:
        """Return the coefficient of the next order; None is zero."""


class Linear(SeriesNode):
    """An operation that acts on every coefficient alone."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def next(self, *operands: Any) -> Any:
        """Apply the operation; a linear operation maps zeros to zero."""
        return None if _any_zero(operands) else self._function(*operands)


class SeriesSum(SeriesNode):
    """A sum or a difference, where one operand may have run out of terms."""

    def __init__(self, arithmetic: Arithmetic, *, negative: bool) -> None:
        self._arithmetic, self._negative = arithmetic, negative

    def next(self, *operands: Any) -> Any:
        """Return left ± right."""
        left, right = operands
        if right is None:
            return left
        if left is None:
            return self._arithmetic.negate(right) if self._negative else right
        if self._negative:
            return self._arithmetic.subtract(left, right)
        return self._arithmetic.add(left, right)


class First(Linear):
    """A linear operation on the first operand; the others are known numbers."""

    def next(self, *operands: Any) -> Any:
        """Apply the operation to the first operand."""
        return super().next(operands[0])


class Fixed(SeriesNode):
    """A product in which one factor is constant: it stays as it came at order 0."""

    def __init__(self, function: Callable[..., Any], constant: int) -> None:
        self._function, self._constant = function, constant
        self._value: Any = None

    def next(self, *operands: Any) -> Any:
        """Multiply the moving factor's coefficient by the constant one."""
        if self._value is None:
            self._value = operands[self._constant]
        pair = list(operands)
        pair[self._constant] = self._value
        return None if _any_zero(pair) else self._function(*pair)


class SeriesProduct(SeriesNode):
    """A product of two series."""

    def __init__(self, convolution: Convolution) -> None:
        self._convolution = convolution

    def next(self, *operands: Any) -> Any:
        """Push both coefficients."""
        return self._convolution.push(*operands)


def _any_zero(coefficients: Sequence[Any]) -> bool:
    for coefficient in coefficients:  # noqa: SIM110 - in the innermost loop
        if coefficient is None:
            return True
    return False


@dataclass(frozen=True)
class Slot:
    """What is known about a slot before any number: shape, and whether it moves."""

    shape: Shape
    constant: bool
    value: int | None = None  # of a count of rows or columns


@dataclass(frozen=True)
class Occurrence:
    """An instruction among series: what its rule looks at."""

    arithmetic: Arithmetic
    step: Instruction
    slots: Sequence[Slot]  # of the operands
    shape: Shape  # of the result
    order: int

    @property
    def result(self) -> Slot:
        """The slot of the result."""
        count = self.step.operation in ("rows", "columns")
        constant = count or all(slot.constant for slot in self.slots)
        sizes = self.slots[0].shape if count else ()
        value = sizes[self.step.operation == "columns"] if sizes else None
        return Slot(self.shape, constant, value)


Rule = Callable[[Occurrence], SeriesNode]


def _bilinear(at: Occurrence, left: Slot, right: Slot) -> SeriesNode:
    if left.constant or right.constant:
        multiply = at.arithmetic.multiplier(left.shape, right.shape)
        return Fixed(multiply, 0 if left.constant else 1)
    return SeriesProduct(at.arithmetic.convolution(left.shape, right.shape, at.order))


def _inner(at: Occurrence) -> SeriesNode:
    arithmetic, (left, right) = at.arithmetic, at.slots
    product = _bilinear(at, Slot(left.shape[::-1], left.constant), right)

    class Inner(SeriesNode):
        def next(self, *operands: Any) -> Any:
            first, second = operands
            turned = None if first is None else arithmetic.transpose(first)
            value = product.next(turned, second)
            return None if value is None else arithmetic.trace(value)

    return Inner()


def _sum(at: Occurrence) -> SeriesNode:
    return SeriesSum(at.arithmetic, negative=at.step.operation == "subtract")


def _scale(at: Occurrence) -> SeriesNode:
    scalar = at.arithmetic.scalar(at.step.constant)
    return Linear(lambda matrix: at.arithmetic.scale(scalar, matrix))


def entrywise_product(at: Occurrence) -> SeriesNode:
    """Multiply two operands entry by entry, in the shape of the result."""
    left, right = at.slots
    if left.constant or right.constant:
        return Fixed(at.arithmetic.hadamard, 0 if left.constant else 1)
    return SeriesProduct(at.arithmetic.entrywise(at.shape, at.order))


def _divide(at: Occurrence) -> SeriesNode:
    divisor = at.slots[1].value
    if divisor is None:
        msg = "taylor: a division by a symbolic number has no series recurrence"
        raise NoClosedForm(msg)
    scalar = at.arithmetic.scalar(sympy.Rational(1, divisor))
    return First(lambda operand: at.arithmetic.scale(scalar, operand))


def entry_places(operation: str, shape: Shape, size: int) -> Array:
    """Return where the entries of a rearranged matrix come from; −1 is zero."""
    rows, columns = shape
    match operation:
        case "diag":
            places = np.full((rows, rows), -1)
            np.fill_diagonal(places, np.arange(rows))
        case "diagonal":
            places = np.arange(min(shape))[:, None] * (columns + 1)
        case "circulant":
            offsets = (np.arange(size)[None, :] - np.arange(size)[:, None]) % size
            places = np.where(offsets < rows, offsets, -1)
        case "pad":
            places = np.full((size, 1), -1)
            places[:rows, 0] = np.arange(rows)
        case "vec":
            places = np.arange(rows * columns)[:, None]
        case "unvec":
            places = np.arange(rows).reshape(size, -1)
        case _:
            places = np.arange(size * columns).reshape(size, columns)
    return places


def _moved(at: Occurrence) -> SeriesNode:
    step, (slot, *counts) = at.step, at.slots
    size = slot.shape[0] if step.constant is None else int(step.constant)
    size = int(counts[0].value) if counts else size  # type: ignore[arg-type]
    places = entry_places(step.operation, slot.shape, size)
    return First(lambda matrix: at.arithmetic.rearrange(matrix, places))


class GivenSeries(SeriesNode):
    """A matrix of numbers, all in the coefficient of order 0."""

    def __init__(self, matrix: Any) -> None:
        self._left = [matrix]

    def next(self, *operands: Any) -> Any:
        """Return the matrix, then zeros."""
        return self._left.pop() if self._left else None


def _constant(at: Occurrence) -> SeriesNode:
    constant: Any = at.slots[0].value if at.slots else at.step.constant
    if at.step.operation == "identity":
        constant = np.eye(int(constant), dtype=int)
    array = np.array(constant.tolist(), dtype=object)
    return GivenSeries(at.arithmetic.constant(array))


def _kronecker(at: Occurrence) -> SeriesNode:
    """Multiply columns entrywise, each entry repeated as the other is long."""
    lengths = [slot.shape[0] for slot in at.slots]
    repeated = np.indices(lengths).reshape(2, -1, 1)
    product = entrywise_product(at)

    class Kronecker(SeriesNode):
        def next(self, *operands: Any) -> Any:
            pairs = zip(operands, repeated, strict=True)
            long = (
                None if column is None else at.arithmetic.rearrange(column, places)
                for column, places in pairs
            )
            return product.next(*long)

    return Kronecker()


def _circulant_sums(at: Occurrence) -> SeriesNode:
    rows, size = at.slots[0].shape[0], at.shape[0]
    lines = [
        (row * rows + (row + np.arange(size)) % rows)[:, None] for row in range(rows)
    ]

    def total(matrix: Any) -> Any:
        parts = (at.arithmetic.rearrange(matrix, places) for places in lines)
        return reduce(at.arithmetic.add, parts)

    return Linear(total)


#: How each operation acts on series; a new operation needs one entry here.
RULES: dict[str, Rule] = {
    "matmul": lambda at: _bilinear(at, *at.slots),
    "add": _sum,
    "subtract": _sum,
    "scale": _scale,
    "transpose": lambda at: Linear(at.arithmetic.transpose),
    "inner": _inner,
    "trace": lambda at: Linear(at.arithmetic.trace),
    "hadamard": entrywise_product,
    **dict.fromkeys(("rows", "columns"), lambda at: Linear(lambda matrix: None)),
    "divide": _divide,
    **dict.fromkeys(("diag", "diagonal", "circulant", "pad", "crop"), _moved),
    **dict.fromkeys(("vec", "unvec"), _moved),
    "circulant_sums": _circulant_sums,
    "constant": _constant,
    "identity": _constant,
    "kron": _kronecker,
}
