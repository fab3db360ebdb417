"""Weight decay, modes that move alone: how fast the objective J falls to its limit.

In the notation of `flow/decayed_modes.py` −φ̇ = L w^{2−2/L}φ′², and by the mean value
theorem of Cauchy φ′(w)² = 2φ″(ξ)(φ(w) − φ(w∞)) for some ξ between.  φ″ rises with w, so
that with m = min(w(0), w∞) a mode that survives falls at the rate

    2L m^{2−2/L}φ″(m) = 2L(λ m^{2−2/L} − (1 − 2/L) l2).

One that dies falls, in its amplitudes, at 2(l2 − (L − 1)σ w(0)^{1−2/L}), and at two
layers at 2(l2 − σ) from any start; what has no target at 2 l2.  The least is the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.outward import said_down
from symflow.claims import Hypothesis, Identity, Path, Refusal, random_problems
from symflow.claims.bibliography import SAXE_2014
from symflow.claims.conditions import DECAYED_MODES
from symflow.claims.example import Examples, RandomExamples, regression, scaled
from symflow.convergence.bound import TIME, MeasuredFall
from symflow.flow.decayed_modes import ROUNDED, excess_along, fates
from symflow.flow.lone_modes import LoneMode
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss


class ObjectiveBound(MeasuredFall):
    """J − J* falls at least exponentially, J the loss with its weight decay."""

    quantity = "J − J*"
    falling_part = sympy.Function("J")(TIME) - sympy.Symbol("J_opt")


@dataclass(frozen=True, eq=False, repr=False)
class DecayedModesRate(ObjectiveBound):
    """J − J* ≤ e^{−ct}(J(0) − J*) for modes that move alone; made by `rates`."""

    source = SAXE_2014
    contributes = "the modes; weight decay derived here"
    where = "J is the loss with its weight decay, J_opt its limit"
    conditions = DECAYED_MODES

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with the least rate of all modes."""
        known = fates(problem)
        parts = zip(known.modes, known.ends, strict=True)
        least = min([2 * known.l2, *(_rate(*part, known.l2) for part in parts)])
        # a mode at the edge, σ = l2, has none
        size = max([known.l2, *(mode.target for mode in known.modes)])
        constant = to_float(least - known.noise * size)
        words, said = "every mode has a rate", f"rate {said_down(constant)}"
        rows = [*found, Hypothesis(words, constant > 0, said)]
        return cls.with_rate(problem, rows, constant)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the speeds, the second derivatives, and what has no target."""
        w, a, b, s, x, l2, L = sympy.symbols("w a b sigma lambda l2 L", positive=True)
        phi = x * w**2 / 2 - s * w + L * l2 * w ** (2 / L) / 2
        psi, speed = phi.subs(w, a**L), a ** (L - 1) * (s - x * a**L) - l2 * a
        bend = x - l2 * (1 - 2 / L) * w ** (2 / L - 2)
        second = l2 - (L - 1) * s * a ** (L - 2) + (2 * L - 1) * x * a ** (2 * L - 2)
        loss = x * (a * b) ** 2 / 2 - s * a * b + l2 * (a**2 + b**2) / 2
        euler = loss.diff(a) * a + loss.diff(b) * b
        rest = (l2 - s) * (a**2 + b**2) + s * (a - b) ** 2 + 2 * x * (a * b) ** 2
        return tuple(
            Identity(words, sympy.simplify(sympy.powsimp(sympy.expand(gap))))
            for words, gap in (
                ("φ″ = λ − (1 − 2/L) l2 w^{2/L−2}", phi.diff(w, 2) - bend),
                ("in a = w^{1/L}: ψ′ = −L ȧ, so −ψ̇ = ψ′²/L", psi.diff(a) + L * speed),
                (
                    "… and ψ″/L, at least l2 − (L−1)σa^{L−2}",
                    psi.diff(a, 2) / L - second,
                ),
                ("two layers: ⟨∇J, θ⟩ ≥ (l2 − σ)‖θ‖²", euler - rest),
                ("… and ≥ 2J", euler - 2 * loss - x * (a * b) ** 2),
            )
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return modes that survive and die, at two and three layers."""
        quarter, wrong = sympy.Rational(1, 4), scaled(constant=20)
        about: dict[str, Any] = {"loss": SquaredLoss(l2=2 * quarter), "false": wrong}
        about["t"] = (0, quarter, 1)
        small, target = [[1, 0], [0, quarter]], [[3, 0], [0, quarter]]
        single = tuple(
            regression(f"decayed-rate-{depth}", target, *[small] * depth, **about)
            for depth in (2, 3)
        )
        many = RandomExamples("many-decayed-modes", _decayed, wrong)
        return (*single, many)

    def measured(self, path: Path | None) -> Array:
        """Return J − J*, as a difference."""
        return excess_along(self.problem, path)

    def residuals(self, path: Path) -> Array:
        """Return by how much the bound is violated, relative to what J is made of."""
        low, high = self._both(path)
        size = max(max(abs(low)), abs(path.number(fates(self.problem).objective)))
        return np.asarray([max(gap, 0 * gap) / (size or 1) for gap in low - high])


def _rate(mode: LoneMode, end: Any, l2: Any) -> Any:
    """Return the rate of a mode, or zero where none is known."""
    sizes, w = [abs(a) for a in mode.amplitudes], np.prod(np.array(mode.amplitudes))
    L, sigma = len(sizes), mode.target
    part = 1 - 2 * l2 / l2 / L
    if end > 0:
        m = min(w, end)
        balanced = max(sizes) - min(sizes) <= ROUNDED * max(sizes) and m > 0
        known = mode.lam * m ** (1 + part) - part * l2 if balanced else 0 * l2
        return 2 * L * known
    if L == 2:
        return 2 * (l2 - sigma if sigma <= l2 else l2 + sigma)
    return 2 * (l2 - (L - 1) * sigma * w**part) if w > 0 else 2 * l2


def _decayed(generator: np.random.Generator) -> Any:
    """Return aligned balanced starts of two or three layers, with weight decay."""
    widths = (3, *[3] * int(generator.integers(1, 3)), 2)
    batch = random_problems.spectral(*widths, t=3)(generator)
    depth = len(batch.starts)
    grown = tuple(start * 900 ** (1 / depth) for start in batch.starts)
    l2 = round(float(generator.uniform(0.1, 1.5)), 6)
    return replace(batch, starts=grown, loss=SquaredLoss(l2=l2))
