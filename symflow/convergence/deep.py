"""Any depth: exponential rates from λ_min of the operator that drives W.

Min, Vidal, Mallada (2023).  Ẇ = 𝒯(F) with the positive operator 𝒯(F) = Σ_l
(W_L⋯W_{l+1})(W_L⋯W_{l+1})ᵀ F (W_{l−1}⋯W_1)ᵀ(W_{l−1}⋯W_1), hence −ℒ̇ = ⟨F, 𝒯(F)⟩ ≥
λ_min(𝒯)‖F‖² and ‖F‖² ≥ 2λ_r(Σ_xx)(ℒ − ℒ*).  Everything is said of the reduced network
of `flow/least_squares.py`, with r inputs and W_1Φ for W_1.  Their matrices are the
transposes of ours, and their D_l is −Δ_l = W_lW_lᵀ − W_{l+1}ᵀW_{l+1}.

Unimodal imbalance (some l* with D_l ⪰ 0 for l < l* and D_l ⪯ 0 from l* on): the term
l* alone has λ_min(𝒯) ≥ Π_i d̃_i with the cumulative imbalances d̃_i = Σ_{l=i}^{l*−1}
λ_r(D_l) for i < l* and Σ_{l=l*}^{i} λ_m(−D_l) from l* on.

Homogeneous unimodal imbalance (D_l = d_lI) of square layers, m = r: with σ a lower
bound on σ_min(WΦ),

    λ_min(𝒯) ≥ √((Π d̃_i)² + (Lσ^{2−2/L})²);

for balanced layers with r ≠ m the part with σ holds without the factor L (which is
often printed without this restriction).  The flow keeps σ ≥ σ_min(W*Φ) −
‖E(0)‖_F/√λ_r, in the balanced, whitened case the deficiency margin of Arora, Cohen,
Golowich, Hu (2019); the loss then falls at least at rate 2Lσ^{2−2/L}.

Conditions that floats fulfil up to rounding move these bounds by about as much: what
is violated is measured, and `SPARE` times its effect is taken off the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import Any, ClassVar, Self

import sympy
from flint import arb

from symflow.algebra.arrays import Array
from symflow.algebra.outward import at_least, at_most
from symflow.algebra.spectra import (
    clipped,
    in_balls,
    kth,
    root,
)
from symflow.claims import (
    Hypothesis,
    Identity,
    Refusal,
    random_problems,
    vanishing,
)
from symflow.claims.bibliography import ARORA_2019, MIN_2023
from symflow.claims.conditions import (
    dense_layers,
    known_rank,
    on_flow,
    squared_loss,
    wide_layers,
)
from symflow.claims.example import Examples, RandomExamples, regression, scaled
from symflow.claims.theorem import Condition
from symflow.convergence.bound import LossBound
from symflow.convergence.reduced import ReducedStart, reduced_start
from symflow.flow.problem import Problem

#: How many times the effect of what holds up to rounding is taken off a bound.
SPARE = 100


class DeepRate(LossBound):
    """A rate 2λ_r(Σ)·λ_min(𝒯) of a deep network."""

    source = MIN_2023
    conditions: ClassVar[tuple[Condition, ...]] = (
        on_flow(squared_loss),
        on_flow(dense_layers),
        known_rank,
    )

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with its rate, if that is positive."""
        start = reduced_start(problem)
        peaks, unimodal = _peaks(problem, start)
        floor, further = cls.floor(problem, start, peaks)
        found = [*found, *further, unimodal]
        return cls.with_ball(problem, found, 2 * start.smallest * floor)

    @classmethod
    def floor(
        cls, problem: Problem, start: ReducedStart, peaks: Any
    ) -> tuple[Any, list[Hypothesis]]:
        """Return the bound on λ_min(𝒯), and further hypotheses."""
        return peaks, []


@dataclass(frozen=True, eq=False, repr=False)
class UnimodalRate(DeepRate):
    """The rate 2λ_r(Σ_xx)·Πd̃_i of a deep network with unimodal imbalance."""

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the theorem for three numbers, and what follows of it."""
        w, d, e = sympy.symbols("w d e", positive=True)
        second, first = w**2 + e, w**2 + e + d
        spare = w**2 * (w**2 + d + 2 * e)
        return (
            Identity(
                "w_1²w_2² ≥ (d_1 + d_2)d_2 where w_l² − w_{l+1}² = d_l: cumulated",
                sympy.expand(first * second - (d + e) * e - spare),
            ),
            *super().proof(),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return layers that shrink, of two and of three."""
        weights = [[2, 0], [0, 2]], [[1, 0], [0, 1]]
        target = [[2, 1], [0, 1]]
        return (
            regression("min-unimodal", target, *weights, false=scaled(constant=9)),
            RandomExamples(
                "many-unimodal",
                random_problems.unimodal(2, 3, 2, 2),
                scaled(constant=9),
            ),
        )


