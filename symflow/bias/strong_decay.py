"""Weight decay that is stronger than the data: the limit is zero, from any such start.

The bound is the one of `convergence/strong_decay.py`: ‖θ‖² falls at least as e^{−2ct}.
At L = 2 zero is then the one minimizer of ℓ(W) + l2‖W‖_*, as ‖∇ℓ(0)‖₂ = σ_1 < l2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import exact
from symflow.bias.prediction import Prediction
from symflow.claims import Identity, Path
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import STRONG_DECAY, decay_margin
from symflow.claims.example import Example, Examples
from symflow.data import Moments
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork


@dataclass(frozen=True, eq=False, repr=False)
class DecayedLimit(Prediction):
    """All weights die: W(∞) = 0; made by `implicit_bias`."""

    source = GIDEL_2019
    contributes = "the equations; weight decay derived here"
    conditions = STRONG_DECAY

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that ‖θ‖² has no rate above −2c, for one pair of numbers."""
        a, b, f, x, l2 = sympy.symbols("a b f x l2", positive=True)
        loss = (x * a * b - 2 * f) * a * b / 2 + l2 * (a**2 + b**2) / 2
        falls = loss.diff(a) * a + loss.diff(b) * b
        rest = 2 * x * (a * b) ** 2 + f * (a - b) ** 2
        words = "−½(‖θ‖²)˙ = (l2 − f)‖θ‖² + 2x(ab)² + f(a − b)²"
        gap = falls - (l2 - f) * (a**2 + b**2) - rest
        return (Identity(words, sympy.expand(gap)),)

    @classmethod
    def examples(cls) -> Examples:
        """Return an unbalanced start; a weaker decay leaves the strongest mode."""
        data = Moments([[2, 1], [1, 1]], [[1, 0], [0, -1]])
        pair = ([[1, 2], [0, 1]], [[1, -1], [3, 0]])
        given = LinearNetwork(2, 2, 2), data, pair, (0, 4, 40)
        strong, weak = SquaredLoss(l2=2), SquaredLoss(l2=sympy.Rational(1, 10))
        elsewhere = Example("weak decay", *given, loss=weak)
        return (Example("decayed-limit", *given, loss=strong, elsewhere=elsewhere),)

    @property
    def statement(self) -> sympy.Basic:
        """W(∞) = 0."""
        shape = self.problem.flow.data[1].shape
        limit = sympy.MatrixSymbol("W_∞", *shape)
        return sympy.Eq(limit, sympy.ZeroMatrix(*shape), evaluate=False)

    @property
    def exact_limit(self) -> Array:
        """Zero, of the shape of W."""
        return np.zeros(self.problem.arguments[1].shape, dtype=int).astype(object)

    @property
    def limit(self) -> Array:
        """Zero, in float64."""
        return to_float_array(self.exact_limit)

    @property
    def potential(self) -> sympy.Expr:
        """½tr(WWᵀ), for which zero is least."""
        W = sympy.MatrixSymbol("W", *self.problem.flow.data[1].shape)
        return sympy.Trace(W * W.T) / 2

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return ‖W‖ relative to the start, or as it is from W(0) = 0."""
        start = np.prod([np.linalg.norm(w) for w in self.problem.floats.weights])
        size = np.linalg.norm(to_float_array(np.asarray(end_to_end)))
        return float(size / start if start > 0 else size)

    def residuals(self, path: Path) -> Array:
        """Return how far ‖θ‖² is beyond e^{−2ct} of its first value, relative."""
        rate, first = decay_margin(self.problem), exact(path.t[0])
        sizes = [(w**2).reshape(len(path.t), -1).sum(axis=1) for w in path.weights]
        total = np.asarray(sum(sizes[1:], sizes[0]))
        above = []
        for time, size in zip(path.t, total, strict=True):
            falls = path.number(sympy.exp(-2 * exact(rate) * (exact(time) - first)))
            beyond = max(size - total[0] * falls, 0 * size)
            above.append(beyond / total[0] if total[0] else beyond)
        return np.asarray(above)
