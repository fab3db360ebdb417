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
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import Hypothesis, Path, Refusal, all_hold
from symflow.claims.bibliography import MIN_2021, MIN_2023
from symflow.claims.conditions import dense_layers, squared_loss, wide_enough
from symflow.convergence.bound import (
    ROUNDED_DOWN,
    LossBound,
    end_to_end,
    excess_along,
    positive_rate,
)
from symflow.flow.imbalance import ImbalanceLevels, imbalance_levels, singular_value
from symflow.flow.least_squares import LeastSquares, least_squares
from symflow.flow.problem import Problem


class TwoLayerRate(LossBound):
    """A rate λ_r(Σ)·bracket for two layers, with lower bounds on σ_m and σ_r."""

    source = MIN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        if not all_hold(found):
            return cls.refuse(found)
        reduction = least_squares(problem)
        floors = cls.floors(problem, reduction)
        bracket = levels_of(problem, reduction).bracket(*floors)
        rate = float(reduction.eigenvalues[-1] * bracket)
        needed = min(reduction.rank, problem.widths[-1])
        width = wide_enough(problem.widths[1:-1], needed)
        return cls.with_rate(problem, [*found, width, *cls.needs(floors, rate)], rate)

    @classmethod
    def needs(cls, floors: tuple[float, float], rate: float) -> list[Hypothesis]:
        """Return the hypotheses that make the bound say more than another one."""
        words = "the start is nearer than the smallest singular values"
        detail = f"σ_m ≥ {floors[0]:.3g}, σ_r ≥ {floors[1]:.3g} at all times"
        return [Hypothesis(words, max(floors) > 0, detail)]

    @classmethod
    @abstractmethod
    def floors(cls, problem: Problem, reduction: LeastSquares) -> tuple[float, float]:
        """Return lower bounds on σ_m and σ_r of W_2W_1Φ at all times."""


@dataclass(frozen=True, eq=False, repr=False)
class ImbalanceRate(TwoLayerRate):
    """The rate 2λ_r(Σ_xx)Δ: the imbalance alone, whatever the data."""

    @classmethod
    def needs(cls, floors: tuple[float, float], rate: float) -> list[Hypothesis]:
        """Return that the rate is positive."""
        return [positive_rate(rate)]

    @classmethod
    def floors(cls, problem: Problem, reduction: LeastSquares) -> tuple[float, float]:
        """Return zeros."""
        return 0.0, 0.0


@dataclass(frozen=True, eq=False, repr=False)
class MarginRate(TwoLayerRate):
    """The rate λ_r(Σ_xx)c(0) from the imbalance and the margin of the start."""

    @classmethod
    def floors(cls, problem: Problem, reduction: LeastSquares) -> tuple[float, float]:
        """Return [σ_k(Ŷ) − ‖E(0)‖_F]₊/√λ_1 for k = m, r."""
        margin = _first_misfit(problem, reduction)
        return _above(reduction.target, margin, 1 / reduction.eigenvalues[0] ** 0.5)


@dataclass(frozen=True, eq=False, repr=False)
class ConvexityRate(TwoLayerRate):
    """The rate from the distance to the minimizer, for two layers."""

    source = MIN_2023

    @classmethod
    def floors(cls, problem: Problem, reduction: LeastSquares) -> tuple[float, float]:
        """Return [σ_k(W*Φ) − ‖E(0)‖_F/√λ_r]₊ for k = m, r."""
        margin = _first_misfit(problem, reduction) / reduction.eigenvalues[-1] ** 0.5
        return _above(reduction.optimum, margin, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class InstantaneousRate(TwoLayerRate):
    """At each instant −ℒ̇ ≥ λ_r(Σ_xx)·bracket(W(t))·(ℒ − ℒ*), D from the start."""

    @property
    def statement(self) -> sympy.Basic:
        """−d(excess)/dt ≥ c(t)·excess."""
        t = sympy.Symbol("t", nonnegative=True)
        excess, floor = sympy.Function("excess")(t), sympy.Function("c")(t)
        return sympy.Ge(-excess.diff(t), floor * excess, evaluate=False)

    @classmethod
    def needs(cls, floors: tuple[float, float], rate: float) -> list[Hypothesis]:
        """Return nothing: the floor moves with the trajectory."""
        return []

    @classmethod
    def floors(cls, problem: Problem, reduction: LeastSquares) -> tuple[float, float]:
        """Return zeros, which are below the σ_k at every instant."""
        return 0.0, 0.0

    def floor(self, product: Array) -> Array:
        """Return the lower bound on −ℒ̇/(ℒ − ℒ*) where the end-to-end matrix is W.

        Parameters
        ----------
        product : ndarray, shape (…, m, d)
            End-to-end matrices W.
        """
        values = to_float_array(product) @ self.reduction.frame
        sigmas = [singular_value(values, k) for k in self.reduction.target.shape]
        bracket = levels_of(self.problem, self.reduction).bracket(*sigmas)
        smallest = self.reduction.eigenvalues[-1] * (1 - ROUNDED_DOWN)
        return np.asarray(smallest * bracket)

    def finding(self, balls: Any, index: int) -> str:
        """Return that derivatives are not enclosed."""
        return f"no ball arithmetic for {self.name}; use validate(…)"

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return c(t)·excess and −d(excess)/dt = ‖∇ℒ‖², at every time."""
        fine = least_squares(self.problem, path.context)
        floor = [path.number(float(c)) for c in self.floor(path.end_to_end)]
        force = fine.misfit(path.end_to_end) * fine.eigenvalues**0.5
        first, second = path.weights
        down = np.swapaxes(second, -1, -2) @ force
        up = force @ np.swapaxes(first @ fine.frame, -1, -2)
        speed = (down**2).sum(axis=(-2, -1)) + (up**2).sum(axis=(-2, -1))
        return np.asarray(floor) * excess_along(self.problem, path), speed


def levels_of(problem: Problem, reduction: LeastSquares) -> ImbalanceLevels:
    """Return spreads and level of D = W_1ΦΦᵀW_1ᵀ − W_2ᵀW_2 at the start."""
    first, second = reduction.reduced(problem.floats.weights)
    difference = first @ first.T - second.T @ second
    return imbalance_levels(difference, reduction.rank, len(second))


def _first_misfit(problem: Problem, reduction: LeastSquares) -> float:
    start = end_to_end(problem.floats.weights)
    return float(np.linalg.norm(reduction.misfit(start)))


def _above(matrix: Array, margin: float, factor: float) -> tuple[float, float]:
    m, r = matrix.shape
    above = [max(float(singular_value(matrix, k)) - margin, 0.0) for k in (m, r)]
    return factor * above[0], factor * above[1]