@dataclass(frozen=True, eq=False, repr=False)
class HomogeneousRate(DeepRate):
    """The rate of a deep network with D_l = d_lI, or balanced, near the target."""

    source = ARORA_2019
    contributes = "the balanced case; with D_l = d_lI it is of Min et al. 2023"
    conditions = (*DeepRate.conditions, wide_layers)

    @classmethod
    def floor(
        cls, problem: Problem, start: ReducedStart, peaks: Any
    ) -> tuple[Any, list[Hypothesis]]:
        """Return √((Πd̃_i)² + (Lσ^{2−2/L})²), without L where r ≠ m."""
        r, m, layers = start.rank.value, problem.widths[-1], len(start.weights)
        spread = max(at_most(found[0] - found[-1]) for found in start.spectra)
        exactly, size = problem.given_exactly, start.size or 1.0
        words, said = "imbalances D_l = d_lI", "max|D_l − d_lI|"
        homogeneous = vanishing(words, spread / size, said, given_exactly=exactly)
        words = "balanced, or as many outputs as input directions"
        ends = f"{m} outputs, {r} directions"
        factor, off, square = layers, spread, Hypothesis(words, True, ends)
        if r != m:
            off = max(at_most(abs(x)) for found in start.spectra for x in found)
            exactly, factor = exactly and not start.error, 1
            said = f"{ends}; max|D_l|"
            square = vanishing(words, off / size, said, given_exactly=exactly)
            square = replace(square, detail=square.detail or ends)
        sigma = clipped(_margin(start))
        power = sigma ** (arb(2) - arb(2) / layers) if sigma > 0 else arb(0)
        floor = root(peaks**2 + (factor * power) ** 2)
        floor = clipped(floor - _slip(start, off, sigma)) if off else floor
        return floor, [homogeneous, square]

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the theorem for numbers, and what follows of it."""
        a, b, w = sympy.symbols("a b w", positive=True)
        terms = sum(sympy.Mul(*[w**2] * 3) for _ in range(4))
        return (
            Identity(
                "λ(𝒯) = a² + b² = √(d² + (2ab)²) for two numbers with d = a² − b²",
                (a**2 + b**2) ** 2 - (a**2 - b**2) ** 2 - (2 * a * b) ** 2,
            ),
            Identity(
                "Σ_l Π_{k≠l} w² = Lσ^{2−2/L} for σ = w^L, here L = 4",
                terms - 4 * (w**4) ** (2 - sympy.Rational(2, 4)),
            ),
            *super().proof(),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return three layers that are I near a target, and balanced starts."""
        eye, tenth = [[1, 0], [0, 1]], sympy.Rational(1, 10)
        target, faster = [[1 + tenth, 0], [0, 1 - tenth]], scaled(constant=2)
        return (
            regression("arora-balanced", target, eye, eye, eye, false=faster),
            RandomExamples(
                "many-balanced",
                random_problems.balanced(2, 3, 2, 2),
                scaled(constant=3),
            ),
        )


def _cumulated(
    spectra: list[list[Any]], peak: int, r: int, m: int
) -> tuple[list[Any], float]:
    """Return the d̃_i, and by how much D_l ⪰ 0 or D_l ⪯ 0 is violated."""
    levels, below = [], 0.0
    for number, falling in enumerate(spectra, start=1):
        signed, k = (falling, r) if number < peak else ([-x for x in falling[::-1]], m)
        below = max(below, -at_least(signed[-1]))
        levels.append(kth(signed, k))
    before, after = levels[: peak - 1], levels[peak - 1 :]
    rising = list(accumulate(before[::-1]))[::-1]
    return rising + list(accumulate(after)), below


def _peaks(problem: Problem, start: ReducedStart) -> tuple[Any, Hypothesis]:
    """Return the largest Πd̃_i over all peaks, and whether there is one."""
    ends, depth = (start.rank.value, problem.widths[-1]), len(start.weights)
    size, exactly = start.size or 1.0, problem.given_exactly
    found = []
    for peak in range(1, depth + 1):
        levels, below = _cumulated(start.spectra, peak, *ends)
        product = prod(levels, start=arb(1))
        slip = SPARE * depth * below * size ** (depth - 2) if below else 0.0
        words, said = "unimodal imbalance", f"peak at layer {peak}; what is below zero"
        verdict = vanishing(words, below / size, said, given_exactly=exactly)
        if not verdict.detail:
            verdict = Hypothesis(words, verdict.holds, f"peak at layer {peak}")
        found.append((verdict, clipped(product - slip)))
    holding = [pair for pair in found if pair[0].holds]
    if not holding:
        return arb(0), min(found, key=lambda pair: pair[0].defect)[0]
    verdict, product = max(holding, key=lambda pair: at_least(pair[1]))
    return product, verdict


def _slip(start: ReducedStart, spread: float, sigma: Any) -> Any:
    """Return how much layers that are D_l = d_lI up to `spread` may fall short."""
    depth, sizes = len(start.weights), [at_most(_square(w)) for w in start.weights]
    size, power = arb(max(sizes)), arb(depth) - arb(3) / 2 + arb(depth - 1) / 2
    if not sigma > 0:
        return SPARE * depth**2 * spread * size ** (depth - 2)
    return SPARE * depth**2 * spread * size**power / sigma


def _square(weight: Array) -> Any:
    total = (weight * weight).sum()
    return arb(total) if isinstance(total, float) else arb(1) * total


def _margin(start: ReducedStart) -> Any:
    """Return σ_min(W*Φ) − ‖E(0)‖_F/√λ_r as a ball."""
    smallest = start.goal(min(len(start.optimum), start.rank.value))
    return smallest - start.misfit / root(start.smallest)


@in_balls
def deficiency_margin(problem: Problem) -> float:
    """Return σ_min(W*Φ) − ‖E(0)‖_F/√λ_r, rounded down: positive near the target.

    For whitened input this is σ_min(Z) − ‖W(0) − Z‖_F (Arora, Cohen, Golowich, Hu
    2019): positive only if the start is nearer to Z than any matrix of lower rank.
    """
    return at_least(_margin(reduced_start(problem)))
