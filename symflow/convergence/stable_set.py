"""One-neuron layer: a set of starts that the flow never leaves.

Eftekhari (2020); notation of `one_neuron.py`, a = p_1ᵀu, b = q_1ᵀv.  For z_2/z_1
≤ α < 1 the set {s > αz_1 − z_2, ab > α} is never left, and every flow in it converges
to z_1p_1q_1ᵀ: where ab ≥ 0, (ab)˙ ≥ 2ab(z_1 − ρ) ≥ 0; and on the boundary s = αz_1 −
z_2 one has ρ ≥ z_1ab − z_2(1 − ab) > αz_1 − z_2, which pushes s up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.outward import float_down
from symflow.claims import Hypothesis, Identity, Path, Refusal, Theorem, random_problems
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.convergence.bound import ROUNDED_DOWN
from symflow.convergence.one_neuron import (
    CONDITIONS,
    aligned_example,
    one_neuron,
    overlap_grows,
    setting,
)
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class StableSet(Theorem):
    """The flow stays in {s > αz_1 − z_2, ab > α}; made by `attempt`."""

    alpha: float  #: The largest α that the start allows.

    source = EFTEKHARI_2020
    where = (
        "W = s u vᵀ, ab is the product of p₁ᵀu and q₁ᵀv, with the first singular "
        "vectors p₁, q₁ of Σ_yx, and z₁, z₂ its first singular values"
    )
    conditions = CONDITIONS

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim with the largest α that the start allows, or a refusal."""
        given = setting(problem)
        frame, product = given.frame, given.product
        reach = (frame.strength(product)[()] + frame.second) / frame.first
        alpha, ratio = (
            min(reach, frame.overlap(product)[()]),
            frame.second / frame.first,
        )
        numbers = to_float(alpha), to_float(ratio)
        detail = "α up to {:.4g}, needs more than z₂/z₁ = {:.4g}".format(*numbers)
        words = "the start is in the stable set"
        inside = given.clear(words, alpha - ratio, found, detail)
        if not inside.holds:
            return cls.refuse([*found, inside])
        return cls(problem, (*found, inside), numbers[0] * (1 - ROUNDED_DOWN))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return why ab never falls, and what pushes s up on the boundary."""
        alpha, first, second, overlap = sympy.symbols("alpha z1 z2 ab")
        pull = first * overlap - second * (1 - overlap)
        inward = (first + second) * (overlap - alpha) + second * alpha
        return (
            *overlap_grows(),
            Identity(
                "ρ − (αz₁ − z₂) ≥ (z₁ + z₂)(ab − α) + z₂α > 0 at s = αz₁ − z₂",
                pull - (alpha * first - second) - inward,
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return an exact start, and random balanced ones."""
        return (
            aligned_example("eftekhari-stable", false=scaled(alpha=1.2)),
            RandomExamples(
                "many-stable", random_problems.one_neuron(2), scaled(alpha=1.2)
            ),
        )

    @property
    def statement(self) -> sympy.Basic:
        """The two inequalities."""
        s, overlap, z1, z2 = sympy.symbols("s ab z1 z2", positive=True)
        alpha = float_down(self.alpha)
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
