"""Two layers, split by the row space of X: what drives the flow off it.

Min, Tarmoun, Vidal, Mallada (2021); notation of `flow/least_squares.py` and
`least_norm.py`.  Their U_1 and U_2 are our (W_1Φ)ᵀ and (W_1Φ_⊥)ᵀ, their V is W_2.  U_2
is frozen, and the two products that bring it into the end-to-end matrix,

    x = W_2W_1P⊥   and   y = ΦᵀW_1ᵀW_1P⊥,      obey  ẋ = EΛ^{1/2}y,  ẏ = Λ^{1/2}Eᵀx:

a linear system that the misfit E switches off.  Hence x = y = 0 is invariant, and only
both together: with x = 0 alone y moves x at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Hypothesis, Path, Refusal, Theorem, all_hold, relative_size
from symflow.claims.bibliography import MIN_2021
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class RowSpaceSplit(Theorem):
    """The parts off the row space of X drive each other through the misfit.

    Parameters
    ----------
    coupling : float
        1: the factor of the misfit in ẋ and ẏ.
    """

    coupling: float

    source = MIN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        if all_hold(found):
            reduction = least_squares(problem)
            inputs = len(reduction.frame)
            words = "inputs that no sample sees"
            detail = f"rank {reduction.rank} of {inputs}"
            found.append(Hypothesis(words, reduction.rank < inputs, detail))
        return cls(problem, tuple(found), 1.0) if all_hold(found) else cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """ẋ = EΛ^{1/2}y."""
        reduction = least_squares(self.problem)
        (m, r), d = reduction.target.shape, len(reduction.frame)
        xdot, y = sympy.MatrixSymbol("xdot", m, d), sympy.MatrixSymbol("y", r, d)
        misfit, root = sympy.MatrixSymbol("E", m, r), sympy.MatrixSymbol("S", r, r)
        return sympy.Eq(xdot, misfit * root * y, evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return the gaps in both equations, and what U_2 moves, relative."""
        fine = least_squares(self.problem, path.context)
        sigma_xx, sigma_yx = map(path.lift, self.problem.exact_arguments)
        coupling, gaps = path.number(self.coupling), []
        frozen = fine.off(path.weights[0][0])
        for first, second in zip(*path.weights, strict=True):
            product = second @ first
            force = sigma_yx - product @ sigma_xx
            up, down = second.T @ force, force @ first.T
            rest, seen = fine.off(first), first @ fine.frame
            x, y = second @ rest, seen.T @ rest
            pull = coupling * fine.misfit(product) * fine.eigenvalues**0.5
            # Ẇ_1P⊥ = 0 leaves one term in each product rule
            moved = down @ rest, (up @ fine.frame).T @ rest
            claimed = pull @ y, pull.T @ x
            scale = np.array([max(abs(pull).max(), 1) * max(abs(first).max(), 1) ** 2])
            pairs = zip((*moved, rest), (*claimed, frozen), strict=True)
            gaps.append(max(relative_size(a - b, scale) for a, b in pairs))
        return np.asarray(gaps)

    def slack(self, path: Path) -> Array:
        """Return what rounded data alone may put off the row space."""
        return np.full(len(path.t), least_squares(self.problem).allowance(self.problem))
