"""Data that are switched along a flow: each piece starts where the last one ended."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

from symflow.algebra.numbers import exact
from symflow.errors import InvalidArgument, shown
from symflow.flow.times import as_times


@dataclass(frozen=True, init=False)
class Curriculum:
    """Several data sets, each learned for some time.

    As the data of `simulate`, `precise`, `enclose` and `solve`.

    Parameters
    ----------
    *pieces : pairs of data and time
        Datasets or moments, and for how long each is learned.

    Raises
    ------
    InvalidArgument
        If a piece is no such pair, or a time is not positive.

    Examples
    --------
    >>> import symflow as sf
    >>> lesson = sf.Curriculum((sf.whitened([[2]]), 3), (sf.whitened([[1]]), 5))
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, lesson, [[[1]], [[1]]], [0, 3, 8])
    >>> [round(w, 4) for w in run.end_to_end.ravel().tolist()]
    [1.0, 2.0, 1.0]
    >>> print(f"{run.forgetting(0):.3f}")  # from 0 to (2 − 1)²/2 on the first data
    0.500
    """

    pieces: tuple[tuple[Any, Fraction], ...]

    def __init__(self, *pieces: Any) -> None:
        pairs = [piece if isinstance(piece, tuple | list) else () for piece in pieces]
        if not pairs or any(len(p) != 2 or not hasattr(p[0], "moments") for p in pairs):
            msg = "Curriculum((data, time), …): needs pairs of data and a time; got "
            raise InvalidArgument(msg + shown(pieces))
        call = "Curriculum((data, time), …)"
        lasting = [as_times([0, time], call)[1] for _, time in pairs]
        parts = tuple((p[0], time) for p, time in zip(pairs, lasting, strict=True))
        object.__setattr__(self, "pieces", parts)

    @property
    def ends(self) -> tuple[Fraction, ...]:
        """When each piece ends, from the start of the first."""
        return tuple(accumulate(lasting for _, lasting in self.pieces))

    def times(self, t: Any, call: str) -> list[Any]:
        """Return times of the whole as exact numbers.

        Parameters
        ----------
        t : number or sequence of numbers
            Increasing times.
        call : str
            The call to name in an error message.

        Raises
        ------
        InvalidArgument
            If a time is later than the last piece ends.
        """
        times = list(as_times(t, call))
        if times[-1] > self.ends[-1]:
            msg = (
                f"{call}(t=…): the curriculum ends at {self.ends[-1]}; got {times[-1]}"
            )
            raise InvalidArgument(msg)
        return times


def place_of(t: Any, ends: Sequence[Any]) -> tuple[int, Any]:
    """Return which piece a time belongs to, and when that began.

    A switch belongs to the piece that ends there.
    """
    place = min(bisect_left(ends, exact(t)), len(ends) - 1)
    return place, ends[place - 1] if place else 0
