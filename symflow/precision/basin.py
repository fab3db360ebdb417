"""`basin`: which starts of a rectangle are proven to end where.

The middle of a rectangle is followed until all of its starts are seen to converge
(`comparison`, `limit`); one of which that is not seen is halved.  The minimizers
W_L⋯W_1 = W* of a product of square layers with regular W* have 2^(L−1) components, told
apart by the signs of det W_l: a flow that ends within a ball on which these have one
sign ends in that component.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, log2
from typing import Any

import mpmath
import numpy as np
import sympy
from flint import arb, arb_mat

from symflow.algebra.arrays import has_sets, to_float_array
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.intervals import Interval
from symflow.algebra.numbers import as_fraction, whole
from symflow.algebra.threads import cached_property
from symflow.errors import HypothesisFailed, InvalidArgument, PrecisionLost, shown
from symflow.flow import GradientFlow
from symflow.flow.given import DataLike, InitLike
from symflow.flow.least_squares import exact_least_norm
from symflow.flow.problem import Problem, bind
from symflow.losses import SquaredLoss
from symflow.precision.arithmetics import Flint
from symflow.precision.balls import ALONE, to_arb_array, workbits
from symflow.precision.comparison import Comparison
from symflow.precision.enclose import check_covered
from symflow.precision.fading import Ending, FadingRemainder, remainders_of
from symflow.precision.growth import Forecast
from symflow.precision.limit import range_basis
from symflow.precision.plan import Plan
from symflow.precision.run import Run
from symflow.precision.steps import best_order

#: Cells of a side.
MOST_CELLS = 4096
#: Digits of exact starts, those of a run, and log2 of the errors of its steps.
GUARD_DIGITS, DIGITS, TOLERANCE = 30, 3, 30
#: Steps and time after which a rectangle is undecided.
MOST_STEPS, LATEST = 64, Fraction(10**9)

#: The signs of det W_1, …, det W_L; empty where the minimizers are not told apart.
Signs = tuple[int, ...]


@dataclass(frozen=True)
class Cell:
    """A rectangle of starts, and where they end."""

    #: `x`, `y`: the two entries.
    x: Interval
    y: Interval
    #: The signs of det W_l at t = ∞, or nothing where W* alone is known; None where it
    #: is undecided.
    ending: Signs | None

    @property
    def area(self) -> float:
        """Its area."""
        return self.x.length * self.y.length


@dataclass(frozen=True, eq=False, repr=False)
class BasinMap(Displayed):
    """The rectangles of a box of starts, each proven to end in one place, or undecided.

    Parameters
    ----------
    problem : Problem
        The flow with its data, and the box among its weights.
    names : tuple of str
        The two entries that vary.
    cells : tuple of Cell
        They cover the box.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> box = [[[sf.interval(0.75, 1.25)]], [[sf.interval(1, 1.125)]]]
    >>> sf.basin(flow, sf.whitened([[1]]), box, 4).shares
    {(1, 1): 1.0}
    """

    problem: Problem
    names: tuple[str, str]
    cells: tuple[Cell, ...]

    @property
    def shares(self) -> dict[Signs | None, float]:
        """The part of the box that is proven to end in each place; None: undecided."""
        total = sum(cell.area for cell in self.cells)
        kinds = sorted({cell.ending for cell in self.cells}, key=repr)
        return {
            kind: sum(cell.area for cell in self.cells if cell.ending == kind) / total
            for kind in kinds
        }

    def ending(self, x: Any, y: Any) -> Signs | None:
        """Return where a start of the box is proven to end; None if undecided.

        Parameters
        ----------
        x, y : number
            The two entries, taken exactly.

        Raises
        ------
        InvalidArgument
            If the start is outside the box.
        """
        pairs = [as_fraction(x), as_fraction(y)]
        found = [
            cell.ending
            for cell in self.cells
            if all(
                value is not None and side.low <= value <= side.high
                for value, side in zip(pairs, (cell.x, cell.y), strict=True)
            )
        ]
        if not found:
            got = shown((x, y))
            msg = f"map.ending(x, y): needs a start in the box; got {got}"
            raise InvalidArgument(msg)
        return next((ending for ending in found if ending is not None), None)

    def _sheet(self) -> Sheet:
        rows = ((ending_text(k), f"{100 * v:.1f} %") for k, v in self.shares.items())
        return Sheet(
            f"Where starts of {self.problem.flow.network!r} end, by "
            f"{self.names[0]} and {self.names[1]}",
            header=("proven for every start", "part of the box"),
            rows=tuple(rows),
        )


def ending_text(ending: Signs | None) -> str:
    """Return an ending in words."""
    if ending is None:
        return "undecided"
    below = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    signs = (
        f"det W{str(layer).translate(below)} {'>' if sign > 0 else '<'} 0"
        for layer, sign in enumerate(ending, start=1)
    )
    return ", ".join(["W → W*", *signs])


def basin(
    flow: GradientFlow,
    data: DataLike,
    box: InitLike,
    pieces: int = 16,
) -> BasinMap:
    """Map a box of starts by where each of them is proven to end.

    Parameters
    ----------
    flow : GradientFlow
        With a quadratic loss, without weight decay.
    data : Dataset, Moments or Measurements
        What is learned.
    box : sequence of array_like
        The weights (W_1, …, W_L), two of whose entries are intervals.
    pieces : int
        The longer side of an undecided cell is halved, unless it is so many times
        smaller than that of the box.

    Returns
    -------
    BasinMap
        With `cells`, `shares` and `ending(x, y)`; `plot.basin` draws it.

    Raises
    ------
    InvalidArgument
        If not exactly two entries are intervals, or the data have some.
    HypothesisFailed
        If limits of this flow are not enclosed.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> box = [[[sf.interval(0.75, 1.25)]], [[sf.interval(1, 1.125)]]]
    >>> found = basin(flow, sf.whitened([[1]]), box, 4)
    >>> found.ending(0.8, 1.1), found.shares
    ((1, 1), {(1, 1): 1.0})
    """
    count = whole(pieces, "basin(pieces=…)", most=MOST_CELLS)
    problem = bind(flow, data, box, digits=GUARD_DIGITS, exact=True)
    check_covered(problem)
    places = [
        (layer, place)
        for layer, weight in enumerate(problem.weights)
        for place, entry in np.ndenumerate(weight)
        if isinstance(entry, Interval)
    ]
    if len(places) != 2 or any(map(has_sets, problem.data.values())):
        msg = (
            "basin(box): needs weights with exactly two intervals among their entries, "
            f"and data with none; the weights have {len(places)}. Give sf.interval(…)"
        )
        raise InvalidArgument(msg)
    x, y = (problem.weights[layer].item(place) for layer, place in places)
    first, second = (
        f"{flow.state[layer].name}[{', '.join(map(str, place))}]"
        for layer, place in places
    )
    remainder = next(remainders_of(problem))
    if isinstance(remainder, FadingRemainder):
        msg = (
            "basin(flow): maps flows of a quadratic loss without weight decay, which "
            f"converge to its minimum; got {flow.loss!r}"
        )
        raise HypothesisFailed(msg)
    prover = _Prover(problem, places, remainder, _are_apart(problem))
    least = max(x.length, y.length) / count
    cells = tuple(_cells(prover, (x, y), least))
    return BasinMap(problem, (first, second), cells)


def _cells(
    prover: _Prover, sides: tuple[Interval, Interval], least: float
) -> Iterator[Cell]:
    """Yield the cells of a rectangle, halved where nothing is proven."""
    ending = prover.ending(sides)
    x, y = sides
    if ending is not None or max(x.length, y.length) <= least:
        yield Cell(x, y, ending)
        return
    parts = [(half, y) for half in x.halves]
    if y.length > x.length:
        parts = [(x, half) for half in y.halves]
    for part in parts:
        yield from _cells(prover, part, least)


def _are_apart(problem: Problem) -> bool:
    """Say whether the layers are square and the only minimizer is regular."""
    square = problem.flow.network.is_dense and len(set(problem.widths)) == 1
    if not square or not isinstance(problem.flow.loss, SquaredLoss):
        return False
    best = exact_least_norm(problem)
    full = range_basis(*problem.arguments[:2]).shape[1] == problem.widths[0]
    return full and best is not None and sympy.Matrix(best).det() != 0


@dataclass(frozen=True)
class _Prover:
    """Follows the middle of a rectangle until its starts are seen to converge."""

    problem: Problem
    places: list[tuple[int, Any]]
    remainder: Ending
    apart: bool

    def ending(self, sides: tuple[Interval, Interval]) -> Signs | None:
        """Return where all starts of a rectangle end, or None."""
        weights = [weight.copy() for weight in self.problem.weights]
        for (layer, place), side in zip(self.places, sides, strict=True):
            weights[layer][place] = side
        problem = replace(self.problem, weights=tuple(weights))
        run = Run(problem.centre, [LATEST], DIGITS, Flint(), self._plan)
        comparison = Comparison(run.system, problem)
        error = comparison.start(run.state.weights)
        for _ in range(MOST_STEPS):
            try:
                return self._seen(run, error)
            except PrecisionLost:
                step = run.system.step(run.state)
            try:
                error = comparison.step(step, error).after
            except PrecisionLost:
                return None
            run.take(step)
        return None

    def _seen(self, run: Run, error: Any) -> Signs | None:
        """Return where flows within an error of the last weights end.

        Raises PrecisionLost if that cannot be seen from there.
        """
        context = mpmath.MPContext()
        context.prec = run.plan.bits
        engine = run.system.engine
        with ALONE, workbits(run.plan.bits):
            matrices = [engine.export(w, context) for w in run.state.weights]
            weights = [to_arb_array(matrix) for matrix in matrices]
            around = arb(0, self.remainder.distance(weights, error))
            if not self.apart:
                return ()
            ends = (arb_mat((weight + around).tolist()).det() for weight in weights)
            signs = tuple(int(end > 0) - int(end < 0) for end in ends)
        if not all(signs):
            msg = "basin: the components of the minimizers are not told apart"
            raise PrecisionLost(msg)
        return signs

    @cached_property
    def _plan(self) -> Plan:
        """Bits and order for a few digits, however the flow goes."""
        arrays = (*self.problem.centre.weights, *self.problem.arguments)
        top = max(float(np.max(np.abs(to_float_array(a)))) for a in arrays)
        seen = Forecast(np.zeros(1), np.zeros(1), max(0.0, log2(top or 1.0)), [])
        bits = TOLERANCE + ceil(4 * seen.magnitude) + TOLERANCE
        return Plan(TOLERANCE, bits, best_order(TOLERANCE), -3.0, seen)
