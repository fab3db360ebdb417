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
transform, and those over any finite abelian group its characters: in the words of
Lawrence et al. (2021) on equivariant networks, the Schatten 2/L norm of β̂.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, map_entries, to_float_array
from symflow.algebra.numbers import as_fraction, to_float
from symflow.algebra.rank import decide_rank
from symflow.algebra.threads import cached_property
from symflow.bias.euclidean_margin import Widest
from symflow.bias.margin_problems import least_moduli
from symflow.bias.max_margin import ModuliDirection, least_lead
from symflow.bias.reference_problems import two_points
from symflow.bias.separation import (
    CLASSIFICATION,
    given_samples,
    given_tensor,
    is_rational,
)
from symflow.claims import Hypothesis, Refusal, all_hold, positive
from symflow.claims.bibliography import YUN_2021
from symflow.claims.example import Examples
from symflow.claims.hypothesis import ROUNDING
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.networks import (
    DiagonalNetwork,
    OrthogonalDecomposition,
    orthogonal_decomposition,
)


@dataclass(frozen=True, eq=False, repr=False)
class ModeMaxMargin(ModuliDirection):
    """A direction stationary for the ℓ_{2/L} margin; made by `implicit_bias`."""

    proved_with_base = True

    modes: OrthogonalDecomposition  #: S and the factors.

    source = YUN_2021
    where = f"ρ_j is the coefficient of mode j, {ModuliDirection.where}"
    conditions = CLASSIFICATION

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the prediction where the network has modes that start in order."""
        modes = _modes(problem)
        words = "at least two layers, orthogonally decomposable, S of full row rank"
        network = repr(problem.flow.network)
        if modes is None:
            return cls.refuse([*found, Hypothesis(words, False, network)])
        said = f"up to {modes.residual:.1e} of its norm" if modes.residual else network
        met = Hypothesis(words, True, said, exact=modes.residual == 0)
        found = [*found, met, _ordered(problem, modes)]
        whole = cls(problem, tuple(found), modes)
        return whole if all_hold(found) else cls.refuse(found)

    @cached_property
    def widest(self) -> Widest:
        """The ρ of least Σ|ρ_j| with margins of at least 1; the limit for L = 2."""
        rows, rounded = given_samples(self.problem), self.modes.residual > 0
        basis = self.modes.S if rounded else _exact_rows(self.problem, self.modes)
        rounded = rounded or not is_rational(self.problem.data["X"])
        return least_moduli(rows, basis.T, rounded=rounded)

    @classmethod
    def examples(cls) -> Examples:
        """Return two diagonal layers."""
        start = [[2], [2]], [[1], [1]]
        return (two_points("yun-modes-margin", DiagonalNetwork(2, 2), *start),)

    @property
    def _beta(self) -> Array:
        return np.asarray((self.modes.S.T @ self.widest.point).real)

    @property
    def potential(self) -> sympy.Expr:
        """Σ|ρ_j|^{2/L}, least where all margins are at least 1."""
        j, p = sympy.Symbol("j", integer=True), len(self.modes.S)
        size = sympy.Abs(sympy.IndexedBase("rho")[j])
        return sympy.Sum(size ** sympy.Rational(2, self.degree), (j, 1, p))

    @property
    def _basis(self) -> Array:
        return self.modes.S.T


def _modes(problem: Problem) -> OrthogonalDecomposition | None:
    """Return modes whose rows S are independent: exact ones, or visible ones."""
    tensor = given_tensor(problem)
    if tensor is None or tensor.ndim < 3:
        return None
    modes = _aligned(tensor)
    if modes is None:
        modes = _decomposed(tensor)
        if modes is None:
            return None
        # zero would say that nothing was rounded
        modes = replace(modes, residual=max(modes.residual, ROUNDING))
    rows = modes.S
    if np.iscomplexobj(rows):
        rows = np.block([[rows.real, -rows.imag], [rows.imag, rows.real]])
    elif modes.residual == 0:
        rows = _exact_rows(problem, modes)
    rank = decide_rank(rows) if rows.size else None
    full = rank is not None and rank.is_clear and rank.value == len(rows)
    return modes if full else None


def _aligned(tensor: Array) -> OrthogonalDecomposition | None:
    """Return the decomposition whose factors are unit vectors, if there is one."""
    places = np.argwhere(np.any(tensor != 0, axis=0))
    if any(len({*column}) < len(column) for column in places.T.tolist()):
        return None
    factors = [
        np.eye(size)[:, column]
        for size, column in zip(tensor.shape[1:], places.T, strict=True)
    ]
    rows = _rows_at(tensor, [*places.T])
    rounded = 0.0 if is_rational(rows) else ROUNDING
    return OrthogonalDecomposition(to_float_array(rows), tuple(factors), rounded)


def _decomposed(tensor: Array) -> OrthogonalDecomposition | None:
    """Return a visible decomposition; what floats can hold counts as rounded."""
    whole = map_entries(as_fraction, tensor)
    known = all(entry is not None for entry in whole.flat)
    rounded = not known or all(entry == float(entry) for entry in whole.flat)
    try:
        return orthogonal_decomposition(to_float_array(tensor) if rounded else whole)
    except HypothesisFailed:
        return None


def _exact_rows(problem: Problem, modes: OrthogonalDecomposition) -> Array:
    """Return S as the tensor was given, for factors that are unit vectors."""
    tensor = given_tensor(problem)
    assert tensor is not None
    return _rows_at(tensor, _places(modes))


def _rows_at(tensor: Array, places: list[Array]) -> Array:
    index: Any = (slice(None), *places)
    return np.asarray(tensor[index].T)


def _places(modes: OrthogonalDecomposition) -> list[Array]:
    return [np.argmax(factor, axis=0) for factor in modes.factors]


def _ordered(problem: Problem, modes: OrthogonalDecomposition) -> Hypothesis:
    """Say whether the last layer starts smaller than every other one, mode by mode."""
    words = "every mode of the last layer starts smaller than in the others"
    least = "least |η_l|² − |η_L|²"
    if modes.residual == 0:
        weights = problem.sharp.weights
        pairs = zip(weights, _places(modes), strict=True)
        amplitudes = [weight[places, 0] for weight, places in pairs]
        gap = least_lead(amplitudes)
        return positive(words, gap, 1, f"{least} = {to_float(gap):.3g} relative")
    weights = problem.floats.weights
    sizes = np.array([np.linalg.norm(weight) for weight in weights])
    amplitudes = [
        np.abs(factor.T @ weight.ravel())
        for factor, weight in zip(modes.factors, weights, strict=True)
    ]
    # an amplitude is known up to rounding of its whole layer
    gaps = np.array([a**2 - amplitudes[-1] ** 2 for a in amplitudes[:-1]])
    terms = (np.array(amplitudes[:-1]) + amplitudes[-1]) * (sizes[:-1] + sizes[-1])[
        :, None
    ]
    ratio = float(np.min(gaps / np.where(terms > 0, terms, 1.0)))
    scale = 1 + modes.residual / ROUNDING
    return positive(words, ratio, scale, f"{least} = {np.min(gaps):.3g}")
