"""Classification by differences of diagonal products: the ℓ_{2/L} margin of β itself.

β = u_1∘⋯∘u_L − v_1∘⋯∘v_L and β = u∘u − v∘v (Gunasekar et al. 2018; Moroshko et al.
2020).  Each of the 2d products is a mode, the ones with x_j, the others with −x_j; a
stationary point has one of the two at zero, so that β is stationary for

    min ‖β‖_{2/L}  under  y_i⟨β, x_i⟩ ≥ 1.

For L = 2 that is the ℓ₁ margin, which is convex: β/‖β‖ converges to its solution where
no mode starts dead: its last layer smaller than the others, or all its layers equal and
positive.  Whichever sign a coordinate is pushed to, one of its modes then grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.margin_problems import Widest, least_moduli, stationarity
from symflow.bias.max_margin import (
    Direction,
    balanced_ceiling,
    degree_of,
    only_limit,
)
from symflow.bias.separation import classification, signed_samples
from symflow.claims import TOLERANCE, Hypothesis, Refusal, all_hold
from symflow.claims.bibliography import MOROSHKO_2020
from symflow.flow.problem import Problem
from symflow.networks import HadamardDifference, SignedDiagonalNetwork


@dataclass(frozen=True, eq=False, repr=False)
class SignedMaxMargin(Direction):
    """A direction stationary for the ℓ_{2/L} margin; made by `implicit_bias`."""

    source = MOROSHKO_2020

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        network = problem.flow.network
        kinds = (SignedDiagonalNetwork, HadamardDifference)
        words = "a difference of diagonal products, of two layers or more"
        holds = isinstance(network, kinds) and degree_of(network) >= 2
        found = [Hypothesis(words, holds, repr(network))]
        if all_hold(found):
            found += classification(problem, kinds)
        if all_hold(found):
            found.append(_alive(problem))
        return cls(problem, tuple(found)) if all_hold(found) else cls.refuse(found)

    @cached_property
    def widest(self) -> Widest:
        """The β of least ℓ₁ norm with margins of at least 1; the limit for L = 2."""
        return least_moduli(signed_samples(self.problem), np.eye(self.inputs))

    @property
    def inputs(self) -> int:
        """The number d of inputs."""
        return self.problem.widths[0]

    @property
    def limit(self) -> Array:
        """The direction for L = 2 in float64, of unit Euclidean norm, shape (1, d).

        Raises
        ------
        HypothesisFailed
            For L ≥ 3, or if several directions have the largest margin.
        """
        return only_limit(self.widest, self.widest.point, self.degree)

    @property
    def margin(self) -> float:
        """The largest margin at ‖β‖₁ = 1, no less than that at ‖β‖_{2/L} = 1."""
        return float(1 / np.sum(np.abs(self.widest.point)))

    @property
    def ceiling(self) -> float:
        """What u/‖θ‖^L cannot exceed: the squares u∘u share one layer."""
        if isinstance(self.problem.flow.network, HadamardDifference):
            return self.margin
        return balanced_ceiling(self.margin, self.degree)

    @property
    def potential(self) -> sympy.Expr:
        """Σ|β_j|^{2/L}, least where all margins are at least 1."""
        j = sympy.Symbol("j", integer=True)
        size = sympy.Abs(sympy.IndexedBase("beta")[j])
        power = sympy.Rational(2, self.degree)
        return sympy.Sum(size**power, (j, 1, self.inputs))

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return how far β is from stationary, see `margin_problems.stationarity`."""
        row = to_float_array(np.asarray(end_to_end)).ravel()
        rows = signed_samples(self.problem)
        return stationarity(rows, row, self.degree, off_support=self.degree == 2)


def _alive(problem: Problem) -> Hypothesis:
    """Say whether no mode of u and of v starts dead."""
    columns = np.stack([weight.ravel() for weight in problem.floats.weights])
    if isinstance(problem.flow.network, HadamardDifference):
        least = float(np.min(np.abs(columns)))
        return Hypothesis(
            "no weight starts at zero", least > 0, f"least |w| {least:.2g}"
        )
    products = np.split(columns, 2)
    size = float(np.max(columns**2)) or 1.0
    ahead = min(float(np.min(part[:-1] ** 2 - part[-1] ** 2)) for part in products)
    spread = max(float(np.max(np.ptp(part, axis=0))) for part in products)
    equal = spread <= TOLERANCE * size**0.5 and float(np.min(columns)) > 0
    words = "in every product the last layer starts smallest, or all start equal"
    detail = f"least |w_l|² − |w_L|² = {ahead:.3g}, spread {spread:.2g}"
    return Hypothesis(words, equal or ahead > TOLERANCE * size, detail)
