"""Two balanced layers, or W = UUᵀ, on whitened input: where the Riccati equation ends.

Q̇ = FQ − ½κQQᵀQ takes P = QQᵀ, one block of which is W, to Σ (2f/κ)Π_f over the
eigenvalues f > 0 of F that the start reaches (see `flow/riccati.py`).  Two layers that
reach all of them end in U[σ − l2]_+Vᵀ/κ, the singular values of Σ_yx past a soft
threshold; fewer hidden units keep the greatest; what nothing reaches stays at zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.balls import midpoint
from symflow.bias.decayed_modes import decayed_objective
from symflow.bias.prediction import Prediction
from symflow.claims import Finding, Hypothesis, Identity, Path, structural
from symflow.claims.bibliography import DOMINE_2025
from symflow.claims.example import Example, Examples, regression
from symflow.claims.finding import FLOAT_LIMIT, is_endless
from symflow.claims.whitened import decaying_loss, isotropic, lasting_balance, seen
from symflow.data import whitened
from symflow.flow.problem import Problem
from symflow.flow.riccati import block_of, ending, gram_equation, stacked
from symflow.losses import SquaredLoss
from symflow.networks import SymmetricFactorization

#: When the examples are looked at.
TIMES = (0, 1, 2, 4, 8)


def gram_model(problem: Problem) -> Hypothesis:
    """Require two dense layers, or W = UUᵀ."""
    network = problem.flow.network
    tied = isinstance(network, SymmetricFactorization)
    fits = tied or (network.is_dense and network.depth == 2)
    return structural("two dense layers, or UUᵀ", fits, repr(network))


def reach_known(problem: Problem) -> Hypothesis:
    """Require that it is known which eigenvalues f > 0 of F the start reaches."""
    found = ending(problem)
    detail = f"{len(found.rates)} of them"
    if found.gram is None:
        detail = "a direction is not told from zero, or from another as fast"
    words = "it is known which modes the start reaches"
    return Hypothesis(words, found.gram is not None, detail, exact=found.exact)


@dataclass(frozen=True, eq=False, repr=False)
class RiccatiLimit(Prediction):
    """Where P = QQᵀ ends, and W with it; made by `implicit_bias`."""

    source = DOMINE_2025
    contributes = "the solution; its limit from any start, and weight decay, here"
    where = (
        "P = QQᵀ with Q = [W₁ᵀ; W₂], or Q = U; f are the positive eigenvalues of F "
        "that the start reaches, E has their vectors as columns; Ṗ = FP + PF − κP²"
    )
    conditions = (
        decaying_loss,
        gram_model,
        isotropic,
        seen,
        lasting_balance,
        reach_known,
    )

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the limit of a mode, of a slower one, and what they are of W."""
        f, g, kappa, c, d, x = sympy.symbols("f g kappa c d x", positive=True)
        sigma, l2 = sympy.symbols("sigma l2", positive=True)
        # x = e^{−2ft}, y = e^{−2(f−g)t}: one hidden unit on rates f > g
        y = sympy.Symbol("y", positive=True)
        grown = kappa * c**2 * (1 - x) / (2 * f)
        slow = kappa * d**2 * (y - x) / (2 * g)
        strength, beside = (c**2 / (x + grown + slow), d**2 * y / (x + grown + slow))
        end = {x: 0, y: 0}
        force = sympy.Matrix([[-l2, sigma], [sigma, -l2]])
        pair = sympy.Matrix([1, 1]) / sympy.sqrt(2)
        turned = force * pair - (sigma - l2) * pair
        block = (2 * (sigma - l2) / kappa * pair * pair.T)[1, 0]
        P = 2 * f / kappa
        return (
            Identity("along f, P = c²/(x + κΦ) → 2f/κ", strength.subs(end) - P),
            Identity("along g < f, on the same hidden unit, P → 0", beside.subs(end)),
            Identity("P = 2f/κ is at rest", 2 * f * P - kappa * P**2),
            Identity("F(v; u) = (σ − l2)(v; u)", turned[0] ** 2 + turned[1] ** 2),
            Identity("its block of P is (σ − l2)/κ", block - (sigma - l2) / kappa),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return a start of one unit, and a tied factor."""
        half, more = (SquaredLoss(l2=sympy.Rational(k, 2)) for k in (1, 5))
        one = "riccati-one", [[3, 1], [0, 2]], [[1, 2]], [[1], [2]]
        away = regression(*one, t=TIMES, loss=more)
        tied = SymmetricFactorization(2, 1), whitened([[2, 1], [0, 1]]), ([[1], [2]],)
        weak = Example("tied", *tied, TIMES, loss=half)
        return (
            regression(*one, t=TIMES, loss=half, elsewhere=away),
            Example("riccati-tied", *tied, TIMES, loss=more, elsewhere=weak),
        )

    @property
    def statement(self) -> sympy.Basic:
        """P(∞) = (2/κ) E diag(f) Eᵀ, E the directions that the start reaches."""
        count, size = len(ending(self.problem).rates), len(self._gram)
        E = sympy.MatrixSymbol("E", size, count)
        f = sympy.DiagMatrix(sympy.MatrixSymbol("f", count, 1))
        limit = sympy.MatrixSymbol("P_∞", size, size)
        scale = 2 / sympy.Symbol("kappa", positive=True)
        return sympy.Eq(limit, scale * E * f * E.T, evaluate=False)

    @property
    def _gram(self) -> Array:
        found = ending(self.problem).gram
        assert found is not None
        return found

    @property
    def limit(self) -> Array:
        """W(∞) in float64."""
        return map_entries(float, block_of(self.problem, self._gram)).astype(float)

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return predicted minus enclosed limit in balls, the former in balls too."""
        if not (ending(self.problem).exact and is_endless(balls)):
            return super().finding(balls, index)
        gap = block_of(self.problem, self._gram) - balls.product_balls(-1)
        return Finding(np.asarray(gap))

    @property
    def potential(self) -> sympy.Expr:
        """The least objective that weights with the product W can have."""
        return decayed_objective(self.problem, 2)

    def residuals(self, path: Path) -> Array:
        """Return how far J = ⅛κ‖P‖² − ½tr(FP) rises, or falls below its limit."""
        drawn = self.problem if path.context is None else self.problem.at(path.digits)
        force, kappa, _ = gram_equation(drawn.mapped(path.lift))
        grams = [
            side @ side.T for side in map(stacked, zip(*path.weights, strict=True))
        ]
        *values, best = (
            ((kappa * gram / 4 - force) * gram).sum() / 2
            for gram in (*grams, self._lifted(path))
        )
        scale = max(*map(abs, values), abs(best)) or 1
        above = np.asarray(values) - np.minimum.accumulate(values)
        below = [max(best - value, 0 * value) for value in values]
        return np.asarray(np.maximum(above, below) / scale)

    def _lifted(self, path: Path) -> Array:
        """Return P(∞) in the arithmetic of a path."""
        if path.context is None or not ending(self.problem).exact:
            return path.lift(map_entries(float, self._gram).astype(float))
        return map_entries(lambda ball: midpoint(ball, path.context), self._gram)

    def slack(self, path: Path) -> Array:
        """Return what floats leave open in the limit, and the conditions in P(t)."""
        exact = ending(self.problem).exact
        return np.asarray(super().slack(path) + (0.0 if exact else FLOAT_LIMIT))
