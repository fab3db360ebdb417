"""Sets of numbers as entries: an interval stands for every number between its ends.

An interval has no arithmetic and no float: SymPy would take the midpoint of a ball for
the number.  It stays one until ball arithmetic is known (`algebra/balls.py`), and every
other way to numbers refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Interval:
    """Every real number from `low` to `high`; made by `interval`."""

    #: `low`, `high`: its ends, low < high.
    low: Fraction
    high: Fraction

    @property
    def middle(self) -> Fraction:
        """The number half way."""
        return (self.low + self.high) / 2

    @property
    def length(self) -> float:
        """From end to end, in float64."""
        return float(self.high - self.low)

    @property
    def halves(self) -> tuple[Interval, Interval]:
        """The part below the middle, and that above."""
        return Interval(self.low, self.middle), Interval(self.middle, self.high)

    def __repr__(self) -> str:
        return f"interval({self.low}, {self.high})"
