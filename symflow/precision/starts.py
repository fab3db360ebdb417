"""Sets of starts and data, cut into pieces, and the hull of what these prove.

One comparison covers a whole set: the middle of the set is integrated, its defect is
taken for all data of the set at once, and the distance of a start from the middle is
the error to begin with (`comparison`, `hessian`).  How fast that error can grow rises
with its size, so that several small sets prove more than a large one.  Every member is
in a piece, and a ball around the middle that holds the balls of all pieces holds every
flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array
from symflow.algebra.balls import FINE_BITS
from symflow.algebra.intervals import Interval
from symflow.flow.problem import Problem
from symflow.precision.balls import ALONE, distance_between, upward, workbits
from symflow.precision.enclosure import Enclosure


def pieces_of(problem: Problem, count: int) -> list[Problem]:
    """Cut a problem with sets among its numbers into smaller ones.

    The widest set of the piece that is first in line is halved until they are so many.
    """
    pieces = [problem]
    while len(pieces) < count and problem.is_set:
        pieces += _halves(pieces.pop(0))
    return pieces


def hull(middle: Enclosure, pieces: Sequence[Enclosure], problem: Problem) -> Enclosure:
    """Return the balls around the midpoints of one enclosure that hold all others."""
    radii, ends = [], []
    for index in range(len(middle)):
        reaches, products = [], []
        for piece in pieces:
            pairs = list(zip(piece.weights, middle.weights, strict=True))
            reaches.append(_reach(pairs, piece.radius, index))
            both = [(piece.end_to_end, middle.end_to_end)]
            products.append(_reach(both, piece.end_to_end_radius, index))
        radii.append(max(reaches))
        ends.append(max(products))
    said = f"{pieces[0].proof[0]}; in {len(pieces)} pieces"
    return replace(
        middle,
        radius=np.array(radii),
        end_to_end_radius=np.array(ends),
        proof=(said, *pieces[0].proof[1:]),
        sets=problem,
    )


def _reach(pairs: list[tuple[Array, Array]], radii: Array, index: int) -> float:
    """Return how far a ball reaches from another midpoint, at one time."""
    with ALONE, workbits(FINE_BITS):
        ends = ([pair[side][index] for pair in pairs] for side in (0, 1))
        return upward(distance_between(*ends) + arb(float(radii[index])))


def _halves(problem: Problem) -> list[Problem]:
    """Cut the widest set in two."""
    arrays: dict[Any, Array] = {**dict(enumerate(problem.weights)), **problem.data}
    *_, key, place = max(
        (entry.high - entry.low, str(key), place, key, place)
        for key, array in arrays.items()
        for place, entry in np.ndenumerate(array)
        if isinstance(entry, Interval)
    )
    entry: Any = arrays[key][place]
    halves = []
    for half in entry.halves:
        array = arrays[key].copy()
        array[place] = half
        changed = {**arrays, key: array}
        weights = tuple(changed[k] for k in range(len(problem.weights)))
        data = {name: changed[name] for name in problem.data}
        halves.append(replace(problem, weights=weights, data=data))
    return halves
