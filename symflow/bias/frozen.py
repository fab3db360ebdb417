"""Any depth, any start: W(t)P⊥ = W_L⋯W_2(t) W_1(0)P⊥, exactly and at all times.

P⊥ projects off the row space of X (see `bias/least_norm.py`), and W_1P⊥ never moves.
So the limit is the minimizer of least norm plus a part that the later layers carry;
with weights of size α that part is of order α where W_L⋯W_2 stays bounded as α → 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import (
    Path,
    Refusal,
    Theorem,
    all_hold,
    relative_size,
)
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class FrozenPart(Theorem):
    """W(t) is off the row space of X by what the first layer started with."""

    source = YUN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = (squared_loss(problem.flow), dense_layers(problem.flow))
        if all_hold(found):
            return cls(problem, found)
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """W(t)P = W_L⋯W_2(t) W_1(0)P, with P off the row space."""
        d = self.problem.flow.network.widths[0]
        off, start = sympy.MatrixSymbol("P", d, d), self.problem.flow.state[0]
        frozen = sympy.MatrixSymbol("W1(0)", *start.shape)
        return sympy.Eq(start * off, frozen * off, evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return ‖W(t)P⊥ − W_L⋯W_2(t)W_1(t₀)P⊥‖ relative to the largest entry of W."""
        fine = least_squares(self.problem, path.context)
        carried = np.broadcast_to(fine.off(path.weights[0][0]), path.weights[0].shape)
        for weight in path.weights[1:]:
            carried = weight @ carried
        gaps = fine.off(path.end_to_end) - carried
        return np.asarray([relative_size(gap, path.end_to_end) for gap in gaps])

    def slack(self, path: Path) -> Array:
        """Return what rounded data alone may put off the row space."""
        return np.full(len(path.t), least_squares(self.problem).allowance(self.problem))
