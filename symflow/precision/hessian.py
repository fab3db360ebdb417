r"""How fast two flows of a product of layers can separate, with a convex loss.

Let θ̃ + E be another point, φ(s) = W(θ̃ + sE) = W + Σ_{k≥1} s^k A_k, e = |E| and
R = φ(1) − W.  The field f = −∇ℒ of ℒ = ℓ(W) + ½λ|θ|² with F = −∂ℓ/∂W has

.. math:: ⟨E, f(θ̃ + E) − f(θ̃)⟩ = ⟨F(W + R) − F(W), φ'(1)⟩ + ⟨F(W), φ'(1) − A_1⟩ − λe²

for one λ, and at most that for the least of several.  Convexity gives
F(W + R) − F(W) = −S[R] with 0 ⪯ S ⪯ σ, a mean of second derivatives of ℓ.  Put
B = φ'(1) − R = Σ_{k≥2} (k − 1)A_k.  Then −⟨S[R], R + B⟩ is −|R + B/2|² + ¼|B|² in the
form S, at most ¼σ‖B‖_F².

A_k is a sum over k layers, each replaced by its part of E, with the products P of the
layers between: by Cauchy and Schwarz, and since the k-th symmetric polynomial of the
|E_l|² is at most binom(L, k)(e²/L)^k,

.. math:: ‖A_k‖_F ≤ N_k e^k, N_k² = \binom{L}{k} L^{−k} Σ ∏ν_l² ∏‖P‖₂²,

and |⟨F, A_k⟩| ≤ ‖F‖₂ N_k e^k for k ≥ 2, where two Frobenius norms bound a nuclear one.
Here ‖M_l(E)‖_F ≤ ν_l‖E‖ (ν = 1 for a dense or a diagonal layer and a readout, √d for a
circulant one).  Together ⟨E, f(θ̃ + E) − f(θ̃)⟩ ≤ μ(e)e², and μ rises with

.. math:: μ(e) = ‖F‖₂ Σ_{k≥2} k N_k e^{k−2} + ¼σ (Σ_{k≥2} (k − 1) N_k e^{k−1})² − λ.

All norms are at θ̃: between it and the other point nothing is assumed.  For one layer
μ = −λ; for two, μ(e) = ‖F‖₂ + σe²/16 − λ.

For the squared loss S is Σ_xx, and for measurements ΦᵀΦ.  A margin has S ⪯ w‖X‖₂² times
the largest φ'', which is ¼ for the logistic loss, and max exp(−M) exp(max|x| ‖R‖_F) for
the exponential one.  Where rounded or interval moments make Σ_xx ⪰ 0 fail, or make it
unprovable, by at most δ, σ is larger by δ and μ by δ Σ N_k e^{k−1} Σ k N_k e^{k−1}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array
from symflow.codegen import lower
from symflow.codegen.lower import arguments
from symflow.data import Dataset
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.losses import CustomLoss, LogisticLoss, SquaredLoss
from symflow.losses.margin import MarginLoss
from symflow.networks import Network
from symflow.precision.balls import (
    as_matrix,
    frobenius,
    positive_definite,
    root,
    spectral,
    to_arb,
    to_arb_array,
)
from symflow.precision.growth import curvature_program, embedding_squares
from symflow.precision.image import form_in_balls
from symflow.precision.regions import Regions, longest_row

#: Shifts (log2, relative) by which Σ_xx may have to be made positive definite.
SHIFTS = (120, 90, 60, 45, 30)


def indefiniteness(matrix: Array) -> Any:
    """Return a proven δ ≥ 0, as small as possible, with matrix + δ·1 ⪰ 0.

    Only the symmetric part of the matrix of balls matters.

    Raises HypothesisFailed if the matrix is far from positive semidefinite.
    """
    symmetric = (matrix + matrix.T) / 2
    size = sum((symmetric[k, k] for k in range(len(matrix))), arb(0)).abs_upper()
    one = to_arb_array(np.eye(len(matrix)))
    if not frobenius([symmetric]) > 0:
        return arb(0)
    for delta in (arb(0), *(size * arb(2) ** -k for k in SHIFTS)):
        if positive_definite(symmetric + delta * one):
            return delta.upper()
    msg = "enclose(data): Σ_xx is not positive semidefinite. Give moments of data"
    raise HypothesisFailed(msg)


def indefinite_part(problem: Problem) -> Any:
    """Return a proven δ ≥ 0 with Σ_xx + δ·1 ⪰ 0 for the squared loss; 0 for others.

    Σ_xx of samples is positive semidefinite, whatever they are.
    """
    samples = problem.is_set and isinstance(problem.source, Dataset)
    if samples or not isinstance(problem.flow.loss, SquaredLoss):
        return arb(0)
    return indefiniteness(to_arb_array(problem.arguments[0]))


class HessianBound:
    """Bounds μ around given weights."""

    def __init__(self, problem: Problem) -> None:
        flow, network = problem.flow, problem.flow.network
        assert isinstance(network, Network)
        self._program = curvature_program(flow)
        self._names = [output.name for output in self._program.outputs]
        self._decay = to_arb(min(flow.decays))
        self._data = [as_matrix(array) for array in problem.arguments]
        self._squares = embedding_squares(network, problem.widths)
        self._indefinite = indefinite_part(problem)
        self._smoothness = Smoothness(problem, self._data, self._indefinite)

    def around(self, weights: Sequence[Any], widths: Sequence[Any]) -> ProductGrowth:
        """Return μ for all θ̃ within Frobenius distances of weights."""
        regions = Regions(self._program, [*weights, *self._data])
        moved = zip(regions.centres, regions.spreads(widths), strict=True)
        bounds = [spectral(centre) + move for centre, move in moved]
        norms = dict(zip(self._names, bounds, strict=True))
        return ProductGrowth(
            norms["F"],
            self._sizes(norms),
            self._smoothness.around(weights, widths),
            self._decay,
            self._indefinite,
        )

    def _sizes(self, norms: Mapping[str, Any]) -> list[Any]:
        """Return N_1, …, N_L."""
        depth = len(self._squares)
        last = [
            _span(norms, 0, layer) ** 2 * square
            for layer, square in enumerate(self._squares)
        ]
        sizes = []
        for count in range(1, depth + 1):
            ends = (x * _span(norms, j + 1, depth) ** 2 for j, x in enumerate(last))
            share = arb(comb(depth, count)) / depth**count
            sizes.append(root(share * sum(ends, arb(0))))
            last = [
                square
                * sum((last[i] * _span(norms, i + 1, j) ** 2 for i in range(j)), arb(0))
                for j, square in enumerate(self._squares)
            ]
        return sizes


class Smoothness:
    """Bounds σ of a convex loss, the largest second derivative in W."""

    def __init__(self, problem: Problem, data: Sequence[Any], spare: Any) -> None:
        flow, loss = problem.flow, problem.flow.loss
        self._data, self._margins, self._reach = data, None, arb(0)
        form = form_in_balls(problem) if isinstance(loss, CustomLoss) else None
        self._top = spectral(form[0] if form else data[0]) + spare
        if not isinstance(loss, SquaredLoss | CustomLoss):
            self._top *= self._top
        if isinstance(loss, MarginLoss):
            count = data[0].nrows() if loss.reduction == "mean" else 1
            self._top /= count
            if isinstance(loss, LogisticLoss):
                self._top /= 4
            else:
                margins = loss.margins(flow.network.end_to_end_node)
                self._margins = lower("margins", arguments(flow), {"M": margins})
                self._reach = longest_row(data[0])

    def around(self, weights: Sequence[Any], widths: Sequence[Any]) -> tuple[Any, Any]:
        """Return σ near weights, and the rate at which it may rise with ‖R‖_F."""
        if self._margins is None:
            return self._top, self._reach
        regions = Regions(self._margins, [*weights, *self._data])
        (moved,) = regions.spreads(widths)
        least = min(entry.lower() for entry in regions.centres[0].entries()) - moved
        return (self._top * (-least).exp()).upper(), self._reach


@dataclass(frozen=True)
class ProductGrowth:
    """μ as a function of the distance e."""

    force: Any  # bound of ‖F‖₂
    sizes: list[Any]  # N_1, …, N_L
    smoothness: tuple[Any, Any]  # σ, and its rate in ‖R‖_F
    decay: Any  # λ
    indefinite: Any  # δ

    def rate(self, distance: Any) -> Any:
        """Return an upper bound of μ(e) for all e up to a distance."""
        first = 2 * self.force * self.sizes[1] if len(self.sizes) > 1 else arb(0)
        return (first + self.beyond(distance)).upper()

    def beyond(self, distance: Any) -> Any:
        """Return the bound of μ(e) without 2⟨F, A_2⟩."""
        pull = sum(
            (k * n * distance ** (k - 2) for k, n in self._numbered if k > 2), arb(0)
        )
        reach, bend = self._sum(distance, 0), self._sum(distance, 1)
        top, rise = self.smoothness
        top *= (rise * reach * distance).exp()
        total = self.force * pull + top * bend * bend / 4 - self.decay
        return (total + self.indefinite * reach * (reach + bend)).upper()

    def middle(self, distance: Any) -> Any:
        """Return a bound of ‖Σ_{k≥2} ½(k + 1)A_k‖_F / e up to a distance."""
        reach, bend = self._sum(distance, 0), self._sum(distance, 1)
        return reach - self.sizes[0] + bend / 2

    def reach(self, distance: Any) -> Any:
        """Return a bound of ‖R‖_F up to a distance."""
        return distance * self._sum(distance, 0)

    def bend(self, distance: Any) -> Any:
        """Return a bound of ‖B‖_F up to a distance."""
        return distance * self._sum(distance, 1)

    @property
    def _numbered(self) -> list[tuple[int, Any]]:
        return list(enumerate(self.sizes, start=1))

    def _sum(self, distance: Any, power: int) -> Any:
        """Return Σ (k − 1)^power N_k e^{k−1}."""
        terms = ((k - 1) ** power * n * distance ** (k - 1) for k, n in self._numbered)
        return sum(terms, arb(0))


def _span(norms: Mapping[str, Any], first: int, last: int) -> Any:
    """Return the norm of the product of layers first, …, last − 1; 1 if empty."""
    return norms[f"P{first}_{last}"] if first < last else arb(1)
