"""Weight decay that is stronger than the data: all weights die, at a known rate.

L factors of a product have ⟨∇ℓ(W), W⟩·L = ⟨∇ℓ, θ⟩ (Euler), so that with the bound C of
`decay_margin` in `claims/conditions.py`

    −½ d‖θ‖²/dt = l2‖θ‖² + L tr(WΣ_xxWᵀ) − L⟨Σ_yx, W⟩ ≥ ‖θ‖²(l2 − C(‖θ‖²/L)^{L/2−1}).

Where the bracket c is positive at the start, ‖θ‖² falls at least as e^{−2ct} and c
stays so.  At L = 2 it is l2 − C, for every start, balanced or not, and any data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.outward import float_down, float_up
from symflow.claims import Hypothesis, Identity, Path, Refusal
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import STRONG_DECAY, decay_margin
from symflow.claims.example import Example, Examples, scaled
from symflow.convergence.bound import ROUNDED_DOWN, RateBound, decay_along
from symflow.data import Moments
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork


@dataclass(frozen=True, eq=False, repr=False)
class DecayRate(RateBound):
    """‖θ(t)‖² ≤ e^{−2ct}‖θ(0)‖² under weight decay; made by `rates`."""

    source = GIDEL_2019
    contributes = "the equations; weight decay derived here"
    quantity = "‖θ‖²"
    conditions = STRONG_DECAY

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with the rate 2c."""
        return cls.with_rate(problem, found, 2 * decay_margin(problem))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return Euler's identity for two and three numbers, and that c grows."""
        a, b, c, f, x, l2 = sympy.symbols("a b c f x l2", positive=True)
        size, C = sympy.symbols("S C", positive=True)
        steps = []
        for factors in ((a, b), (a, b, c)):
            w, L = sympy.prod(factors), len(factors)
            loss = x * w**2 / 2 - f * w + l2 * sum(y**2 for y in factors) / 2
            euler = sum(loss.diff(y) * y for y in factors)
            whole = l2 * sum(y**2 for y in factors) + L * (x * w**2 - f * w)
            steps.append(Identity(f"−½(‖θ‖²)˙ at L = {L}", sympy.expand(euler - whole)))
        means = (a + b) ** 2 / 4 - a * b - (a - b) ** 2 / 4
        margin = l2 - C * (size / 3) ** sympy.Rational(1, 2)
        slope = C * (size / 3) ** sympy.Rational(-1, 2) / 6
        return (
            *steps,
            Identity("ab ≤ ((a + b)/2)²: geometric and arithmetic mean", means),
            Identity("c grows where ‖θ‖² falls", margin.diff(size) + slope),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return unbalanced starts of two and three layers, and false rates."""
        data = Moments([[2, 1], [1, 1]], [[1, 0], [0, -1]])
        pair = ([[1, 2], [0, 1]], [[1, -1], [3, 0]])
        small = tuple([[sympy.Rational(1, k), 0], [0, 1]] for k in (2, 3, 4))
        loss, t = SquaredLoss(l2=2), (0, sympy.Rational(1, 4), 1)
        pairs = (("decay-two", 2, pair, 6), ("decay-three", 3, small, 9))
        return tuple(
            Example(
                *(key, LinearNetwork(*[2] * (L + 1)), data, start, t),
                loss=loss,
                false=scaled(constant=factor),
            )
            for key, L, start, factor in pairs
        )

    @property
    def statement(self) -> sympy.Basic:
        """S(t) ≤ e^{−2ct}S(0), S the sum of the squares of all weights."""
        t = sympy.Symbol("t", nonnegative=True)
        falls = sympy.exp(-float_down(self.rate) * t) * float_up(float(self.bound(0.0)))
        return sympy.Le(sympy.Function("S")(t), falls, evaluate=False)

    def bound(self, t: Any) -> Array:
        """Return the bound on ‖θ(t)‖², rounded up, in float64."""
        start = sum(float((w**2).sum()) for w in self.problem.floats.weights)
        falling = np.exp(-self.rate * np.asarray(t, float) * (1 - ROUNDED_DOWN))
        return np.asarray(start * falling * (1 + ROUNDED_DOWN))

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖θ‖² and its bound from the first time of `path`."""
        sizes = [(w**2).reshape(len(path.t), -1).sum(axis=1) for w in path.weights]
        total = np.asarray(sum(sizes[1:], sizes[0]))
        return total, total[0] * decay_along(path, self.rate)
