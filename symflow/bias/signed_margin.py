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
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
from symflow.bias.euclidean_margin import Widest
from symflow.bias.margin_problems import least_moduli
from symflow.bias.max_margin import ModuliDirection, least_lead
from symflow.bias.reference_problems import two_points
from symflow.bias.separation import (
    degree_of,
    given_samples,
    is_rational,
    margin_loss,
    one_output,
    separating_start,
)
from symflow.claims import TOLERANCE, Hypothesis, positive, structural
from symflow.claims.bibliography import MOROSHKO_2020
from symflow.claims.example import Examples
from symflow.flow.problem import Problem
from symflow.networks import DiagonalNetwork, HadamardDifference, SignedDiagonalNetwork


def _difference(problem: Problem) -> Hypothesis:
    network = problem.flow.network
    kinds = (SignedDiagonalNetwork, HadamardDifference)
    holds = isinstance(network, kinds) and degree_of(network) >= 2
    words = "a difference of diagonal products, of two layers or more"
    return structural(words, holds, repr(network))


def _alive(problem: Problem) -> Hypothesis:
    """Say whether no mode of u and of v starts dead."""
    columns = np.stack([weight.ravel() for weight in problem.sharp.weights])
    if isinstance(problem.flow.network, HadamardDifference):
        least = min(abs(entry) for entry in columns.flat)
        detail = f"least |w| {to_float(least):.2g}"
        return Hypothesis("no weight starts at zero", bool(least > 0), detail)
    words = "in every product the last layer starts smallest, or all start equal"
    modes = [mode for part in np.split(columns, 2) for mode in part.T]
    # w_l + w_L > 0 is what counts, so that nearly equal is as good as equal
    uneven = [mode for mode in modes if not _is_even(mode)]
    lead: Any = min((least_lead(mode[:, None]) for mode in uneven), default=1)
    detail = f"least |w_l|² − |w_L|² = {to_float(lead):.3g} relative"
    return positive(words, lead, 1, detail if uneven else "all equal and positive")


def _is_even(mode: Array) -> bool:
    least, most = min(mode), max(mode)
    return bool(least > 0 and most - least <= TOLERANCE * most)


@dataclass(frozen=True, eq=False, repr=False)
class SignedMaxMargin(ModuliDirection):
    """A direction stationary for the ℓ_{2/L} margin; made by `implicit_bias`."""

    proved_with_base = True

    source = MOROSHKO_2020
    contributes = "the theorem for equal layers; other starts derived here"
    conditions = (_difference, margin_loss, one_output, separating_start, _alive)

    @cached_property
    def widest(self) -> Widest:
        """The β of least ℓ₁ norm with margins of at least 1; the limit for L = 2."""
        rounded = not is_rational(self.problem.data["X"])
        rows = given_samples(self.problem)
        return least_moduli(rows, np.eye(self.inputs), rounded=rounded)

    @classmethod
    def examples(cls) -> Examples:
        """Return two diagonal layers with signs."""
        start = [[2], [2]], [[2], [2]], [[1], [1]], [[1], [1]]
        network = DiagonalNetwork(2, 2, signed=True)
        return (two_points("moroshko-signed", network, *start),)

    @property
    def inputs(self) -> int:
        """The number d of inputs."""
        return self.problem.widths[0]

    @property
    def _beta(self) -> Array:
        return self.widest.point

    @property
    def ceiling(self) -> float:
        """What u/‖θ‖^L cannot exceed: the squares u∘u share one layer."""
        shared = isinstance(self.problem.flow.network, HadamardDifference)
        return self.margin if shared else super().ceiling

    @property
    def potential(self) -> sympy.Expr:
        """Σ|β_j|^{2/L}, least where all margins are at least 1."""
        j = sympy.Symbol("j", integer=True)
        size = sympy.Abs(sympy.IndexedBase("beta")[j])
        power = sympy.Rational(2, self.degree)
        return sympy.Sum(size**power, (j, 1, self.inputs))

    @property
    def _basis(self) -> Array:
        return np.eye(self.inputs)
