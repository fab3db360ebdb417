"""Separable networks, squared loss: the limit minimizes an explicit potential.

Yun, Krishnan, Mobahi (2021), Woodworth et al. (2020), Azulay et al. (2021).  A diagonal
network, or an orthogonally decomposable tensor with β = Sᵀρ, has at all times
ρ_j = c_j^L h(s_j + c_j^{L−2}ξ_j) with ξ = −∫S∇ℓ (`mirror_start.py`, `mirror.py`).
This is the stationarity condition of

    Q(ρ) − ⟨Q′(ρ(0)), ρ⟩,      Q(ρ) = Σ c_j² H(ρ_j/c_j^L),   H = ∫h⁻¹:

the loss converges to its infimum, and the limit is its minimizer among the ρ with XSᵀρ
= y.  As c → 0 it has least ℓ₁ norm for L = 2; for L ≥ 3 the norm
Σ|ρ_j|c_j^{2−L}, whose weights do not fade.  As c → ∞ it has the least Σρ_j²c_j^{2−2L};
`rich` and `lazy` say how far this start is from either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.rank import decide_rank
from symflow.algebra.threads import cached_property
from symflow.bias.dual import least_potential
from symflow.bias.fine_dual import fine_potential
from symflow.bias.least_norm import ALLOWED_OFF, allowance
from symflow.bias.minimizers import Minimizers, minimizers, orthonormal
from symflow.bias.mirror import MirrorMap, mirror_proof
from symflow.bias.mirror_start import MirrorStart, fine_start, mirror_start, mirrored
from symflow.bias.prediction import RegressionLimit
from symflow.bias.reference_problems import rotated_tensor, unseen
from symflow.bias.regimes import Regime, lazy_regime, rich_regime
from symflow.claims import (
    Hypothesis,
    Identity,
    Path,
    Refusal,
    all_hold,
    structural,
    vanishing,
)
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import on_flow, squared_loss
from symflow.claims.example import Examples
from symflow.data import Dataset
from symflow.flow.coordinates import Coordinates, coordinates
from symflow.flow.problem import Problem
from symflow.networks import DiagonalNetwork, TensorNetwork

#: Coefficients up to which the minimizer is computed in many digits.
MOST_COEFFICIENTS = 64


def _separable(problem: Problem) -> Hypothesis:
    """Say whether the network falls apart into scalar products."""
    words = "a diagonal network or orthogonally decomposable tensor"
    found = coordinates(problem.floats)
    return structural(words, found is not None, repr(problem.flow.network))


@dataclass(frozen=True, eq=False, repr=False)
class DiagonalPotential(RegressionLimit):
    """The limit is the minimizer of Q; made by `implicit_bias`."""

    mirror: MirrorMap  #: h, with the depth L.
    sizes: Array  #: Shape (p,): c.

    source = YUN_2021
    contributes = "the theorem for equal layers; other starts and forms derived here"
    where = (
        "c and s are those of the start, A has the samples as rows, ν is found with "
        "the limit, x is β_j/c_j^L through the function of the integral"
    )
    conditions = (on_flow(squared_loss), _separable)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the prediction where every coordinate starts in one of the forms."""
        rough = coordinates(problem.floats)
        assert rough is not None
        best = minimizers(problem)
        rows = [*found, *best.hypotheses, *mirrored(problem, rough)]
        if rough.transform is not None:
            words, said = "the tensor decomposes", "what is left of it"
            rows.append(vanishing(words, rough.defect, said, given_exactly=False))
            rows.append(_reaching(rough, best))
        if not all_hold(rows):
            return cls.refuse(rows)
        _, start, _ = fine_start(problem, 0)
        return cls(problem, tuple(rows), start.mirror, to_float_array(start.sizes))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that ρ = c^L h(s + c^{L−2}ξ) solves the flow of a coordinate."""
        return mirror_proof()

    @classmethod
    def examples(cls) -> Examples:
        """Return equal layers but the last, both signs, a late start, a tensor."""
        sizes = [[0.5], [0.7], [1.0]]
        samples = Dataset([[1.0, 2.0, -1.0], [0.5, 0.0, 1.0]], [1.0, -0.5])
        equal = (sizes, sizes, [[0], [0], [0]])
        signed = tuple(np.full((4, 1), size) for size in (0.8, 0.2, 0.8, 0.2))
        large = np.array([[0.9], [1.1], [-1.0], [0.8]])
        moved = (large, -large, np.array([[0.3], [-0.2], [0.1], [0.4]]))
        frames, tensor = rotated_tensor()
        turned = (frames[0] @ np.array([[0.6], [0.9], [0.7]]), np.zeros((3, 1)))
        cubic, both = DiagonalNetwork(4, 3), DiagonalNetwork(4, 2, signed=True)
        false = {"false": _with_unequal_sizes}
        return (
            unseen("yun-diagonal", DiagonalNetwork(3, 3), equal, data=samples, **false),
            unseen("azulay-shape", both, signed, **false),
            unseen("yun-start", cubic, moved, **false),
            unseen("yun-tensor", TensorNetwork(tensor), turned, **false),
        )

    @property
    def potential(self) -> sympy.Expr:
        """Σ c_j² H(ρ_j/c_j^L), H written as the integral of h⁻¹."""
        j, rho = sympy.Symbol("j", integer=True), sympy.IndexedBase("beta")
        return self.mirror.total(rho[j], (j, 1, len(self.sizes)))

    @property
    def statement(self) -> sympy.Basic:
        """Q′(ρ(∞)) − Q′(ρ(0)) = Aᵀν: β_j/c_j^L = h(s_j + c_j^{L−2}(Aᵀν)_j)."""
        L = self.mirror.depth
        j, k = sympy.Symbol("j", integer=True), sympy.Symbol("k", integer=True)
        names = ("beta_inf", "c", "s", "A", "nu")
        beta, c, s, A, nu = map(sympy.IndexedBase, names)
        total = sympy.Sum(A[k, j] * nu[k], (k, 1, self.minimizers.rank.value))
        return self.mirror.relation(beta[j] / c[j] ** L, s[j] + c[j] ** (L - 2) * total)

    @cached_property
    def separation(self) -> Coordinates:
        """The coordinates of network, data and start in float64."""
        found = coordinates(self.problem.floats)
        assert found is not None
        return found

    @cached_property
    def start(self) -> MirrorStart:
        """The sizes and coefficients of the start, rounded once."""
        _, start, _ = fine_start(self.problem, 0)
        parts = start.sizes, start.first
        return MirrorStart(start.mirror, *map(to_float_array, parts))

    @cached_property
    def shift(self) -> Array:
        """S = h⁻¹(ρ(0)/c^L); zero for a start at β = 0."""
        return self.mirror.inverse(self.start.first / self.sizes**self.mirror.depth)

    @cached_property
    def frame(self) -> Array:
        """Orthonormal columns that span the row space of X, shape (d, r)."""
        return orthonormal(self.minimizers.rows)

    @cached_property
    def seen(self) -> Array:
        """The matrix of the constraints in terms of ρ, ΦᵀSᵀ, shape (r, p)."""
        S = self.separation.transform
        return np.asarray(self.frame.T if S is None else (S @ self.frame).T)

    @cached_property
    def values(self) -> Array:
        """The values of the constraints, ΦᵀW*ᵀ, shape (r,)."""
        return np.asarray(to_float_array(self.minimizers.least_norm)[0] @ self.frame)

    @cached_property
    def rho(self) -> Array:
        """The predicted coefficients ρ(∞), shape (p,)."""
        if not len(self.values):
            return self.start.first
        if len(self.sizes) > MOST_COEFFICIENTS:
            terms = self.seen, self.values, self.shift
            return least_potential(self.mirror, self.sizes, *terms)
        least = self.minimizers.least_norm
        top = max(abs(entry) for entry in least.flat)
        found, start, context = fine_start(self.problem, float(top))
        rows = to_mpf_array(self.minimizers.rows, context)
        values = rows @ to_mpf_array(least[0], context)
        seen = rows if found.transform is None else rows @ found.transform.T
        scaled = start.first / start.sizes**self.mirror.depth
        shift = self.mirror.inverse(scaled, context)
        parts = start.sizes, shift, seen, values
        return to_float_array(fine_potential(self.mirror, *parts, context))

    @cached_property
    def limit(self) -> Array:
        """The predicted βᵀ, shape (1, d)."""
        return self.separation.end_to_end(self.rho)

    @cached_property
    def rich(self) -> Regime:
        """The limit of vanishing weights of this shape, and how far it is."""
        return rich_regime(self)

    @cached_property
    def lazy(self) -> Regime:
        """The limit of large weights of this shape, and how far it is."""
        return lazy_regime(self)

    def value(self, rho: Any) -> float:
        """Return Q(ρ) − ⟨Q′(ρ(0)), ρ⟩.

        Parameters
        ----------
        rho : array_like
            p coefficients; β itself for a diagonal network.

        Returns
        -------
        float
            The potential.
        """
        flat, depth = np.ravel(rho), self.mirror.depth
        part = self.sizes**2 * self.mirror.potential(flat / self.sizes**depth)
        return float(np.sum(part - self.sizes ** (2 - depth) * self.shift * flat))

    def coefficients(self, end_to_end: Any) -> Array:
        """Return the ρ of a β: those of least potential where they are not unique.

        Parameters
        ----------
        end_to_end : array_like
            d coefficients.
        """
        beta, S = (
            np.ravel(to_float_array(np.asarray(end_to_end))),
            (self.separation.transform),
        )
        if S is None:
            return beta
        if np.linalg.matrix_rank(S) == len(S):
            return np.asarray(np.linalg.pinv(S.T) @ beta)
        return least_potential(self.mirror, self.sizes, S.T, beta, self.shift)

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the larger of the misfit and of Q′ off the row space, relative."""
        W = to_float_array(np.asarray(end_to_end)).reshape(1, -1)
        rho = self.coefficients(W)[None]
        off = _off(*self._force(rho, self.start), _basis(self.seen.T))[0]
        return max(float(off), self.minimizers.misfit(W))

    def residuals(self, path: Path) -> Array:
        """Return how far Q′(ρ(t)) − Q′(ρ(0)) is off the row space, relative."""
        digits = None if path.context is None else path.digits + 5
        fine = self.problem if digits is None else self.problem.at(digits)
        found = coordinates(fine, digits)
        assert found is not None
        rho, columns = path.end_to_end[:, 0, :], self.frame
        if digits is not None:
            columns = path.lift(self.minimizers.rows.T)
        start = self.start if digits is None else mirror_start(found)
        if found.transform is not None:
            S, *factors = (
                path.lift(part) for part in (found.transform, *found.factors)
            )
            columns = S @ columns
            pairs = zip(path.weights, factors, strict=True)
            rho = np.prod(np.stack([w[..., 0] @ U for w, U in pairs]), axis=0)
        ratio = self.sizes / self.start.sizes
        lifted = MirrorStart(
            self.mirror, path.lift(start.sizes) * ratio, path.lift(start.first)
        )
        force = self._force(rho, lifted, path.context)
        return _off(*force, _basis(columns, path.context))

    def slack(self, path: Path) -> Array:
        """Return what data and weights c in float64 alone may put off the row space."""
        rounded = allowance(self.problem, self.minimizers)
        allowed = ALLOWED_OFF if path.context is None else rounded
        return super().slack(path) + allowed

    def _force(
        self, rho: Array, start: MirrorStart, context: Any = None
    ) -> tuple[Array, Array]:
        """Return Q′(ρ) − Q′(ρ(0)) in the arithmetic of ρ, and the size of its terms."""
        depth, sizes = self.mirror.depth, start.sizes
        scaled = np.vstack([rho, start.first[None]]) / sizes**depth
        slopes = self.mirror.inverse(scaled, context) / sizes ** (depth - 2)
        tops = abs(slopes).max(axis=1)
        return slopes[:-1] - slopes[-1], np.maximum(tops[:-1], tops[-1])


