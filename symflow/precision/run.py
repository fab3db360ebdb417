"""One integration: requested times, error account, interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import inf, log, log2
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array
from symflow.errors import Interrupted
from symflow.flow.problem import Problem
from symflow.precision.arithmetics import HighPrecision, Need
from symflow.precision.growth import TELLING, refuse_endless
from symflow.precision.plan import Plan
from symflow.precision.steps import SeriesSystem, State, TaylorStep
from symflow.trajectory import Trajectory


@dataclass
class Run:
    """An integration under way; `finish` brings it to its last time."""

    problem: Problem  # the flow with its data and start
    times: Sequence[Fraction]  # the requested times
    digits: int  # decimal digits wanted
    arithmetic: HighPrecision  # the choice of arithmetic
    plan: Plan  # bits and order
    system: SeriesSystem = field(init=False)
    state: State = field(init=False)
    error: float = -inf
    steps: int = 0
    told: Fraction = Fraction(0)  # the time of a multiple of `TELLING` steps
    found: list[tuple[Fraction, tuple[Any, ...], float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        engine = self.arithmetic.engine(
            Need(
                bits=self.plan.bits,
                order=self.plan.order,
                inner=max(size for shape in self._shapes() for size in shape),
                magnitude=max(self.plan.forecast.magnitude, 0.0),
            )
        )
        self.system = SeriesSystem.of(
            self.problem, engine, self.plan.order, self.plan.tolerance
        )
        self.state = self.system.start(self.plan.first)
        self.error = -float(self.plan.bits)
        if self.times[0] == 0:
            self.found.append((self.times[0], self.state.weights, self.error))

    def _shapes(self) -> list[tuple[int, ...]]:
        arrays = (*self.problem.weights, *self.problem.arguments)
        return [array.shape for array in arrays]

    @property
    def waiting(self) -> Sequence[Fraction]:
        """The requested times that are still ahead."""
        return self.times[len(self.found) :]

    @property
    def part(self) -> float:
        """Which part of the time up to the last one is behind."""
        return float(min(self.state.t, self.times[-1]) / self.times[-1])

    def finish(self, progress: Callable[[float], None]) -> None:
        """Step until every requested time is found.

        Raises Interrupted on Ctrl-C, with everything up to the last completed step.
        """
        try:
            while self.waiting:
                self.take(self.system.step(self.state))
                progress(self.part)
        except KeyboardInterrupt:
            msg = (
                f"precise: stopped by hand at t = {float(self.state.t):g} of "
                f"{float(self.times[-1]):g}; catch this exception as `stop` and give "
                "precise(…, resume=stop) to go on"
            )
            raise Interrupted(msg, self.partial(), self) from None

    def take(self, step: TaylorStep) -> None:
        """Evaluate the step at the requested times in it, then move to its end."""
        error = self._error_after(step)
        found = [
            (
                t,
                tuple(
                    self.system.engine.evaluate(c, step.ratio(t)) for c in step.series
                ),
            )
            for t in self.waiting
            if t <= step.after.t
        ]
        self.found += [(t, weights, error) for t, weights in found]
        self.error, self.steps, self.state = error, self.steps + 1, step.after
        if self.steps % TELLING == 0:
            refuse_endless(self.steps, self.told, step.after.t, self.times[-1])
            self.told = step.after.t

    def _error_after(self, step: TaylorStep) -> float:
        """Return log2 of the error: what was there grows, the step adds its own."""
        seen = self.plan.forecast
        growth = seen.growth_at(step.after.t) - seen.growth_at(step.start.t)
        rounding = self.plan.noise(float(step.h)) - self.plan.bits
        added = np.logaddexp2(step.truncation, rounding) + seen.spread
        grown = np.logaddexp2(self.error, added)
        return float(grown) + growth / log(2)

    def shortfall(self) -> float:
        """Return how many bits are missing at the worst of the requested times."""
        wanted = -self.digits * log2(10)
        return max(error - wanted - self.size(w) for _, w, error in self.found)

    def size(self, weights: tuple[Any, ...]) -> float:
        """Return log2 of the largest weight, rounded down; 0 if all are zero."""
        size = max(map(self.system.engine.size, weights)) - 1
        return 0.0 if size == -inf else size

    def partial(self) -> Trajectory:
        """Return the trajectory up to the last completed step."""
        found = [entry for entry in self.found if entry[0] <= self.state.t]
        if not found or found[-1][0] < self.state.t:
            found.append((self.state.t, self.state.weights, self.error))
        return self._trajectory(found)

    def trajectory(self) -> Trajectory:
        """Return the weights at the requested times."""
        return self._trajectory(self.found)

    def _trajectory(
        self, found: Sequence[tuple[Fraction, tuple[Any, ...], float]]
    ) -> Trajectory:
        engine, context = self.system.engine, mpmath.MPContext()
        context.prec = self.plan.bits
        t = np.empty(len(found), dtype=object)
        t[:] = [time for time, _, _ in found]
        columns = zip(*(weights for _, weights, _ in found), strict=True)
        weights = tuple(
            np.stack([engine.export(matrix, context) for matrix in column])
            for column in columns
        )
        return Trajectory(
            problem=self.problem,
            t=t,
            weights=weights,
            route=self.arithmetic.route,
            digits=self.digits,
            error=_power(max(error for _, _, error in found), context),
            stats={
                "steps": self.steps,
                "order": self.plan.order,
                "bits": self.plan.bits,
            },
            context=context,
            interpolant=partial(self._between, found, context),
        )

    def _between(
        self,
        found: Sequence[tuple[Fraction, tuple[Any, ...], float]],
        context: Any,
        t: Any,
    ) -> tuple[Array, ...]:
        """Integrate from the last stored state before t."""
        from symflow.flow import as_times

        (time,) = as_times(t, "trajectory.at")
        state = self.system.start(self.plan.first)
        for at, weights, _ in found:
            if at <= time:
                state = State(at, weights, state.h)
        weights = state.weights
        while state.t < time:
            step = self.system.step(state)
            state = step.after
            if time <= state.t:
                ratio = step.ratio(time)
                weights = tuple(
                    self.system.engine.evaluate(c, ratio) for c in step.series
                )
        return tuple(self.system.engine.export(w, context) for w in weights)


def _power(exponent: float, context: Any) -> Any:
    """Return 2^exponent, as a float if it is one."""
    return 2.0**exponent if -1000 < exponent < 1000 else context.mpf(2) ** exponent
