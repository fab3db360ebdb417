"""Digits along a curriculum, and a ball that is handed over where the data change.

The ball at the end of a piece holds the true point.  The next one has its midpoint, a
dyadic number, for its start and its radius for the error to begin with: no box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import ceil, inf
from typing import Any, TypeVar

from symflow.curriculum import ChainedRun, run_along
from symflow.errors import PrecisionLost
from symflow.flow.curriculum import Curriculum
from symflow.flow.problem import Problem
from symflow.precision.balls import ALONE, distance_between, upward, workbits
from symflow.precision.enclosure import Enclosure, balls_around
from symflow.progress import Told
from symflow.trajectory import Trajectory

#: Digits by which the pieces are more accurate at first.
SPARE_DIGITS = 10
#: How often they are repeated with more.
ATTEMPTS = 3

Run = TypeVar("Run", Trajectory, Enclosure)


def with_spare_digits(
    attempt: Callable[[int], tuple[Run, float]], digits: int, call: str
) -> Run:
    """Return a run of which those digits are left, as attempted with some more.

    An attempt returns a run and log10 of its relative error.  Raises PrecisionLost if
    the errors grow too much; `call` is named.
    """
    more = SPARE_DIGITS
    for _ in range(ATTEMPTS):
        run, reached = attempt(digits + more)
        if reached <= -digits:
            return run
        more += ceil(reached + digits) + 1
    msg = f"{call}(digits={digits}): errors grow too much along the curriculum"
    raise PrecisionLost(msg)


def relative(errors: Iterable[float], run: Trajectory) -> float:
    """Return log10 of the largest error relative to the weights of its time."""
    context: Any = run.context
    worst = max(
        context.mpf(error) / (max(abs(w[k]).max() for w in run.weights) or 1)
        for k, error in enumerate(errors)
    )
    return float(context.log10(worst)) if worst else -inf


def enclosed_along(
    lesson: Curriculum,
    enclosed: Callable[..., Enclosure],
    bound: Callable[..., Problem],
    t: Any,
    digits: int,
    first: Problem,
    progress: Told = None,
) -> Enclosure:
    """Enclose piece by piece.

    `enclosed` does so for a problem from all points within a reach of its start, and
    `bound` makes the problem of data and a start; that of the first piece is given.
    """

    def attempt(wanted: int) -> tuple[Enclosure, float]:
        balls: list[Enclosure] = []

        def follow(data: Any, start: Any, times: Any, _: Any, part: Told) -> Trajectory:
            problem = bound(data, start) if balls else first
            reach = float(balls[-1].radius[-1]) if balls else 0.0
            asked = {"times": tuple(times), "digits": wanted, "progress": part}
            ball = enclosed(problem, reach=reach, **asked)
            balls.append(ball)
            return replace(ball.midpoints, digits=digits, error=ball.error)

        along = run_along(lesson, first.weights, t, "enclose", follow, progress)
        whole = _joined(along, balls, first)
        sets = any(ball.sets is not None for ball in balls)
        return whole, -inf if sets else relative(whole.radius, whole.midpoints)

    return with_spare_digits(attempt, digits, "enclose")


def _joined(middle: ChainedRun, balls: list[Enclosure], first: Problem) -> Enclosure:
    """Return the balls at the times of the whole."""
    assert middle.context is not None
    radii = []
    for index, time in enumerate(middle.t):
        piece, begun = middle.place(time)
        ball = balls[piece]
        at = list(ball.t).index(time - begun)
        ends = [w[at] for w in ball.weights], [w[index] for w in middle.weights]
        with ALONE, workbits(middle.context.prec + 64):  # joining rounds the midpoints
            radii.append(upward(distance_between(*ends) + float(ball.radius[at])))
    said = "; then ".join(dict.fromkeys(ball.proof[0] for ball in balls))
    handed = "along a curriculum: each piece from all of the ball before it"
    proof = (said, *balls[0].proof[1:], handed)
    return balls_around(middle, radii, proof, sets=first if first.is_set else None)
