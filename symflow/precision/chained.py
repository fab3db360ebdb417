"""Enclosures along a curriculum: a ball is handed over where the data change.

The ball at the end of a piece holds the true point, and the next one has its midpoint,
a dyadic number, for its start and its radius for the error to begin with.  That is the
set of all points the piece before allows, and no box is put around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

from symflow.curriculum import ChainedRun, Curriculum
from symflow.errors import InvalidArgument, PrecisionLost
from symflow.flow.problem import Problem
from symflow.precision.enclosure import Enclosure, balls_around
from symflow.trajectory import Trajectory

#: Digits by which the pieces are more accurate at first.
SPARE_DIGITS = 10
#: How often they are enclosed again with more.
ATTEMPTS = 3


def enclosed_along(
    lesson: Curriculum,
    enclosed: Callable[..., Enclosure],
    bound: Callable[..., Problem],
    t: Any,
    digits: int,
    first: Problem,
    progress: Any = None,
) -> Enclosure:
    """Enclose piece by piece, with more digits until those asked for are left.

    `enclosed` does so for a problem from all points within a reach of its start, and
    `bound` makes the problem of data and a start; that of the first piece is given.

    Raises PrecisionLost if the errors grow too much, and InvalidArgument if `progress`
    is asked for, or a time is not in the curriculum.
    """
    if progress is not None:
        msg = "enclose(flow, Curriculum(…)): has no progress"
        raise InvalidArgument(msg)
    more = SPARE_DIGITS
    for _ in range(ATTEMPTS):
        balls: list[Enclosure] = []

        def follow(
            data: Any,
            start: Any,
            times: Any,
            runs: Any,
            balls: list[Enclosure] = balls,
            wanted: int = digits + more,
        ) -> Trajectory:
            problem = bound(data, start) if balls else first
            reach = float(balls[-1].radius[-1]) if balls else 0.0
            ball = enclosed(problem, times=tuple(times), digits=wanted, reach=reach)
            balls.append(ball)
            return replace(ball.midpoints, digits=digits, error=ball.error)

        whole = _joined(lesson.run(first.weights, t, "enclose", follow), balls, first)
        if any(ball.sets is not None for ball in balls):
            return whole
        missing = _missing(whole) + digits
        if missing <= 0:
            return whole
        more += ceil(missing) + 1
    msg = (
        f"enclose(digits={digits}): the proven radius is {whole.error:.1e} at the end, "
        "since errors grow too much along the curriculum. Ask for fewer digits"
    )
    raise PrecisionLost(msg)


def _joined(middle: ChainedRun, balls: list[Enclosure], first: Problem) -> Enclosure:
    """Return the balls at the times of the whole."""
    radii = []
    for time in middle.t:
        piece, begun = middle.place(time)
        ball = balls[piece]
        radii.append(float(ball.radius[list(ball.t).index(time - begun)]))
    said = "; then ".join(dict.fromkeys(ball.proof[0] for ball in balls))
    handed = (
        "along a curriculum: each piece from all points that the ball at the end of "
        "the one before allows"
    )
    proof = (said, *balls[0].proof[1:], handed)
    return balls_around(middle, radii, proof, sets=first if first.is_set else None)


def _missing(ball: Enclosure) -> float:
    """Return log10 of the largest radius relative to the weights of its time."""
    context: Any = ball.context
    worst = max(
        context.mpf(float(radius)) / (max(abs(w[k]).max() for w in ball.weights) or 1)
        for k, radius in enumerate(ball.radius)
    )
    return float(context.log10(worst))
