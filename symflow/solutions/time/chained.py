"""Closed forms along a curriculum: each goes on where the one before it ended.

What a piece starts from is what the closed form before it gives at the switch, to so
many digits: numbers that satisfy the hypotheses up to their last one.  What these
digits miss, and what hypotheses miss that hold to rounding only, grows along all later
pieces as any error of a start does (see `sensitivity`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from math import ceil, log10
from typing import Any, ClassVar, final

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.display import Listed
from symflow.algebra.numbers import exact, to_float
from symflow.algebra.threads import cached_property
from symflow.claims import Claim, Hypothesis, Path, Reference, Status
from symflow.claims.finding import Finding, gap_to, is_endless
from symflow.errors import HypothesisFailed, InvalidArgument
from symflow.flow.curriculum import Curriculum, place_of
from symflow.flow.problem import Problem
from symflow.flow.times import check_time, float_times
from symflow.inits.given import RoundedInit
from symflow.solutions.derivation import Step
from symflow.solutions.sensitivity import LARGE, amplification, magnified, relative_gaps
from symflow.solutions.solution import BEYOND_BALLS, Solution

#: Digits to which a piece starts for float64 answers, and beyond those asked for.
START_DIGITS, MORE_DIGITS = 40, 20
#: Digits that a float can tell from none.
MOST_DIGITS = 250
#: Relative error of weights that are known in float64 only.
FLOAT_ERROR = 1e-12
#: How often more digits are tried.
ATTEMPTS = 3


@final
@dataclass(frozen=True, eq=False, repr=False)
class ChainedSolution(Claim):
    """The closed forms along a `Curriculum`, one for each of its data; made by `solve`.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> lesson = sf.Curriculum((sf.whitened([[2]]), 3), (sf.whitened([[1]]), 5))
    >>> solution = sf.solve(flow, lesson, [[[1]], [[1]]])
    >>> solution.name
    'LogisticMode → LogisticMode'
    >>> round(solution.end_to_end(4.0).item(), 6)
    1.072578
    """

    lesson: Curriculum  #: The data, and for how long each is learned.
    pieces: tuple[Solution, ...]  #: A closed form for each, in its own time.
    missed: tuple[float, ...]  #: The relative error of what each starts from.
    digits: int  #: Digits to which the pieces start.
    chained: Callable[[int], ChainedSolution]  #: Makes the same with other digits.

    contributes: ClassVar = "the solution of a piece; chained here"

    @property
    def problem(self) -> Problem:
        """The flow with its first data and its start."""
        return self.pieces[0].problem

    @property
    def name(self) -> str:
        return " → ".join(piece.name for piece in self.pieces)

    @property
    def statement(self) -> sympy.Tuple:
        """What each closed form states, in its own time."""
        return sympy.Tuple(*(piece.statement for piece in self.pieces))

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The conditions of each, as measured where it starts."""
        return Listed(
            replace(found, words=f"piece {number}: {found.words}")
            for number, piece in enumerate(self.pieces, start=1)
            for found in piece.hypotheses
        )

    @property
    def reference(self) -> Reference:
        return self.pieces[0].reference

    @property
    def status(self) -> Status:
        """Verified: later starts are known to many digits, and not exactly."""
        return self.pieces[0].status if len(self.pieces) == 1 else Status.VERIFIED

    def verify(self) -> sympy.Expr:
        """Return the sum of the residuals of all pieces, exactly zero."""
        kinds = {type(piece): piece for piece in self.pieces}
        return sympy.Add(*(piece.verify() for piece in kinds.values()))

    def derivation(self) -> tuple[Step, ...]:
        """Return the steps of all pieces, from the equations of the flow."""
        return Listed(step for piece in self.pieces for step in piece.derivation())

    def error(self, t: Any) -> Array:
        """Return a bound on max|W(t) − true W(t)| over max|W(t)|, beside rounding.

        Parameters
        ----------
        t : float or array_like
            Times; the answer has their shape.
        """
        return self._joined(t, self._error)

    def end_to_end(self, t: Any) -> Array:
        """Return W(t) in float64, shape (…, outputs, inputs) for t of shape (…).

        Parameters
        ----------
        t : float or array_like
            Times up to the end of the curriculum; HypothesisFailed is raised for those
            at which too little is known.
        """
        self._check(t, "end_to_end(t)")
        return self._joined(t, lambda place, s: self.pieces[place].end_to_end(s))

    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return the weights in float64, of shapes (…, rows, columns).

        In the order of the model's parameters.

        Parameters
        ----------
        t : float or array_like
            Times up to the end of the curriculum.
        """
        self._check(t, "weights(t)")
        found = tuple(
            self._joined(t, lambda place, s, k=k: self._layers(place, s)[k])
            for k in range(len(self.problem.weights))
        )
        return self.problem.as_asked(found)

    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) at one time as mpf numbers, shape (outputs, inputs).

        Parameters
        ----------
        t : number
            The time; a float is taken as the rational that it is.
        digits : int, keyword-only
            Correct digits, relative to the largest entry.

        Raises
        ------
        HypothesisFailed
            If W(t) is known to fewer digits, however many a piece starts with.
        """
        call = f"{self.name}.precise"
        check_time(t, call, digits)
        if digits > MOST_DIGITS:
            msg = (
                f"{call}: at most {MOST_DIGITS} digits along a curriculum; got {digits}"
            )
            raise InvalidArgument(msg)
        (time,) = self.lesson.times(t, call)
        chain, known = self._known_to(time, digits)
        if not known <= 10.0**-digits:
            msg = (
                f"{call}: W is known to {known:.1g} relative at t = {float(time):g}; "
                f"got digits={digits}. Use symflow.precise(flow, Curriculum(…), …)"
            )
            raise HypothesisFailed(msg)
        return chain._at(time, digits)

    def _known_to(self, time: Any, digits: int) -> tuple[ChainedSolution, float]:
        """Return the forms from starts of enough digits, if any are, and the error."""
        chain, wanted = self, digits + MORE_DIGITS
        for _ in range(ATTEMPTS):
            chain = chain if chain.digits >= wanted else self.chained(wanted)
            known = float(chain.error(to_float(time)))
            if known <= 10.0**-digits:
                break
            wanted += ceil(log10(known) + digits) + 1 if known < 1 else digits
        return chain, known

    def _at(self, time: Any, digits: int) -> Array:
        place, begun = place_of(time, self.lesson.ends)
        return self.pieces[place]._precise(time - begun, digits)

    def residuals(self, path: Path) -> Array:
        """Return |W_path(t) − W(t)|, relative."""
        if path.context is None:
            predicted = self.end_to_end(to_float_array(path.t))
        else:
            chains = [self._known_to(time, path.digits)[0] for time in path.t]
            pairs = zip(chains, path.t, strict=True)
            values = [chain._at(time, path.digits) for chain, time in pairs]
            predicted = path.lift(np.stack(values))
        return relative_gaps(path, predicted, self.pieces[0].depth)

    def magnification(self, path: Path) -> Array:
        return magnified(path, self.pieces[0].depth)

    def slack(self, path: Path) -> Array:
        if path.context is None:
            return self.error(to_float_array(path.t))
        known = [self._known_to(time, path.digits)[1] for time in path.t]
        return np.array(known)

    def mismatch(self, path: Path) -> str:
        """Say whether a run learns other data, or for other times."""
        runs = getattr(path, "pieces", ())
        ends = [exact(run.t[-1]) for run in runs]
        own = [lasting for _, lasting in self.lesson.pieces]
        if not runs or ends[:-1] != own[: len(ends) - 1]:
            return "the run does not change its data when the curriculum does"
        learned = zip(runs, self.pieces, strict=False)  # a run may end early
        both = [(x.problem.floats.data, y.problem.floats.data) for x, y in learned]
        same = all(np.array_equal(x[k], y[k]) for x, y in both for k in x)
        return "" if same else "the run learns other data"

    def finding(self, balls: Any, index: int) -> Finding | str:
        if is_endless(balls):
            return "a curriculum ends"
        digits = balls.digits + BEYOND_BALLS
        value = self.precise(balls.t[index], digits=digits)
        gap = gap_to(value, arb(10) ** -digits, balls, index)
        return Finding(gap, trusted="the evaluation of the closed forms (mpmath)")

    def _joined(self, t: Any, of: Callable[..., Array]) -> Array:
        """Return what pieces have at the times that belong to them, in their time."""
        times = float_times(t)
        flat, ends = times.ravel(), [float(end) for end in self.lesson.ends]
        self.lesson.times(float(np.max(flat, initial=0.0)), self.name)
        places = np.minimum(np.searchsorted(ends, flat), len(ends) - 1)
        found: Any = None
        for place in np.unique(places):
            rows = places == place
            part = of(place, flat[rows] - (ends[place - 1] if place else 0.0))
            found = np.empty((len(flat), *part.shape[1:])) if found is None else found
            found[rows] = part
        return np.asarray(found.reshape(times.shape + found.shape[1:]))

    def _error(self, place: int, times: Array) -> Array:
        return error_of(self.pieces[place], self.missed[place], times)

    def _layers(self, place: int, times: Array) -> tuple[Array, ...]:
        return turned(self.pieces[place]._weights(times), self._turns[place])

    @cached_property
    def _turns(self) -> list[Array | None]:
        """The rotation of the hidden units from each piece to the flow."""
        turns: list[Array | None] = [None]
        pairs = zip(self.pieces, self.pieces[1:], self.lesson.pieces, strict=False)
        for before, after, (_, lasting) in pairs:
            turn = turns[-1]
            if before.forgets_rotation:
                real = turned(before._weights(float(lasting)), turn)
                turn = turn_between(after.problem.floats.weights, real)
            turns.append(turn)
        return turns

    def _check(self, t: Any, call: str) -> None:
        known = float(np.max(self.error(t), initial=0.0))
        if not known <= LARGE:
            msg = (
                f"{self.name}: {call}: what a start misses may have grown to the size "
                f"of W(t), {known:.1g} of it, by t = {np.max(float_times(t)):.3g}. "
                "Use symflow.precise(flow, Curriculum(…), …)"
            )
            raise HypothesisFailed(msg)


