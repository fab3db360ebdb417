"""One-neuron layer: a set of starts that the flow never leaves.

Eftekhari (2020); notation of `one_neuron.py`, a = p_1ᵀu, b = q_1ᵀv.  For z_2/z_1
≤ α < 1 the set {s > αz_1 − z_2, ab > α} is never left, and every flow in it converges
to z_1p_1q_1ᵀ: where ab ≥ 0, (ab)˙ ≥ 2ab(z_1 − ρ) ≥ 0; and on the boundary s = αz_1 −
z_2 one has ρ ≥ z_1ab − z_2(1 − ab) > αz_1 − z_2, which pushes s up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Hypothesis, Path, Refusal, Theorem, all_hold
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.convergence.bound import ROUNDED_DOWN
from symflow.convergence.one_neuron import conditions, one_neuron, start_of
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class StableSet(Theorem):
    """The flow stays in {s > αz_1 − z_2, ab > α}; made by `attempt`.

    Parameters
    ----------
    alpha : float
        The largest α that the start allows.
    """

    alpha: float

    source = EFTEKHARI_2020

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim with the largest α that the start allows, or a refusal."""
        found = conditions(problem)
        if all_hold(found):
            frame, strength, overlap = start_of(problem)
            alpha = min((strength + frame.second) / frame.first, overlap)
            alpha *= 1 - ROUNDED_DOWN
            words, ratio = "the start is in the stable set", frame.second / frame.first
            detail = f"α up to {alpha:.4g}, needs more than z₂/z₁ = {ratio:.4g}"
            found.append(Hypothesis(words, alpha > ratio, detail))
            if found[-1].holds:
                return cls(problem, tuple(found), alpha)
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """The two inequalities."""
        s, overlap, z1, z2 = sympy.symbols("s ab z1 z2", positive=True)
        alpha = sympy.Float(self.alpha, 6)
        inside = sympy.Ge(s, alpha * z1 - z2), sympy.Ge(overlap, alpha)
        return sympy.And(*inside, evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return by how much W(t) is outside the set, relative to z_1."""
        frame, alpha = one_neuron(self.problem, path), path.number(self.alpha)
        floor = alpha * frame.first - frame.second
        strength = frame.strength(path.end_to_end)
        overlap = frame.overlap(path.end_to_end)
        gaps = [
            max((floor - s) / frame.first, alpha - ab, 0 * ab)
            for s, ab in zip(strength, overlap, strict=True)
        ]
        return np.asarray(gaps)
