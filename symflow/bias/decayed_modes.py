"""Weight decay, modes that move alone: those that survive shrink, the others die.

At two layers W(∞) = Σ (σ_i − l2)/λ_i u_iv_iᵀ over the modes with σ_i > l2, the soft
threshold of Σ_yx for whitened input, balanced or not.  Deeper, zero attracts however
large σ is, and the start decides which modes die (see `flow/decayed_modes.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.prediction import Prediction
from symflow.claims import Identity, Path
from symflow.claims.bibliography import SAXE_2014
from symflow.claims.conditions import DECAYED_MODES
from symflow.claims.example import Example, Examples, regression
from symflow.flow.decayed_modes import excess_along, fates
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss


def decayed_objective(problem: Problem, degree: int) -> sympy.Expr:
    """Return the least objective of weights whose product of some degree is W."""
    sigma_xx, sigma_yx = problem.flow.data
    W, decay = sympy.MatrixSymbol("W", *sigma_yx.shape), problem.flow.loss.l2
    root = sympy.MatPow(W.T * W, sympy.Rational(1, degree))
    squares = sympy.Trace(W * sigma_xx * W.T)
    squares += len(problem.weights) * decay * sympy.Trace(root)
    return sympy.Rational(1, 2) * squares - sympy.Trace(sigma_yx * W.T)


@dataclass(frozen=True, eq=False, repr=False)
class DecayedModes(Prediction):
    """Where modes that move alone end under weight decay; made by `implicit_bias`."""

    source = SAXE_2014
    contributes = "the modes; weight decay derived here"
    where = "U and V are the singular vectors of Σ_yx, w the strengths at the end"
    conditions = DECAYED_MODES

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return what decides whether a mode of two, or of L equal, layers survives."""
        a, b, w, s, x, l2, L = sympy.symbols("a b w sigma lambda l2 L", positive=True)
        first, second = (s - x * a * b) * b - l2 * a, (s - x * a * b) * a - l2 * b
        moved = sympy.expand(first + second - (s - l2 - x * a * b) * (a + b))
        phi = x * w**2 / 2 - s * w + L * l2 * w ** (2 / L) / 2
        amplitude = a ** (L - 1) * (s - x * a**L) - l2 * a
        slope = -L * w ** (2 - 2 / L) * phi.diff(w)
        speed = (L * a ** (L - 1) * amplitude - slope.subs(w, a**L)) / L
        log = L * sympy.log(s - x * w) + (L - 2) * sympy.log(w)
        peak = log.diff(w).subs(w, s * (L - 2) / (x * (2 * L - 2)))
        rest = (x * (a * b) ** 2 / 2).diff(a) * a + (x * (a * b) ** 2 / 2).diff(b) * b
        return (
            Identity("(a + b)˙ = (σ − l2 − λab)(a + b): its sign stays", moved),
            Identity(
                "ẇ = −L w^{2−2/L}φ′(w), w = a^L", sympy.powsimp(sympy.expand(speed))
            ),
            Identity("(σ − λw)^L w^{L−2} is stationary at w_m", sympy.simplify(peak)),
            Identity(
                "what has no target: ⟨∇ℓ, θ⟩ = L x w² ≥ 0", rest - 2 * x * (a * b) ** 2
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return modes that survive and die, and the flow of another weight decay."""
        half, more = sympy.Rational(1, 2), sympy.Rational(5, 2)
        two, three = [[1, 0], [0, 1]], [[1, 0], [0, sympy.Rational(1, 4)]]
        found: list[Example] = []
        for key, layer, depth in (("two", two, 2), ("three", three, 3)):
            target = [[3, 0], [0, sympy.Rational(1, depth)]]
            about: dict[str, Any] = {"t": (0, 1, 2, 4, 8)}
            for l2 in (more, half):
                about["loss"] = SquaredLoss(l2=l2)
                made = regression(f"decayed-{key}", target, *[layer] * depth, **about)
                about["elsewhere"] = made
            found.append(made)
        return tuple(found)

    @property
    def statement(self) -> sympy.Basic:
        """W(∞) = U diag(w) Vᵀ, with the modes as columns."""
        (m, d), count = self._shape, len(fates(self.problem).ends)
        U, V = sympy.MatrixSymbol("U", m, count), sympy.MatrixSymbol("V", d, count)
        w = sympy.DiagMatrix(sympy.MatrixSymbol("w", count, 1))
        return sympy.Eq(sympy.MatrixSymbol("Winf", m, d), U * w * V.T, evaluate=False)

    @property
    def limit(self) -> Array:
        """W(∞) in float64."""
        return fates(self.problem).limit(self._shape, to_float_array)

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.problem.arguments[1].shape

    @property
    def potential(self) -> sympy.Expr:
        """The least objective that layers with the product W can have."""
        return decayed_objective(self.problem, len(self.problem.weights))

    def residuals(self, path: Path) -> Array:
        """Return by how much the objective has risen above its least so far."""
        values = excess_along(self.problem, path)
        least = path.number(fates(self.problem).objective)
        scale = max(max(abs(values)), abs(least)) or 1
        return np.asarray((values - np.minimum.accumulate(values)) / scale)
