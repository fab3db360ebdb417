"""How fast balanced dense layers turn to the max-margin direction, with constants.

Let n = ‖W‖, u the soft margin, γ the largest margin, g = Σp_i y_i x_i, so that ‖g‖ ≥
γ, and p = ⟨g, W⟩/n.  Balanced layers obey dW ∝ g + (L−1)⟨g, Ŵ⟩Ŵ, hence

    du/dn = (‖g‖² + (L−1)p²)/(Lp)    for the exponential loss,

and at least that, for L ≤ 2, for the logistic one, whose −φ′ is subadditive in φ.  For
two layers the right side is at least ‖g‖ ≥ γ.  For one layer, with any start, du ≥
γ|dW|.  So γn − u never increases, and with x = u/n

    γ − x ≤ (γ − x₀)·n₀/n,    L ≤ 2:

the deficit of the margin is O(1/log(1/ℒ)), because n ≥ u/γ.  For L ≥ 3 and the
exponential loss p ≥ x, and from x₀ ≥ γ/√(L−1) on the right side increases with p, so

    γ² − x² ≤ (γ² − x₀²)·(n₀/n)^{2/L}.

Both bound the direction too: cos∠(W, Ŵ^∞) ≥ x/γ.  The exponent 2/L is that of generic
data: what W has off the span of the support vectors grows like n^{1−1/L}.  (O(1/log)
rates: Ji and Telgarsky 2019; these constants and the exponent for L ≥ 3 derived here.)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.bias.dense_margin import DenseMaxMargin, dense
from symflow.bias.margin_problems import least_euclidean
from symflow.bias.max_margin import soft_margins
from symflow.bias.separation import (
    classification,
    signed_samples,
    soft_margin,
)
from symflow.claims import Bound, Hypothesis, Path, Refusal, Theorem, all_hold
from symflow.claims.bibliography import JI_TELGARSKY_2019
from symflow.claims.conditions import balanced_start
from symflow.flow.problem import Problem
from symflow.flow.start import start_matrix
from symflow.losses import ExponentialLoss


@dataclass(frozen=True, eq=False, repr=False)
class DirectionRate(Bound, Theorem):
    """The deficit of the margin falls like n^{−1}, or n^{−2/L}; a companion.

    Parameters
    ----------
    exponent : Fraction
        The power of n: 1 for L ≤ 2, 2/L for deeper networks.
    """

    exponent: Fraction

    source = JI_TELGARSKY_2019

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [dense(problem), *classification(problem)]
        if all_hold(found):
            found.append(balanced_start(problem))
        depth = problem.flow.network.depth
        if all_hold(found) and depth >= 3:
            found += _deep(problem)
        if all_hold(found):
            return cls(problem, tuple(found), min(Fraction(1), Fraction(2, depth)))
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """The deficit times a power of the norm never increases."""
        t = sympy.Symbol("t", nonnegative=True)
        deficit, n = sympy.Function("deficit"), sympy.Function("n")
        grown = (n(0) / n(t)) ** sympy.Rational(self.exponent)
        return sympy.Le(deficit(t), deficit(0) * grown, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the deficit times the power of n, and its first value."""
        context = path.context
        soft = soft_margins(self.problem, path)
        rows = signed_samples(self.problem, context)
        root = path.number(Fraction(1, 2))
        square = 1 / (least_euclidean(rows, context).point ** 2).sum()
        norms = (path.end_to_end[:, 0, :] ** 2).sum(axis=1) ** root
        shallow = self.problem.flow.network.depth <= 2
        deficit = (
            square**root - soft / norms if shallow else square - (soft / norms) ** 2
        )
        held = deficit * norms ** path.number(self.exponent)
        return np.maximum(held, 0 * held), np.full(len(held), held[0])

    def angle(self, end_to_end: Any) -> float:
        """Return the largest angle to the limit that the bound allows at W.

        Parameters
        ----------
        end_to_end : array_like, shape (1, d)
            A point of the flow.

        Returns
        -------
        float
            In radians.

        Examples
        --------
        >>> import symflow as sf
        >>> from symflow.flow.problem import bind
        >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
        >>> data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
        >>> rate = DirectionRate.attempt(bind(flow, data, [[[3.0, 3.0]]]))
        >>> [round(rate.angle([[size, 2 * size]]), 3) for size in (2, 200, 20000)]
        [0.491, 0.049, 0.005]
        """
        gamma = DenseMaxMargin(self.problem, ()).margin
        start = start_matrix(self.problem)
        first = float(np.linalg.norm(start))
        grown = (first / float(np.linalg.norm(end_to_end))) ** float(self.exponent)
        share = _soft_share(self.problem, start) / gamma
        if self.problem.flow.network.depth <= 2:
            cosine = 1 - (1 - share) * grown
        else:
            cosine = (1 - (1 - share**2) * grown) ** 0.5
        return float(np.arccos(cosine))


def _soft_share(problem: Problem, matrix: Array) -> float:
    """Return u/‖W‖."""
    margins = matrix @ signed_samples(problem).T
    soft = soft_margin(problem.flow.loss, margins)[0]
    return float(soft / np.linalg.norm(matrix))


def _deep(problem: Problem) -> list[Hypothesis]:
    """Return what three and more layers need."""
    gamma = DenseMaxMargin(problem, ()).margin
    share = _soft_share(problem, start_matrix(problem)) / gamma
    least = (problem.flow.network.depth - 1) ** -0.5
    exponential = isinstance(problem.flow.loss, ExponentialLoss)
    return [
        Hypothesis("exponential loss", exponential, repr(problem.flow.loss)),
        Hypothesis(
            f"a normalized soft margin of at least {least:.3g}·γ",
            share >= least,
            f"{share:.3g}·γ",
        ),
    ]
