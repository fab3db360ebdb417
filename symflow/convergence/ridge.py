"""One layer with weight decay: J − J* = ½tr(D(Σ_xx + l2 I)Dᵀ), D the distance.

With D = W − W∞, Ḋ = −D(Σ_xx + l2 I), it falls at least at the rate 2(λ_min + l2),
λ_min the smallest eigenvalue of Σ_xx: from any start, and no faster along its vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.claims import Hypothesis, Identity, Path, Refusal, random_problems
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import RIDGE
from symflow.claims.example import Example, Examples, RandomExamples, scaled
from symflow.claims.hypothesis import ROUNDING
from symflow.convergence.decayed_modes import ObjectiveBound
from symflow.data import Dataset
from symflow.flow.least_squares import ridge
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork


@dataclass(frozen=True, eq=False, repr=False)
class RidgeRate(ObjectiveBound):
    """J − J* ≤ e^{−2(λ_min + l2)t}(J(0) − J*) of one layer; made by `rates`."""

    source = GIDEL_2019
    contributes = "the linear model; weight decay derived here"
    where = "J is the loss with its weight decay, J_opt its least value"
    conditions = RIDGE

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound; the smallest eigenvalue is one of floats, rounded down."""
        values = np.linalg.eigvalsh(problem.floats.arguments[0])
        least = max(values[0] - len(values) * ROUNDING * abs(values[-1]), 0.0)
        decay = to_float(problem.flow.loss.l2)
        return cls.with_rate(problem, found, 2 * float(decay + least))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the fall of the excess along one eigenvector of Σ_xx."""
        w, x, s, l2 = sympy.symbols("w lambda sigma l2", positive=True)
        loss = x * w**2 / 2 - s * w + l2 * w**2 / 2
        excess = loss - loss.subs(w, s / (x + l2))
        falls = loss.diff(w) ** 2 - 2 * (x + l2) * excess
        square = excess - (x + l2) * (w - s / (x + l2)) ** 2 / 2
        return (
            Identity("J − J* = ½(λ + l2)(w − w∞)²", sympy.simplify(square)),
            Identity("−J̇ = 2(λ + l2)(J − J*)", sympy.simplify(falls)),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return one sample, of which one direction is not seen."""
        given = LinearNetwork(2, 1), Dataset([[1, 2]], [3]), ([[1, -1]],), (0, 1, 4)
        loss = SquaredLoss(l2=sympy.Rational(1, 2))
        wrong = scaled(constant=4)
        many = RandomExamples("many-ridge-rates", _decaying, wrong)
        return (Example("ridge-rate", *given, loss=loss, false=wrong), many)

    def measured(self, path: Path | None) -> Array:
        """Return ½tr(D(Σ_xx + l2 I)Dᵀ) at every time."""
        best, l2 = ridge(self.problem), self.problem.flow.loss.l2
        if path is None:
            at = self.problem.floats
            products: Any = at.weights
            return _squares(products, best.astype(float), at.arguments[0], float(l2))
        sigma_xx = path.lift(self.problem.exact_arguments[0])
        return _squares(path.end_to_end, path.lift(best), sigma_xx, path.number(l2))


def _squares(products: Any, best: Array, sigma_xx: Array, l2: Any) -> Array:
    gaps = [product - best for product in products]
    return np.asarray([((g @ sigma_xx + l2 * g) * g).sum() / 2 for g in gaps])


def _decaying(generator: np.random.Generator) -> Any:
    """Return one layer with samples that do not see all directions, and decay."""
    batch = random_problems.gaussian(3, 2)(generator)
    l2 = round(float(generator.uniform(0.01, 1.5)), 6)
    return replace(batch, loss=SquaredLoss(l2=l2))
