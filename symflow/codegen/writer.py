"""Running a program into given arrays, without taking memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from threading import Lock
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.widths import solve_widths
from symflow.codegen.arrays import array_source
from symflow.codegen.inplace import has_fixed_size_code, inplace_function, slot_shapes
from symflow.codegen.loading import load
from symflow.codegen.operands import floats, refuse_overlap, refuse_unwritable
from symflow.codegen.program import Program
from symflow.errors import InvalidArgument, ShapeMismatch, expect

Shapes = list[tuple[int, ...]]


class Writer:
    """Runs a program into given arrays; memory is taken when the shapes change.

    The arrays of the last call are kept, because they need no second check.

    `constants` are the values of its last inputs.
    """

    def __init__(self, program: Program, constants: tuple[Array, ...] = ()) -> None:
        self.program, self.constants = program, constants
        self.call = f"{program.name}.into(out, …)"
        self._given: tuple[Any, ...] = ()
        self._shapes: Shapes = []
        self._results: Shapes = []
        self._is_plain = False
        self._function: Callable[..., None] | None = None
        self._turn = Lock()

    def __call__(self, out: Sequence[Array], arrays: Sequence[Array]) -> None:
        """Compute into `out`; threads take turns with the arrays between."""
        with self._turn:
            self._compute(out, arrays)

    def _compute(self, out: Sequence[Array], arrays: Sequence[Array]) -> None:
        try:
            given = (*out, *arrays)
            shapes = [array.shape for array in given]
        except (AttributeError, TypeError, MemoryError):
            msg = f"{self.call}: needs NumPy arrays throughout"
            raise InvalidArgument(msg) from None
        known = len(given) == len(self._given) and all(map(is_, given, self._given))
        if not known or shapes != self._shapes:
            self._check(out, arrays)
            self._given, self._shapes = given, shapes
        assert self._function is not None
        values = arrays if self._is_plain else self._floats(arrays)
        try:
            self._function(*out, *values, *self.constants)
        except (ValueError, TypeError) as problem:
            msg = f"{self.call}: NumPy says: {problem}"
            raise InvalidArgument(msg) from None

    def _check(self, out: Sequence[Array], arrays: Sequence[Array]) -> None:
        self._given = ()
        expect(out, "__len__", self.call, "a list of arrays as out")
        count = len(self.program.inputs) - len(self.constants)
        if len(out) != len(self.program.outputs) or len(arrays) != count:
            msg = (
                f"{self.call}: needs {len(self.program.outputs)} arrays in out "
                f"and {count} arguments; got {len(out)} and {len(arrays)}"
            )
            raise ShapeMismatch(msg)
        values = self._floats(arrays)
        self._is_plain = all(map(is_, values, arrays))
        if self._shapes[len(out) :] != [array.shape for array in arrays]:
            self._prepare([*values, *self.constants])
        refuse_unwritable(out, self._results, self.call)
        refuse_overlap(out, [*arrays, *self.constants], self.call)

    def _floats(self, arrays: Sequence[Array]) -> list[Array]:
        pairs = zip(self.program.inputs, arrays, strict=False)
        return [floats(array, f"{self.call}: {one.name}") for one, array in pairs]

    def _prepare(self, values: list[Array]) -> None:
        """Write the code for the shapes of the arguments."""
        self._shapes = []
        shapes = [value.shape for value in values]
        for argument, shape in zip(self.program.inputs, shapes, strict=True):
            if len(shape) != len(argument.shape):
                needed = "a matrix" if argument.shape else "one number"
                msg = f"{self.call}: {argument.name} has to be {needed}; got {shape}"
                raise ShapeMismatch(msg)
        if has_fixed_size_code(self.program):
            slots: Any = slot_shapes(self.program, shapes)
            self._results = [slots[result.slot] for result in self.program.outputs]
        else:
            pairs = zip(self.program.inputs, shapes, strict=True)
            solve_widths((f"{self.call}: {a.name}", a.shape, s) for a, s in pairs)
            compute = load(array_source(self.program, ""), self.program.name)
            self._results = [np.shape(result) for result in compute(*values)]
        self._function = inplace_function(self.program, shapes)