def error_of(piece: Solution, missed: float, times: Array) -> Array:
    """Return the relative error of W along a piece whose start is off by `missed`."""
    grown = amplification(piece, times) if missed else 0.0
    return np.asarray(piece.error(times) + missed * grown)


def turned(layers: tuple[Array, ...], turn: Array | None) -> tuple[Array, ...]:
    """Return two layers, or a tied one, with their hidden units rotated."""
    if turn is None:
        return layers
    if len(layers) == 1:
        return (layers[0] @ turn,)
    return turn.T @ layers[0], layers[1] @ turn


def turn_between(drawn: tuple[Array, ...], real: tuple[Array, ...]) -> Array:
    """Return the rotation of the hidden units that takes weights to others."""
    pairs = zip((drawn[0].T, *drawn[1:]), (real[0].T, *real[1:]), strict=True)
    if len(drawn) == 1:
        pairs = zip(drawn, real, strict=True)
    left, _, right = np.linalg.svd(sum(one.T @ other for one, other in pairs))
    return np.asarray(left @ right)


def chain(
    lesson: Curriculum,
    first: Solution,
    chosen: Callable[[int, RoundedInit], Solution],
    digits: int = START_DIGITS,
) -> ChainedSolution:
    """Return the closed forms along a curriculum, the first of which is known.

    ``chosen(place, start)`` gives that of a later piece.
    """
    pieces, missed = [first], [0.0]
    for place, (_, lasting) in enumerate(lesson.pieces[:-1], start=1):
        before, end = pieces[-1], np.array([float(lasting)])
        start = before.layers_at(lasting, digits)
        known = FLOAT_ERROR if start is None else 10.0**-digits
        missed.append(known + float(error_of(before, missed[-1], end)[0]))
        if start is None:
            start = tuple(layer[0] for layer in before._weights(end))
        pieces.append(chosen(place, RoundedInit(list(start))))
    again = cache(partial(chain, lesson, first, chosen))
    return ChainedSolution(lesson, tuple(pieces), tuple(missed), digits, again)
