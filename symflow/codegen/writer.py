"""Running a program into given arrays, without taking memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from symflow.algebra.arrays import Array
from symflow.codegen.inplace import inplace_function
from symflow.codegen.program import Program
from symflow.errors import InvalidArgument, ShapeMismatch


class Writer:
    """Runs a program into given arrays; memory is taken when the shapes change.

    Parameters
    ----------
    program : Program
        What to run.
    constants : tuple of arrays
        Values of its last inputs.
    """

    def __init__(self, program: Program, constants: tuple[Array, ...] = ()) -> None:
        self.program, self.constants = program, constants
        self._shapes: list[tuple[int, ...]] = []
        self._function: Callable[..., None] | None = None

    def __call__(self, out: Sequence[Array], arrays: Sequence[Array]) -> None:
        """Compute into `out`."""
        try:
            shapes = [array.shape for array in (*out, *arrays)]
        except AttributeError:
            msg = f"{self.program.name}.into(out, …): needs NumPy arrays throughout"
            raise InvalidArgument(msg) from None
        if self._function is None or shapes != self._shapes:
            self._prepare(out, arrays)
            self._shapes = shapes
        assert self._function is not None
        try:
            self._function(*out, *arrays, *self.constants)
        except (ValueError, TypeError) as problem:
            msg = (
                f"{self.program.name}.into(out, …): needs contiguous float64 arrays "
                f"for out; NumPy says: {problem}"
            )
            raise InvalidArgument(msg) from None

    def _prepare(self, out: Sequence[Array], arrays: Sequence[Array]) -> None:
        name, inputs = self.program.name, len(self.program.inputs)
        count = inputs - len(self.constants)
        if len(out) != len(self.program.outputs) or len(arrays) != count:
            msg = (
                f"{name}.into(out, …): needs {len(self.program.outputs)} arrays in out "
                f"and {count} arguments; got {len(out)} and {len(arrays)}"
            )
            raise ShapeMismatch(msg)
        shapes = [array.shape for array in (*arrays, *self.constants)]
        function = inplace_function(self.program, shapes)
        expected = [np.empty(array.shape) for array in out]
        try:
            function(*expected, *arrays, *self.constants)
        except ValueError:
            given = ", ".join(str(array.shape) for array in out)
            msg = f"{name}.into(out, …): the arrays in out have the shapes {given}"
            raise ShapeMismatch(msg) from None
        self._function = function
