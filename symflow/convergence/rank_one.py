"""One-neuron layer: linear convergence to the best approximation of rank one.

Eftekhari (2020), with explicit constants; notation of `one_neuron.py`, a =
p_1ᵀu, b = q_1ᵀv, Z_1 = z_1p_1q_1ᵀ.  If a_0b_0 ≥ 0 then ab never falls, and ρ ≥ z_1ab −
z_2(1 − ab), so that s ≥ s_low = min(s_0, z_1a_0b_0 − z_2(1 − a_0b_0)).  Where this is
positive (in particular on the stable set), with κ = (z_1−z_2)s_low^{1−2/L}, κ_s = L
s_low^{2−2/L}, the alignment tan φ ≤ Ke^{−κt}, K = tan φ(0), and 1 − ab ≤ 2 sin²φ, ρ ≥
z_1(1 − 2 sin²φ),

    ‖W − Z_1‖_F ≤ |s − z_1| + 2z_1 sin φ
                ≤ |s_0 − z_1|e^{−κ_s t} + 2L z_1^{3−2/L}K² J(t) + 2z_1Ke^{−κt},

J(t) = ∫₀ᵗ e^{−κ_s(t−t')}e^{−2κt'}dt'.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import exact
from symflow.claims import Hypothesis, Path, Refusal, all_hold
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.convergence.bound import ROUNDED_DOWN, RateBound, end_to_end
from symflow.convergence.one_neuron import (
    OneNeuron,
    conditions,
    one_neuron,
    smallest_strength,
)
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class RankOneRate(RateBound):
    """‖W − Z_1‖²_F falls at least exponentially from a start with s_low > 0."""

    source = EFTEKHARI_2020
    quantity = "‖W − Z₁‖²"

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = conditions(problem)
        if not all_hold(found):
            return cls.refuse(found)
        lowest = smallest_strength(problem)
        words = "z₁ab − z₂(1 − ab) > 0 at the start"
        found.append(Hypothesis(words, lowest > 0, f"s ≥ {lowest:.3g} at all times"))
        rate = 2 * min(_speeds(one_neuron(problem), lowest)) if lowest > 0 else 0.0
        return cls.with_rate(problem, found, rate)

    @property
    def statement(self) -> sympy.Basic:
        """‖W(t) − Z_1‖ ≤ the bound of the module."""
        t = sympy.Symbol("t", nonnegative=True)
        distance, bound = sympy.Function("distance"), sympy.Function("bound")
        return sympy.Le(distance(t), bound(t), evaluate=False)

    def bound(self, t: Any) -> Array:
        """Return the bound on ‖W(t) − Z_1‖²_F in float64."""
        start = end_to_end(self.problem.floats.weights)
        return np.asarray(self._bound(start, np.asarray(t, float)) ** 2)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W(t) − Z_1‖²_F and its bound from the first time of `path`."""
        frame = one_neuron(self.problem, path)
        target = frame.first * np.multiply.outer(frame.left, frame.right)
        distance = ((path.end_to_end - target) ** 2).sum(axis=(-2, -1))
        start = np.asarray(path.end_to_end[0], dtype=float)
        times = np.array([float(exact(time) - exact(path.t[0])) for time in path.t])
        bound = self._bound(start, times) ** 2
        return distance, np.asarray([path.number(float(value)) for value in bound])

    def ceiling(self, t: Any) -> Array:
        """Return a bound on ‖W − Z_1‖_F at t and at all later times, in float64."""
        kappa, pull = self._rates
        low, gap = min(pull, 2 * kappa), abs(pull - 2 * kappa)
        # J(t) rises until here, and falls after it
        top = np.log1p(gap / low) / gap if gap > 0 else 1 / low
        start = end_to_end(self.problem.floats.weights)
        times = np.asarray(t, float)
        return self._bound(start, times, np.maximum(times, top))

    @cached_property
    def _frame(self) -> OneNeuron:
        return one_neuron(self.problem)

    @cached_property
    def _rates(self) -> tuple[float, float]:
        return _speeds(self._frame, smallest_strength(self.problem))

    def _bound(self, start: Array, t: Array, late: Array | None = None) -> Array:
        frame, (kappa, pull) = self._frame, self._rates
        first, depth, late = frame.first, frame.depth, t if late is None else late
        cosine, sine = (float(part[0]) for part in frame.angle(start[None]))
        tangent = (sine / cosine) ** 0.5
        strength = float(frame.strength(start))
        forced = 2 * depth * first ** (3 - 2 / depth) * tangent**2
        bound = np.abs(strength - first) * np.exp(-pull * t)
        bound = bound + forced * _convolved(pull, 2 * kappa, late)
        bound = bound + 2 * first * tangent * np.exp(-kappa * t)
        return np.asarray(bound * (1 + ROUNDED_DOWN))


def _speeds(frame: OneNeuron, lowest: float) -> tuple[float, float]:
    """Return κ and κ_s."""
    kappa = (frame.first - frame.second) * lowest ** (1 - 2 / frame.depth)
    return kappa, frame.depth * lowest ** (2 - 2 / frame.depth)


def _convolved(first: float, second: float, t: Array) -> Array:
    """Return ∫₀ᵗ e^{−first(t−t')}e^{−second t'}dt', also for equal rates."""
    low, gap = min(first, second), abs(first - second)
    grown = -np.expm1(-gap * t) / gap if gap > 0 else t
    return np.asarray(np.exp(-low * t) * grown)
