"""Two layers whose imbalance has two levels: W moves by an equation of its own.

Let Q = [W_1ᵀ; W_2], J = diag(−I, I), N = JQQᵀ and F = −∂ℓ/∂W.  Then Q̇ = SQ with S =
[[0, Fᵀ], [F, 0]], and JS = −SJ, so that Ṅ = NS − SN: whatever polynomial of N vanishes
at the start vanishes for ever, for every loss.  Balanced layers have N² = 0, λ-balanced
ones N² = λN.  The next case is N² = λN + c²I; its blocks say that

    W_2W_2ᵀ = ½λ + √(¼λ² + c² + WWᵀ),    W_1ᵀW_1 = −½λ + √(¼λ² + c² + WᵀW),

and Ẇ = W_2W_2ᵀF + FW_1ᵀW_1 is an equation of W alone: lazy along singular values far
below c, and that of balanced layers far above.  Gaussian layers come near it as they
get wide, with λ = h(σ_2² − σ_1²) and c = hσ_1σ_2 for h hidden units and weights of
variance σ_1² and σ_2² (Tu, Aranguri and Jacot 2024, for σ_1 = σ_2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.balls import to_arb, to_arb_array
from symflow.claims import Finding, Identity, Path, Theorem
from symflow.claims.bibliography import TU_2024
from symflow.claims.conditions import dense_layers, on_flow, same_pace
from symflow.claims.example import Examples, regression
from symflow.claims.finding import is_endless
from symflow.claims.whitened import of_two_levels, opposite_levels
from symflow.flow.riccati import signed_gram, two_levels

#: By how much squares of weights magnify a relative error of theirs, twice squared.
SQUARED_TWICE = 4.0

#: λ and c² where no rational numbers are given.
LEVELS = sympy.Symbol("lambda", real=True), sympy.Symbol("c", positive=True) ** 2


@dataclass(frozen=True, eq=False, repr=False)
class MixedFlow(Theorem):
    """W alone decides how the layers move it; made by `companions`."""

    source = TU_2024
    contributes = "the formula, for wide Gaussian layers; exact starts derived here"
    where = (
        "the numbers are the λ and c² of N² = λN + c²I, N = [[−W₁ᵀW₁, −Wᵀ], [W, "
        "W₂W₂ᵀ]]; of a drawn start λ and c² stand for them"
    )
    conditions = (
        on_flow(dense_layers, 2),
        on_flow(same_pace),
        of_two_levels,
        opposite_levels,
    )

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return how N moves, that its relation stays, and what a block of it says."""
        J, P, S, N = sympy.symbols("J P S N", commutative=False)
        turned = J * S * P + J * P * S  # Ṅ, with Ṗ = SP + PS
        kept = N * (N * S - S * N) + (N * S - S * N) * N
        W, back, inner, outer = sympy.symbols("W W' A B", commutative=False)
        signed = sympy.Matrix([[-inner, -back], [W, outer]])
        corner = (signed * signed)[1, 1]
        return (
            Identity(
                "Q̇ = SQ and JS = −SJ give Ṅ = NS − SN for N = JQQᵀ",
                sympy.expand(turned.subs(J * S, -S * J) - (J * P * S - S * J * P)),
            ),
            Identity(
                "E = N² − λN − c² has Ė = ES − SE: from E = 0 it stays there",
                sympy.expand(kept - (N**2 * S - S * N**2)),
            ),
            Identity(
                "the last block of N² = λN + c², with A = W_1ᵀW_1 and B = W_2W_2ᵀ, is "
                "B² − WWᵀ = λB + c²",
                sympy.expand(corner - (outer**2 - W * back)),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return orthogonal layers of one size, and of two sizes after a while."""
        one = [[1, 0], [0, 1], [0, 0], [0, 0]], [[0, 0, 1, 0], [0, 0, 0, 1]]
        away = [[1, 0], [0, 2], [0, 0], [0, 0]], one[1]
        target = [[3, 1], [1, 2]]
        other = regression("other", target, *away)
        return (regression("tu-mixed", target, *one, elsewhere=other),)

    @property
    def levels(self) -> tuple[Any, Any]:
        """λ and c², as exact as data and start."""
        return two_levels((self.problem.rational or self.problem.floats).weights)

    @property
    def statement(self) -> sympy.Basic:
        """(W_2W_2ᵀ)² − λW_2W_2ᵀ = W_2W_1(W_2W_1)ᵀ + c²I."""
        inputs, hidden, outputs = self.problem.widths
        first = sympy.MatrixSymbol("W1", hidden, inputs)
        second = sympy.MatrixSymbol("W2", outputs, hidden)
        known = self.levels if self.problem.rational is not None else LEVELS
        lam, square = map(sympy.sympify, known)
        # as words, which SymPy would make powers of
        gram, product = (second, second.T), (second, first, first.T, second.T)
        left, right = (
            sympy.MatMul(*word, evaluate=False) for word in (gram * 2, product)
        )
        left = sympy.MatAdd(left, -lam * second * second.T) if lam else left
        right = sympy.MatAdd(right, square * sympy.Identity(outputs))
        return sympy.Eq(left, right, evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return ‖N² − λN − c²I‖, relative to ‖P‖²."""
        # in the arithmetic of the path: a drawn start has as many digits as it
        lam, square = two_levels(self.start_on(path))
        found = []
        for k in range(len(path.t)):
            signed = signed_gram([weight[k] for weight in path.weights])
            gap, size = _relation(signed, lam, square), (signed**2).sum()
            found.append((gap**2).sum() ** 0.5 / (size or 1))
        return np.asarray(found)

    def magnification(self, path: Path) -> Array:
        return np.full(len(path.t), SQUARED_TWICE)

    def slack(self, path: Path) -> Array:
        """Return what is left of N² = λN + c²I at the start can have grown to.

        E = TE_0T⁻¹ with T = Q(t)Q(0)⁺ and T⁻¹ = JTᵀJ, so that ‖E‖ ≤ ‖T‖²‖E_0‖ and
        ‖T‖² ≤ ‖P‖/σ_min(P_0).
        """
        if not any(found.defect for found in self.checked):
            return np.zeros(len(path.t))
        start = signed_gram(self.problem.floats.weights)
        gap = np.linalg.norm(_relation(start, *map(float, self.levels)))
        least = np.linalg.svd(start, compute_uv=False)[-1]
        sizes = np.array(
            [
                np.linalg.norm(to_float_array(signed_gram(weights)))
                for weights in zip(*path.weights, strict=True)
            ]
        )
        return np.asarray(2 * gap / (least * sizes))

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return N² − λN − c²I in balls."""
        if is_endless(balls) or self.problem.rational is None:
            return str(super().finding(balls, index))
        signed = signed_gram([to_arb_array(w) for w in balls.weight_balls(index)])
        return Finding(_relation(signed, *map(to_arb, self.levels)))


def _relation(signed: Array, lam: Any, square: Any) -> Array:
    """Return N² − λN − c²I."""
    eye = np.eye(len(signed), dtype=int)
    return np.asarray(signed @ signed - lam * signed - square * eye)
