"""Classification by diagonal, convolutional and other decomposable networks.

Gunasekar et al. (2018); Yun, Krishnan, Mobahi (2021).  Let M(x) = Σ_j (Sx)_j u_{1,j} ⊗
… ⊗ u_{L,j} with orthonormal factors, real or complex, and independent rows of S.  Mode
j has the amplitudes η_{l,j} = u_{l,j}ᵀv_l and the coefficient ρ_j = Π_l η_{l,j}; then
β = Sᵀρ.  If |η_{l,j}|² − |η_{L,j}|² > 0 at the start for all l < L, a difference that
is conserved, and the loss is small, β/‖β‖ converges to a stationary point of

    min ‖ρ‖_{2/L}  under  y_i⟨β, x_i⟩ ≥ 1:

for L = 2 the problem is convex, and its solution is the direction, of largest margin in
Σ|ρ_j|; for L ≥ 3 stationary points are many, and which one is reached is not predicted.
Diagonal networks have S = I, circular convolutions with full filters the Fourier
transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.margin_problems import Widest, least_moduli, stationarity
from symflow.bias.max_margin import Direction, balanced_ceiling, only_limit
from symflow.bias.separation import classification, signed_samples, tensor_of
from symflow.claims import TOLERANCE, Hypothesis, Refusal, all_hold
from symflow.claims.bibliography import YUN_2021
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.networks import OrthogonalDecomposition, orthogonal_decomposition


@dataclass(frozen=True, eq=False, repr=False)
class ModeMaxMargin(Direction):
    """A direction that is stationary for the ℓ_{2/L} margin; made by `implicit_bias`.

    Parameters
    ----------
    modes : OrthogonalDecomposition
        S and the factors.
    """

    modes: OrthogonalDecomposition

    source = YUN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        found = classification(problem)
        if not all_hold(found):
            return cls.refuse(found)
        modes = _modes(problem)
        words = "at least two layers, orthogonally decomposable, S of full row rank"
        found.append(Hypothesis(words, modes is not None, repr(problem.flow.network)))
        if modes is None:
            return cls.refuse(found)
        found.append(_ordered(problem, modes))
        if not all_hold(found):
            return cls.refuse(found)
        return cls(problem, tuple(found), modes)

    @cached_property
    def widest(self) -> Widest:
        """The ρ of least Σ|ρ_j| with margins of at least 1; the limit for L = 2."""
        return least_moduli(signed_samples(self.problem), self.modes.S.T)

    @property
    def limit(self) -> Array:
        """The direction for L = 2 in float64, of unit Euclidean norm, shape (1, d).

        Raises
        ------
        HypothesisFailed
            For L ≥ 3, or if several directions have the largest margin.
        """
        beta = (self.modes.S.T @ self.widest.point).real
        return only_limit(self.widest, beta, self.degree)

    @property
    def margin(self) -> float:
        """The largest margin at Σ|ρ_j| = 1, no less than that at ‖ρ‖_{2/L} = 1."""
        return float(1 / np.sum(np.abs(self.widest.point)))

    @property
    def ceiling(self) -> float:
        """What u/‖θ‖^L cannot exceed, γ*/L^{L/2}."""
        return balanced_ceiling(self.margin, self.degree)

    @property
    def potential(self) -> sympy.Expr:
        """Σ|ρ_j|^{2/L}, least where all margins are at least 1."""
        j, p = sympy.Symbol("j", integer=True), len(self.modes.S)
        size = sympy.Abs(sympy.IndexedBase("rho")[j])
        return sympy.Sum(size ** sympy.Rational(2, self.degree), (j, 1, p))

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return how far ρ is from stationary, see `margin_problems.stationarity`."""
        row = to_float_array(np.asarray(end_to_end)).ravel()
        basis = self.modes.S.T
        point = np.linalg.lstsq(basis, row.astype(basis.dtype), rcond=None)[0]
        columns = signed_samples(self.problem) @ basis
        return stationarity(columns, point, self.degree, off_support=self.degree == 2)


def _modes(problem: Problem) -> OrthogonalDecomposition | None:
    tensor = tensor_of(problem)
    if tensor is None or tensor.ndim < 3:
        return None
    try:
        modes = orthogonal_decomposition(tensor)
    except HypothesisFailed:
        return None
    rank = np.linalg.matrix_rank(modes.S) if modes.S.size else 0
    return modes if rank == len(modes.S) > 0 else None


def _ordered(problem: Problem, modes: OrthogonalDecomposition) -> Hypothesis:
    """Say whether the last layer starts smaller than every other one, mode by mode."""
    weights = problem.floats.weights
    sizes = np.array(
        [
            np.abs(factor.T @ weight.ravel()) ** 2
            for factor, weight in zip(modes.factors, weights, strict=True)
        ]
    )
    least = float(np.min(sizes[:-1] - sizes[-1]))
    words = "every mode of the last layer starts smaller than in the others"
    detail = f"least |η_l|² − |η_L|² = {least:.3g}"
    return Hypothesis(words, least > TOLERANCE * float(np.max(sizes)), detail)
