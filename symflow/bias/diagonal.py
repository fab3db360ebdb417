"""Diagonal networks, squared loss: the limit minimizes an explicit potential.

Yun, Krishnan, Mobahi (2021), Woodworth et al. (2020).  With ξ = −∫∇ℓ(β) in the row
space of X, the coefficients are β_j = c_j^L h(c_j^{L−2}ξ_j) at all times
(`bias/mirror.py`), for

    β = w_1∘⋯∘w_L from |w_1| = … = |w_{L−1}| = c and w_L = 0,
    β = u_1∘⋯∘u_L − v_1∘⋯∘v_L and β = u∘u − v∘v from equal weights c > 0.

This is the stationarity condition of Q(β) = Σ c_j² H(β_j/c_j^L), H = ∫h⁻¹: where the
loss converges to its infimum, the limit is the minimizer of Q among the minimizers.
As c → 0 it has least ℓ₁ norm for L = 2; for products with L ≥ 3 the norm
Σ|β_j|c_j^{2−L}, whose weights do not fade.  As c → ∞ it has the least Σβ_j²c_j^{2−2L}.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.dual import least_potential
from symflow.bias.frozen import YUN
from symflow.bias.mirror import DifferenceMap, MirrorMap, ProductMap
from symflow.bias.prediction import Prediction
from symflow.claims import Hypothesis, Path, Refusal
from symflow.flow import GradientFlow
from symflow.flow.least_squares import ALLOWED_OFF, LeastSquares, least_squares
from symflow.flow.problem import Problem
from symflow.hypotheses import TOLERANCE, squared_loss
from symflow.networks import (
    Diagonal,
    HadamardDifference,
    Network,
    Readout,
    SignedDiagonalNetwork,
)
from symflow.theorem import all_hold


@dataclass(frozen=True, eq=False, repr=False)
class DiagonalPotential(Prediction):
    """The limit is the minimizer of Q; made by `implicit_bias`.

    Parameters
    ----------
    mirror : MirrorMap
        h, with the depth L.
    sizes : ndarray, shape (d,)
        c.
    """

    mirror: MirrorMap
    sizes: Array

    source = YUN

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        mirror = _mirror(problem.flow)
        words, network = "a diagonal network", repr(problem.flow.network)
        found = [
            squared_loss(problem.flow),
            Hypothesis(words, mirror is not None, network),
        ]
        if mirror is None or not all_hold(found):
            return cls.refuse(found)
        start = _start(problem, mirror)
        found.append(start)
        if not all_hold(found):
            return cls.refuse(found)
        sizes = np.abs(problem.floats.weights[0]).ravel()
        return cls(problem, tuple(found), mirror, sizes)

    @property
    def potential(self) -> sympy.Expr:
        """Σ c_j² H(β_j/c_j^L), H written as the integral of h⁻¹."""
        j, d = sympy.Symbol("j", integer=True), len(self.sizes)
        beta, c = sympy.IndexedBase("beta"), sympy.IndexedBase("c")
        term = sympy.Function("H")(beta[j] / c[j] ** self.mirror.depth)
        return sympy.Sum(c[j] ** 2 * term, (j, 1, d))

    @property
    def statement(self) -> sympy.Basic:
        """Q′(β(∞)) is in the row space: Q is least at the limit."""
        infinite = sympy.Symbol("beta_inf")
        return sympy.Eq(infinite, sympy.Function("argmin")(self.potential))

    @cached_property
    def limit(self) -> Array:
        """The predicted βᵀ, shape (1, d)."""
        frame, values = self.reduction.frame, self.reduction.optimum[0]
        return least_potential(self.mirror, self.sizes, frame.T, values)[None]

    def value(self, beta: Any) -> float:
        """Return Q(β).

        Parameters
        ----------
        beta : array_like
            d coefficients.

        Returns
        -------
        float
            The potential.
        """
        tau = np.ravel(beta) / self.sizes**self.mirror.depth
        return float(np.sum(self.sizes**2 * self.mirror.potential(tau)))

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the larger of the misfit and of Q′ off the row space, relative."""
        W = to_float_array(np.asarray(end_to_end)).reshape(1, -1)
        off = _off(self._force(W), self.reduction)[0]
        misfit = self.reduction.misfit(W)
        size = float(np.max(np.abs(self.reduction.target))) or 1.0
        return max(float(off), float(np.max(np.abs(misfit))) / size)

    def residuals(self, path: Path) -> Array:
        """Return how far Q′(β(t)) is off the row space, relative, at every time."""
        fine = least_squares(self.problem, path.context)
        force = self._force(path.end_to_end[:, 0, :], path)
        return np.asarray([_off(row[None], fine)[0] for row in force])

    def slack(self, path: Path) -> Array:
        """Return what data and weights c in float64 alone may put off the row space."""
        return np.full(len(path.t), ALLOWED_OFF)

    @cached_property
    def reduction(self) -> LeastSquares:
        """The least-squares problem in float64."""
        return least_squares(self.problem)

    def _force(self, beta: Array, path: Path | None = None) -> Array:
        """Return Q′(β) = c^{2−L} h⁻¹(β/c^L), in the arithmetic of β."""
        sizes, depth = self.sizes, self.mirror.depth
        if path is None or path.context is None:
            return np.asarray(
                sizes ** (2 - depth) * self.mirror.inverse(beta / sizes**depth)
            )
        exact = path.lift(abs(self.problem.weights[0])).ravel()
        inverse = self.mirror.inverse(beta / exact**depth, path.context)
        return np.asarray(inverse / exact ** (depth - 2))


def _off(force: Array, reduction: LeastSquares) -> Array:
    """Return the part of each row off the row space, relative to the largest entry."""
    size = abs(force).max(axis=1)
    gaps = abs(reduction.off(force)).max(axis=1)
    pairs = zip(gaps, size, strict=True)
    return np.array([gap / top if top > 0 else gap for gap, top in pairs], dtype=object)


def _mirror(flow: GradientFlow) -> MirrorMap | None:
    """Return the map of a diagonal network, or None for any other network."""
    network = flow.network
    if isinstance(network, HadamardDifference):
        return DifferenceMap(2)
    if isinstance(network, SignedDiagonalNetwork) and network.layers >= 2:
        return DifferenceMap(network.layers)
    if not isinstance(network, Network) or network.depth < 2:
        return None
    *inner, last = network.layers
    full = isinstance(last, Readout) and last.support in (None, last.inputs)
    diagonal = all(isinstance(layer, Diagonal) for layer in inner)
    return ProductMap(network.depth) if full and diagonal else None


def _start(problem: Problem, mirror: MirrorMap) -> Hypothesis:
    """Say whether the start has the form that the map assumes."""
    columns = np.stack([weight.ravel() for weight in problem.floats.weights])
    size = float(np.max(np.abs(columns))) or 1.0
    if isinstance(mirror, ProductMap):
        words = "equal sizes in all layers but the last, which starts at zero"
        gap = float(np.max(np.abs(np.abs(columns[:-1]) - np.abs(columns[0]))))
        gap = max(gap, float(np.max(np.abs(columns[-1]))))
        smallest = float(np.min(np.abs(columns[0])))
    else:
        words = "all weights of a coordinate start equal and positive"
        gap = float(np.max(np.abs(columns - columns[0])))
        smallest = float(np.min(columns[0]))
    detail = f"off by {gap / size:.2g} relative, smallest {smallest:.2g}"
    return Hypothesis(words, gap <= TOLERANCE * size and smallest > 0, detail)
