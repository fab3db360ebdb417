"""Two layers, any start: exponential rates from the imbalance and from the margin.

Min, Tarmoun, Vidal, Mallada (2021).  There W = UVᵀ is our Wᵀ, U = W_1ᵀ and V = W_2;
their U_1 = Φ_1ᵀU is our (W_1Φ)ᵀ, so that D = U_1ᵀU_1 − VᵀV = W_1ΦΦᵀW_1ᵀ − W_2ᵀW_2
(with Φ: the whole of W_1 is also conserved, but is not what the bounds are about).  In
the notation of `flow/least_squares.py` the excess loss ½‖E‖² obeys

    −ℒ̇ = ‖W_2ᵀEΛ^{1/2}‖² + ‖EΛ^{1/2}(W_1Φ)ᵀ‖² ≥ λ_r(Σ) · bracket(σ_m, σ_r) · ½‖E‖²,

with the bracket of `flow/imbalance.py` at the singular values σ_k of W_2W_1Φ.  D never
changes; what is known of σ_k at all times makes the three bounds:

    imbalance   σ_k ≥ 0: the rate 2λ_rΔ;
    margin      √λ_1 σ_k ≥ σ_k(Ŷ) − ‖E(0)‖_F, as ‖E‖ never grows;
    convexity   σ_k ≥ σ_k(W*Φ) − ‖E(0)‖_F/√λ_r  (Min, Vidal, Mallada 2023; with
                ‖E(0)‖_F/√λ_r for their larger √(λ_1/λ_r)‖W(0) − W*‖_F).

The rate printed for the last lacks a factor ½ in front of the bracket (their α₂ is a
bound on λ_min of the operator, the bracket on twice that); this is the right one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import at_least, float_down, float_up, said_down
from symflow.algebra.products import matmul
from symflow.algebra.spectra import FLOAT_ERROR, clipped, in_balls, root
from symflow.claims import Hypothesis, Identity, Path, Refusal, random_problems
from symflow.claims.bibliography import MIN_2021, MIN_2023
from symflow.claims.conditions import (
    dense_layers,
    known_rank,
    on_flow,
    squared_loss,
    wide_layers,
)
from symflow.claims.example import (
    Example,
    Examples,
    Mutation,
    RandomExamples,
    regression,
    restarted,
    scaled,
)
from symflow.claims.theorem import Condition
from symflow.convergence.bound import (
    LossBound,
    excess_along,
    excess_symbol,
    rounding_scale,
)
from symflow.convergence.reduced import ReducedStart, reduced_start
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem

#: What all theorems about two layers ask for.
TWO_LAYERS: tuple[Condition, ...] = (
    on_flow(squared_loss),
    on_flow(dense_layers, 2),
    known_rank,
    wide_layers,
)


class TwoLayerRate(LossBound):
    """A rate λ_r(Σ)·bracket for two layers, with lower bounds on σ_m and σ_r."""

    source = MIN_2021
    conditions = TWO_LAYERS

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with its rate, if that is positive."""
        start = reduced_start(problem)
        floors = cls.floors(start)
        bracket = start.levels.ball(*floors)
        found = [*found, *cls.needs(floors)]
        return cls.with_ball(problem, found, start.smallest * bracket)

    @classmethod
    def needs(cls, floors: tuple[Any, Any]) -> list[Hypothesis]:
        """Return the hypotheses that make the bound say more than another one."""
        low = [said_down(at_least(floor)) for floor in floors]
        words = "the start is nearer than the smallest singular values"
        detail = f"σ_m ≥ {low[0]}, σ_r ≥ {low[1]} at all times"
        return [Hypothesis(words, any(floor > 0 for floor in floors), detail)]

    @classmethod
    @abstractmethod
    def floors(cls, start: ReducedStart) -> tuple[Any, Any]:
        """Return balls, lower bounds on σ_m and σ_r of W_2W_1Φ at all times."""

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the scalar identities behind −ℒ̇ ≥ λ_r·bracket·ℒ, and what follows."""
        a, b, e, s = sympy.symbols("a b e s", positive=True)
        D, w = a**2 - b**2, a * b
        root = sympy.sqrt(sympy.factor(D**2 + 4 * w**2))
        loss = (s * (e + a * b)) ** 2 / 2 - 0
        speed = loss.diff(a) ** 2 + loss.diff(b) ** 2
        pull = 2 * s**2 * (a**2 + b**2) * loss
        return (
            Identity(
                "2a² = D + √(D² + 4w²) for D = a² − b², w = ab", 2 * a**2 - D - root
            ),
            Identity("2b² = −D + √(D² + 4w²), the other part", 2 * b**2 + D - root),
            Identity("−ℒ̇ = ‖∇ℒ‖² = 2λ(a² + b²)ℒ for one pair", speed - pull),
            *super().proof(),
        )


@dataclass(frozen=True, eq=False, repr=False)
class ImbalanceRate(TwoLayerRate):
    """The rate 2λ_r(Σ_xx)Δ: the imbalance alone, whatever the data."""

    proved_with_base = True

    @classmethod
    def needs(cls, floors: tuple[Any, Any]) -> list[Hypothesis]:
        """Return nothing but what all rates need."""
        return []

    @classmethod
    def floors(cls, start: ReducedStart) -> tuple[Any, Any]:
        """Return zeros."""
        return 0 * start.smallest, 0 * start.smallest

    @classmethod
    def examples(cls) -> Examples:
        """Return one unit near the target, and Gaussian starts."""
        return (
            near_one_unit("min-imbalance", scaled(constant=9)),
            RandomExamples(
                "many-imbalance", random_problems.gaussian(3, 6, 2), scaled(constant=40)
            ),
        )


@dataclass(frozen=True, eq=False, repr=False)
class MarginRate(TwoLayerRate):
    """The rate λ_r(Σ_xx)c(0) from the imbalance and the margin of the start."""

    proved_with_base = True

    @classmethod
    def floors(cls, start: ReducedStart) -> tuple[Any, Any]:
        """Return [σ_k(Ŷ) − ‖E(0)‖_F]₊/√λ_1 for k = m, r."""
        scale, misfit = root(start.largest), start.misfit
        ends = len(start.optimum), start.rank.value
        m, r = (clipped(start.target(k) - misfit) / scale for k in ends)
        return m, r

    @classmethod
    def examples(cls) -> Examples:
        """Return one unit near the target, and starts near minimizers."""
        return (
            near_one_unit("min-margin", scaled(constant=2)),
            RandomExamples(
                "many-margin", random_problems.near(3, 4, 2), scaled(constant=20)
            ),
        )


@dataclass(frozen=True, eq=False, repr=False)
class ConvexityRate(TwoLayerRate):
    """The rate from the distance to the minimizer, for two layers."""

    proved_with_base = True

    source = MIN_2023
    contributes = "the theorem, with ½ in the rate and √λ_r in the margin"

    @classmethod
    def floors(cls, start: ReducedStart) -> tuple[Any, Any]:
        """Return [σ_k(W*Φ) − ‖E(0)‖_F/√λ_r]₊ for k = m, r."""
        misfit = start.misfit / root(start.smallest)
        ends = len(start.optimum), start.seen
        m, r = (clipped(start.goal(k) - misfit) for k in ends)
        return m, r

    @classmethod
    def examples(cls) -> Examples:
        """Return a start at I near a target, and starts near minimizers."""
        eye, tenth = [[1, 0], [0, 1]], sympy.Rational(1, 10)
        target = [[1 + tenth, tenth / 2], [0, 1 - tenth]]
        return (
            regression("min-convexity", target, eye, eye, false=scaled(constant=2)),
            RandomExamples(
                "many-convexity", random_problems.near(3, 4, 2), scaled(constant=20)
            ),
        )


@dataclass(frozen=True, eq=False, repr=False)
class InstantaneousRate(TwoLayerRate):
    """At each instant −ℒ̇ ≥ λ_r(Σ_xx)·bracket(W(t))·(ℒ − ℒ*), D from the start."""

    proved_with_base = True
    where = (
        "W_opt is the minimizer of least norm; σ_m and σ_r are the m-th and r-th "
        "singular values of W on the range of Σ_xx, for m outputs and r inputs"
    )

    @classmethod
    def examples(cls) -> Examples:
        """Return one unit near the target, and Gaussian starts."""
        return (
            near_one_unit("min-instant", restarted(3)),
            RandomExamples(
                "many-instant", random_problems.gaussian(3, 4, 2), restarted(3)
            ),
        )

    @property
    def statement(self) -> sympy.Basic:
        """‖W_2ᵀF‖² + ‖FW_1ᵀ‖² ≥ c·(ℒ − ℒ*) at every time; the left side is −ℒ̇.

        F = Σ_yx − W_2W_1Σ_xx, W = W_2W_1, and c is λ_r times the bracket, with sigma_m
        and sigma_r, singular values of W on the range of Σ_xx.
        """
        (first, second), (sigma_xx, sigma_yx) = self.problem.flow.state, self._symbols
        F = sigma_yx - second * first * sigma_xx
        down, up = second.T * F, F * first.T
        speed = sympy.Trace(down * down.T) + sympy.Trace(up * up.T)
        right = self._bracket_symbol * excess_symbol(self.problem)
        return sympy.Ge(speed, right, evaluate=False)

    @property
    def _symbols(self) -> tuple[Any, Any]:
        sigma_xx, sigma_yx = self.problem.flow.data
        return sigma_xx, sigma_yx

    @property
    def _bracket_symbol(self) -> sympy.Expr:
        levels, total = reduced_start(self.problem).levels.rounded, sympy.Integer(0)
        sigmas = sympy.symbols("sigma_m sigma_r", nonnegative=True)
        for spread, sigma in zip((levels.plus, levels.minus), sigmas, strict=True):
            above = float(float_up(spread))
            square = float_down((above + levels.level) ** 2 * (1 - FLOAT_ERROR))
            total += sympy.sqrt(square + 4 * sigma**2) - float_up(spread)
        return sympy.Mul(float_down(self._smallest), total, evaluate=False)

    @property
    def _smallest(self) -> float:
        return max(at_least(reduced_start(self.problem).smallest), 0.0)

    @classmethod
    def with_ball(
        cls, problem: Problem, found: Sequence[Hypothesis], rate: Any
    ) -> Self | Refusal:
        """Return the bound, whose rate may be zero: the floor moves with W(t)."""
        return cls.with_rate(problem, found, max(at_least(rate), 0.0))

    @classmethod
    def needs(cls, floors: tuple[Any, Any]) -> list[Hypothesis]:
        """Return nothing."""
        return []

    @classmethod
    def floors(cls, start: ReducedStart) -> tuple[Any, Any]:
        """Return zeros, which are below the σ_k at every instant."""
        return 0 * start.smallest, 0 * start.smallest

    def floor(self, product: Array) -> Array:
        """Return the lower bound on −ℒ̇/(ℒ − ℒ*) where the end-to-end matrix is W."""
        start = reduced_start(self.problem)
        projector = start.projector
        if projector.dtype == object:  # rational numbers of flint
            ratios = [[int(x.p) / int(x.q) for x in row] for row in projector]
            projector = np.array(ratios)
        matrices = to_float_array(product) @ projector
        values = np.linalg.svd(matrices, compute_uv=False)
        least = values - FLOAT_ERROR * sum(projector.shape) * values[..., :1]
        ends = len(start.optimum), start.rank.value
        sigmas = [_kth(np.maximum(least, 0.0), k) for k in ends]
        below = 1 - FLOAT_ERROR
        floor = self._smallest * start.levels.bracket(*sigmas) * below
        return np.maximum(floor, self.constant)

    def finding(self, balls: Any, index: int) -> str:
        """Return that derivatives are not enclosed."""
        return f"no ball arithmetic for {self.name}; use validate(…)"

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return c(t)·excess and −d(excess)/dt = ‖∇ℒ‖², at every time."""
        fine = least_squares(self.problem, path.context)
        floor = [path.number(float(c)) for c in self.floor(path.end_to_end)]
        force = fine.misfit(path.end_to_end) * fine.eigenvalues**0.5
        first, second = path.weights
        down = matmul(second.mT, force)
        up = matmul(force, matmul(first, fine.frame).mT)
        speed = (down**2).sum(axis=(-2, -1)) + (up**2).sum(axis=(-2, -1))
        return np.asarray(floor) * excess_along(self.problem, path), speed

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the size of the excess loss times that of its rate."""
        rate = reduced_start(self.problem).size * float(self.reduction.eigenvalues[0])
        return max(*larger, path.number(rounding_scale(self.problem) * rate))


def _kth(values: Array, k: int) -> Array:
    """Return σ_k of many; 0 where there are fewer than k."""
    short = k > values.shape[-1]
    return np.zeros(values.shape[:-1]) if short else values[..., k - 1]


def near_one_unit(key: str, false: Mutation) -> Example:
    """Return the example of one unit, from w = 9/20 to the target 1."""
    weights = [[sympy.Rational(9, 10)]], [[sympy.Rational(1, 2)]]
    return regression(key, [[1]], *weights, false=false)
