"""The end-to-end matrix as operations of the checker.

A program of `codegen` has more operations than the checker reads: embeddings become a
table that says where every entry comes from, and differences, powers and Kronecker
products become sums and products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy

from symflow.algebra.array_maps import PRELUDE
from symflow.certificate.numbers import matrix_text, not_carried
from symflow.codegen import Instruction, Program
from symflow.errors import InvalidArgument

#: Operations that the checker has, …
SAME = ("matmul", "hadamard", "add", "transpose")
#: … and those that only place entries.
PLACING = ("diag", "diagonal", "circulant", "pad", "crop")

#: A slot: of a weight or constant, or (True, n) for the n-th operation.
Slot = tuple[bool, int]


def model_document(program: Program, shapes: Sequence[tuple[int, int]]) -> Any:
    """Return a program with one output in operations of the checker, and constants.

    Slots are the weights, the number one, the constants and then the operations.

    It has one output, the end-to-end matrix, and the weights of these shapes as inputs.
    Raises InvalidArgument if the model is no polynomial with rational coefficients in
    the weights.
    """
    writer = _ModelWriter(shapes)
    slots: list[Slot] = [(False, k) for k in range(len(shapes))]
    for step in program.instructions:
        slots.append(writer.translate(step, [slots[k] for k in step.operands]))
    result = slots[program.outputs[0].slot]
    if result != (True, len(writer.steps) - 1):
        writer.scaled(1, result)
    first = len(shapes) + 1 + len(writer.constants)
    model = [
        [
            first * part[0] + part[1] if isinstance(part, tuple) else part
            for part in step
        ]
        for step in writer.steps
    ]
    return {"constants": writer.constants, "model": model}


class _ModelWriter:
    """Collects operations, constants, and the shapes of what they are."""

    def __init__(self, shapes: Sequence[tuple[int, int]]) -> None:
        self.shapes = {(False, k): shape for k, shape in enumerate(shapes)}
        self.first = len(shapes) + 1
        self.steps, self.constants = list[list[Any]](), list[Any]()

    def emit(self, shape: tuple[int, int], *step: Any) -> Slot:
        """Append an operation; return its slot."""
        slot = (True, len(self.steps))
        self.steps.append(list(step))
        self.shapes[slot] = shape
        return slot

    def constant(self, matrix: Any) -> Slot:
        """Return the slot of a constant."""
        slot = (False, self.first + len(self.constants))
        self.constants.append(matrix_text(np.array(matrix.tolist(), dtype=object)))
        self.shapes[slot] = matrix.shape
        return slot

    def scaled(self, factor: Any, read: Slot) -> Slot:
        """Return the slot of a multiple."""
        return self.emit(
            self.shapes[read], "scale", read, self.constant(sympy.Matrix([[factor]]))
        )

    def translate(self, step: Instruction, reads: list[Slot]) -> Slot:
        """Append what one instruction does; return the slot of its value."""
        name, constant = step.operation, step.constant
        if name in PLACING:
            return self._place(name, reads[0], constant)
        if name == "scale":
            return self.scaled(constant, reads[0])
        if name == "subtract":
            return self._apply("add", reads[0], self.scaled(-1, reads[1]))
        if name == "power" and constant is not None and constant.is_Integer:
            return self._power(reads[0], int(constant))
        if name == "kron":
            return self._kron(*reads)
        if name in ("constant", "identity") and constant is not None:
            size = constant.is_Integer
            return self.constant(sympy.eye(int(constant)) if size else constant)
        if name in SAME:
            return self._apply(name, *reads)
        msg = f"the operation {name!r} of its model is no polynomial"
        raise InvalidArgument(not_carried("enclosure", msg))

    def _apply(self, name: str, *reads: Slot) -> Slot:
        first, last = self.shapes[reads[0]], self.shapes[reads[-1]]
        shape = {"matmul": (first[0], last[1]), "transpose": (first[1], first[0])}
        return self.emit(shape.get(name, first), name, *reads)

    def _power(self, read: Slot, exponent: int) -> Slot:
        if exponent < 1:
            return self.constant(sympy.ones(*self.shapes[read]))
        slot = read
        for _ in range(exponent - 1):
            slot = self._apply("hadamard", slot, read)
        return slot

    def _kron(self, left: Slot, right: Slot) -> Slot:
        outer = self._apply("matmul", left, self._apply("transpose", right))
        count = self.shapes[left][0] * self.shapes[right][0]
        return self.emit((count, 1), "place", outer, count, 1, list(range(count)))

    def _place(self, name: str, read: Slot, constant: Any) -> Slot:
        # The operation is carried out on the numbers of the entries; 0 is none.
        rows, columns = self.shapes[read]
        entries = np.arange(1, rows * columns + 1).reshape(rows, columns)
        sizes = [] if constant is None else [int(constant)]
        crop = name == "crop"
        placed = entries[: sizes[0]] if crop else PRELUDE[name](np, entries, *sizes)
        high, across = placed.shape
        sources = [int(entry) - 1 for entry in placed.flat]
        return self.emit((high, across), "place", read, high, across, sources)
