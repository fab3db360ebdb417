"""The explicit Runge–Kutta method of order 8 of Dormand and Prince, in fixed memory.

The state and all stages are rows of one array, so that a stage is a single product
with the row (1, h a_s1, …) of the tableau.  Steps are controlled as in Hairer, Nørsett
and Wanner, Solving Ordinary Differential Equations I, section II.10; the tableau is
SciPy's, and so is the method: its own loop takes half as long again for a solution
(README), and follows one start at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from symflow.errors import IntegrationFailed
from symflow.simulation.gauss import GaussLegendre
from symflow.simulation.methods import (
    FINER,
    IntegratorStep,
    Method,
    absolute,
    next_step,
    own_tolerances,
    stuck,
)
from symflow.simulation.system import Floats, System
from symflow.simulation.tableau import tableau

SAFETY, SHRINK, GROW, STAGES = 0.9, 0.2, 10.0, 12

#: Below this tolerance, a smaller one does not make the method more accurate.
FINEST = 1e-11


@dataclass(frozen=True)
class DOP853(Method):
    """Explicit Runge–Kutta method of order 8 with dense output.

    Parameters
    ----------
    rtol : float
        Relative tolerance per step.
    atol : float, optional
        Absolute tolerance per step; by default a thousandth of `rtol` times the
        largest weight of the start, so that small starts keep their digits.

    Raises
    ------
    InvalidArgument
        If a tolerance is not between 0 and 1.

    Examples
    --------
    >>> DOP853().rtol
    1e-10
    """

    rtol: float = 1e-10
    atol: float | None = None

    def __post_init__(self) -> None:
        own_tolerances(self)

    def refined(self) -> Method:
        """Return a hundredth of the tolerances, or another method close to rounding."""
        if self.rtol < FINEST:
            return GaussLegendre(rtol=self.rtol).refined()
        atol = None if self.atol is None else FINER * self.atol
        return replace(self, rtol=FINER * self.rtol, atol=atol)

    def steps(
        self, system: System, end: float, stats: dict[str, Any]
    ) -> Iterator[IntegratorStep]:
        """Yield steps; the local error of each is below rtol·|y| + atol."""
        stages = Stages(system)
        time, state = 0.0, system.start.copy()
        stages.start(state)
        size = self._first_step(stages, state, end)
        stats.update(steps=0, rejected=0, evaluations=2)
        grow = GROW
        while time < end:
            size, reached = next_step(time, size, end)
            error = self._error(stages, state, size)
            stats["evaluations"] += STAGES
            factor = SAFETY * error ** (-1 / 8) if error > 0 else GROW
            if not error < 1:
                stats["rejected"] += 1
                size *= max(SHRINK, factor) if np.isfinite(error) else SHRINK
                grow = 1.0
                continue
            stats["steps"] += 1
            step = ExplicitStep(time, reached, stages.end.copy(), size, state, stages)
            stages.current = step
            yield step
            stages.current = None
            time, state, size = reached, step.state, size * min(grow, factor)
            stages.advance()
            grow = GROW

    def _error(self, stages: Stages, state: Floats, size: float) -> float:
        """Try a step and return its error in units of the tolerance."""
        stages.run(size)
        fifth, third = stages.errors()
        top = np.maximum(np.abs(state), np.abs(stages.end))
        scale = absolute(self) + self.rtol * top
        fifth /= scale
        third /= scale
        squared, other = float(fifth @ fifth), float(third @ third)
        if squared == 0:
            return 0.0
        return size * squared / sqrt((squared + 0.01 * other) * state.size)

    def _first_step(self, stages: Stages, state: Floats, end: float) -> float:
        """Choose the first step by algorithm II.4.14 of Hairer, Nørsett and Wanner."""
        scale = absolute(self) + self.rtol * np.abs(state)
        rate = stages.rate.copy()
        d0, d1 = _norm(state / scale), _norm(rate / scale)
        trial = 1e-6 if d0 < 1e-5 or d1 < 1e-5 else 0.01 * d0 / d1
        trial = min(trial, end)
        if not trial > 0:
            raise IntegrationFailed(stuck(0.0, end))
        d2 = _norm((stages.evaluate(state + trial * rate) - rate) / scale) / trial
        top = max(d1, d2)
        second = max(1e-6, 1e-3 * trial) if top <= 1e-15 else (0.01 / top) ** (1 / 8)
        return min(100 * trial, second, end)


@dataclass(frozen=True, eq=False)
class ExplicitStep(IntegratorStep):
    """A step that can compute its stages again, instead of keeping them."""

    size: float
    before: Floats
    stages: Stages

    def at(self, time: float) -> Floats:
        """Return the state by the method's polynomial of degree 7."""
        x = (time - self.t) / (self.end - self.t)
        return interpolated(self.stages.polynomial(self), x) + self.before


