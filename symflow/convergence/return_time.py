"""One-neuron layer: from however far, the size returns in a time that depth shortens.

Eftekhari (2020); notation of `one_neuron.py`.  As ρ ≤ z_1, ṡ ≤ −L s^{2−2/L}(s −
z_1), hence s ≤ 2z_1 after the time ∫ ds/(L s^{2−2/L}(s − z_1)) from 2z_1 to s_0.  It
stays bounded as s_0 → ∞ and falls with the depth L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import exact, to_float
from symflow.algebra.outward import float_up
from symflow.claims import Hypothesis, Identity, Path, Refusal, Theorem, random_problems
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.claims.example import Examples, RandomExamples, regression, scaled
from symflow.convergence.bound import ROUNDED_DOWN
from symflow.convergence.one_neuron import CONDITIONS, one_neuron, setting
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class FarAway(Theorem):
    """However large the start, s ≤ 2z_1 after a time that falls with depth."""

    time: float  #: The time after which s ≤ 2z_1.

    source = EFTEKHARI_2020
    contributes = "the theorem, constants ours"
    where = "s = ‖W‖, and z₁ is the first singular value of Σ_yx"
    conditions = CONDITIONS

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim for a start with s > 2z_1."""
        given = setting(problem)
        first, strength = given.frame.first, given.frame.strength(given.product)[()]
        sizes = to_float(first), to_float(strength)
        detail = f"s = {sizes[1]:.3g}, z₁ = {sizes[0]:.3g}"
        far = given.clear("a start with s > 2z₁", 1 - 2 * first / strength, (), detail)
        if not far.holds:
            return cls.refuse([*found, far])
        time = return_time(given.depth, *sizes) * (1 + ROUNDED_DOWN)
        return cls(problem, (*found, far), time)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the comparison equation, and the substitution that integrates it."""
        s, z, rho, x, power = sympy.symbols("s z1 rho x r", positive=True)
        fall = power * (rho - s) + power * (s - z) + power * (z - rho)
        inside = z / x**2 / ((z / x) ** power * (z / x - z))
        return (
            Identity("L s^r(ρ − s) = −L s^r(s − z₁) − L s^r(z₁ − ρ), and ρ ≤ z₁", fall),
            Identity(
                "s = z₁/x turns ds/(s^r(s − z₁)) into −x^{r−1}dx/(z₁^r(1 − x))",
                inside - x ** (power - 1) / (z**power * (1 - x)),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return a start at 25 for the target 2, and random large ones."""
        target, soon = [[2, 0], [0, 1]], scaled(time=0.0)
        return (
            regression("eftekhari-far", target, [[5, 0]], [[5], [0]], false=soon),
            RandomExamples(
                "many-far", random_problems.one_neuron(3, size=20.0, t=1.0), soon
            ),
        )

    @property
    def statement(self) -> sympy.Basic:
        """The time from which s = ‖W(t)‖ ≤ 2z_1 holds, as an implication."""
        t, s, z1 = sympy.symbols("t s z1", positive=True)
        return sympy.Implies(sympy.Ge(t, float_up(self.time)), sympy.Le(s, 2 * z1))

    def residuals(self, path: Path) -> Array:
        """Return s − 2z_1 relative to z_1 where it is positive after the time."""
        frame = one_neuron(self.problem, path)
        gaps = frame.strength(path.end_to_end) / frame.first - 2
        late = [exact(time) >= exact(self.time) for time in path.t]
        pairs = zip(gaps, late, strict=True)
        excess = [max(gap, 0 * gap) if after else 0 * gap for gap, after in pairs]
        return np.asarray(excess)


def return_time(depth: int, first: float, strength: float = np.inf) -> float:
    """Return ∫ ds/(L s^{2−2/L}(s − z_1)) from 2z_1 to `strength`.

    From a start of the size `strength`, infinite by default, s ≤ 2z_1 after this time.
    """
    from scipy.integrate import quad

    power = 2 - 2 / depth
    ends = first / strength, 0.5
    # with s = z_1/x the integrand is x^{power−1}/(1 − x), smooth on [0, 1/2]
    value, _ = quad(lambda x: x ** (power - 1) / (1 - x), *ends, epsabs=0, epsrel=1e-13)
    return float(value / (depth * first**power))
