"""How every operation of a program acts on power series.

A rule looks at the operands' slots (shapes, and which of them are constant) and returns
the function that makes the next coefficient from theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, repeat
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.codegen.program import Instruction
from symflow.codegen.series_arithmetic import Arithmetic, Shape
from symflow.errors import NoClosedForm

#: One slot of the program as a series: makes its coefficient of the next order from
#: those of its operands, where None is zero.
SeriesNode = Callable[..., Any]


def linear(function: Callable[..., Any]) -> SeriesNode:
    """Act on every coefficient alone; a linear operation maps zeros to zero."""
    return lambda *operands: None if _any_zero(operands) else function(*operands)


def first(function: Callable[[Any], Any]) -> SeriesNode:
    """Act linearly on the first operand; the others are known numbers."""
    return lambda operand, *_: None if operand is None else function(operand)


def _fixed(function: Callable[..., Any], constant: int) -> SeriesNode:
    """Multiply by a factor that stays as it came at order 0."""
    came: list[Any] = []

    def product(*operands: Any) -> Any:
        came[:] = came or [operands[constant]]
        pair = list(operands)
        pair[constant] = came[0]
        return None if _any_zero(pair) else function(*pair)

    return product


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
        return _fixed(multiply, 0 if left.constant else 1)
    return at.arithmetic.convolution(left.shape, right.shape, at.order).push


def _inner(at: Occurrence) -> SeriesNode:
    arithmetic, (left, right) = at.arithmetic, at.slots
    product = _bilinear(at, Slot(left.shape[::-1], left.constant), right)

    def inner(first: Any, second: Any) -> Any:
        value = product(None if first is None else arithmetic.transpose(first), second)
        return None if value is None else arithmetic.trace(value)

    return inner


def _sum(at: Occurrence) -> SeriesNode:
    arithmetic, negative = at.arithmetic, at.step.operation == "subtract"
    both = arithmetic.subtract if negative else arithmetic.add

    def total(left: Any, right: Any) -> Any:  # one operand may have run out of terms
        if right is None:
            return left
        if left is None:
            return arithmetic.negate(right) if negative else right
        return both(left, right)

    return total


def _scale(at: Occurrence) -> SeriesNode:
    scalar = at.arithmetic.scalar(at.step.constant)
    return linear(lambda matrix: at.arithmetic.scale(scalar, matrix))


def entrywise_product(at: Occurrence) -> SeriesNode:
    """Multiply two operands entry by entry, in the shape of the result."""
    left, right = at.slots
    if left.constant or right.constant:
        return _fixed(at.arithmetic.hadamard, 0 if left.constant else 1)
    return at.arithmetic.entrywise(at.shape, at.order).push


def _divide(at: Occurrence) -> SeriesNode:
    divisor = at.slots[1].value
    if divisor is None:
        msg = "taylor: a division by a symbolic number has no series recurrence"
        raise NoClosedForm(msg)
    scalar = at.arithmetic.scalar(sympy.Rational(1, divisor))
    return first(lambda operand: at.arithmetic.scale(scalar, operand))


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
    return first(lambda matrix: at.arithmetic.rearrange(matrix, places))


def _constant(at: Occurrence) -> SeriesNode:
    constant: Any = at.slots[0].value if at.slots else at.step.constant
    if at.step.operation == "identity":
        constant = np.eye(int(constant), dtype=int)
    array = np.array(constant.tolist(), dtype=object)
    terms = chain([at.arithmetic.constant(array)], repeat(None))
    return lambda *_: next(terms)


def _kronecker(at: Occurrence) -> SeriesNode:
    """Multiply columns entrywise, each entry repeated as the other is long."""
    lengths = [slot.shape[0] for slot in at.slots]
    repeated = np.indices(lengths).reshape(2, -1, 1)
    product = entrywise_product(at)

    def kronecker(*operands: Any) -> Any:
        pairs = zip(operands, repeated, strict=True)
        long = (
            None if column is None else at.arithmetic.rearrange(column, places)
            for column, places in pairs
        )
        return product(*long)

    return kronecker


def _circulant_sums(at: Occurrence) -> SeriesNode:
    rows, size = at.slots[0].shape[0], at.shape[0]
    lines = [
        (row * rows + (row + np.arange(size)) % rows)[:, None] for row in range(rows)
    ]

    def total(matrix: Any) -> Any:
        parts = (at.arithmetic.rearrange(matrix, places) for places in lines)
        return reduce(at.arithmetic.add, parts)

    return linear(total)


#: How each operation acts on series; a new operation needs one entry here.
RULES: dict[str, Rule] = {
    "matmul": lambda at: _bilinear(at, *at.slots),
    "add": _sum,
    "subtract": _sum,
    "scale": _scale,
    "transpose": lambda at: linear(at.arithmetic.transpose),
    "inner": _inner,
    "trace": lambda at: linear(at.arithmetic.trace),
    "hadamard": entrywise_product,
    **dict.fromkeys(("rows", "columns"), lambda at: linear(lambda matrix: None)),
    "divide": _divide,
    **dict.fromkeys(("diag", "diagonal", "circulant", "pad", "crop"), _moved),
    **dict.fromkeys(("vec", "unvec"), _moved),
    "circulant_sums": _circulant_sums,
    "constant": _constant,
    "identity": _constant,
    "kron": _kronecker,
}
