"""Runs along a curriculum, joined from one run for each of its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np

from symflow.algebra.numbers import exact, whole
from symflow.algebra.threads import cached_property
from symflow.codegen.objective import Objective
from symflow.flow.curriculum import Curriculum, place_of
from symflow.progress import Told, reporter
from symflow.trajectory import Trajectory


@dataclass(frozen=True, eq=False, repr=False)
class ChainedRun(Trajectory):
    """A trajectory along a `Curriculum`; its `problem` is that of the first data.

    Its loss is that of the data that are learned at the time, at a switch of those that
    are left; its error includes what later pieces make of the errors of earlier ones.
    """

    #: A run for each of the data, in its own time, up to the switch.
    pieces: tuple[Trajectory, ...] = ()

    @cached_property
    def loss(self) -> Any:
        """The training objective of the data of the time, shape (times,)."""
        places = [self.place(time)[0] for time in self.t]
        values = [self.loss_on(place) for place in range(len(self.pieces))]
        return np.array([values[p][k] for k, p in enumerate(places)])

    def loss_on(self, piece: int) -> Any:
        """Return the objective of one of the data along the whole run.

        Parameters
        ----------
        piece : int
            Which of the data, counted from 0.
        """
        return Objective(self._piece(piece).problem)(self.weights, self.context)

    def forgetting(self, piece: int = 0) -> Any:
        """Return by how much the loss on earlier data has grown since they were left.

        Parameters
        ----------
        piece : int
            Which of the data, counted from 0.
        """
        left, last = self._piece(piece).weights, self.pieces[-1].weights
        objective = Objective(self._piece(piece).problem)
        before, now = (
            objective([self.lift(w[-1:]) for w in weights], self.context)[0]
            for weights in (left, last)
        )
        return now - before

    def _piece(self, piece: int) -> Trajectory:
        last = len(self.pieces) - 1
        return self.pieces[whole(piece, "run of a curriculum, piece", 0, last)]

    def sharpness(self, t: Any) -> Any:
        """Return the sharpness of the loss of the time, as `Trajectory.sharpness`.

        Parameters
        ----------
        t : number
            A time of the run.
        """
        place, begun = self.place(t)
        return self.pieces[place].sharpness(exact(t) - begun)

    def place(self, t: Any) -> tuple[int, Any]:
        """Return which piece a time belongs to, and when that began.

        Parameters
        ----------
        t : number
            A time of the run; a switch belongs to the piece that ends there.
        """
        return place_of(t, [*accumulate(exact(piece.t[-1]) for piece in self.pieces)])


def run_along(
    lesson: Curriculum,
    init: Any,
    t: Any,
    call: str,
    follow: Callable[..., Trajectory],
    progress: Told = None,
) -> ChainedRun:
    """Return the run of pieces that ``follow(data, start, times, runs before, part)``.

    Each is followed in its own time, and tells `part` which fraction of that is done;
    `call` is named in an error message.
    """
    told = reporter(progress, call)
    times = lesson.times(t, call)
    pieces: list[Trajectory] = []
    kept: list[list[int]] = []
    begun, start = Fraction(0), init
    for (data, _), end in zip(lesson.pieces, lesson.ends, strict=True):
        stop = min(end, times[-1])
        inside = {x - begun for x in times if begun < x <= stop or x == begun == 0}
        local = sorted({*inside, Fraction(0), stop - begun})
        kept.append([row for row, x in enumerate(local) if x in inside])
        part = _part(told, begun, stop, times[-1]) if times[-1] else None
        pieces.append(follow(data, start, local, pieces, part))
        begun, start = stop, [weight[-1] for weight in pieces[-1].weights]
        if stop == times[-1]:
            break
    return _joined(pieces, kept, times)


def _part(told: Any, begun: Any, stop: Any, last: Any) -> Callable[[float], None]:
    """Return what takes the fraction of a piece and tells that of the whole."""
    return lambda done: told(float((begun + exact(done) * (stop - begun)) / last))


def _joined(pieces: list[Trajectory], kept: list[list[int]], times: Any) -> ChainedRun:
    # fixed-point entries may have more bits than any arithmetic: they are rounded
    last = max(pieces, key=lambda piece: getattr(piece.context, "prec", 0))
    columns = zip(*(piece.weights for piece in pieces), strict=True)
    parts = [[last.lift(w[k]) for w, k in zip(c, kept, strict=True)] for c in columns]

    def between(t: Any) -> Any:
        place, begun = chained.place(t)
        return [last.lift(w) for w in pieces[place].at(exact(t) - begun)]

    drifts = {name for piece in pieces for name in piece.stats if "drift" in name}
    chained = ChainedRun(
        problem=pieces[0].problem,
        t=np.array(times, dtype=float if last.context is None else object),
        weights=tuple(map(np.concatenate, parts)),
        route=f"{last.route}, {len(pieces)} pieces",
        digits=last.digits,
        error=lambda: max(piece.error for piece in pieces),
        stats={name: max(piece.stats[name] for piece in pieces) for name in drifts},
        context=last.context,
        interpolant=between,
        pieces=tuple(pieces),
    )
    return chained
