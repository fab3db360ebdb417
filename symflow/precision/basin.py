"""`basin`: which starts of a rectangle are proven to end where.

A rectangle of starts is enclosed to t = ∞ (`enclose`), or cut in four.  The minimizers
W_L⋯W_1 = W* of a product of square layers with regular W* have 2^(L−1) components, told
apart by the signs of det W_l: a flow that ends within a ball on which these have one
sign ends in that component.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from flint import arb_mat

from symflow.algebra.arrays import Array, has_sets
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.intervals import Interval
from symflow.algebra.numbers import as_fraction, whole
from symflow.errors import InvalidArgument, PrecisionLost
from symflow.flow import GradientFlow
from symflow.flow.given import DataLike, InitLike
from symflow.flow.problem import Problem, bind
from symflow.precision.enclose import enclose
from symflow.precision.enclosure import Enclosure

#: Cells of a side.
MOST_CELLS = 4096

#: The signs of det W_1, …, det W_L; empty where the minimizers are not told apart.
Signs = tuple[int, ...]


@dataclass(frozen=True)
class Cell:
    """A rectangle of starts, and where they end.

    Parameters
    ----------
    x, y : Interval
        The two entries.
    ending : tuple of int, optional
        The signs of det W_l at t = ∞, or nothing where W* alone is known; None where
        it is undecided.
    """

    x: Interval
    y: Interval
    ending: Signs | None

    @property
    def area(self) -> float:
        """Its area."""
        return float((self.x.high - self.x.low) * (self.y.high - self.y.low))


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
            msg = f"map.ending(x, y): needs a start in the box; got {x!r}, {y!r}"
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
    """Return an ending in words.

    Examples
    --------
    >>> ending_text((1, -1)), ending_text(()), ending_text(None)
    ('W → W*, det W₁ > 0, det W₂ < 0', 'W → W*', 'undecided')
    """
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
    *,
    digits: int = 6,
) -> BasinMap:
    """Map a box of starts by where each of them is proven to end.

    Parameters
    ----------
    flow : GradientFlow
        Of dense layers with the squared loss or measurements, without weight decay.
    data : Dataset, Moments or Measurements
        What is learned.
    box : sequence of array_like
        The weights (W_1, …, W_L), two of whose entries are intervals.
    pieces : int
        Sides of undecided cells are halved until they are so many times smaller.
    digits : int, keyword-only
        Digits of the flow of a middle.

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
    >>> box = [[[sf.interval(-1, 1)]], [[sf.interval(-1, 1)]]]
    >>> found = basin(flow, sf.whitened([[1]]), box, 4)
    >>> found.ending(0.9, 0.9), found.ending(-0.9, -0.8), found.ending(0.5, -0.5)
    ((1, 1), (-1, -1), None)
    """
    count = whole(pieces, "basin(pieces=…)", most=MOST_CELLS)
    problem = bind(flow, data, box, digits=digits, exact=True)
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
    sides = [problem.weights[layer][place] for layer, place in places]
    prove = partial(_ending, problem, places, digits)
    names = (
        f"{flow.state[layer].name}[{', '.join(map(str, place))}]"
        for layer, place in places
    )
    cells = tuple(_cells(prove, *sides, count))
    first, second = names
    return BasinMap(problem, (first, second), cells)


def _cells(prove: Any, x: Interval, y: Interval, count: int) -> Iterator[Cell]:
    """Yield the cells of a rectangle, cut in four where nothing is proven."""
    ending = prove(x, y)
    if ending is not None or count <= 1:
        yield Cell(x, y, ending)
        return
    for left in _halves(x):
        for low in _halves(y):
            yield from _cells(prove, left, low, (count + 1) // 2)


def _halves(side: Interval) -> tuple[Interval, Interval]:
    return Interval(side.low, side.middle), Interval(side.middle, side.high)


def _ending(
    problem: Problem, places: Any, digits: int, *sides: Interval
) -> Signs | None:
    """Return where all starts of a rectangle end, or None."""
    weights = [weight.copy() for weight in problem.weights]
    for (layer, place), side in zip(places, sides, strict=True):
        weights[layer][place] = side
    try:
        ball = enclose(problem.flow, problem.source, weights, np.inf, digits=digits)
    except PrecisionLost:
        return None
    return _signs(ball)


def _signs(ball: Enclosure) -> Signs | None:
    """Return the signs of the determinants; None where one should be known and is not.

    They tell minimizers apart where all layers are square and W* is regular.
    """
    if len(set(ball.problem.widths)) > 1 or _sign(ball.product_balls(-1)) == 0:
        return ()
    signs = tuple(map(_sign, ball.weight_balls(-1)))
    return signs if all(signs) else None


def _sign(balls: Array) -> int:
    determinant = arb_mat(balls.tolist()).det()
    return int(determinant > 0) - int(determinant < 0)
