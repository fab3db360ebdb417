"""Weight decay that is stronger than the data: all weights die, at a known rate.

L factors of a product have ⟨∇ℓ(W), W⟩·L = ⟨∇ℓ, θ⟩ (Euler), so that with the bound C of
`decay_margin` in `claims/conditions.py`

    −½ d‖θ‖²/dt = l2‖θ‖² + L tr(WΣ_xxWᵀ) − L⟨Σ_yx, W⟩ ≥ ‖θ‖²(l2 − C(‖θ‖²/L)^{L/2−1}).

Where the bracket c is positive at the start, ‖θ‖² falls at least as e^{−2ct} and c
stays so.  At L = 2 it is l2 − C, for every start, balanced or not, and any data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import Hypothesis, Identity, Path, Refusal, random_problems
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import STRONG_DECAY, decay_margin
from symflow.claims.example import Example, Examples, RandomExamples, scaled
from symflow.convergence.bound import TIME, MeasuredFall
from symflow.data import Moments
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork


@dataclass(frozen=True, eq=False, repr=False)
class DecayRate(MeasuredFall):
    """‖θ(t)‖² ≤ e^{−2ct}‖θ(0)‖² under weight decay; made by `rates`."""

    source = GIDEL_2019
    contributes = "the equations; weight decay derived here"
    where = "S is the sum of the squares of all weights"
    quantity = "‖θ‖²"
    falling_part = sympy.Function("S")(TIME)
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
        single = tuple(
            Example(
                *(key, LinearNetwork(*[2] * (L + 1)), data, start, t),
                loss=loss,
                false=scaled(constant=factor),
            )
            for key, L, start, factor in pairs
        )
        return (
            *single,
            RandomExamples("many-decay-rates", _decayed, scaled(constant=20)),
        )

    def measured(self, path: Path | None) -> Array:
        """Return the sum of the squares of all weights."""
        layers = self.problem.floats.weights if path is None else path.weights
        count = 1 if path is None else len(path.t)
        return np.asarray(sum((w**2).reshape(count, -1).sum(axis=1) for w in layers))


def _decayed(generator: np.random.Generator) -> Any:
    """Return Gaussian starts of two layers, and a decay above σ_1(Σ_yx)."""
    batch = random_problems.gaussian(3, 2, 2)(generator)
    top = np.linalg.norm(to_float_array(batch.data.moments().sigma_yx), 2)
    l2 = round(float(top * generator.uniform(1.05, 3)), 6)
    return replace(batch, loss=SquaredLoss(l2=l2))
