"""Gradient descent in float64, with or without momentum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from symflow.algebra.arrays import Array, unflatten
from symflow.algebra.numbers import to_float, whole
from symflow.codegen import compile as compile_flow
from symflow.codegen.inplace import inplace_function
from symflow.codegen.lower import rhs_program
from symflow.codegen.targets.ckernel import found_compiler
from symflow.codegen.targets.sizes import has_code
from symflow.errors import IntegrationFailed, InvalidArgument, expect, one_of, shown
from symflow.flow import GradientDescent
from symflow.flow.given import DataLike, InitLike, Number, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind
from symflow.flow.times import as_times
from symflow.inits.init import positive_number
from symflow.simulation.companion import error_of
from symflow.simulation.stepping import compiled_steps
from symflow.trajectory import Trajectory

#: Steps between tests whether all weights are finite.
BLOCK = 64
#: Layers so narrow, and steps so many, are worth to compile C, which takes 0.3 s.
NARROW, WORTH = 24, 50_000
#: How far a time may be off that of an iterate, relative.
SLACK = 1e-9


def descend(
    descent: GradientDescent,
    data: DataLike,
    init: InitLike,
    steps: int,
    *,
    step_size: Number,
    momentum: Number = 0,
    times: TimesLike | None = None,
    every: int = 1,
    engine: str = "numpy",
    rng: RandomLike = None,
) -> Trajectory:
    """Run gradient descent in float64.

    A step is θ⁺ = θ + ηθ̇ + β(θ − θ⁻), where θ⁻ is the iterate before θ and β the
    momentum (Polyak's heavy ball).

    Parameters
    ----------
    descent : GradientDescent
        The dynamics.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights at the start.
    steps : int
        Number of steps.
    step_size : number, keyword-only
        η, positive.
    momentum : number, keyword-only
        β, at least 0 and below 1.
    times : sequence of numbers, keyword-only, optional
        Which iterates to keep: rising times kη/(1 − β), up to rounding, k ≤ `steps`.
    every : int, keyword-only
        Keep the iterates 0, `every`, 2·`every`, … and the last one.
    engine : {"numpy", "c", "auto"}, keyword-only
        What takes the steps: NumPy, a C loop that is compiled for the flow, or that
        where there is a compiler and many steps of narrow layers are worth it.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    Trajectory
        All iterates, or those asked for, the k-th at the time kη/(1 − β): compare with
        `simulate` of the flow.  Memory is taken for what is kept.  Its `.error` is that
        of rounding, measured when it is read by another run in extended precision.

    Raises
    ------
    InvalidArgument
        If the number of steps or the step size is not positive, the momentum out of
        range, or a time is not that of an iterate; if C has no code for the flow.
    NotInstalled
        If C is asked for and there is no compiler.
    IntegrationFailed
        If a weight is no longer finite, with the step that was reached.

    Examples
    --------
    >>> import symflow as sf
    >>> gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = descend(gd, sf.whitened([[2]]), [[[1]], [[1]]], 2, step_size=0.1)
    >>> [round(w, 6) for w in run.end_to_end.ravel().tolist()]
    [1.0, 1.21, 1.408732]
    >>> len(descend(gd, sf.whitened([[2]]), [[[1]], [[1]]], 9, step_size=0.1, every=4))
    4
    """
    rule = _rule(descent, steps, step_size, momentum)
    kept = _kept(rule, times, every)
    problem = bind(descent.flow, data, init, rng=rng)
    chosen = _engine(engine, problem, rule.steps)
    weights = rule.iterates(problem.floats, kept, float, chosen)
    beta = f", β = {rule.momentum:g}" if rule.momentum else ""
    return Trajectory(
        problem=problem,
        t=rule.tick * kept,
        weights=weights,
        route=f"gradient descent, η = {rule.step_size:g}{beta}"
        + (", in C" if chosen == "c" else ""),
        digits=10,
        error=_Rounding(rule, problem, kept, weights),
        stats={
            "steps": rule.steps,
            "step size": rule.step_size,
            "momentum": rule.momentum,
        },
    )


@dataclass(frozen=True)
class _Rule:
    steps: int
    step_size: float
    momentum: float

    @property
    def tick(self) -> float:
        """The time of a step."""
        return self.step_size / (1 - self.momentum)

    def iterates(
        self, problem: Problem, kept: Array, kind: Any, engine: str = "numpy"
    ) -> tuple[Array, ...]:
        """Return the iterates of these numbers in an arithmetic, by layers."""
        state = _State(self, problem, kind, engine)
        found = np.empty((len(kept), state.size), kind)
        found[: np.searchsorted(kept, 0, side="right")] = state.flat
        ends = [*range(BLOCK, kept[-1], BLOCK), kept[-1]]
        with np.errstate(over="ignore", invalid="ignore"):
            for done, end in pairwise([0, *ends]):
                first, last = np.searchsorted(kept, (done, end), side="right")
                state.through(done, end, kept[first:last].tolist(), found[first:last])
        return tuple(state.layers(found))


class _State:
    """An iterate: all layers in one vector, so that a step costs few calls of NumPy."""

    def __init__(self, rule: _Rule, problem: Problem, kind: Any, engine: str) -> None:
        program = compile_flow(problem.flow).program
        arguments = [array.astype(kind) for array in problem.arguments]
        self._shapes = [weight.shape for weight in problem.weights]
        self._rule, self.size = rule, sum(w.size for w in problem.weights)
        self._steps: Callable[[int], None] = self._in_numpy
        self._moves = np.zeros(self.size, kind)
        self._rates = np.zeros(self.size, kind)
        self.flat = np.concatenate([w.astype(kind).ravel() for w in problem.weights])
        inputs = [*self.layers(self.flat), *arguments]
        outputs = self.layers(self._rates)
        if engine == "c":
            shapes = tuple(array.shape for array in inputs)
            vectors = self.flat, self._rates, self._moves
            numbers = rule.step_size, rule.momentum
            self._steps = compiled_steps(
                problem.flow, shapes, arguments, vectors, numbers
            )
        elif kind is float:
            run = inplace_function(program, [array.shape for array in inputs])
            self._differentiate = partial(run, *outputs, *inputs)
        else:
            self._differentiate = partial(
                _copied, compile_flow(problem.flow), outputs, inputs
            )

    def layers(self, flat: Array) -> list[Array]:
        """Return the layers in vectors, as views."""
        return [*unflatten(flat, self._shapes)]

    def through(self, done: int, end: int, kept: list[int], found: Array) -> None:
        """Take the steps from `done` to `end`, and keep some of the iterates."""
        before, at = (self.flat.copy(), self._moves.copy()), done
        for number, place in zip(kept, found, strict=True):
            self._steps(number - at)
            place[:], at = self.flat, number
        self._steps(end - at)
        if not np.isfinite(self.flat).all():
            self.flat[:], self._moves[:] = before
            self._fail(done)

    def _in_numpy(self, count: int) -> None:
        step_size, momentum = self._rule.step_size, self._rule.momentum
        flat, rates, moves = self.flat, self._rates, self._moves
        for _ in range(count):
            self._differentiate()
            np.multiply(rates, step_size, rates)
            if momentum:
                np.multiply(moves, momentum, moves)
                np.add(rates, moves, moves)
                np.add(flat, moves, flat)
            else:
                np.add(flat, rates, flat)

    def _fail(self, done: int) -> NoReturn:
        """Raise with the first step after these that leaves the floats."""
        while np.isfinite(self.flat).all():
            self._steps(1)
            done += 1
        msg = f"descend: step {done} leaves the floats. Take a smaller step"
        raise IntegrationFailed(msg)


def _engine(engine: Any, problem: Problem, steps: int) -> str:
    """Return what takes the steps, "numpy" or "c"."""
    asked = one_of(engine, ("numpy", "c", "auto"), "descend(engine=…)")
    if asked != "auto":
        return asked
    narrow = max(map(max, (w.shape for w in problem.weights))) <= NARROW
    steady = has_code(rhs_program(problem.flow)) and steps >= WORTH
    return "c" if narrow and steady and found_compiler() else "numpy"


def _copied(kernel: Any, outputs: list[Array], inputs: list[Array]) -> None:
    for place, rate in zip(outputs, kernel(*inputs), strict=True):
        place[...] = rate


@dataclass(frozen=True, eq=False)
class _Rounding:
    """The rounding error of iterates, by others in extended precision."""

    rule: _Rule
    problem: Problem
    kept: Array
    weights: tuple[Array, ...]

    def __call__(self) -> float:
        better = self.rule.iterates(self.problem.floats, self.kept, np.longdouble)
        return error_of(self.weights, better)


def _kept(rule: _Rule, times: Any, every: Any) -> Array:
    """Return the numbers of the iterates to keep."""
    every = whole(every, "descend(every=…)")
    if times is None:
        return np.union1d(np.arange(0, rule.steps, every), [rule.steps])
    if every != 1:
        msg = f"descend(times=…, every={every}): says twice what to keep; give one"
        raise InvalidArgument(msg)
    wanted = np.array([float(time) for time in as_times(times, "descend", "times")])
    kept = np.rint(wanted / rule.tick)
    off = np.abs(wanted - kept * rule.tick) > SLACK * np.maximum(wanted, rule.tick)
    if off.any() or kept[-1] > rule.steps or (np.diff(kept) <= 0).any():
        msg = (
            f"descend(times=…): needs rising multiples of η/(1 − β) = {rule.tick:.6g} "
            f"up to {rule.tick * rule.steps:.6g}, the times of the iterates; got "
            f"{shown(times)}. Give every=… to keep every so many"
        )
        raise InvalidArgument(msg)
    return kept.astype(int)


def _rule(descent: Any, steps: Any, step_size: Any, momentum: Any) -> _Rule:
    expect(descent, GradientDescent, "descend(descent, …)", "a gradient_descent(…)")
    steps = whole(steps, "descend(steps=…)")
    eta = to_float(positive_number(step_size, "descend(step_size=…)"))
    beta = to_float(momentum)
    if not 0 <= beta < 1:
        got = shown(momentum)
        msg = f"descend(momentum=…): needs a number from 0 to below 1; got {got}"
        raise InvalidArgument(msg)
    return _Rule(int(steps), eta, beta)