def _reaching(rough: Coordinates, best: Minimizers) -> Hypothesis:
    """Say whether some coefficients give every W on the row space."""
    found = decide_rank(rough.transform @ orthonormal(best.rows))
    words = "the coefficients reach the minimizers"
    enough = found.value == best.rank.value and found.is_clear
    return Hypothesis(words, enough, f"rank {found.value} of {best.rank.value}")


def _off(force: Array, size: Array, basis: Array) -> Array:
    """Return the part of each row off the row space, relative to the size of terms."""
    gaps = abs(force - (force @ basis) @ basis.T).max(axis=1)
    pairs = zip(gaps, size, strict=True)
    return np.array([gap / top if top > 0 else gap for gap, top in pairs], dtype=object)


def _basis(columns: Array, context: Any = None) -> Array:
    """Return orthonormal columns of the same span."""
    if not columns.size:
        return columns
    if context is None:
        left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
        return np.asarray(left[:, sizes > 1e-11 * np.max(sizes, initial=0.0)])
    frame = context.qr(context.matrix(columns.tolist()), mode="skinny")[0]
    return np.array(frame.tolist(), dtype=object)


def _with_unequal_sizes(claim: DiagonalPotential) -> DiagonalPotential:
    """Return the false claim with sizes that grow from coordinate to coordinate."""
    return replace(claim, sizes=claim.sizes * np.linspace(1, 2, len(claim.sizes)))
