"""Gradient descent in float64, with or without momentum, every iterate kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float, whole
from symflow.codegen import compile as compile_flow
from symflow.errors import IntegrationFailed, InvalidArgument
from symflow.flow import GradientDescent
from symflow.flow.given import DataLike, InitLike, Number, RandomLike
from symflow.flow.problem import Problem, bind
from symflow.simulation.companion import error_of
from symflow.trajectory import Trajectory


def descend(
    descent: GradientDescent,
    data: DataLike,
    init: InitLike,
    steps: int,
    *,
    step_size: Number,
    momentum: Number = 0,
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
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    Trajectory
        All iterates, the k-th at the time kη/(1 − β): compare with `simulate` of the
        flow.  Its `.error` is that of rounding, measured when it is read by another run
        in extended precision.

    Raises
    ------
    InvalidArgument
        If the number of steps or the step size is not positive, or the momentum out of
        range.
    IntegrationFailed
        If a weight is no longer finite, with the step that was reached.

    Examples
    --------
    >>> import symflow as sf
    >>> gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = descend(gd, sf.whitened([[2]]), [[[1]], [[1]]], 2, step_size=0.1)
    >>> [round(w, 6) for w in run.end_to_end.ravel().tolist()]
    [1.0, 1.21, 1.408732]
    """
    rule = _rule(descent, steps, step_size, momentum)
    problem = bind(descent.flow, data, init, rng=rng)
    weights = rule.iterates(problem.floats, float)
    beta = f", β = {rule.momentum:g}" if rule.momentum else ""
    return Trajectory(
        problem=problem,
        t=rule.step_size / (1 - rule.momentum) * np.arange(rule.steps + 1),
        weights=weights,
        route=f"gradient descent, η = {rule.step_size:g}{beta}",
        digits=10,
        error=_Rounding(rule, problem, weights),
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

    def iterates(self, problem: Problem, kind: Any) -> tuple[Array, ...]:
        """Return all iterates in an arithmetic, one array per layer."""
        kernel = compile_flow(problem.flow)
        arguments = [array.astype(kind) for array in problem.arguments]
        current = [weight.astype(kind) for weight in problem.weights]
        moves = [np.zeros_like(weight) for weight in current]
        found = [current]
        with np.errstate(over="ignore", invalid="ignore"):
            for number in range(1, self.steps + 1):
                rates = kernel(*current, *arguments)
                moves = [
                    self.step_size * rate + self.momentum * move
                    for rate, move in zip(rates, moves, strict=True)
                ]
                current = [w + move for w, move in zip(current, moves, strict=True)]
                if not all(np.all(np.isfinite(weight)) for weight in current):
                    msg = (
                        f"descend: step {number} leaves the floats. Take a smaller step"
                    )
                    raise IntegrationFailed(msg)
                found.append(current)
        return tuple(np.stack(layer) for layer in zip(*found, strict=True))


@dataclass(frozen=True, eq=False)
class _Rounding:
    """The rounding error of iterates, by others in extended precision."""

    rule: _Rule
    problem: Problem
    weights: tuple[Array, ...]

    def __call__(self) -> float:
        better = self.rule.iterates(self.problem.floats, np.longdouble)
        return error_of(self.weights, better)


def _rule(descent: Any, steps: Any, step_size: Any, momentum: Any) -> _Rule:
    if not isinstance(descent, GradientDescent):
        msg = f"descend(descent, …): needs a gradient_descent(…); got {descent!r}"
        raise InvalidArgument(msg)
    steps = whole(steps, "descend(steps=…)")
    eta = to_float(step_size)
    if eta <= 0:
        msg = f"descend(step_size=…): needs a positive number; got {step_size!r}"
        raise InvalidArgument(msg)
    beta = to_float(momentum)
    if not 0 <= beta < 1:
        msg = f"descend(momentum=…): needs a number from 0 to below 1; got {momentum!r}"
        raise InvalidArgument(msg)
    return _Rule(int(steps), eta, beta)
