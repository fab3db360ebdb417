"""One-neuron layer: the direction turns to the first singular pair of the target.

Notation of `one_neuron.py`.  In the clock τ the pair (u; v)/√2 follows the power
flow of a symmetric matrix whose largest eigenvalues are z_1 and z_2, so that its angle
φ with (p_1; q_1)/√2 obeys tan φ(τ) ≤ e^{−(z_1−z_2)τ} tan φ(0).  The clock runs at the
speed s^{1−2/L}: 1 for two layers, and at least s_low^{1−2/L} for more.  For two layers
the bound holds from every start with p_1ᵀu + q_1ᵀv ≠ 0, and exactly these converge to
z_1p_1q_1ᵀ: a hyperplane of starts is excluded and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Bound, Hypothesis, Path, Refusal, Theorem, all_hold
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.convergence.bound import ROUNDED_DOWN, decay_along, end_to_end
from symflow.convergence.one_neuron import conditions, one_neuron, smallest_strength
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(Bound, Theorem):
    """tan φ falls at least as e^{−κt}; made by `attempt`.

    Parameters
    ----------
    kappa : float
        The rate κ of tan φ.
    """

    kappa: float

    source = EFTEKHARI_2020

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = conditions(problem)
        if all_hold(found):
            frame = one_neuron(problem)
            cosine = float(frame.angle(end_to_end(problem.floats.weights)[None])[0][0])
            detail = f"cos²φ = {cosine:.3g}"
            found.append(Hypothesis("p₁ᵀu + q₁ᵀv ≠ 0", cosine > ROUNDED_DOWN, detail))
            lowest = 1.0
            if frame.depth > 2:
                lowest = smallest_strength(problem)
                words = "a lower bound on s at all times"
                found.append(Hypothesis(words, lowest > 0, f"s ≥ {lowest:.3g}"))
            if all_hold(found):
                speed = lowest ** (1 - 2 / frame.depth)
                kappa = (frame.first - frame.second) * speed * (1 - ROUNDED_DOWN)
                return cls(problem, tuple(found), kappa)
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """Tan φ(t) ≤ e^{−κt} tan φ(0)."""
        t, phi = sympy.Symbol("t", nonnegative=True), sympy.Function("phi")
        decay = sympy.exp(-sympy.Float(self.kappa, 6) * t)
        return sympy.Le(sympy.tan(phi(t)), decay * sympy.tan(phi(0)), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return sin²φ(t)cos²φ(0) and e^{−2κt}sin²φ(0)cos²φ(t)."""
        cosine, sine = one_neuron(self.problem, path).angle(path.end_to_end)
        return sine * cosine[0], decay_along(path, 2 * self.kappa) * sine[0] * cosine
