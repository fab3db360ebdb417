"""One output, dense layers: how far each layer can be from rank one.

With the conserved Δ_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ, ‖W_l‖_F² = ‖W_{l+1}‖_F² − tr Δ_l
and ‖W_l‖₂² ≥ ‖W_{l+1}‖₂² − λ_max(Δ_l); the last layer has rank one.  So at all times

    ‖W_l‖_F² − ‖W_l‖₂² ≤ Σ_{k≥l} (λ_max(Δ_k) − tr Δ_k),

a constant of the start (Ji and Telgarsky 2019).  As the weights of a classifying flow
grow without bound, every layer becomes rank one, up to a relative O(1/‖W_l‖²).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.outward import float_up
from symflow.bias.max_margin import violations
from symflow.bias.reference_problems import two_points
from symflow.bias.separation import CLASSIFICATION
from symflow.claims import Bound, Identity, Path, Theorem
from symflow.claims.bibliography import JI_TELGARSKY_2019
from symflow.claims.conditions import dense_layers, imbalances, on_flow
from symflow.claims.example import Examples
from symflow.claims.hypothesis import ROUNDING
from symflow.data import Dataset
from symflow.networks import LinearNetwork


@dataclass(frozen=True, eq=False, repr=False)
class AlignedLayers(Bound, Theorem):
    """What all layers have beside rank one stays below a constant; a companion."""

    source = JI_TELGARSKY_2019
    where = "λ_max(W_lᵀW_l) is the square of the first singular value of W_l"
    conditions = (on_flow(dense_layers), *CLASSIFICATION)

    @property
    def constant(self) -> float:
        """C = max(0, Σ_l Σ_{k≥l} [λ_max(Δ_k) − tr Δ_k]) of the start, rounded up."""
        problem = self.problem.floats
        squares = sum(float(np.sum(weight**2)) for weight in problem.weights)
        # eigenvalues of floats are off by rounding of the whole matrix
        unseen = ROUNDING * squares * self.problem.size
        return float(_allowed(problem.weights, None)) + unseen

    @property
    def statement(self) -> sympy.Basic:
        """Σ_l ‖W_l‖_F² − ‖W_l‖₂² is at most what the imbalance allows."""
        grams = [weight.T * weight for weight in self.problem.flow.state]
        largest = sympy.Function("lambda_max")
        beside = sympy.Add(*(sympy.Trace(g) - largest(g) for g in grams))
        return sympy.Le(beside, float_up(self.constant), evaluate=False)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the steps from one layer to the next."""
        (a, b, c, d), (p, q), (f, g) = (
            sympy.symbols(names) for names in ("a b c d", "p q", "f g")
        )
        first, last = sympy.Matrix([[a, b], [c, d]]), sympy.Matrix([[p, q]])
        force = sympy.Matrix([[f, g]])
        turn = force * first.T  # dW_2/dt, and dW_1/dt = W_2ᵀ·force
        moved = turn.T * last - last.T * force * first.T
        probe = sympy.Matrix([sympy.Symbol("x"), sympy.Symbol("y")])
        gap = last.T * last - first * first.T
        traces = (first.T * first).trace() - (last.T * last).trace() + gap.trace()
        form = (probe.T * (first * first.T - last.T * last + gap) * probe)[0]
        whole = (last.T * last).charpoly(sympy.Symbol("z")).as_expr()
        return (
            Identity(
                "Δ_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ is conserved",
                2 * (probe.T * moved * probe)[0],
            ),
            Identity("‖W_l‖_F² = ‖W_{l+1}‖_F² − tr Δ_l", traces),
            Identity(
                "xᵀW_lW_lᵀx = xᵀW_{l+1}ᵀW_{l+1}x − xᵀΔ_lx, and the last is at most "
                "λ_max(Δ_l)|x|²: ‖W_l‖₂² ≥ ‖W_{l+1}‖₂² − λ_max(Δ_l)",
                form,
            ),
            Identity(
                "one output: det(z − W_LᵀW_L) = z(z − ‖W_L‖²), so that the last layer "
                "has nothing beside rank one, and the differences add up",
                whole - sympy.Symbol("z") * (sympy.Symbol("z") - p**2 - q**2),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return three unbalanced layers; with two outputs layers keep rank two."""
        eye, turn = [[1, 0], [0, 1]], [[1, 0], [0, -1]]
        both = Dataset([[1, 2], [0, -3]], [[1, 1], [-1, 1]])
        wide, narrow = LinearNetwork(2, 2, 2, 2), LinearNetwork(2, 2, 2, 1)
        two = two_points("two outputs", wide, eye, turn, eye, data=both)
        weights = [[1, 1], [0, 1]], [[1, 0], [1, 1]], [[2, 1]]
        return (two_points("ji-aligned", narrow, *weights, elsewhere=two),)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return what the layers have beside rank one, and the constant."""
        beside = [
            sum(_beside(weight[k], path.context) for weight in path.weights)
            for k in range(len(path.t))
        ]
        allowed = _allowed(self.start_on(path), path.context)
        return np.asarray(beside), np.full(len(path.t), allowed)

    def residuals(self, path: Path) -> Array:
        """Return by how much √ of the bound is violated, relative to the start."""
        start = self.start_on(path)
        first = sum((weight**2).sum() for weight in start)
        now = sum((weight**2).sum(axis=(1, 2)) for weight in path.weights)
        beside, allowed = self.sides(path)
        return violations(beside, allowed, now, first)


def _allowed(weights: tuple[Array, ...], context: Any) -> Any:
    """Return C."""
    gaps = imbalances(weights)
    steps = [_largest(gap, context) - np.trace(gap) for gap in gaps]
    return max(sum(accumulate(reversed(steps))), 0 * steps[0])


def _beside(matrix: Array, context: Any) -> Any:
    """Return the sum of the squares of all singular values but the largest."""
    if context is None:
        return np.sum(np.linalg.svd(matrix, compute_uv=False)[1:] ** 2)
    values = context.svd_r(context.matrix(matrix.tolist()), compute_uv=False)
    return sum((value**2 for value in list(values)[1:]), context.zero)


def _largest(matrix: Array, context: Any) -> Any:
    """Return the largest eigenvalue of a symmetric matrix."""
    if context is None:
        return np.linalg.eigvalsh(matrix)[-1]
    return max(context.eigsy(context.matrix(matrix.tolist()), eigvals_only=True))
