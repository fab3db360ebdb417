r"""What convexity takes away from μ, for few weights and quadratic losses.

In `hessian` the square −|R + B/2|² of the form S is left out.  With A_1 = JE for the
derivative J at θ̃, it is −|JE + K|² with K = Σ_{k≥2} ½(k + 1)A_k, and if J₀ is that of a
point near θ̃, K₀ = K + (J − J₀)E and 0 < η < 1, at most

.. math:: −(1 − η)|J_0E|² + (1/η − 1)|K_0|², |K_0| ≤ \sqrt σ (‖J − J_0‖ e + ‖K‖).

So μ(e) is at most the largest eigenvalue of C₀ − (1 − η)J₀ᵀSJ₀, C the form 2⟨F, A_2⟩,
with what C − C₀ and the terms of higher order in e add: by the norms of products, or
for other models by how far C and J can move (`curvature`).  The eigenvalue is one of
float64 that a Cholesky decomposition in balls proves to be too large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from symflow.flow.problem import Problem
from symflow.losses import CustomLoss, MeasurementLoss, SquaredLoss
from symflow.networks import Network
from symflow.precision.balls import positive_definite, size_of
from symflow.precision.curvature import (
    CurvatureBound,
    CurvatureSurroundings,
    SecondDerivative,
)
from symflow.precision.hessian import HessianBound, ProductGrowth
from symflow.precision.limit import middle_of

#: More weights than this have matrices that take long in balls.
MOST_WEIGHTS = 40
#: Values of η that are tried.
SHARES = (arb(2) ** -5, arb(2) ** -3, arb(2) ** -1)


class ContractionBound:
    """Bounds μ around given weights, as other bounds do, and closer."""

    def __init__(self, problem: Problem) -> None:
        product = isinstance(problem.flow.network, Network)
        self._bound = HessianBound(problem) if product else CurvatureBound(problem)
        self._second = SecondDerivative(problem)

    @classmethod
    def covers(cls, problem: Problem) -> bool:
        """Say whether it is known, and does not take long."""
        kinds = SquaredLoss | MeasurementLoss | CustomLoss  # quadratic, if covered
        return isinstance(problem.flow.loss, kinds) and problem.size <= MOST_WEIGHTS

    def around(self, weights: Sequence[Any], widths: Sequence[Any]) -> ContractedGrowth:
        """Return μ for all θ̃ within Frobenius distances of weights."""
        plain = self._bound.around(weights, widths)
        at = self._second.around(weights)
        bends, slopes, pulls = map(arb_mat, (at.bends, at.slopes, at.pulls))
        square = slopes * pulls.transpose()
        tops = [(share, _top(bends + square * (1 - share))) for share in SHARES]
        return ContractedGrowth(plain, tops, *at.moved(widths))


@dataclass(frozen=True)
class ContractedGrowth:
    """μ as a function of the distance e."""

    plain: ProductGrowth | CurvatureSurroundings  # without what convexity takes away
    tops: list[tuple[Any, Any]]  # η, and the largest eigenvalue
    bent: Any  # bound of ‖C − C₀‖
    turned: Any  # bound of ‖J − J₀‖

    def rate(self, distance: Any) -> Any:
        """Return an upper bound of μ(e) for all e up to a distance."""
        plain = self.plain
        whole, rest = plain.rate(distance), plain.beyond(distance)
        sigma = plain.smoothness[0]
        off = self.turned + plain.middle(distance)
        for share, top in self.tops:
            spare = (1 / share - 1) * sigma * off * off
            whole = whole.min((top + self.bent + rest + spare).upper())
        return whole


def _top(matrix: Any) -> Any:
    """Return an upper bound of the largest eigenvalue of the symmetric part."""
    both: Any = np.array(matrix.tolist(), dtype=object)
    entries: Any = (both + both.T) / 2
    loose = size_of([arb_mat([[x - x.mid() for x in entries.flat]])])
    if not loose.is_finite():
        return arb.pos_inf()
    middle = middle_of(entries)
    guess, one = float(np.linalg.eigvalsh(middle)[-1]), np.eye(len(entries), dtype=int)
    scale = float(np.max(np.abs(middle))) or 1.0
    for slack in (1e-6, 1e-3, 1e-1):
        bound = (arb(guess + slack * scale) + loose).upper()
        if positive_definite(one * bound - entries):
            return bound
    return arb.pos_inf()
