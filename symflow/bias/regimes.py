"""Rich and lazy: what the potential of a diagonal network picks at the ends of α.

With weights c = αc̄ and β(0) = 0 the potential grows like |τ| ln|τ| (L = 2) or t*|τ|
(L ≥ 3) far from zero, and like τ² near it.  Hence, among the minimizers of the loss,

    α → 0:   ‖ρ‖₁ is least for L = 2, up to weights that fade like 1/ln(1/α),
             and Σ|ρ_j| c̄_j^{2−L} for L ≥ 3, whose weights stay;
    α → ∞:   Σ ρ_j² c̄_j^{2−2L} is least

(Woodworth et al. 2020; Yun, Krishnan, Mobahi 2021).  The first is found by following
the saddles of `bias/saddle_path.py`, the last of which has least ℓ₁ norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.bias.growth import Growth
from symflow.bias.minimizers import orthonormal
from symflow.bias.saddle_path import follow_saddles
from symflow.claims import TOLERANCE
from symflow.errors import HypothesisFailed


@dataclass(frozen=True, eq=False)
class Regime:
    """The minimizer of a norm, and how far a prediction is from it."""

    name: str  #: ``"rich"`` or ``"lazy"``.
    power: int  #: 1 or 2: the norm is (Σ ω_j|ρ_j|^power)^{1/power}.
    weights: Array  #: Shape (p,): ω_j.
    limit: Array  #: Shape (1, d): the βᵀ of the minimizer.
    #: Largest entry of the difference of the prediction, relative to the largest of the
    #: minimizer.
    distance: float
    excess: float  #: By how much its norm exceeds the least one, relative.

    @property
    def norm(self) -> sympy.Expr:
        """The norm, as SymPy."""
        j, p = sympy.Symbol("j", integer=True), len(self.weights)
        rho, omega = sympy.IndexedBase("beta"), sympy.IndexedBase("omega")
        total = sympy.Sum(omega[j] * sympy.Abs(rho[j]) ** self.power, (j, 1, p))
        return total ** sympy.Rational(1, self.power)

    def __repr__(self) -> str:
        plain = bool(np.allclose(self.weights, self.weights[0]))
        kind = f"{'' if plain else 'weighted '}ℓ{'₁' if self.power == 1 else '₂'}"
        return (
            f"{self.name} regime: least {kind} norm, at a distance of "
            f"{self.distance:.2g} (norm {self.excess:.2g} above the least)"
        )


def rich_regime(bias: Any) -> Regime:
    """Return the limit α → 0 of a potential from β(0) = 0.

    `bias` is a `DiagonalPotential`.  Raises HypothesisFailed if the start is not at
    β = 0 where that matters.
    """
    depth = bias.mirror.depth
    if depth > 2:
        _at_zero(bias)
    weights = bias.sizes ** (2 - depth)
    weights = weights / np.max(weights)
    scaled = bias.seen / weights
    values = bias.values
    path = follow_saddles(scaled.T @ scaled, scaled.T @ values, Growth("product"))
    return _regime(bias, "rich", 1, weights, path.limit / weights)


def lazy_regime(bias: Any) -> Regime:
    """Return the limit α → ∞ of a potential from β(0) = 0.

    `bias` is a `DiagonalPotential`.  Raises HypothesisFailed if the start is not at
    β = 0 where that matters.
    """
    _at_zero(bias)
    weights = bias.sizes ** (2 - 2 * bias.mirror.depth)
    weights = weights / np.max(weights)
    scaled = bias.seen / weights**0.5
    frame = orthonormal(scaled)
    found = frame @ np.linalg.solve(scaled @ frame, bias.values)
    return _regime(bias, "lazy", 2, weights, found / weights**0.5)


def _at_zero(bias: Any) -> None:
    size = float(np.max(np.abs(bias.shift)))
    if size > TOLERANCE:
        msg = (
            "DiagonalPotential: this limit is for a start at β = 0; the start at hand "
            f"has |h⁻¹(β(0)/c^L)| = {size:.2g}"
        )
        raise HypothesisFailed(msg)


def _regime(bias: Any, name: str, power: int, weights: Array, rho: Array) -> Regime:
    limit = bias.separation.end_to_end(rho)

    def norm(values: Array) -> float:
        return float(np.sum(weights * np.abs(values) ** power) ** (1 / power))

    top = float(np.max(np.abs(limit))) or 1.0
    distance = float(np.max(np.abs(limit - bias.limit))) / top
    size, least = norm(bias.rho), norm(rho)
    excess = (size / least if least else np.inf * size if size else 1.0) - 1
    return Regime(name, power, weights, limit, distance, excess)
