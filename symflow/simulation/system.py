"""A problem as a system y' = f(y) of one flat state: what the methods integrate.

The right-hand side writes into given memory: `System.bind` ties the matrices of the
program to slices of a state and of a result once, and what it returns costs one call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.arrays import unflatten
from symflow.algebra.threads import cached_property
from symflow.codegen.inplace import inplace_function
from symflow.codegen.program import Program
from symflow.codegen.tangent import directional, has_tangent
from symflow.flow.problem import Problem
from symflow.simulation.tuning import Form, plain, tuned

Floats = NDArray[np.float64]

#: Nearer to a blow-up than this, relative, the time itself is not known well enough.
NEAR = 1e-9
#: Step of a central difference relative to the weights, eps^(1/3).
DIFFERENCE = 6e-6


@dataclass(frozen=True, eq=False)
class System:
    """The flow of a problem on one vector of all weights."""

    problem: Problem  # with weights and data in float64
    #: Whether to look for the cheapest program; the state may then hold the first
    #: weight in other coordinates, which `matrices` undoes.
    is_tuned: bool = False

    @cached_property
    def form(self) -> Form:
        """The program of the right-hand side with its constants."""
        return tuned(self.problem) if self.is_tuned else plain(self.problem)

    def started_at(self, state: Floats) -> System:
        """Return the system from another state, with the program that was found."""
        other = replace(self, problem=self.problem.started_at(self.matrices(state)))
        vars(other)["form"] = self.form
        return other

    def __reduce__(self) -> Any:
        # What is compiled stays behind, and is compiled again where it is needed.
        return System, (self.problem, self.is_tuned)

    @property
    def program(self) -> Program:
        """The program of the right-hand side."""
        return self.form.program

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the weights."""
        return tuple(weight.shape for weight in self.problem.weights)

    @cached_property
    def start(self) -> Floats:
        """All weights at t = 0, one after the other."""
        first, *rest = self.problem.weights
        if self.form.frame is not None:
            first = first @ self.form.frame
        return np.concatenate([np.ravel(weight) for weight in (first, *rest)])

    @property
    def size(self) -> int:
        """Number of scalar weights."""
        return self.start.size

    def matrices(self, states: Floats) -> tuple[Floats, ...]:
        """Return the weights of a state, or of many in leading dimensions."""
        first, *rest = self._views(states)
        if self.form.frame is not None:
            first = first @ self.form.frame.T
        return first, *rest

    def _views(self, states: Floats) -> tuple[Floats, ...]:
        return unflatten(states, self.shapes)

    def bind(self, state: Floats, out: Floats) -> Callable[[], None]:
        """Return a function that writes f(state) into `out`, both fixed memory.

        Both have shape (…, size); leading dimensions are batches.
        """
        compute = self._function(state.shape[:-1])
        arrays = (*self._views(out), *self._views(state), *self.form.constants)
        return partial(compute, *arrays)

    def rhs(self, _time: float, state: Floats) -> Floats:
        """Return f(state) in new memory."""
        memory, derivative, run = self._single
        memory[:] = state
        run()
        return derivative.copy()

    def explodes(self, time: float, state: Floats) -> bool:
        """Say whether the weights grow as they do next to a blow-up.

        A pole (T − t)^(−p) grows at the rate p / (T − t).  Nothing else grows so fast
        for long: exponentials would have left the floats.
        """
        size = float(np.max(np.abs(state))) or 1.0
        unit, slope = state / size, self.rhs(time, state) / size
        return not float(unit @ slope) * time <= float(unit @ unit) / NEAR

    def jacobian(self, state: Floats) -> Floats:
        """Return ∂f/∂y at a state: exactly, or by central differences."""
        if not has_tangent(self.program):
            return self._differences(state)
        units = self._views(np.eye(self.size))
        arguments = self.form.constants
        columns = directional(
            self.program,
            [*self._views(state), *arguments],
            [*units, *(None for _ in arguments)],
        )
        return np.concatenate([c.reshape(self.size, -1) for c in columns], axis=1).T

    def along(self, state: Floats, direction: Floats) -> Floats:
        """Return the derivative of f along a direction: the Jacobian times it."""
        if not has_tangent(self.program):
            step = DIFFERENCE * max(1.0, float(np.max(np.abs(state))))
            step /= float(np.max(np.abs(direction))) or 1.0
            ahead = self.rhs(0.0, state + step * direction)
            return (ahead - self.rhs(0.0, state - step * direction)) / (2 * step)
        arguments = self.form.constants
        blocks = directional(
            self.program,
            [*self._views(state), *arguments],
            [*self._views(direction), *(None for _ in arguments)],
        )
        return np.concatenate([block.ravel() for block in blocks])

    def _differences(self, state: Floats) -> Floats:
        step = DIFFERENCE * max(1.0, float(np.max(np.abs(state))))
        columns = [
            self.rhs(0.0, state + step * unit) - self.rhs(0.0, state - step * unit)
            for unit in np.eye(self.size)
        ]
        return np.stack(columns, axis=1) / (2 * step)

    @cached_property
    def _single(self) -> tuple[Floats, Floats, Callable[[], None]]:
        memory, derivative = np.empty(self.size), np.empty(self.size)
        return memory, derivative, self.bind(memory, derivative)

    @cached_property
    def _functions(self) -> dict[tuple[int, ...], Callable[..., None]]:
        return {}

    def _function(self, batch: tuple[int, ...]) -> Callable[..., None]:
        # Functions of one batch size share their scratch memory; they run in turn.
        if batch not in self._functions:
            arrays = (*self.problem.weights, *self.form.constants)
            shapes = [array.shape for array in arrays]
            self._functions[batch] = inplace_function(self.program, shapes, batch)
        return self._functions[batch]
