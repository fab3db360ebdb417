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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_mpf_array
from symflow.algebra.numbers import context_of, exact, to_float
from symflow.algebra.outward import float_down, float_up
from symflow.algebra.threads import cached_property
from symflow.claims import (
    Hypothesis,
    Identity,
    Path,
    Refusal,
    all_hold,
    random_problems,
)
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.claims.example import Examples, RandomExamples
from symflow.convergence.bound import ROUNDED_DOWN, RateBound, falling
from symflow.convergence.one_neuron import (
    CONDITIONS,
    DIGITS,
    FirstMode,
    aligned_example,
    angle_falls,
    one_neuron,
    overlap_grows,
    setting,
)
from symflow.flow.problem import Problem

#: Rates that differ by less than this part are printed as if they were equal.
NEARLY_EQUAL = 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class RankOneRate(RateBound):
    """‖W − Z_1‖²_F falls at least exponentially from a start with s_low > 0."""

    source = EFTEKHARI_2020
    contributes = "the theorem, constants ours"
    where = "Z₁ is the best approximation of Σ_yx of rank one"
    quantity = "‖W − Z₁‖²"
    conditions = CONDITIONS

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound for a start with s_low > 0."""
        given = setting(problem)
        words = "z₁ab − z₂(1 − ab) > 0 at the start"
        more = [*found, given.bounded_below(words, found)]
        if not all_hold(more):
            return cls.refuse(more)
        return cls(problem, tuple(more), 2 * min(_speeds(given.frame, given.lowest)))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return why s and φ converge, and how ‖W − Z_1‖ follows from both."""
        a, b, s, z, rho, power = sympy.symbols("a b s z1 rho r", real=True)
        split = 2 * (1 - (a + b) ** 2 / 4) - (1 - a * b)
        cosine = s**2 + z**2 - 2 * s * z * a * b
        return (
            angle_falls(),
            *overlap_grows(),
            Identity(
                "ṡ = L s^r(z₁ − s) − L s^r(z₁ − ρ), 0 ≤ z₁ − ρ ≤ 2z₁ sin²φ: ℋ ≥ −z₁",
                s**power * (rho - s) - s**power * (z - s) + s**power * (z - rho),
            ),
            Identity(
                "1 − ab ≤ 2 sin²φ, as cos φ = (a + b)/2",
                split - (1 - a**2 + 1 - b**2) / 2,
            ),
            Identity(
                "‖W − Z₁‖² = (s − z₁)² + 2sz₁(1 − ab)",
                cosine - (s - z) ** 2 - 2 * s * z * (1 - a * b),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return an exact start, refuted where modes are close, and random ones."""
        close = aligned_example("close modes", second=sympy.Rational(19, 10))
        return (
            aligned_example("eftekhari-rate", elsewhere=close),
            RandomExamples(
                "many-rank-one", random_problems.one_neuron(2), _without_second_mode
            ),
        )

    @property
    def statement(self) -> sympy.Basic:
        """‖W(t) − Z_1‖² ≤ the square of the bound of the module, with its numbers."""
        t, shape = sympy.Symbol("t", nonnegative=True), setting(self.problem).shape
        gap = sympy.MatrixSymbol("W", *shape) - sympy.MatrixSymbol("Z1", *shape)
        (kappa, pull), parts = self._rates, self._parts(setting(self.problem).product)
        first, forced, last = map(exact, parts)
        pull, kappa, double = map(float_down, (pull, kappa, 2 * kappa))
        terms = [(1, pull, first), (1, kappa, last)]
        slow, fast = sorted((pull, double))
        split = exact(fast) - exact(slow)
        if split > NEARLY_EQUAL * exact(fast):
            terms += [(1, slow, forced / split), (1, fast, -forced / split)]
        else:
            terms += [(t, slow, forced)]
        sizes: dict[Any, Any] = {}
        for power, rate, part in terms:  # equal exponentials add up exactly
            falling = power * sympy.exp(-rate * t)
            sizes[falling] = sizes.get(falling, 0) + part
        bound = sum(float_up(part) * falling for falling, part in sizes.items()) ** 2
        return sympy.Le(sympy.Trace(gap * gap.T), bound, evaluate=False)

    def bound(self, t: Any) -> Array:
        """Return the bound on ‖W(t) − Z_1‖²_F in float64."""
        parts = self._parts(setting(self.problem).product)
        return np.asarray(self._bound(parts, np.asarray(t, float)) ** 2)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W(t) − Z_1‖²_F and its bound from the first time of `path`."""
        frame = one_neuron(self.problem, path)
        target = frame.first * np.multiply.outer(frame.left, frame.right)
        distance = ((path.end_to_end - target) ** 2).sum(axis=(-2, -1))
        times = np.array([float(exact(time) - exact(path.t[0])) for time in path.t])
        bound = self._bound(self._parts(path.end_to_end[0]), times) ** 2
        return distance, np.asarray([path.number(float(value)) for value in bound])

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the size of ‖W‖² along the flow."""
        given = setting(self.problem)
        size = to_float(max(given.frame.first, given.frame.strength(given.product)[()]))
        return max(super().scale(path, larger), path.number(size**2))

    def ceiling(self, t: Any) -> Array:
        """Return a bound on ‖W − Z_1‖_F at t and at all later times, in float64."""
        kappa, pull = self._rates
        low, gap = min(pull, 2 * kappa), abs(pull - 2 * kappa)
        # J(t) rises until here, and falls after it
        top = np.log1p(gap / low) / gap if gap > 0 else 1 / low
        parts, times = self._parts(setting(self.problem).product), np.asarray(t, float)
        return self._bound(parts, times, np.maximum(times, top))

    @cached_property
    def _rates(self) -> tuple[float, float]:
        """κ and κ_s, rounded down."""
        given = setting(self.problem)
        kappa, pull = _speeds(given.frame, given.lowest)
        return kappa * (1 - ROUNDED_DOWN), pull * (1 - ROUNDED_DOWN)

    def _parts(self, start: Array) -> tuple[float, float, float]:
        """Return |s − z_1|, 2L z_1^{3−2/L}K² and 2z_1K at `start`, rounded up."""
        frame, context = setting(self.problem).frame, context_of(2 * DIGITS)
        matrix = to_mpf_array(start, context)
        cosine, sine = (part[0] for part in frame.angle(matrix[None]))
        tangent, first = (sine / cosine) ** 0.5, frame.first
        forced = 2 * frame.depth * first ** (3 - 2 / frame.depth) * tangent**2
        gap = abs(frame.strength(matrix)[()] - first)
        rounded = [to_float(part) for part in (gap, forced, 2 * first * tangent)]
        return tuple(part * (1 + ROUNDED_DOWN) for part in rounded)  # type: ignore[return-value]

    def _bound(self, parts: Any, t: Array, late: Array | None = None) -> Array:
        (kappa, pull), (gap, forced, turned) = self._rates, parts
        bound = gap * falling(pull * t) + turned * falling(kappa * t)
        late = t if late is None else late
        return np.asarray(
            (bound + forced * _convolved(pull, 2 * kappa, late)) * (1 + ROUNDED_DOWN)
        )


def _speeds(frame: FirstMode, lowest: Any) -> tuple[float, float]:
    """Return κ and κ_s."""
    kappa = (frame.first - frame.second) * lowest ** (1 - 2 / frame.depth)
    return to_float(kappa), to_float(frame.depth * lowest ** (2 - 2 / frame.depth))


def _convolved(first: float, second: float, t: Array) -> Array:
    """Return ∫₀ᵗ e^{−first(t−t')}e^{−second t'}dt', also for equal rates."""
    low, gap = min(first, second), abs(first - second)
    grown = -np.expm1(-gap * t) / gap if gap > 0 else t
    return np.asarray(falling(low * t) * grown)


def _without_second_mode(claim: RankOneRate) -> RankOneRate:
    """Return the claim for a target of rank one, where z_2 = 0: a false one."""
    name = claim.problem.flow.data[1].name
    left, values, right = np.linalg.svd(claim.problem.data[name], full_matrices=False)
    first = np.outer(left[:, 0] * values[0], right[0])
    data = {**claim.problem.data, name: first}
    return replace(claim, problem=replace(claim.problem, data=data, given=None))
