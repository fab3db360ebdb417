"""All bounds that apply to one problem, the fastest first, and why others do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.display import Marked, Sheet, escaped
from symflow.algebra.outward import said_down
from symflow.claims import Refusal
from symflow.convergence.bound import RateBound
from symflow.convergence.two_layers import InstantaneousRate
from symflow.errors import HypothesisFailed


@dataclass(frozen=True, eq=False, repr=False)
class Guarantees(Sequence[RateBound]):
    """The rate bounds that apply; made by `rates`.

    A sequence of bounds, the fastest guaranteed rate first.
    """

    bounds: tuple[RateBound, ...]  #: Those that apply, the fastest first.
    refusals: tuple[Refusal, ...]  #: Those that do not, with the hypotheses that fail.

    @property
    def tightest(self) -> RateBound:
        """The bound with the fastest rate.

        Raises
        ------
        HypothesisFailed
            If none applies.
        """
        if self.bounds:
            return self.bounds[0]
        reasons = "\n".join(map(str, self.refusals))
        msg = f"rates(flow, data, init): no catalogued bound applies.\n{reasons}"
        raise HypothesisFailed(msg)

    @property
    def rate(self) -> float:
        """The fastest guaranteed rate; 0 where none is."""
        return self.bounds[0].rate if self.bounds else 0.0

    def bound(self, t: Any) -> Array:
        """Return the least of the bounds on what the tightest one is about.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        ndarray
            Of the shape of `t`.

        Raises
        ------
        HypothesisFailed
            If no bound applies.
        """
        quantity = self.tightest.quantity
        same = [bound for bound in self.bounds if bound.quantity == quantity]
        return np.asarray(np.min([bound.bound(t) for bound in same], axis=0))

    def __len__(self) -> int:
        return len(self.bounds)

    @overload
    def __getitem__(self, index: int) -> RateBound: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RateBound]: ...
    def __getitem__(self, index: int | slice) -> RateBound | Sequence[RateBound]:
        return self.bounds[index]

    def __iter__(self) -> Iterator[RateBound]:
        return iter(self.bounds)

    def _repr_markdown_(self) -> str:
        rows = [
            (bound.name, str(bound.reference), _what(bound), _falling(bound))
            for bound in self.bounds
        ]
        header = ("bound", "paper", "what falls", "at least as")
        sheet = Sheet(self._count, header=header, rows=tuple(rows)).markdown()
        return "\n".join([sheet, "", *(f"* {escaped(why)}" for why in self._reasons)])

    def __repr__(self) -> str:
        lines = [f"{self._count}:"]
        for bound in self.bounds:
            part = bound.rate / self.rate if self.rate > 0 else 1.0
            pace = f"at rate {said_down(bound.rate)} ({part:.0%} of the fastest)"
            pace = f"as {bound.falls}" if bound.falls else pace
            lines.append(
                f"  {bound.name:<18} {bound.reference!s:<21} {_what(bound)} "
                f"falls {pace}"
            )
        return "\n".join([*lines, *(f"  {reason}" for reason in self._reasons)])

    @property
    def _count(self) -> str:
        if len(self.bounds) == 1:
            return "1 bound applies"
        if not self.bounds:
            return "No bound applies"
        return f"{len(self.bounds)} bounds apply, the tightest first"

    @property
    def _reasons(self) -> list[str]:
        """What keeps each of the others from applying; what holds needs no words."""
        names: dict[str, list[str]] = {}
        for refusal in self.refusals:
            failed = " · ".join(str(h) for h in refusal.hypotheses if not h.holds)
            names.setdefault(failed, []).append(refusal.name)
        return [f"{', '.join(those)} not: {why}" for why, those in names.items()]


def _falling(bound: RateBound) -> Marked:
    rate = said_down(bound.rate)
    if bound.falls:
        return Marked(bound.falls, bound.falls)
    return Marked(f"e^(−{rate} t)", f"$e^{{-{rate}\\,t}}$")


def _what(bound: RateBound) -> str:
    """Return what falls; an instantaneous rate is a floor that moves with W(t)."""
    moving = isinstance(bound, InstantaneousRate)
    return f"{bound.quantity} (floor of c(W(t)))" if moving else bound.quantity
