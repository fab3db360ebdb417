"""Taylor series of a flow, generated from its program for any arithmetic.

The right-hand side of θ̇ = f(θ) is a straight-line program.  Run on power series, one
order at a time, it yields the recurrence

    θ_{k+1} = f_k / (k + 1),    (A B)_k = Σ_j A_j B_{k−j},

in which a product with constant data is a single product and a product of two series
is an online convolution.  Coefficients are scaled: order k carries the factor
2^(−k·shift), so that the step of about 2^(−shift) is evaluated near one.

Every operation of a program has one entry in `RULES`; an arithmetic supplies matrices
and says how to convolve them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from symflow.algebra.arrays import Array
from symflow.codegen.program import Instruction, Program

Shape = tuple[int, int]


class Convolution(ABC):
    """The product of two matrix series whose coefficients arrive one by one."""

    @abstractmethod
    def push(self, left: Any, right: Any) -> Any:
        """Take the coefficients of order k and return that of the product."""


class Arithmetic(ABC):
    """Matrices over one kind of number; None stands for the zero matrix."""

    @abstractmethod
    def constant(self, array: Array) -> Any:
        """Return exact or float data in this arithmetic, rounded once."""

    @abstractmethod
    def add(self, left: Any, right: Any) -> Any:
        """Return the sum."""

    @abstractmethod
    def subtract(self, left: Any, right: Any) -> Any:
        """Return the difference."""

    @abstractmethod
    def negate(self, matrix: Any) -> Any:
        """Return the negative."""

    @abstractmethod
    def scalar(self, value: Any) -> Any:
        """Prepare an exact number for `scale`."""

    @abstractmethod
    def scale(self, scalar: Any, matrix: Any) -> Any:
        """Return a prepared number times a matrix."""

    @abstractmethod
    def transpose(self, matrix: Any) -> Any:
        """Return the transpose."""

    @abstractmethod
    def trace(self, matrix: Any) -> Any:
        """Return the trace as a matrix with one entry."""

    @abstractmethod
    def matmul(self, left: Any, right: Any) -> Any:
        """Return the product of two matrices."""

    @abstractmethod
    def convolution(self, left: Shape, right: Shape, order: int) -> Convolution:
        """Return an empty online product of series up to `order`."""

    @abstractmethod
    def integrate(self, matrix: Any, order: int, shift: int) -> Any:
        """Return matrix · 2^(−shift) / order."""


class Node(ABC):
    """One slot of the program as a series: the next coefficient from its operands'."""

    @abstractmethod
    def next(self, *operands: Any) -> Any:
        """Return the coefficient of the next order; None is zero."""


class Linear(Node):
    """An operation that acts on every coefficient alone."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def next(self, *operands: Any) -> Any:
        """Apply the operation; a linear operation maps zeros to zero."""
        return None if None in map(_nothing, operands) else self._function(*operands)


class Sum(Node):
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


class Fixed(Node):
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
        return None if None in map(_nothing, pair) else self._function(*pair)


class Product(Node):
    """A product of two series."""

    def __init__(self, convolution: Convolution) -> None:
        self._convolution = convolution

    def next(self, *operands: Any) -> Any:
        """Push both coefficients."""
        return self._convolution.push(*operands)


def _nothing(value: Any) -> Any:
    return None if value is None else True


class Slot:
    """What is known about a slot before any number: shape, and whether it moves."""

    def __init__(self, shape: Shape, *, constant: bool) -> None:
        self.shape, self.constant = shape, constant


Rule = Callable[[Arithmetic, Instruction, Sequence[Slot], int], tuple[Slot, Node]]


def _matmul(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, Node]:
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
) -> Node:
    if left.constant or right.constant:
        return Fixed(function, 0 if left.constant else 1)
    return Product(arithmetic.convolution(left.shape, right.shape, order))


def _inner(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, Node]:
    left, right = slots
    flipped = Slot(left.shape[::-1], constant=left.constant)
    product = _bilinear(arithmetic, arithmetic.matmul, flipped, right, order)

    class Inner(Node):
        def next(self, *operands: Any) -> Any:
            first, second = operands
            turned = None if first is None else arithmetic.transpose(first)
            value = product.next(turned, second)
            return None if value is None else arithmetic.trace(value)

    return Slot((1, 1), constant=left.constant and right.constant), Inner()


def _sum(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, Node]:
    constant = all(slot.constant for slot in slots)
    negative = step.operation == "subtract"
    return Slot(slots[0].shape, constant=constant), Sum(arithmetic, negative=negative)


def _scale(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, Node]:
    scalar = arithmetic.scalar(step.constant)
    node = Linear(lambda matrix: arithmetic.scale(scalar, matrix))
    return Slot(slots[0].shape, constant=slots[0].constant), node


def _transpose(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, Node]:
    slot = Slot(slots[0].shape[::-1], constant=slots[0].constant)
    return slot, Linear(arithmetic.transpose)


def _trace(
    arithmetic: Arithmetic, step: Instruction, slots: Sequence[Slot], order: int
) -> tuple[Slot, Node]:
    return Slot((1, 1), constant=slots[0].constant), Linear(arithmetic.trace)


#: How each operation acts on series; a new operation needs one entry here.
RULES: dict[str, Rule] = {
    "matmul": _matmul,
    "add": _sum,
    "subtract": _sum,
    "scale": _scale,
    "transpose": _transpose,
    "inner": _inner,
    "trace": _trace,
}


class Recurrence:
    """The Taylor recurrence of a program whose first inputs are its state.

    Parameters
    ----------
    program : Program
        Right-hand side: one output for each of the first inputs.
    arithmetic : Arithmetic
        The numbers.
    shapes : sequence of (int, int)
        Shape of every input.
    constants : sequence
        The inputs after the state, as matrices of `arithmetic`.
    order : int
        Highest order of the series.
    """

    def __init__(
        self,
        program: Program,
        arithmetic: Arithmetic,
        shapes: Sequence[Shape],
        constants: Sequence[Any],
        order: int,
    ) -> None:
        self._arithmetic, self._order = arithmetic, order
        self._constants = list(constants)
        self._reads = [step.operands for step in program.instructions]
        self._outputs = [output.slot for output in program.outputs]
        state = len(self._outputs)
        slots = [Slot(s, constant=n >= state) for n, s in enumerate(shapes)]
        self._nodes: list[Node] = []
        for step in program.instructions:
            operands = [slots[number] for number in step.operands]
            slot, node = RULES[step.operation](arithmetic, step, operands, order)
            slots.append(slot)
            self._nodes.append(node)

    def run(self, start: Sequence[Any], shift: int) -> list[list[Any]]:
        """Return, for every state matrix, its scaled coefficients up to the order.

        A recurrence is used once: its convolutions remember what was pushed.
        """
        series: list[list[Any]] = [[matrix] for matrix in start]
        for order in range(self._order):
            rates = self._rates([terms[-1] for terms in series], order)
            for terms, rate in zip(series, rates, strict=True):
                terms.append(self._integral(rate, order + 1, shift))
        return series

    def _integral(self, rate: Any, order: int, shift: int) -> Any:
        return None if rate is None else self._arithmetic.integrate(rate, order, shift)

    def _rates(self, state: list[Any], order: int) -> list[Any]:
        """Return the coefficients of one order of all outputs."""
        constants = self._constants if order == 0 else [None] * len(self._constants)
        values = [*state, *constants]
        for operands, node in zip(self._reads, self._nodes, strict=True):
            values.append(node.next(*(values[number] for number in operands)))
        return [values[slot] for slot in self._outputs]
