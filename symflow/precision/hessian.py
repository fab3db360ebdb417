r"""A proven one-sided Lipschitz constant μ on regions, for products of layers.

The bound of `growth`, in balls.  The largest eigenvalue of its matrix M is at most
√((L−1)/L) ‖M‖_F, because the trace is zero; for two layers this is exact.

The part D²ℓ of the Hessian is not negative for a convex loss.  For the squared loss
this asks Σ_xx ⪰ 0; where rounded data make it fail, or make it unprovable, by at most
δ, the bound is enlarged by δ Σ_l ν_l² ‖P_{Ll}‖₂² ‖P_{l0}‖₂².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
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
from symflow.precision.regions import Regions

#: Shifts (log2, relative) by which Σ_xx may have to be made positive definite.
SHIFTS = (120, 90, 60, 45, 30)


def indefiniteness(matrix: Array) -> Any:
    """Return a proven δ ≥ 0, as small as possible, with matrix + δ·1 ⪰ 0.

    Only the symmetric part of the matrix of balls matters.

    Raises HypothesisFailed if the matrix is far from positive semidefinite.

    Examples
    --------
    >>> import numpy as np
    >>> float(indefiniteness(to_arb_array(np.eye(2))))
    0.0
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


class HessianBound:
    """Bounds μ around given weights."""

    def __init__(self, problem: Problem) -> None:
        flow, network = problem.flow, problem.flow.network
        assert isinstance(network, Network)
        self._program = curvature_program(flow)
        self._decay = to_arb(min(flow.decays))
        self._data = [as_matrix(array) for array in problem.arguments]
        self._squares = embedding_squares(network, problem.widths)
        self._indefinite = arb(0)
        if isinstance(flow.loss, SquaredLoss):
            self._indefinite = indefiniteness(to_arb_array(problem.arguments[0]))

    def around(self, weights: Sequence[Any]) -> Surroundings:
        """Prepare bounds for regions around weights."""
        return Surroundings(self, Regions(self._program, [*weights, *self._data]))

    def bound(self, norms: Mapping[str, Any]) -> Any:
        """Return an upper bound of μ.

        `norms` bound the spectral norms of the outputs of `curvature_program`.
        """
        depth, total = len(self._squares), arb(0)
        for low, high in combinations(range(depth), 2):
            spans = ((0, low), (low + 1, high), (high + 1, depth))
            value = arb(self._squares[low] * self._squares[high])
            for first, last in spans:
                value *= _span(norms, first, last) ** 2
            total += 2 * value
        top = root(total * (depth - 1) / depth)
        bound = norms["F"] * top - self._decay
        if self._indefinite > 0:
            bound += self._indefinite * self._gauss_newton(norms)
        return bound.upper()

    def names(self) -> list[str]:
        """Return the names of the outputs."""
        return [output.name for output in self._program.outputs]

    def _gauss_newton(self, norms: Mapping[str, Any]) -> Any:
        """Return an upper bound of |DW[E]|² / |E|²."""
        total, depth = arb(0), len(self._squares)
        for layer, square in enumerate(self._squares):
            after, before = _span(norms, layer + 1, depth), _span(norms, 0, layer)
            total += square * (after * before) ** 2
        return total


class Surroundings:
    """μ on regions around one point, whose norms are computed once."""

    def __init__(self, hessian: HessianBound, regions: Regions) -> None:
        self._hessian, self._regions = hessian, regions
        self._norms = [spectral(centre) for centre in regions.centres]

    def bound(self, spreads: Sequence[Any]) -> Any:
        """Return an upper bound of μ for weights within Frobenius distances."""
        moved = self._regions.spreads(spreads)
        norms = [norm + move for norm, move in zip(self._norms, moved, strict=True)]
        return self._hessian.bound(dict(zip(self._hessian.names(), norms, strict=True)))


def _span(norms: Mapping[str, Any], first: int, last: int) -> Any:
    """Return the norm of the product of layers first, …, last − 1; 1 if empty."""
    return norms[f"P{first}_{last}"] if first < last else arb(1)
