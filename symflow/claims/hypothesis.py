"""One condition of a theorem, and the three ways in which a verdict is reached.

Exact numbers are decided exactly.  Floats are decided up to rounding: an equality needs
a defect below `TOLERANCE`, an inequality a value that stands out of the rounding of the
terms it was computed from.  What was decided exactly says so, because a theorem whose
conclusion *jumps* where a condition ceases to hold may use nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import SupportsFloat

import sympy

from symflow.algebra.numbers import to_float

#: Relative defect up to which floats count as satisfying an equality.
TOLERANCE = 1e-9

#: What a number computed in float64 may be off, relative to the terms it is made of.
ROUNDING = 1e-13

#: A defect below this is rounding of the arithmetic that measures, not of the input.
UNSEEN = 1e-24


@dataclass(frozen=True, repr=False)
class Hypothesis:
    """One condition of a theorem, checked on the data and start at hand.

    Parameters
    ----------
    words : str
        The condition, as one says it: ``"balanced initialization"``.
    holds : bool
        The verdict.
    detail : str
        What was measured: ``"‖W₂ᵀW₂ − W₁W₁ᵀ‖ = 0.31"``.
    defect : float
        How far the condition is from holding exactly, relative; floats that satisfy
        it up to rounding leave a small one.
    exact : bool
        Whether the verdict is one about the numbers as they were given.  Where it is
        not, the condition holds up to rounding, and what follows is not proved.
    structural : bool
        Whether it speaks of the flow alone; where it fails, the further conditions of a
        theorem make no sense.
    assumed : bool
        Whether nothing decided it: what follows is told under the assumption that it
        holds, and is no more than `Status.HEURISTIC`.

    Examples
    --------
    >>> print(Hypothesis("balanced", False, "‖W₂ᵀW₂ − W₁W₁ᵀ‖ = 0.31"))
    balanced: fails, ‖W₂ᵀW₂ − W₁W₁ᵀ‖ = 0.31
    """

    words: str
    holds: bool
    detail: str = ""
    defect: float = 0.0
    exact: bool = True
    structural: bool = False
    assumed: bool = False

    def __str__(self) -> str:
        said = f"{self.words}: {self.verdict}"
        return said + (f", {self.detail}" if self.detail else "")

    def __repr__(self) -> str:
        return f"<{self}>"

    @property
    def row(self) -> tuple[str, str, str]:
        """The condition, the verdict and what was measured, for a table."""
        return self.words, self.verdict if self.holds else "FAILS", self.detail

    @property
    def verdict(self) -> str:
        """``"ok"``, ``"assumed"`` where nothing decided it, or ``"fails"``."""
        return "fails" if not self.holds else "assumed" if self.assumed else "ok"


def structural(words: str, holds: bool, detail: str = "") -> Hypothesis:
    """Return a condition on the flow alone."""
    return Hypothesis(words, holds, detail, structural=True)


def positive(
    words: str, value: SupportsFloat, scale: SupportsFloat, detail: str = ""
) -> Hypothesis:
    """Require value > 0.

    An `int`, a `Fraction` or a SymPy number is decided exactly; a float has to stand
    out of the rounding of the terms that it was computed from, whose size is `scale`.
    The `detail` is what was measured, the value itself by default.
    """
    detail = detail or f"{float(value):.3g}"
    if isinstance(value, int | Fraction | sympy.Rational):
        return Hypothesis(words, bool(value > 0), detail)
    seen, floor = to_float(value), ROUNDING * to_float(scale)
    if 0 < seen <= floor:
        return Hypothesis(words, False, f"{detail}, which is rounding", exact=False)
    return Hypothesis(words, seen > floor, detail)


def vanishing(
    words: str, defect: SupportsFloat, detail: str, *, given_exactly: bool
) -> Hypothesis:
    """Require that a relative defect vanishes.

    The defect is not negative, and relative to what it is a defect of, each mode by
    itself; zero means that it was found to vanish. Numbers `given_exactly` have no
    rounding to excuse. The `detail` is what is measured, ``"‖Σ_xx − κI‖"``.
    """
    size = inf if defect == inf else to_float(defect)
    rational = isinstance(defect, int | Fraction | sympy.Rational)
    size = 0.0 if size < UNSEEN and not rational else size
    said = f"{detail} = {size:.2g} relative" if size else ""
    said = said if size < inf else f"{detail} beyond all bounds"
    allowed = 0.0 if given_exactly else TOLERANCE
    sure = size == 0 or size > allowed
    return Hypothesis(words, size <= allowed, said, size, exact=sure)


def strictly(found: Hypothesis) -> Hypothesis:
    """Require a condition exactly, where what follows jumps once it is violated."""
    if found.exact or not found.holds:
        return found
    detail = f"{found.detail}; up to rounding is not enough here"
    return replace(found, words=f"{found.words}, exactly", holds=False, detail=detail)


def all_hold(found: Iterable[Hypothesis]) -> bool:
    """Say whether every hypothesis holds."""
    return all(hypothesis.holds for hypothesis in found)
