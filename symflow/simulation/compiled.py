"""The exported integrator as a function of NumPy arrays: C by ctypes, or Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from math import prod
from threading import local
from typing import Any

import numpy as np

from symflow.algebra.arrays import unflatten
from symflow.codegen.inplace import Shape
from symflow.codegen.loading import load
from symflow.codegen.lower import rhs_program
from symflow.codegen.targets.c import STACK, scratch_of
from symflow.codegen.targets.ckernel import compiled
from symflow.codegen.targets.loops import SizedProgram
from symflow.codegen.targets.sizes import at_shapes
from symflow.errors import IntegrationFailed, InvalidData, imported
from symflow.flow import GradientFlow, as_times
from symflow.simulation.events import LossBelow
from symflow.simulation.integrator import (
    Lanes,
    c_integrator,
    loss_at,
    python_integrator,
)
from symflow.simulation.system import Floats

CALL = "compile_simulator(flow)"

#: Starts side by side in C, as many as a vector register holds twice, …
LANES = 8
#: … up to so many weights, whose stages then stay in the cache of a core.
NARROW = 150

FLOAT = np.dtype(np.float64)

#: Times up to which a thread keeps the memory of a call.
QUICK = 32

#: Starts per call of C, between which Python hears of Ctrl-C.
PORTION = 4096

#: What the C file refuses a call by; less than the last for further arrays of data.
NO_MEMORY, UNORDERED, NOT_FINITE = -1, -2, -3

#: Weights (starts, times, rows, columns), and per start why it ended, its steps, the
#: rejected ones and the time reached.
Run = Callable[..., tuple[tuple[Floats, ...], Floats]]


@lru_cache(maxsize=64)
def source_of(
    flow: GradientFlow,
    target: str,
    shapes: tuple[Shape, ...],
    events: tuple[LossBelow, ...] = (),
) -> str:
    """Return the file of a flow at the shapes of weights and data; C finds events.

    Raises InvalidArgument if an operation has no code.
    """
    program = at_shapes(rhs_program(flow), shapes, CALL)
    if target == "c":
        return c_integrator(flow, program, events)
    return python_integrator(flow, program, jit=target == "numba")


@lru_cache(maxsize=64)
def integrator_of(
    flow: GradientFlow,
    target: str,
    shapes: tuple[Shape, ...],
    events: tuple[LossBelow, ...] = (),
) -> Run:
    """Return the compiled file as a function of weights, data, times and tolerances.

    Raises InvalidArgument if an operation has no code, and NotInstalled without a
    compiler.
    """
    source = source_of(flow, target, shapes, events)
    program, count = at_shapes(rhs_program(flow), shapes, CALL), len(flow.state)
    if target == "c":
        loss = loss_at(flow, program) if events else program
        return CIntegrator(source, program, count, loss, len(events))
    if target == "numba":
        imported("numba", CALL, "bench")
    return PythonIntegrator(load(source, "simulate"), program, count)


class CIntegrator:
    """The C file, compiled for one start at a time and, when needed, for several.

    The program has the rates that it integrates; `count` of its inputs are weights.
    The `loss` in which so many `events` are found may read more data.
    """

    def __init__(
        self,
        source: str,
        program: SizedProgram,
        count: int,
        loss: SizedProgram,
        events: int,
    ) -> None:
        self.source, self.program, self.count = source, loss, count
        self.shapes, self.numbers = loss.shapes, 4 + events
        narrow = sum(map(prod, self.shapes[:count])) <= NARROW
        fits = scratch_of(program, Lanes(frozenset())) * LANES <= STACK
        self.lanes = LANES if narrow and fits else 1
        self._functions: dict[int, Any] = {}
        self._of_thread = local()

    def __call__(
        self,
        weights: Any,
        data: Any,
        times: Floats,
        rtol: float,
        atol: float,
        most: int,
    ) -> tuple[tuple[Floats, ...], Floats]:
        """Return the weights (starts, times, rows, columns), and the statistics."""
        shapes = self.shapes[: self.count]
        starts = weights[0].size // prod(shapes[0])
        out = tuple(np.full((starts, len(times), *shape), np.nan) for shape in shapes)
        stats = np.zeros((starts, self.numbers))
        data = [np.ascontiguousarray(a) for a in data]
        weights = [w.reshape(starts, *s) for w, s in zip(weights, shapes, strict=True)]
        times = np.ascontiguousarray(times)
        for first in range(0, starts, PORTION):
            part = slice(first, first + PORTION)
            given, results = [w[part] for w in weights], [o[part] for o in out]
            arrays = given, data, results
            code = self.bound(arrays, times, stats[part], rtol, atol, most)()
            if code < 0:
                _refuse(code, times, self.program, self.count)
            if code > most:
                break
        return out, stats

    def quickly(
        self, arrays: Sequence[Any], rtol: float, atol: float
    ) -> tuple[Floats, ...] | None:
        """Return the weights of one start by memory that is bound already.

        None where something else is asked for, or goes wrong: then ask again, in words.
        """
        desk = self._desk(getattr(arrays[-1], "shape", None), rtol, atol)
        if desk is None or len(desk.arrays) != len(arrays):
            return None
        for own, array in zip(desk.arrays, arrays, strict=True):
            is_plain = type(array) is np.ndarray and array.dtype is FLOAT
            if not is_plain or array.shape != own.shape:
                return None
            own[...] = array
        if desk.run():
            return None
        return tuple([result.copy() for result in desk.results])

    def _desk(self, times: Any, rtol: float, atol: float) -> _Desk | None:
        """Return memory for times of this shape, which a thread keeps."""
        desks: dict[Any, _Desk] = self._of_thread.__dict__.setdefault("desks", {})
        key = times, rtol, atol
        if key in desks:
            return desks[key]
        if times is None or len(times) > 1 or not 0 < prod(times) <= QUICK:
            return None
        if len(desks) >= QUICK:
            desks.clear()
        desks[key] = desk = _Desk(self, times, rtol, atol)
        return desk

    def bound(
        self,
        arrays: tuple[Sequence[Floats], ...],
        times: Floats,
        stats: Floats,
        rtol: float,
        atol: float,
        most: int,
    ) -> Callable[[], int]:
        """Return the C function without arguments, bound to contiguous memory.

        The `arrays` are weights, data and results; they, `times` and `stats` have to
        live as long. All ends where more than `most` starts have failed.
        """
        import ctypes

        starts, address = len(stats), ctypes.c_void_p
        function = self.function(self.lanes if starts > 1 else 1)
        weights, data, out = (
            (address * (len(part) or 1))(*(a.ctypes.data for a in part))
            for part in arrays
        )
        return partial(
            function,
            *(ctypes.c_long(starts), weights, data),
            *(ctypes.c_long(len(times)), address(times.ctypes.data)),
            *(ctypes.c_double(rtol), ctypes.c_double(atol)),
            *(out, address(stats.ctypes.data), ctypes.c_long(most)),
        )

    def function(self, lanes: int) -> Any:
        """Return the C function for so many starts side by side.

        Raises NotInstalled without a compiler, OutputError where it fails.
        """
        import ctypes

        if lanes in self._functions:
            return self._functions[lanes]
        library = compiled(self.source, f"-DLANES={lanes}", call=CALL)
        function = self._functions[lanes] = library.simulate
        function.restype = ctypes.c_long
        return function


class _Desk:
    """Memory for one start of a thread, to which the C function is bound for good."""

    def __init__(
        self, owner: CIntegrator, times: Shape, rtol: float, atol: float
    ) -> None:
        shapes, count = owner.shapes, owner.count
        self.arrays = [np.empty(shape) for shape in (*shapes, times)]
        moments = self.arrays[-1].reshape(-1)
        out = [np.empty((1, len(moments), *shape)) for shape in shapes[:count]]
        self.results = [o.reshape(*times, *o.shape[2:]) for o in out]
        weights, data = self.arrays[:count], self.arrays[count:-1]
        self.stats = np.empty((1, owner.numbers))
        given = weights, data, out
        self.run = owner.bound(given, moments, self.stats, rtol, atol, 0)


def _refuse(code: int, times: Floats, program: SizedProgram, count: int) -> None:
    """Raise the error of a call that the C file refuses."""
    if code == NO_MEMORY:
        msg = "simulator: no memory for the stages of a step"
        raise IntegrationFailed(msg)
    if code == UNORDERED:
        as_times(times, "simulator")
    name = program.program.inputs[count + NOT_FINITE - code].name
    msg = f"simulator: {name} has an entry that is not finite"
    raise InvalidData(msg)


class PythonIntegrator:
    """The Python file, plain or compiled by Numba; see `CIntegrator`."""

    def __init__(self, function: Any, program: SizedProgram, count: int) -> None:
        self.function, self.program, self.count = function, program, count
        self.shapes = program.shapes[:count]

    def __call__(
        self,
        weights: Any,
        data: Any,
        times: Floats,
        rtol: float,
        atol: float,
        most: int,
    ) -> tuple[tuple[Floats, ...], Floats]:
        """Return the weights (starts, times, rows, columns), and the statistics."""
        as_times(times, "simulator")
        for number, array in enumerate(data):
            if not np.isfinite(array).all():
                _refuse(NOT_FINITE - number, times, self.program, self.count)
        sizes = [prod(shape) for shape in self.shapes]
        pairs = zip(weights, sizes, strict=True)
        starts = np.concatenate([w.reshape(-1, size) for w, size in pairs], axis=1)
        numbers = tuple(a if a.ndim else float(a) for a in data)
        with np.errstate(all="ignore"):
            states, stats = self.function(starts, numbers, times, rtol, atol, most)
        return unflatten(states, self.shapes), stats
