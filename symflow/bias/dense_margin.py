"""Classification with dense layers: β/‖β‖ converges to the ℓ₂ max-margin direction.

Ji and Telgarsky (2019, 2020); Yun, Krishnan, Mobahi (2021).  A stationary point of min
½Σ‖W_l‖²_F under y_i⟨β, x_i⟩ ≥ 1 is balanced, so that every layer has rank one, and its
β is a multiple of Σμ_i y_i x_i with μ ≥ 0 on the smallest margins: the normal of the
widest separating slab, for any depth.  A total loss below φ(0) is not needed where the
samples can be separated: from any start below the loss of W = 0 the loss vanishes
(`convergence/dense_loss.py`), and so it does from W = 0 if that is not stationary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.threads import cached_property
from symflow.bias.euclidean_margin import Widest, least_euclidean
from symflow.bias.margin_problems import stationarity
from symflow.bias.max_margin import Direction, euclidean_norm, only_limit
from symflow.bias.minimizers import product, times
from symflow.bias.reference_problems import balanced_layers
from symflow.bias.separation import (
    CLASSIFICATION,
    given_samples,
    separating_start,
    signed_samples,
)
from symflow.claims import Hypothesis, Identity, positive
from symflow.claims.bibliography import JI_TELGARSKY_2019
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.example import Examples
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.flow.start import start_matrix
from symflow.losses import ExponentialLoss


def _descending_start(problem: Problem) -> Hypothesis:
    """Say whether the loss vanishes from the start, which may classify wrongly."""
    small = separating_start(problem)
    if small.holds:
        return small
    words = "separable samples, a loss below that of W = 0, or W(0) = 0 in motion"
    try:
        least_euclidean(given_samples(problem))
    except HypothesisFailed:
        return Hypothesis(words, False, f"nothing separates them; {small}")
    rows, weights = signed_samples(problem), problem.sharp.weights
    margins = rows @ start_matrix(problem).ravel()
    exponential = isinstance(problem.flow.loss, ExponentialLoss)
    with np.errstate(over="ignore"):
        losses = np.exp(-margins) if exponential else np.logaddexp(0, -margins)
    below = (1.0 if exponential else np.log(2)) - float(np.mean(losses))
    sizes = [np.linalg.norm(weight) for weight in problem.floats.weights]
    scale = 1 + float(np.linalg.norm(rows) * np.prod(sizes))
    found = positive(words, below, scale, f"{below:.3g} below; {small}")
    if found.holds or np.any(product(weights) != 0):
        return found
    pull = np.asarray(given_samples(problem)).sum(axis=0)[None]
    turned = [weight.T for weight in weights]
    forces = [
        reduce(times, [*turned[k + 1 :], pull, *turned[:k]]) for k in range(len(turned))
    ]
    moves = any(np.any(force != 0) for force in forces)
    return Hypothesis(words, moves, f"W(0) = 0; {small}")


@dataclass(frozen=True, eq=False, repr=False)
class DenseMaxMargin(Direction):
    """The direction of largest Euclidean margin; made by `implicit_bias`."""

    proved_with_base = True

    source = JI_TELGARSKY_2019
    contributes = "the theorem; any start of small loss from Ji and Telgarsky 2020"
    conditions = (
        on_flow(dense_layers, least=1),
        *CLASSIFICATION[:-1],
        _descending_start,
    )

    @cached_property
    def widest(self) -> Widest:
        """The least β with margins of at least 1, and its multipliers, in float64."""
        return least_euclidean(given_samples(self.problem))

    def direction(self, context: Any) -> Array:
        """Return the direction in high precision.

        Parameters
        ----------
        context : mpmath.MPContext
            The arithmetic.

        Returns
        -------
        array of mpf, shape (1, d)
            Of unit Euclidean norm.

        Examples
        --------
        >>> import mpmath, symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
        >>> data = sf.Dataset([[1, 2], [0, -3]], [1, -1])
        >>> bias = sf.implicit_bias(flow, data, [[[3.0, 3.0]]])
        >>> mpmath.nstr(bias.direction(mpmath.MPContext())[0, 1] ** 2, 15)
        '0.8'
        """
        rows = given_samples(self.problem, context.dps)
        point = least_euclidean(rows, context).point
        return np.asarray(point / context.sqrt((point**2).sum()))[None]

    @classmethod
    def examples(cls) -> Examples:
        """Return two balanced layers."""
        return (balanced_layers("ji-max-margin", 2),)

    @property
    def limit(self) -> Array:
        """The direction in float64, of unit Euclidean norm, shape (1, d)."""
        return only_limit(self.widest, self.widest.point, 1)

    @property
    def margin(self) -> float:
        """The largest min_i y_i⟨β, x_i⟩ over ‖β‖₂ = 1."""
        return float(1 / euclidean_norm(self.widest.point))

    @property
    def potential(self) -> sympy.Expr:
        """½‖β‖₂², least where all margins are at least 1."""
        d = self.problem.widths[0]
        beta = sympy.MatrixSymbol("beta", 1, d)
        return sympy.Trace(beta * beta.T) / 2

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return how far β at margin 1 is from Σμ_i y_i x_i, relative, at best."""
        row = to_float_array(np.asarray(end_to_end)).ravel()
        rows = signed_samples(self.problem)
        return stationarity(rows, row, 1, off_support=False)

    @classmethod
    def _optimality(cls, *symbols: sympy.Symbol) -> tuple[Identity, ...]:
        a, b, p, q = symbols
        lift = ((p - a) ** 2 + (q - b) ** 2) / 2 + a * (p - a) + b * (q - b)
        return (
            Identity(
                "½‖β′‖² − ½‖β‖² = ½‖β′ − β‖² + ⟨β, β′ − β⟩, and for β = Σμ_i y_i x_i "
                "the last is Σμ_i(z′_i − 1) ≥ 0: stationary is least, and the only one",
                (p**2 + q**2 - a**2 - b**2) / 2 - lift,
            ),
        )
