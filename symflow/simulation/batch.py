"""One block of trajectories that take their steps together, each of its own length.

A slot that has arrived takes the next start from the queue, so that the block stays
full; when the queue is empty, it shrinks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.simulation.dop853 import DOP853, GROW, SAFETY, SHRINK, STAGES, interpolated
from symflow.simulation.methods import ENDLESS, MOST_STEPS, TELLING, WHOLE, absolute
from symflow.simulation.system import Floats, System
from symflow.simulation.tableau import tableau

Indices = NDArray[np.intp]

#: Slots are refilled when this part of them is free.
FREE = 1 / 8


def integrate_many(
    system: System, starts: Floats, times: Floats, method: DOP853, slots: int
) -> tuple[Floats, dict[str, Any]]:
    """Integrate many starts and return their states at the times.

    `starts` has shape (starts, size) and the result (starts, times, size), with NaN
    where a trajectory could not be followed; the numbers of these are in the
    statistics. So many `slots` go together; the system's own start is not used.
    """
    states = np.full((len(starts), len(times), starts.shape[1]), np.nan)
    states[:, times <= 0] = starts[:, None]
    if times[-1] <= 0:
        return states, {"steps": 0, "rejected": 0, "failed": ()}
    queue = np.arange(len(starts))
    block = Block(system, min(slots, len(starts)), times, method)
    with np.errstate(all="ignore"):
        while len(queue) or block.busy:
            free = block.free
            if len(queue) and (len(free) >= FREE * block.count or not block.busy):
                taken, queue = queue[: len(free)], queue[len(free) :]
                block.fill(free[: len(taken)], taken, starts[taken])
            elif not len(queue) and 2 * block.busy <= block.count:
                block = block.shrunk()
            block.step(states)
        for last in states[:, -1]:
            if system.explodes(float(times[-1]), last):
                last[:] = np.nan
    failed = tuple(int(k) for k in np.flatnonzero(np.isnan(states[:, -1]).any(axis=-1)))
    return states, {**block.stats, "failed": failed}


class Block:
    """The memory of the slots: row 0 the states, row k + 1 the step times stage k."""

    def __init__(
        self, system: System, count: int, times: Floats, method: DOP853
    ) -> None:
        self.system, self.count, self.times, self.method = system, count, times, method
        self.table, size = tableau(), system.size
        self.rows = np.zeros((STAGES + 5, count, size))
        self.flat = self.rows.reshape(STAGES + 5, -1)
        self.point = np.zeros((count, size))
        self.rate, self.last = np.zeros((2, count, size))
        self.owner = np.full(count, -1)
        self.time, self.size = np.zeros(count), np.zeros(count)
        self.ceiling = np.full(count, GROW)
        self.steps = np.zeros(count)
        self.stats: dict[str, Any] = {"steps": 0, "rejected": 0}
        self._evaluate = [system.bind(self.point, row) for row in self.rows]
        self._rate = system.bind(self.point, self.last)

    @property
    def busy(self) -> int:
        """How many slots hold a trajectory."""
        return int(np.count_nonzero(self.owner >= 0))

    @property
    def free(self) -> Indices:
        """The slots that hold none."""
        return np.flatnonzero(self.owner < 0)

    def fill(self, slots: Indices, numbers: Indices, starts: Floats) -> None:
        """Put starts into slots."""
        self.owner[slots], self.time[slots] = numbers, 0.0
        self.rows[0, slots] = starts
        self.point[:] = self.rows[0]
        self._rate()
        self.rate[slots] = self.last[slots]
        scale = absolute(self.method) + self.method.rtol * np.abs(starts)
        position = np.linalg.norm(starts / scale, axis=1)
        speed = np.linalg.norm(self.rate[slots] / scale, axis=1)
        first = np.where(speed > 0, 0.01 * position / speed, self.times[-1])
        self.size[slots] = np.maximum(first, 1e-6 * self.times[-1])
        self.ceiling[slots] = GROW
        self.steps[slots] = 0

    def shrunk(self) -> Block:
        """Return a block of the busy slots alone."""
        keep = np.flatnonzero(self.owner >= 0)
        block = Block(self.system, len(keep), self.times, self.method)
        block.rows[0], block.rate[:] = self.rows[0, keep], self.rate[keep]
        for name in ("owner", "time", "size", "ceiling", "steps"):
            getattr(block, name)[:] = getattr(self, name)[keep]
        block.stats = self.stats
        return block

    def step(self, states: Floats) -> None:
        """Try a step of every slot and keep those whose error is small enough."""
        end = self.times[-1]
        rest = end - self.time
        last = self.size >= rest * WHOLE
        step = np.where(last, rest, self.size)
        step[self.owner < 0] = 0.0
        after = self._stages(step)
        error = self._errors(after)
        fine = (error < 1) & (self.owner >= 0)
        factor = np.where(error == 0, GROW, SAFETY * error ** (-1 / 8))
        factor = np.where(np.isfinite(factor), np.maximum(factor, SHRINK), SHRINK)
        reached = np.where(last, end, self.time + step)
        self._record(states, fine, step, reached, after)
        self.stats["steps"] += int(np.count_nonzero(fine))
        self.stats["rejected"] += int(np.count_nonzero(~fine & (self.owner >= 0)))
        self.rows[0, fine], self.rate[fine] = after[fine], self.last[fine]
        self.time[fine] = reached[fine]
        self.size = step * np.where(fine, np.minimum(factor, self.ceiling), factor)
        self.ceiling = np.where(fine, GROW, 1.0)
        self.steps += fine
        stuck = ~(self.size > 10 * np.spacing(self.time))
        stuck |= self.steps >= MOST_STEPS
        stuck |= (self.steps >= TELLING) & (end - self.time > ENDLESS * self.size)
        self.owner[(fine & last) | stuck] = -1

    def _stages(self, step: Floats) -> Floats:
        """Compute the stages, scaled by the steps, and return the ends."""
        column = step[:, None]
        np.multiply(self.rate, column, self.rows[1])
        for number in range(1, STAGES):
            self._stage(number, column)
        self._combine(STAGES)
        self._rate()
        np.multiply(self.last, column, self.rows[STAGES + 1])
        return self.point.copy()

    def _combine(self, number: int) -> None:
        """Place the point of a stage."""
        row = np.concatenate([[1.0], self.table.rows[number, :number]])
        row.dot(self.flat[: number + 1], self.point.reshape(-1))

    def _stage(self, number: int, column: Floats) -> None:
        """Compute a stage, scaled by the steps."""
        self._combine(number)
        self._evaluate[number + 1]()
        self.rows[number + 1] *= column

    def _errors(self, after: Floats) -> Floats:
        top = np.maximum(np.abs(self.rows[0]), np.abs(after))
        scale = absolute(self.method) + self.method.rtol * top
        both = (self.table.errors @ self.flat[1 : STAGES + 2]).reshape(2, *scale.shape)
        both /= scale
        fifth, third = np.einsum("kbi,kbi->kb", both, both)
        size = self.system.size
        error = fifth / np.sqrt((fifth + 0.01 * third) * size)
        return np.where(fifth == 0, 0.0, error)

    def _record(
        self, states: Floats, fine: Any, step: Floats, reached: Floats, after: Floats
    ) -> None:
        """Store the states at the times that accepted steps cover."""
        first = np.searchsorted(self.times, self.time, side="right")
        past = np.searchsorted(self.times, reached, side="right")
        hit = fine & (past > first)
        if not hit.any():
            return
        ends = hit & (self.times[np.maximum(past - 1, 0)] == reached)
        states[self.owner[ends], past[ends] - 1] = after[ends]
        inside = hit & (past - ends > first)
        if inside.any():
            polynomial = self._polynomial(after, step)
            for slot in np.flatnonzero(inside):
                wanted = range(first[slot], past[slot] - int(ends[slot]))
                for place in wanted:
                    x = (self.times[place] - self.time[slot]) / step[slot]
                    value = interpolated(polynomial[:, slot], x) + self.rows[0, slot]
                    states[self.owner[slot], place] = value

    def _polynomial(self, after: Floats, step: Floats) -> Floats:
        """Return the dense output of all slots, from three more stages."""
        for number in range(STAGES + 1, len(self.rows) - 1):
            self._stage(number, step[:, None])
        change = after - self.rows[0]
        first, last = self.rows[1], self.rows[STAGES + 1]
        top = np.stack([change, first - change, 2 * change - (last + first)])
        high = (self.table.D @ self.flat[1:]).reshape(-1, *change.shape)
        return np.concatenate([top, high])
