"""One-neuron layer: the direction turns to the first singular pair of the target.

Notation of `one_neuron.py`.  In the clock τ the pair (u; v)/√2 follows the power
flow of a symmetric matrix whose largest eigenvalues are z_1 and z_2, so that its angle
φ with (p_1; q_1)/√2 obeys tan φ(τ) ≤ e^{−(z_1−z_2)τ} tan φ(0).  The clock runs at the
speed s^{1−2/L}: 1 for two layers, and at least s_low^{1−2/L} for more.  For two layers
the bound holds from every start with p_1ᵀu + q_1ᵀv ≠ 0, and exactly these converge to
z_1p_1q_1ᵀ: a hyperplane of starts is excluded and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.outward import float_down, float_up
from symflow.claims import (
    Bound,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    all_hold,
    random_problems,
)
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.convergence.bound import ROUNDED_DOWN, decay_along
from symflow.convergence.one_neuron import (
    CONDITIONS,
    aligned_example,
    angle_falls,
    one_neuron,
    overlap_grows,
    setting,
)
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(Bound, Theorem):
    """tan φ falls at least as e^{−κt}; made by `attempt`."""

    kappa: float  #: The rate κ of tan φ.

    source = EFTEKHARI_2020
    contributes = "the convergence; rate and constants ours"
    where = (
        "u and v are the directions of W = s u vᵀ, p₁ and q₁ the first singular "
        "vectors of Σ_yx"
    )
    conditions = CONDITIONS

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim for a start with cos φ ≠ 0, and s_low > 0 if L > 2."""
        given = setting(problem)
        more = [*found, given.excited(found)]
        if given.depth > 2:
            words = "a lower bound on s at all times"
            more.append(given.bounded_below(words, found))
        if not all_hold(more):
            return cls.refuse(more)
        speed = given.lowest ** (1 - 2 / given.depth) if given.depth > 2 else 1
        kappa = to_float((given.frame.first - given.frame.second) * speed)
        return cls(problem, tuple(more), kappa * (1 - ROUNDED_DOWN))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return why the angle falls, and the clock does not stand still."""
        return (angle_falls(), *overlap_grows())

    @classmethod
    def examples(cls) -> Examples:
        """Return exact starts of two and three layers, and random balanced ones."""
        return (
            aligned_example("eftekhari-alignment", false=scaled(kappa=4)),
            aligned_example("eftekhari-deep", 1, false=scaled(kappa=4)),
            RandomExamples(
                "many-alignment", random_problems.one_neuron(3), scaled(kappa=5)
            ),
        )

    @property
    def statement(self) -> sympy.Basic:
        """tan²φ(t) ≤ e^{−2κt} tan²φ(0), cos φ = (p_1ᵀu + q_1ᵀv)/2."""
        t, (m, d) = sympy.Symbol("t", nonnegative=True), setting(self.problem).shape
        p, u = (sympy.MatrixSymbol(name, m, 1) for name in ("p1", "u"))
        q, v = (sympy.MatrixSymbol(name, d, 1) for name in ("q1", "v"))
        cosine = (sympy.Trace(p.T * u) + sympy.Trace(q.T * v)) / 2
        decay = sympy.exp(-float_down(2 * self.kappa) * t)
        given = setting(self.problem)
        start, rest = (part[0] for part in given.frame.angle(given.product[None]))
        top = float_up(rest / start) * decay
        return sympy.Le((1 - cosine**2) / cosine**2, top, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return sin²φ(t)cos²φ(0) and e^{−2κt}sin²φ(0)cos²φ(t)."""
        cosine, sine = one_neuron(self.problem, path).angle(path.end_to_end)
        return sine * cosine[0], decay_along(path, 2 * self.kappa) * sine[0] * cosine

    def scale(self, path: Path, larger: Array) -> Any:
        """Return cos²φ at the first time, the size of both sides at a large φ."""
        start = one_neuron(self.problem, path).angle(path.end_to_end[:1])[0][0]
        return max(super().scale(path, larger), start)
