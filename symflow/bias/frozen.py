"""Any depth, any start: W(t)P⊥ = W_L⋯W_2(t) W_1(0)P⊥, exactly and at all times.

P⊥ projects off the row space of X (see `bias/least_norm.py`), and W_1P⊥ never moves.
So the limit is the minimizer of least norm plus a part that the later layers carry;
with weights of size α that part is of order α where W_L⋯W_2 stays bounded as α → 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, end_to_end
from symflow.bias.least_norm import allowance, off_along, row_space_proof
from symflow.bias.minimizers import minimizers
from symflow.bias.reference_problems import GENERIC, one_sample
from symflow.claims import Hypothesis, Identity, Path, Refusal, Theorem, all_hold
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import dense_layers, on_flow, squared_loss
from symflow.claims.example import Examples
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class FrozenPart(Theorem):
    """W(t) is off the row space of X by what the first layer started with."""

    source = YUN_2021
    contributes = "the question; the identity at finite times derived here"
    where = "P is the projection off the row space of X"
    conditions = (on_flow(squared_loss), on_flow(dense_layers))

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim where the row space is clear."""
        rows = (*found, *minimizers(problem).hypotheses)
        return cls(problem, rows) if all_hold(rows) else cls.refuse(rows)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that W_1P⊥ is at rest."""
        return row_space_proof()[:1]

    @classmethod
    def examples(cls) -> Examples:
        """Return three layers and one sample; samples of every input freeze nothing."""
        weights = (GENERIC[0], [[1, 0], [1, 1]], [[1, 1]])
        eye = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        every = one_sample("every input", *weights, samples=eye)
        return (one_sample("yun-frozen", *weights, elsewhere=every),)

    @property
    def statement(self) -> sympy.Basic:
        """W_1(t)P = W_1(0)P, with P off the row space; the later layers carry it."""
        d = self.problem.flow.network.widths[0]
        off, start = sympy.MatrixSymbol("P", d, d), self.problem.flow.state[0]
        frozen = sympy.MatrixSymbol("W1(0)", *start.shape)
        return sympy.Eq(start * off, frozen * off, evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return ‖W(t)P⊥ − W_L⋯W_2(t)W_1(0)P⊥‖ relative to W(0) and the minimizer."""
        weights = path.weights
        start = self.start_on(path)[0]
        carried = end_to_end((start, *weights[1:]))
        best = minimizers(self.problem)
        return off_along(self.problem, best, path, path.end_to_end - carried)

    def slack(self, path: Path) -> Array:
        return np.full(len(path.t), allowance(self.problem, minimizers(self.problem)))
