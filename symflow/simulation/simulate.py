"""Trajectories in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from symflow.conservation import drifts
from symflow.curriculum import run_along
from symflow.errors import FLAG, InvalidArgument, ShapeMismatch, expect, shown
from symflow.flow import GradientFlow, HeavyBall, as_times
from symflow.flow.curriculum import Curriculum
from symflow.flow.given import DataLike, InitLike, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind_moving
from symflow.progress import Told, reporter
from symflow.simulation.choice import as_method
from symflow.simulation.companion import Companion
from symflow.simulation.dop853 import DOP853
from symflow.simulation.events import Event, LossBelow, as_events
from symflow.simulation.follow import DenseOutput, follow
from symflow.simulation.methods import Method, fitted
from symflow.simulation.steady import SteadyState
from symflow.simulation.stiffness import advice
from symflow.simulation.system import Floats, System
from symflow.simulation.taylor import Taylor
from symflow.trajectory import Trajectory

#: Tolerance relative to the square root of the loss at which an event is sought, …
BELOW_LEVEL = 1e-3
#: … and what rounding leaves of it.
FINEST = 1e-14


def simulate(
    flow: GradientFlow | HeavyBall,
    data: DataLike | Curriculum,
    init: InitLike,
    t: TimesLike,
    *,
    method: Method | str | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    events: Sequence[Any] = (),
    steady_state: bool = False,
    rng: RandomLike = None,
    progress: Told = None,
) -> Trajectory:
    """Integrate a gradient flow in float64.

    Parameters
    ----------
    flow : GradientFlow or HeavyBall
        The flow, or with momentum.
    data : Dataset, Moments or Curriculum
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights (W_1, …, W_L) at t = 0; of a heavy ball
        velocities may follow, which are zero without.  `ensemble` takes many starts.
    t : number or sequence of numbers
        Increasing times at which the weights are returned.
    method : Method or str, keyword-only
        `DOP853()` by default, with a relative tolerance of 1e-10; `Radau()` for stiff
        flows, `GaussLegendre()` to keep the quadratic invariants, `Taylor()` for
        rounding error and for the friction c/t.  A name such as ``"Radau"`` will do.
    rtol, atol : float, keyword-only, optional
        Tolerances of the method, where it is named or the default.
    events : sequence of Event or callable, keyword-only
        `LossBelow`, `ModeCrosses`, or functions g(t, weights): the times at which they
        change sign are located and stand in `.stats` under the event's name.
    steady_state : bool, keyword-only
        Stop where the flow has converged: its derivative is below 10 times the
        method's tolerance and nothing grows.  `.stats["steady"]` says so, and the time
        of the stop is the last.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.
    progress : callable or True, keyword-only, optional
        A bar, or called with the fraction of the time interval that is done.

    Returns
    -------
    Trajectory
        With the drift of every conserved quantity in `.stats`, and what to do where
        the flow is stiff for the method.  Its `.error` is measured when it is read, by
        another run a hundred times as accurate.

    Raises
    ------
    InvalidArgument
        If the times do not increase, or an argument is of the wrong kind.
    ShapeMismatch
        If data, weights and network do not fit together.
    IntegrationFailed
        If the integrator cannot reach the last time, or takes 300 000 steps.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.1]], [[0.1]]], [0, 1, 10])
    >>> [round(w, 6) for w in run.end_to_end.ravel().tolist()]
    [0.01, 0.430588, 2.0]
    """
    if isinstance(data, Curriculum):
        if events or steady_state:
            msg = "simulate(flow, Curriculum(…)): has no events and no steady state"
            raise InvalidArgument(msg)
        alike = partial(simulate, flow, method=method, rtol=rtol, atol=atol, rng=rng)
        return run_along(data, init, t, "simulate", partial(_after, alike), progress)
    times = np.array([float(time) for time in as_times(t, "simulate")])
    _refuse_stacks(init)
    told = reporter(progress, "simulate")
    expect(steady_state, FLAG, "simulate(steady_state=…)", "True or False")
    problem = bind_moving(flow, data, init, rng=rng)
    watched = as_events(events)
    finest = _fine_enough(watched) if method is None and rtol is None else rtol
    if problem.flow.fading and method is None:
        method, finest = "Taylor", rtol
    chosen = as_method(method, "simulate", rtol=finest, atol=atol)
    _refuse_for_balls(problem, chosen, steady_state=steady_state)
    system = System(problem.floats, is_tuned=chosen.is_general)
    chosen = fitted(chosen, system.start)
    path = follow(
        chosen,
        system,
        times,
        events=watched,
        steady=SteadyState(system, 10 * chosen.rtol) if steady_state else None,
        progress=told,
    )
    if isinstance(chosen, DOP853):
        stiff = advice(system, path.interpolant.steps)
        path.stats.update({} if stiff is None else {"stiff": stiff})
    weights = system.matrices(path.states)
    weights[0][path.times <= 0] = problem.floats.weights[0]  # to the last bit
    route = f"float64 ({type(chosen).__name__})"
    later: Any = partial(_measured, path.stats, problem, path.times, weights, route)
    return Trajectory(
        problem=problem,
        t=path.times,
        weights=weights,
        route=route,
        digits=10,
        error=Companion(problem, chosen, path.times, weights),
        stats=later,
        interpolant=_Interpolant(system, path.interpolant),
    )


def _after(
    alike: Any, data: Any, start: Any, t: Any, runs: list[Any], part: Told
) -> Trajectory:
    """Integrate a piece whose error starts with that of the runs before."""
    run: Trajectory = alike(data, start, t, progress=part)
    if not runs:
        return run
    measured, known = (vars(path)["_error"] for path in (run, runs[-1]))
    return replace(run, error=replace(measured, before=known))


def _measured(
    stats: dict[str, Any], problem: Problem, times: Any, weights: Any, route: str
) -> dict[str, Any]:
    """Return facts about a run with the drifts of its laws, from the start on.

    Deriving the laws of a new network takes longer than a short run.
    """
    if times[0] > 0:
        pairs = zip(problem.floats.weights, weights, strict=True)
        weights = tuple(np.concatenate([start[None], rest]) for start, rest in pairs)
        times = np.concatenate([[0.0], times])
    path = Trajectory(problem, times, weights, route, digits=10, error=np.nan)
    return {**stats, **drifts(path)}


def _is_stack(weight: Any) -> bool:
    try:
        return np.ndim(weight) == 3
    except ValueError:
        return False  # ragged rows, which `bind` refuses in words


def _refuse_stacks(init: Any) -> None:
    if isinstance(init, (list, tuple)) and any(map(_is_stack, init)):
        shapes = [np.shape(w) for w in init]
        msg = (
            f"simulate(init=…): needs matrices; got the shapes {shapes}. Use "
            "ensemble(flow, data, init, t) for many starts in one call"
        )
        raise ShapeMismatch(msg)


def _refuse_for_balls(problem: Problem, method: Method, *, steady_state: bool) -> None:
    if problem.flow.fading and not isinstance(method, Taylor):
        msg = (
            f"simulate(method=…): the friction {problem.flow.friction} is infinite at "  # type: ignore[attr-defined]
            f"t = 0, which only Taylor() starts from; got {shown(method)}"
        )
        raise InvalidArgument(msg)
    if steady_state and problem.at_rest is not problem:
        msg = (
            "simulate(steady_state=True): is for gradient flows, which come to rest "
            "where the loss is flat; a heavy ball passes there. Give a last time"
        )
        raise InvalidArgument(msg)


@dataclass(frozen=True)
class _Interpolant:
    system: System
    dense: DenseOutput

    def __call__(self, time: Any) -> tuple[Floats, ...]:
        return self.system.matrices(self.dense(float(time)))


def _fine_enough(events: Sequence[Event]) -> float:
    """Return the default tolerance, or one that the smallest level asks for.

    A loss is of second order in the distance from a minimum, and errors hide it below
    the square of the tolerance.
    """
    levels = [e.level for e in events if isinstance(e, LossBelow) and e.level > 0]
    wanted = BELOW_LEVEL * sqrt(min(levels, default=1.0))
    return min(DOP853().rtol, max(wanted, FINEST))
