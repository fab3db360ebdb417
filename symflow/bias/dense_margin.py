"""Classification with dense layers: β/‖β‖ converges to the ℓ₂ max-margin direction.

Ji and Telgarsky (2019, 2020); Yun, Krishnan, Mobahi (2021).  A stationary point of min
½Σ‖W_l‖²_F under y_i⟨β, x_i⟩ ≥ 1 is balanced, so that every layer has rank one, and its
β is a multiple of Σμ_i y_i x_i with μ ≥ 0 on the smallest margins: the normal of the
widest separating slab, for any depth and any start with a small loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.margin_problems import Widest, least_euclidean, stationarity
from symflow.bias.max_margin import Direction, balanced_ceiling
from symflow.bias.separation import classification, signed_samples
from symflow.claims import Hypothesis, Refusal, all_hold
from symflow.claims.bibliography import JI_TELGARSKY_2019
from symflow.flow.problem import Problem
from symflow.networks import Dense, Network


@dataclass(frozen=True, eq=False, repr=False)
class DenseMaxMargin(Direction):
    """The direction of largest Euclidean margin; made by `implicit_bias`."""

    source = JI_TELGARSKY_2019

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        found = [dense(problem), *classification(problem)]
        return cls(problem, tuple(found)) if all_hold(found) else cls.refuse(found)

    @cached_property
    def widest(self) -> Widest:
        """The least β with margins of at least 1, and its multipliers, in float64."""
        return least_euclidean(signed_samples(self.problem))

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
        point = least_euclidean(signed_samples(self.problem, context), context).point
        return np.asarray(point / context.sqrt((point**2).sum()))[None]

    @property
    def limit(self) -> Array:
        """The direction in float64, of unit Euclidean norm, shape (1, d)."""
        point = self.widest.point
        return np.asarray(point / np.linalg.norm(point))[None]

    @property
    def margin(self) -> float:
        """The largest min_i y_i⟨β, x_i⟩ over ‖β‖₂ = 1."""
        return float(1 / np.linalg.norm(self.widest.point))

    @property
    def ceiling(self) -> float:
        """What u/‖θ‖^L cannot exceed, γ*/L^{L/2}."""
        return balanced_ceiling(self.margin, self.degree)

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


def dense(problem: Problem) -> Hypothesis:
    """Say whether all layers are dense; a single one will do."""
    network = problem.flow.network
    holds = isinstance(network, Network) and all(
        isinstance(layer, Dense) for layer in network.layers
    )
    return Hypothesis("dense layers", holds, repr(network))
