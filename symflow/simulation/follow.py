"""The loop around a method: output times, events, convergence, dense output."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symflow.errors import IntegrationFailed
from symflow.progress import untold
from symflow.simulation.crossings import crossings
from symflow.simulation.events import Event, distinct_names
from symflow.simulation.methods import (
    ENDLESS,
    MOST_STEPS,
    TELLING,
    IntegratorStep,
    Method,
)
from symflow.simulation.steady import SteadyState
from symflow.simulation.system import Floats, System


@dataclass(frozen=True)
class Integrated:
    """The result of an integration: times, states, dense output, statistics."""

    times: Floats
    states: Floats
    interpolant: DenseOutput
    stats: dict[str, Any]


@dataclass(frozen=True)
class DenseOutput:
    """Dense output: the steps, each of which knows its inside."""

    start: Floats
    steps: list[IntegratorStep] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def append(self, step: IntegratorStep) -> None:
        """Add the next step."""
        self.steps.append(step)
        self.ends.append(step.end)

    def __call__(self, time: float) -> Floats:
        """Return the state at a time that a step covers."""
        if not self.steps or time <= 0:
            return self.start.copy()
        place = min(bisect_left(self.ends, time), len(self.steps) - 1)
        with np.errstate(all="ignore"):
            return self.steps[place].at(min(time, self.ends[place]))


def follow(
    method: Method,
    system: System,
    times: Floats,
    *,
    events: Sequence[Event] = (),
    steady: SteadyState | None = None,
    progress: Callable[[float], None] = untold,
) -> Integrated:
    """Integrate a system and return its states at the times.

    A terminal event or a steady state ends the path, and its time becomes the last.
    The located times of every event are in the statistics.

    Raises IntegrationFailed if the method cannot go on, or takes more than `MOST_STEPS`
    steps.
    """
    run = _Run(system, times, events)
    progress(0.0)
    with np.errstate(all="ignore"):
        end = float(times[-1])
        for step in method.steps(system, end, run.stats) if end > 0 else ():
            run.dense.append(step)
            stop = run.cross(step)
            if stop is None and steady is not None and steady.holds(step.state):
                stop = step.end
                run.stats["steady"] = steady.verdict(stop)
            run.record(step, stop)
            progress(step.end / end)
            if stop is not None:
                break
            count, left = len(run.dense.ends), end - step.end
            hopeless = count >= TELLING and left > ENDLESS * (step.end - step.t)
            if left > 0 and (hopeless or count >= MOST_STEPS):
                msg = (
                    f"simulate: after {count} steps the flow was followed to t = "
                    f"{step.end:g} of {end:g} only: it is stiff for this method and "
                    "tolerance. Use Radau() or a larger rtol, ask for an earlier time, "
                    "or stop with steady_state=True"
                )
                raise IntegrationFailed(msg)
        if len(run.dense.ends) and system.explodes(run.times[-1], run.states[-1]):
            msg = (
                f"simulate: the weights grow without bound near t = {run.times[-1]:g}, "
                "and have no values there that the time, being a float, could "
                "determine. Ask for an earlier time"
            )
            raise IntegrationFailed(msg)
    if steady is not None:
        run.stats.setdefault("steady", f"not reached by t = {times[-1]:g}")
    return run.path()


class _Run:
    """What an integration has collected so far."""

    def __init__(self, system: System, times: Floats, events: Sequence[Event]) -> None:
        self.system, self.waiting = system, list(map(float, times))
        self.dense = DenseOutput(system.start)
        self.times: list[float] = []
        self.states: list[Floats] = []
        self.stats: dict[str, Any] = {"steps": 0, "evaluations": 0}
        self.events = events
        self._watches = [event.watch(system.problem) for event in events]
        start = system.matrices(system.start)
        self._signs = [watch(0.0, start) for watch in self._watches]
        self._names = distinct_names(events)
        self.stats |= dict.fromkeys(self._names, ())
        while self.waiting and self.waiting[0] <= 0:
            self._keep(self.waiting.pop(0), system.start)

    def record(self, step: IntegratorStep, stop: float | None) -> None:
        """Keep the states at those times that the step covers, up to a stop."""
        last = step.end if stop is None else stop
        while self.waiting and self.waiting[0] <= last:
            time = self.waiting.pop(0)
            self._keep(time, step.state if time == step.end else step.at(time))
        if stop is not None and (not self.times or self.times[-1] < stop):
            self._keep(stop, step.at(stop))

    def cross(self, step: IntegratorStep) -> float | None:
        """Locate the events of a step; return the time of the first that stops."""
        found = [self._crossings(number, step) for number in range(len(self.events))]
        stops = [
            times[0]
            for event, times in zip(self.events, found, strict=True)
            if event.terminal and times
        ]
        stop = min(stops, default=None)
        for name, times in zip(self._names, found, strict=True):
            self.stats[name] += tuple(t for t in times if stop is None or t <= stop)
        return stop

    def _crossings(self, number: int, step: IntegratorStep) -> list[float]:
        """Locate the times in a step at which an event's function changes sign."""
        watch, before = self._watches[number], self._signs[number]

        def value(time: float) -> float:
            if time == step.t:
                return before
            state = step.state if time == step.end else step.at(time)
            return float(watch(time, self.system.matrices(state)))

        found, self._signs[number] = crossings(value, step.t, step.end)
        return found

    def _keep(self, time: float, state: Floats) -> None:
        self.times.append(time)
        self.states.append(state)

    def path(self) -> Integrated:
        """Return what was collected."""
        return Integrated(
            np.array(self.times), np.stack(self.states), self.dense, self.stats
        )
