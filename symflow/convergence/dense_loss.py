"""Dense layers, classification: the loss vanishes from any start better than W = 0.

Ji and Telgarsky (2019) ask for ℒ(W(0)) ≤ ℒ(0) with a force that is not zero.  Where the
loss is below that of W = 0 it stays so, and as φ is convex

    φ(⟨β, x̄⟩) ≤ ℒ/n,  x̄ = Σy_i x_i/n:      ‖β(t)‖ ≥ ρ = ζ/‖x̄‖,  φ(ζ) = ℒ(0)/n.

The first layer gives −ℒ̇ ≥ p‖∇ℒ(β)‖² with p = ‖W_L⋯W_2‖², and ‖∇ℒ‖ ≥ γΣq_i as in
`vanishing_loss`.  With s = ‖W_L‖², δ_l = [λ_max(D_l)]₊ and C = Σ[λ_max(−D_l)]₊ of the
imbalances D_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ, which are conserved,

    ρ² ≤ p (s + C)   and   p ≥ Π_{l≥2}(s − δ_l − … − δ_{L−1})₊,

the second one as in `bias/deep_distance.py`; so p ≥ ρ²/(s* + C) where both meet, and
ℒ(t) ≤ 1/(1/ℒ_0 + ct) with c = pγ², times ((1 − e^{−T_0})/T_0)² for the logistic loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from math import log, prod
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Hypothesis, Identity, Refusal, positive, random_problems
from symflow.claims.bibliography import JI_TELGARSKY_2019
from symflow.claims.conditions import dense_layers, margin_loss, on_flow
from symflow.claims.example import Example, Examples, RandomExamples, scaled
from symflow.convergence.vanishing_loss import (
    LOST,
    InverseTime,
    classified,
    signed_rows,
    total_loss,
    widest_margin,
)
from symflow.data import Dataset
from symflow.flow.problem import Problem
from symflow.flow.start import start_matrix
from symflow.losses import ExponentialLoss
from symflow.networks import LinearNetwork

HALF = sympy.Rational(1, 2)
#: Halvings of an interval that leave rounding alone.
HALVINGS = 100


@dataclass(frozen=True, eq=False, repr=False)
class DenseVanishingLoss(InverseTime):
    """ℒ(t) ≤ 1/(1/ℒ_0 + ct) for dense layers that start below the loss of W = 0."""

    source = JI_TELGARSKY_2019
    contributes = "the condition and that the loss vanishes; rate and constants ours"
    conditions = (on_flow(margin_loss), on_flow(dense_layers, least=1))

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with its constant, rounded down."""
        rows, row = signed_rows(problem), start_matrix(problem)
        one = Hypothesis("one output", len(row) == 1, f"{len(row)} outputs")
        if len(row) != 1:
            return cls.refuse([*found, one])
        with np.errstate(over="ignore", invalid="ignore"):
            mean = total_loss(problem, row.ravel()) / len(rows)
        exponential = isinstance(problem.flow.loss, ExponentialLoss)
        worst = 1.0 if exponential else log(2)
        noise = LOST * (1 + float(np.max(np.abs(rows) @ np.abs(row.ravel()))))
        below, margin = worst - mean, widest_margin(rows) * (1 - LOST)
        found = [
            *found,
            positive("a loss below that of W = 0", below - noise, worst),
            positive("separable samples", margin, float(np.max(np.abs(rows)))),
        ]
        if below <= noise or not found[-1].holds:
            return cls.refuse(found)
        zeta = -log(mean) if exponential else -log(np.expm1(mean))
        apart = zeta / float(np.linalg.norm(rows.mean(axis=0))) * (1 - LOST)
        ends = [_ends(*pair) for pair in pairwise(problem.floats.weights)]
        pull = later_floor(apart, ends)
        return cls.with_pull(problem, found, pull * margin**2)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return what bounds β from below, and the layers with it."""
        z, x = sympy.symbols("z x", real=True)
        first, second, v = sympy.symbols("W1 W2 v", commutative=False)
        t = sympy.adjoint
        logistic = sympy.log(1 + sympy.exp(-z))
        curved = logistic.diff(z, 2) - sympy.exp(z) / (1 + sympy.exp(z)) ** 2
        gap = t(second) * second - first * t(first)
        step = v * first * t(first) * t(v) - v * t(second) * second * t(v)
        return (
            Identity("φ″ > 0: φ of the mean margin is at most ℒ/n", curved),
            Identity(
                "‖vW_1‖² = ‖W_2vᵀ‖² − vDvᵀ: p(s + C) ≥ ‖β‖², and p falls by D at most",
                sympy.expand(step + v * gap * t(v)),
            ),
            Identity("d(1/ℒ)/dt = −ℒ̇/ℒ² ≥ c", (1 / x).diff(x) + 1 / x**2),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return two layers whose total loss begins above 1, and random ones."""
        network, data = LinearNetwork(2, 2, 1), Dataset([[1, 2], [0, -3]], [1, -1])
        start = [[HALF, HALF], [0, 1]], [[HALF, HALF]]
        false, loss = scaled(constant=400), ExponentialLoss()
        draw = partial(classified, random_problems.gaussian(3, 3, 1))
        return (
            Example("ji-loss", network, data, start, (0, 1, 4), loss=loss, false=false),
            RandomExamples("many-dense", draw, false),
        )


def later_floor(apart: float, ends: list[tuple[float, float]]) -> float:
    """Return a lower bound on ‖W_L⋯W_2‖² where ‖W_L⋯W_1‖ is at least `apart`.

    The `ends` are δ_l and [λ_max(−D_l)]₊; there is one output.
    """
    if not ends:
        return 1.0
    sums = [0.0, *accumulate(up for up, _ in reversed(ends[1:]))]
    spare, unit = sum(down for _, down in ends), apart ** (2 / (len(ends) + 1))
    low, high = sums[-1], sums[-1] + unit
    for _ in range(HALVINGS):
        s = (low + high) / 2
        parts = ((s - part) / unit for part in sums)
        enough = (s + spare) / unit * prod(parts) >= 1
        low, high = (low, s) if enough else (s, high)
    return float(apart**2 / (high * (1 + LOST) + spare) * (1 - LOST))


def _ends(before: Array, after: Array) -> tuple[float, float]:
    """Return upper bounds on [λ_max(D)]₊ and [λ_max(−D)]₊."""
    out, back = after.T @ after, before @ before.T
    values = np.linalg.eigvalsh(out - back)
    noise = LOST * float(np.trace(out) + np.trace(back))
    ends = float(values[-1]), -float(values[0])
    return max(ends[0], 0.0) + noise, max(ends[1], 0.0) + noise
