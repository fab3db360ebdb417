"""Trajectories in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.codegen import compile as compile_flow
from symflow.conserved import drifts
from symflow.flow import GradientFlow, as_times
from symflow.flow.problem import Problem, bind
from symflow.simulate.methods import DOP853, Floats, Method
from symflow.trajectory import Trajectory

#: The global error of an integrator is taken as this many times its step tolerance.
ERROR_PER_TOLERANCE = 1e3


def simulate(
    flow: GradientFlow,
    data: Any,
    init: Any,
    t: Any,
    *,
    method: Method | None = None,
    rng: Any = None,
    progress: Callable[[float], None] | None = None,
) -> Trajectory:
    """Integrate a gradient flow in float64.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights (W_1, …, W_L) at t = 0.
    t : number or sequence of numbers
        Increasing times at which the weights are returned.
    method : Method, keyword-only
        `DOP853()` by default, with a relative tolerance of 1e-10.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.
    progress : callable, keyword-only, optional
        Called with the fraction of the time interval that is done.

    Returns
    -------
    Trajectory
        With the drift of every conserved quantity in `.stats`.

    Raises
    ------
    InvalidArgument
        If the times do not increase, or an argument is of the wrong kind.
    ShapeMismatch
        If data, weights and network do not fit together.
    IntegrationFailed
        If the integrator cannot reach the last time.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.1]], [[0.1]]], [0, 1, 10])
    >>> [round(w, 6) for w in run.end_to_end.ravel().tolist()]
    [0.01, 0.430588, 2.0]
    """
    times = np.array([float(time) for time in as_times(t, "simulate")])
    problem = bind(flow, data, init, rng=rng)
    floats = problem.floats
    chosen = DOP853() if method is None else method
    rhs = _flat_rhs(floats, times[-1], progress)
    path = chosen.integrate(rhs, _flatten(floats.weights), times)
    weights = unflatten(path.states, floats.weights)
    scale = max(float(np.max(np.abs(weight))) for weight in weights)
    trajectory = Trajectory(
        problem=problem,
        t=times,
        weights=weights,
        route=f"float64 ({type(chosen).__name__})",
        digits=10,
        error=ERROR_PER_TOLERANCE * chosen.rtol * scale,
        stats=path.stats,
        interpolant=lambda time: unflatten(
            path.interpolant(float(time)), floats.weights
        ),
    )
    trajectory.stats.update(drifts(trajectory))
    return trajectory


def unflatten(states: Floats, like: tuple[Array, ...]) -> tuple[Floats, ...]:
    """Cut state vectors into matrices shaped like the given ones.

    Examples
    --------
    >>> unflatten(np.arange(3.0), (np.eye(1), np.zeros((1, 2))))[1]
    array([[1., 2.]])
    """
    ends = np.cumsum([array.size for array in like])
    pieces = np.split(states, ends[:-1], axis=-1)
    return tuple(
        piece.reshape(*states.shape[:-1], *array.shape)
        for piece, array in zip(pieces, like, strict=True)
    )


def _flatten(weights: tuple[Array, ...]) -> Floats:
    return np.concatenate([np.asarray(weight, float).ravel() for weight in weights])


def _flat_rhs(
    problem: Problem, end: float, progress: Callable[[float], None] | None
) -> Callable[[float, Floats], Floats]:
    kernel = compile_flow(problem.flow)
    arguments = problem.arguments
    ends = np.cumsum([0, *(weight.size for weight in problem.weights)]).tolist()
    places = [
        (slice(first, last), weight.shape)
        for first, last, weight in zip(ends, ends[1:], problem.weights, strict=False)
    ]

    def rhs(time: float, state: Floats) -> Floats:
        if progress is not None:
            progress(time / end)
        weights = [state[place].reshape(shape) for place, shape in places]
        derivative = np.empty_like(state)
        for (place, _), block in zip(places, kernel(*weights, *arguments), strict=True):
            derivative[place] = block.ravel()
        return derivative

    return rhs
