"""High precision for as long as the time budget lasts."""

from __future__ import annotations

import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from types import FrameType
from typing import Any

from symflow.algebra.numbers import to_float
from symflow.analysis.optimum import Floats
from symflow.errors import Interrupted
from symflow.flow import GradientFlow
from symflow.precision import precise
from symflow.trajectory import Trajectory

#: Part of the budget after which an attempt has to have covered so much.
PROBE, PROMISING = 0.4, 0.02

#: A hopeless attempt is followed by one on this part of its interval, down to so few
#: times.
SHORTER, FEWEST = 0.1, 8

#: Seconds that a step may take beyond the budget.
PATIENCE = 0.5
#: Seconds after which the clock rings again, where nobody could hear it.
AGAIN = 0.05

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Covered:
    """What a high-precision run covered in its budget."""

    #: The run over the covered times; None if there was no budget.
    trajectory: Trajectory | None
    end: float  #: The last covered time.
    asked: float  #: The last time that was wanted.
    seconds: float  #: What the run took.
    #: Whether it was ended by hand rather than by its budget.
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether the whole horizon was covered."""
        return self.trajectory is not None and self.end >= self.asked

    def __str__(self) -> str:
        if self.trajectory is None:
            return (
                f"nothing of t ≤ {self.asked:.4g}: the budget is too small, so that "
                "nothing is checked to these digits; give more time or ask for fewer"
            )
        spent = f"{self.seconds:.1f} s"
        if self.complete:
            return f"all of t ≤ {self.asked:.4g} in {spent}"
        why = "stopped by hand" if self.interrupted else "the budget"
        share = 100 * self.end / self.asked
        return (
            f"t ≤ {self.end:.4g} of {self.asked:.4g}, {share:.2g} % of the horizon "
            f"({why}, {spent})"
        )


class _BudgetSpent(KeyboardInterrupt):
    """Raised into a run when its seconds are over; the run keeps what it has."""


@dataclass
class _Clock:
    """Forwards progress and stops the run when its seconds are over."""

    seconds: float
    report: Progress | None
    start: float = field(default_factory=lambda: monotonic())
    over: bool = False

    def __call__(self, fraction: float) -> None:
        if self.report is not None:
            self.report(fraction)
        if self.spent > self.seconds and fraction < 1:
            self.stop()

    def stop(self) -> None:
        """End the run."""
        self.over = True
        raise _BudgetSpent

    def ring(self, _: int, frame: FrameType | None) -> None:
        """End the run, unless what is raised here would be lost: then ring again."""
        while frame is not None:
            code = frame.f_code
            if code.co_filename == weakref.__file__ or code.co_name == "__del__":
                signal.setitimer(signal.ITIMER_REAL, AGAIN)
                return
            frame = frame.f_back
        self.stop()

    @contextmanager
    def alarm(self) -> Iterator[None]:
        """Stop the run within a step too, where the system has timers.

        One step of a large network may take longer than the budget.
        """
        main = threading.current_thread() is threading.main_thread()
        if not main or not hasattr(signal, "setitimer"):
            yield
            return
        handler = signal.signal(signal.SIGALRM, self.ring)
        seconds = min(self.seconds + PATIENCE, 1e8)  # what timers can count
        others = signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, *others)
            signal.signal(signal.SIGALRM, handler)

    @property
    def spent(self) -> float:
        return monotonic() - self.start


def precise_within(
    flow: GradientFlow,
    data: Any,
    init: Any,
    times: Floats,
    *,
    digits: int,
    seconds: float,
    progress: Progress | None = None,
) -> Covered:
    """Run `precise` over as many of the times as the budget allows, in seconds.

    Ctrl-C ends the run as the budget does: what it covered is kept, and marked as
    interrupted. The `progress` is called with the fraction of the horizon that is done.
    """
    began, grid = monotonic(), times
    best = run = _BudgetedRun(None, 0.0)
    while len(grid) > 1 and seconds - (monotonic() - began) > 0:
        problem = flow, data, init, grid
        left = seconds - (monotonic() - began)
        run = _attempt(problem, digits, PROBE * left, progress)
        hopeless = run.end < PROMISING * float(grid[-1]) and len(grid) > FEWEST
        unprepared = run.trajectory is None
        if unprepared or (run.stop is not None and not hopeless):
            # Go on, or begin again where the preparation alone took the probe's time.
            left = max(0.0, seconds - (monotonic() - began))
            run = _attempt(problem, digits, left, progress, run.stop)
        best = max(best, run, key=lambda one: one.end)
        if unprepared or not hopeless or run.by_hand:
            break
        # The bits are planned for the whole interval; a shorter one needs fewer.
        grid = grid[grid <= SHORTER * grid[-1]]
    spent, asked = monotonic() - began, float(times[-1])
    return Covered(best.trajectory, best.end, asked, spent, run.by_hand)


@dataclass(frozen=True)
class _BudgetedRun:
    """What one attempt reached, and from where it can go on."""

    trajectory: Trajectory | None
    end: float
    stop: Interrupted | None = None
    by_hand: bool = False


def _attempt(
    problem: tuple[GradientFlow, Any, Any, Floats],
    digits: int,
    seconds: float,
    progress: Progress | None,
    resume: Interrupted | None = None,
) -> _BudgetedRun:
    clock = _Clock(seconds, progress)
    try:
        with clock.alarm():
            run = precise(*problem, digits=digits, progress=clock, resume=resume)
    except Interrupted as stop:
        by_hand = not clock.over
        end = to_float(stop.partial.t[-1])
        return _BudgetedRun(stop.partial, end, None if by_hand else stop, by_hand)
    except _BudgetSpent:
        return _BudgetedRun(None, 0.0)
    return _BudgetedRun(run, float(problem[-1][-1]))
