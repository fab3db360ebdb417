"""Two layers, split by the row space of X: what drives the flow off it.

Min, Tarmoun, Vidal, Mallada (2021); notation of `flow/least_squares.py` and
`least_norm.py`.  Their U_1 and U_2 are our (W_1Φ)ᵀ and (W_1Φ_⊥)ᵀ, their V is W_2.  U_2
is frozen, and the two products that bring it into the end-to-end matrix,

    x = W_2W_1P⊥   and   y = ΦᵀW_1ᵀW_1P⊥,      obey  ẋ = EΛ^{1/2}y,  ẏ = Λ^{1/2}Eᵀx:

a linear system that the misfit E switches off.  Hence x = y = 0 is invariant, and only
both together: with x = 0 alone y moves x at once.  Whatever E does, the system keeps

    xᵀx − yᵀy,

as d(xᵀx)/dt = xᵀEΛ^{1/2}y + (…)ᵀ = d(yᵀy)/dt (derived here).  That and W_1P⊥ at rest is
what a trajectory is held against, at every time: both involve its past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import exact
from symflow.bias.least_norm import allowance, row_space_proof
from symflow.bias.minimizers import minimizers
from symflow.bias.reference_problems import GENERIC, one_sample
from symflow.claims import (
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    all_hold,
    relative_size,
)
from symflow.claims.bibliography import MIN_2021
from symflow.claims.conditions import dense_layers, on_flow, squared_loss
from symflow.claims.example import Examples, scaled
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class RowSpaceSplit(Theorem):
    """The parts off the row space of X drive each other, and keep xᵀx − yᵀy."""

    coupling: float  #: 1: the factor of the misfit in ẋ against that in ẏ.

    source = MIN_2021
    contributes = "the linear system; its invariant derived here"
    where = "P is the projection off the row space of X"
    conditions = (on_flow(squared_loss), on_flow(dense_layers, 2))

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim where there are inputs that no sample sees."""
        best = minimizers(problem)
        rank, inputs = best.rank.value, len(best.seen)
        words = "inputs that no sample sees"
        unseen = Hypothesis(words, rank < inputs, f"rank {rank} of {inputs}")
        rows = (*found, *best.hypotheses, unseen)
        return cls(problem, rows, 1.0) if all_hold(rows) else cls.refuse(rows)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the linear system, and its invariant."""
        x, y, pull = sympy.symbols("x y K", commutative=False)
        t = sympy.adjoint
        x_rate, y_rate = pull * y, t(pull) * x
        gap = t(x_rate) * x + t(x) * x_rate - t(y_rate) * y - t(y) * y_rate
        words = "xᵀx − yᵀy rests where ẋ = Ky and ẏ = Kᵀx"
        return (*row_space_proof(), Identity(words, sympy.expand(gap)))

    @classmethod
    def examples(cls) -> Examples:
        """Return one sample of three inputs."""
        return (one_sample("min-split", *GENERIC, false=scaled(coupling=1.1)),)

    @property
    def statement(self) -> sympy.Basic:
        """x(t)ᵀx(t) − y(t)ᵀy(t) is what it was."""
        d, (h, m) = len(minimizers(self.problem).seen), self.problem.widths[1:]
        off = sympy.MatrixSymbol("P", d, d)
        first, second = (
            sympy.MatrixSymbol("W1", h, d),
            sympy.MatrixSymbol("W2", m, h),
        )

        def invariant(first: Any, second: Any) -> Any:
            x, y = second * first * off, (first - first * off).T * first * off
            return x.T * x - exact(self.coupling) * y.T * y

        start = sympy.MatrixSymbol("W1(0)", h, d), sympy.MatrixSymbol("W2(0)", m, h)
        return sympy.Eq(invariant(first, second), invariant(*start), evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return by how much xᵀx − yᵀy and W_1P⊥ have moved, relative."""
        best = minimizers(self.problem)
        begin = self.start_on(path)
        kept, frozen = self._kept(begin, path)
        first, second, least = (
            np.max(np.abs(part)) for part in (*begin, path.lift(best.least_norm))
        )
        scale = np.array([first**2 * (first**2 + second**2 + least)])
        gaps = []
        for weights in zip(*path.weights, strict=True):
            now, rest = self._kept(weights, path)
            moved = relative_size(now - kept, scale)
            gaps.append(max(moved, relative_size(rest - frozen, begin[0])))
        return np.asarray(gaps)

    def _kept(self, weights: tuple[Array, ...], path: Path) -> tuple[Array, Array]:
        """Return xᵀx − yᵀy and W_1P⊥."""
        first, second = weights
        rest = minimizers(self.problem).off(first, path)
        x, y = second @ rest, (first - rest).T @ rest
        return x.T @ x - path.number(self.coupling) * (y.T @ y), rest

    def slack(self, path: Path) -> Array:
        """Return what rounded data alone may put off the row space."""
        best = minimizers(self.problem)
        return np.full(len(path.t), allowance(self.problem, best))