class Stages:
    """The memory of one integration: row 0 the state, row k + 1 the stage k."""

    def __init__(self, system: System) -> None:
        self.system, self.table = system, tableau()
        rows = self.table.A_EXTRA.shape[1]
        self.rows = np.empty((rows + 1, system.size))
        self.end, self._point = np.empty(system.size), np.empty(system.size)
        self._coefficients = np.zeros((rows + 1, rows + 1))
        self.current: ExplicitStep | None = None
        self._made: tuple[ExplicitStep, Floats] | None = None
        # shifted by the column of the state
        self._unit = np.zeros_like(self._coefficients)
        self._unit[:-1, 1:] = self.table.rows
        self._places = [system.bind(self._point, self.rows[k]) for k in (1, 2)]
        self._run = [self._stage(system, k) for k in range(1, rows)]

    def __reduce__(self) -> Any:
        return Stages, (self.system,)  # the memory, and not what is in it

    @property
    def rate(self) -> Floats:
        """The derivative at the start of the step."""
        return np.asarray(self.rows[1])

    def start(self, state: Floats) -> None:
        """Place a state at the start of the first step."""
        self.rows[0] = state
        self._point[:] = state
        self._places[0]()

    def evaluate(self, state: Floats) -> Floats:
        """Return the derivative at a state, without touching the step."""
        self._point[:] = state
        self._places[1]()
        return np.array(self.rows[2])

    def run(self, size: float) -> None:
        """Compute all stages of a step, its end and the derivative there."""
        np.multiply(self._unit, size, self._coefficients)
        self._coefficients[:, 0] = 1.0
        for combine, compute in self._run[: STAGES - 1]:
            combine()
            compute()
        combine, compute = self._run[STAGES - 1]
        combine()
        self.end[:] = self._point
        compute()

    def errors(self) -> Floats:
        """Return the differences to the embedded results, of orders 5 and 3."""
        return np.asarray(self.table.errors @ self.rows[1 : STAGES + 2])

    def advance(self) -> None:
        """Make the end of the step the start of the next: the last stage is reused."""
        self.rows[0] = self.end
        self.rows[1] = self.rows[STAGES + 1]

    def polynomial(self, step: ExplicitStep) -> Floats:
        """Return the coefficients of the dense output of a step."""
        if self._made is None or self._made[0] is not step:
            kept = self.rows.copy(), self.end.copy()
            if step is not self.current:
                self.start(step.before)
                self.run(step.size)
            for combine, compute in self._run[STAGES:]:
                combine()
                compute()
            self._made = step, self._dense(step)
            self.rows[:], self.end[:] = kept
        return self._made[1]

    def _dense(self, step: ExplicitStep) -> Floats:
        stages = self.rows[1:]
        change = step.state - step.before
        first, last = stages[0], stages[STAGES]
        top = np.stack(
            [
                change,
                step.size * first - change,
                2 * change - step.size * (last + first),
            ]
        )
        return np.concatenate([top, step.size * (self.table.D @ stages)])

    def _stage(
        self, system: System, number: int
    ) -> tuple[Callable[[], Any], Callable[[], None]]:
        row = self._coefficients[number, : number + 1]
        combine = partial(row.dot, self.rows[: number + 1], self._point)
        return combine, system.bind(self._point, self.rows[number + 1])


def interpolated(rows: Floats, x: float) -> Floats:
    """Return the dense output of a step, without its start, at a part x of it."""
    total: Floats = np.zeros_like(rows[0])
    for k, row in enumerate(reversed(rows)):
        total += row
        total *= x if k % 2 == 0 else 1 - x
    return total


def _norm(vector: Floats) -> float:
    return float(np.linalg.norm(vector)) / sqrt(vector.size)
