"""One output, dense layers: how far each layer can be from rank one.

With the conserved Δ_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ, ‖W_l‖_F² = ‖W_{l+1}‖_F² − tr Δ_l
and ‖W_l‖₂² ≥ ‖W_{l+1}‖₂² − λ_max(Δ_l); the last layer has rank one.  So at all times

    ‖W_l‖_F² − ‖W_l‖₂² ≤ Σ_{k≥l} (λ_max(Δ_k) − tr Δ_k),

a constant of the start (Ji and Telgarsky 2019).  As the weights of a classifying flow
grow without bound, every layer becomes rank one, up to a relative O(1/‖W_l‖²).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.bias.dense_margin import dense
from symflow.bias.separation import classification
from symflow.claims import Bound, Hypothesis, Path, Refusal, Theorem, all_hold
from symflow.claims.bibliography import JI_TELGARSKY_2019
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class AlignedLayers(Bound, Theorem):
    """What all layers have beside rank one stays below a constant; a companion."""

    source = JI_TELGARSKY_2019

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        depth = problem.flow.network.depth
        found = [
            dense(problem),
            Hypothesis("at least two layers", depth >= 2, f"{depth} layers"),
            *classification(problem),
        ]
        return cls(problem, tuple(found)) if all_hold(found) else cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """Σ_l ‖W_l‖_F² − ‖W_l‖₂² is at most what the imbalance allows."""
        t = sympy.Symbol("t", nonnegative=True)
        rest, allowed = sympy.Function("beside_rank_one"), sympy.Symbol("C")
        return sympy.Le(rest(t), allowed, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return what the layers have beside rank one, and the constant."""
        context = path.context
        beside = [
            sum(_beside(weight[k], context) for weight in path.weights)
            for k in range(len(path.t))
        ]
        gaps = [
            after[0].T @ after[0] - before[0] @ before[0].T
            for before, after in pairwise(path.weights)
        ]
        steps = [_largest(gap, context) - np.trace(gap) for gap in gaps]
        allowed = sum(accumulate(reversed(steps)))
        floor = 0 * allowed
        return np.asarray(beside), np.full(len(path.t), max(allowed, floor))


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
