"""How every operation of a program acts on power series.

A rule looks at the operands' slots (shapes, and which of them are constant) and returns
the slot of the result with a node, which makes the next coefficient from theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
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
    return any(coefficient is None for coefficient in coefficients)


class Slot:
    """What is known about a slot before any number: shape, and whether it moves."""

    def __init__(
        self, shape: Shape, *, constant: bool, value: int | None = None
    ) -> None:
        self.shape, self.constant, self.value = shape, constant, value


Rule = Callable[[Arithmetic, Instruction, Sequence[Slot], int], tuple[Slot, SeriesNode]]


def _matmul(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    left, right = slots
    constant = left.constant and right.constant
    slot = Slot((left.shape[0], right.shape[1]), constant=constant)
    return slot, _bilinear(arithmetic, arithmetic.matmul, left, right, order)


def _bilinear(
    arithmetic: Arithmetic,
    function: Callable[..., Any],
    left: Slot,
    right: Slot,
    order: int,
) -> SeriesNode:
    if left.constant or right.constant:
        return Fixed(function, 0 if left.constant else 1)
    return SeriesProduct(arithmetic.convolution(left.shape, right.shape, order))


def _inner(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    left, right = slots
    flipped = Slot(left.shape[::-1], constant=left.constant)
    product = _bilinear(arithmetic, arithmetic.matmul, flipped, right, order)

    class Inner(SeriesNode):
        def next(self, *operands: Any) -> Any:
            first, second = operands
            turned = None if first is None else arithmetic.transpose(first)
            value = product.next(turned, second)
            return None if value is None else arithmetic.trace(value)

    return Slot((1, 1), constant=left.constant and right.constant), Inner()


def _sum(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    constant = all(slot.constant for slot in slots)
    negative = step.operation == "subtract"
    return Slot(slots[0].shape, constant=constant), SeriesSum(
        arithmetic, negative=negative
    )


def _scale(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    scalar = arithmetic.scalar(step.constant)
    node = Linear(lambda matrix: arithmetic.scale(scalar, matrix))
    return Slot(slots[0].shape, constant=slots[0].constant), node


def _transpose(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    slot = Slot(slots[0].shape[::-1], constant=slots[0].constant)
    return slot, Linear(arithmetic.transpose)


def _trace(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    return Slot((1, 1), constant=slots[0].constant), Linear(arithmetic.trace)


def _hadamard(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    left, right = slots
    slot = Slot(left.shape, constant=left.constant and right.constant)
    if left.constant or right.constant:
        return slot, Fixed(arithmetic.hadamard, 0 if left.constant else 1)
    return slot, SeriesProduct(arithmetic.entrywise(left.shape, order))


def _count(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    """Count rows or columns, which needs no arithmetic."""
    value = slots[0].shape[0 if step.operation == "rows" else 1]
    return Slot((1, 1), constant=True, value=value), Linear(lambda matrix: None)


def _divide(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    matrix, divisor = slots
    if divisor.value is None:
        msg = "taylor: a division by a symbolic number has no series recurrence"
        raise NoClosedForm(msg)
    scalar = arithmetic.scalar(sympy.Rational(1, divisor.value))
    node = First(lambda operand: arithmetic.scale(scalar, operand))
    return Slot(matrix.shape, constant=matrix.constant), node


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


def _moved(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    slot, *counts = slots
    size = slot.shape[0] if step.constant is None else int(step.constant)
    size = int(counts[0].value) if counts else size  # type: ignore[arg-type]
    places = entry_places(step.operation, slot.shape, size)
    rows, columns = places.shape
    node = First(lambda matrix: arithmetic.rearrange(matrix, places))
    return Slot((rows, columns), constant=slot.constant), node


class GivenSeries(SeriesNode):
    """A matrix of numbers, all in the coefficient of order 0."""

    def __init__(self, matrix: Any) -> None:
        self._left = [matrix]

    def next(self, *operands: Any) -> Any:
        """Return the matrix, then zeros."""
        return self._left.pop() if self._left else None


def _constant(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    constant: Any = slots[0].value if slots else step.constant
    if step.operation == "identity":
        constant = np.eye(int(constant), dtype=int)
    array = np.array(constant.tolist(), dtype=object)
    shape = (int(array.shape[0]), int(array.shape[1]))
    return Slot(shape, constant=True), GivenSeries(arithmetic.constant(array))


def _kronecker(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    """Multiply columns entrywise, each entry repeated as the other is long."""
    left, right = slots
    first, second = np.indices((left.shape[0], right.shape[0])).reshape(2, -1, 1)
    shape = (len(first), 1)
    stretched = [Slot(shape, constant=slot.constant) for slot in slots]
    slot, product = _hadamard(arithmetic, step, stretched, order)

    class Kronecker(SeriesNode):
        def next(self, *operands: Any) -> Any:
            pairs = zip(operands, (first, second), strict=True)
            long = (
                None if column is None else arithmetic.rearrange(column, places)
                for column, places in pairs
            )
            return product.next(*long)

    return slot, Kronecker()


def _circulant_sums(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, SeriesNode]:
    (slot,) = slots
    rows = slot.shape[0]
    size = rows if step.constant is None else int(step.constant)
    lines = [
        (row * rows + (row + np.arange(size)) % rows)[:, None] for row in range(rows)
    ]

    def total(matrix: Any) -> Any:
        parts = (arithmetic.rearrange(matrix, places) for places in lines)
        return reduce(arithmetic.add, parts)

    return Slot((size, 1), constant=slot.constant), Linear(total)


#: How each operation acts on series; a new operation needs one entry here.
RULES: dict[str, Rule] = {
    "matmul": _matmul,
    "add": _sum,
    "subtract": _sum,
    "scale": _scale,
    "transpose": _transpose,
    "inner": _inner,
    "trace": _trace,
    "hadamard": _hadamard,
    "rows": _count,
    "columns": _count,
    "divide": _divide,
    "diag": _moved,
    "diagonal": _moved,
    "circulant": _moved,
    "pad": _moved,
    "crop": _moved,
    "vec": _moved,
    "unvec": _moved,
    "circulant_sums": _circulant_sums,
    "constant": _constant,
    "identity": _constant,
    "kron": _kronecker,
}
