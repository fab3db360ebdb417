"""The neural tangent kernel of a dense network: its spectrum, and how far it drifts.

With the rows of X as samples the outputs f = XWᵀ of a flow of the squared loss obey
ḟ = −K(f − Y)/n, where for the operator 𝒯 that drives W

    K = Σ_l (X A_lᵀA_l Xᵀ) ⊗ (B_lB_lᵀ),   A_l = W_{l−1}⋯W_1,  B_l = W_L⋯W_{l+1}

(Jacot, Gabriel, Hongler 2018): its nonzero eigenvalues are at least λ_r(XᵀX)λ_min(𝒯)
and at most λ_1(XᵀX)λ_max(𝒯).  For two layers 𝒯(F) = W_2W_2ᵀF + F W_1ᵀW_1, and what the
start says about λ_min and λ_max at all times is said in `convergence/two_layers.py`
and `convergence/steps.py`.

How far weights travel.  Where −ℒ̇ ≥ cℒ along the flow (ℒ: the excess), as behind every
bound on the loss here, ∫‖θ̇‖ = ∫ −ℒ̇/‖∇ℒ‖ ≤ ∫ −ℒ̇/√(cℒ), so that (Łojasiewicz 1963)

    ‖θ(t) − θ(0)‖ ≤ κ = 2√(ℒ(0)/c),

and for two layers the kernel's operator moves by at most 2κ√(‖W_1‖² + ‖W_2‖²) + κ²,
with norms at the start.  For λ-balanced starts c ~ 2λ and 𝒯 ~ λ: as λ grows the kernel
stands still and the flow becomes that of a linear model in the clock λt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import (
    Bound,
    Hypothesis,
    Path,
    Refusal,
    Theorem,
    all_hold,
)
from symflow.claims.bibliography import JACOT_2018, LOJASIEWICZ_1963
from symflow.claims.conditions import dense_layers, squared_loss, wide_enough
from symflow.convergence.bound import ROUNDED_DOWN, LossBound, end_to_end
from symflow.convergence.deep import HomogeneousRate, UnimodalRate
from symflow.convergence.steps import ceiling
from symflow.convergence.three_layers import ThreeLayerRate
from symflow.convergence.two_layers import (
    ConvexityRate,
    ImbalanceRate,
    MarginRate,
    levels_of,
)
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem

#: The bounds that come from −ℒ̇ ≥ cℒ.
POINTWISE: tuple[type[LossBound], ...] = (
    MarginRate,
    ConvexityRate,
    ImbalanceRate,
    ThreeLayerRate,
    HomogeneousRate,
    UnimodalRate,
)


def tangent_kernel(weights: Any, X: Any) -> Array:
    """Return the neural tangent kernel of a product of dense layers.

    Parameters
    ----------
    weights : sequence of array_like
        W_1, …, W_L.
    X : array_like, shape (n, d)
        Samples.

    Returns
    -------
    ndarray, shape (n·m, n·m)
        K, for outputs f = XWᵀ whose entry (i, j) has the number i·m + j.

    Examples
    --------
    >>> tangent_kernel([[[3.0]], [[2.0]]], [[1.0], [-1.0]]).tolist()
    [[13.0, -13.0], [-13.0, 13.0]]
    """
    layers = [to_float_array(np.asarray(weight)) for weight in weights]
    hidden, backward = to_float_array(np.asarray(X)), [np.eye(len(layers[-1]))]
    for weight in layers[:0:-1]:
        backward.append(backward[-1] @ weight)
    size = len(hidden) * len(layers[-1])
    total = np.zeros((size, size))
    for weight, after in zip(layers, backward[::-1], strict=True):
        total = total + np.kron(hidden @ hidden.T, after @ after.T)
        hidden = hidden @ weight.T
    return np.asarray(total)


@dataclass(frozen=True, eq=False, repr=False)
class PathLength(Bound, Theorem):
    """The weights never leave the ball of radius κ = 2√(ℒ(0)/c) around the start.

    Parameters
    ----------
    radius : float
        κ, rounded up.
    """

    radius: float

    source = LOJASIEWICZ_1963

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or that no bound on the loss applies."""
        found = _convergence(problem)
        if found[-1].holds:
            return cls(problem, tuple(found), _radius(problem))
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """‖θ(t) − θ(0)‖ ≤ κ."""
        t, moved = sympy.Symbol("t", nonnegative=True), sympy.Function("moved")
        return sympy.Le(moved(t), sympy.Float(self.radius, 6), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖θ(t) − θ(0)‖² and κ²."""
        moved = sum(
            ((weight - path.lift(start)) ** 2).sum(axis=(-2, -1))
            for weight, start in zip(path.weights, self.problem.weights, strict=True)
        )
        square = path.number(self.radius) ** 2
        return np.asarray(moved), np.asarray([square for _ in path.t])


@dataclass(frozen=True, eq=False, repr=False)
class KernelFloor(Bound, Theorem):
    """At all times λ_min(𝒯) is at least half the bracket; made by `attempt`.

    Parameters
    ----------
    floor : float
        The lower bound on λ_min(𝒯).
    """

    floor: float

    source = MarginRate.source

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        if not all_hold(found):
            return cls.refuse(found)
        reduction = least_squares(problem)
        floors = MarginRate.floors(problem, reduction)
        floor = float(levels_of(problem, reduction).bracket(*floors)) / 2
        needed = min(reduction.rank, problem.widths[-1])
        found.append(wide_enough(problem.widths[1:-1], needed))
        words = "a bracket that is positive"
        found.append(Hypothesis(words, floor > 0, f"λ_min ≥ {floor:.4g}"))
        if all_hold(found):
            return cls(problem, tuple(found), floor * (1 - ROUNDED_DOWN))
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """λ_min(𝒯(t)) ≥ a number."""
        t, smallest = sympy.Symbol("t", nonnegative=True), sympy.Function("lambda_min")
        return sympy.Ge(smallest(t), sympy.Float(self.floor, 6), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the floor and λ_min(𝒯), every time."""
        smallest = spectrum(self.problem, path)[0]
        floor = path.number(self.floor)
        return np.asarray([floor for _ in path.t]), np.asarray(
            [path.number(float(value)) for value in smallest]
        )


@dataclass(frozen=True, eq=False, repr=False)
class KernelCeiling(Bound, Theorem):
    """At all times λ_max(𝒯) is at most β; made by `attempt`.

    Parameters
    ----------
    top : float
        The upper bound β on λ_max(𝒯).
    """

    top: float

    source = MarginRate.source

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        if all_hold(found):
            top = ceiling(problem, least_squares(problem))
            return cls(problem, tuple(found), top * (1 + ROUNDED_DOWN))
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """λ_max(𝒯(t)) ≤ a number."""
        t, largest = sympy.Symbol("t", nonnegative=True), sympy.Function("lambda_max")
        return sympy.Le(largest(t), sympy.Float(self.top, 6), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return λ_max(𝒯) and β, every time."""
        largest = spectrum(self.problem, path)[1]
        top = path.number(self.top)
        return np.asarray([path.number(float(value)) for value in largest]), np.asarray(
            [top for _ in path.t]
        )


@dataclass(frozen=True, eq=False, repr=False)
class KernelDrift(Bound, Theorem):
    """The kernel's operator moves by at most 2κ√(‖W_1‖² + ‖W_2‖²) + κ².

    Parameters
    ----------
    drift : float
        The bound on ‖𝒯(t) − 𝒯(0)‖.
    """

    drift: float

    source = JACOT_2018

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = [dense_layers(problem.flow, 2), *_convergence(problem)]
        if all_hold(found):
            radius = _radius(problem)
            sizes = [np.linalg.norm(weight, 2) for weight in problem.floats.weights]
            drift = 2 * radius * float(np.linalg.norm(sizes)) + radius**2
            return cls(problem, tuple(found), drift * (1 + ROUNDED_DOWN))
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """‖𝒯(t) − 𝒯(0)‖ ≤ a number."""
        t, drift = sympy.Symbol("t", nonnegative=True), sympy.Function("drift")
        return sympy.Le(drift(t), sympy.Float(self.drift, 6), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖𝒯(t) − 𝒯(0)‖ and its bound, every time."""
        drift, bound = operator_drift(path), path.number(self.drift)
        return np.asarray([path.number(float(gap)) for gap in drift]), np.asarray(
            [bound for _ in path.t]
        )


def operator_drift(path: Path) -> Array:
    """Return ‖𝒯(t) − 𝒯(0)‖ of two layers at every time, in float64.

    The difference maps F to F A + B F with symmetric A and B; its eigenvalues are the
    sums of theirs.
    """
    first, second = (to_float_array(weight) for weight in path.weights)
    inner, outer = _T(first) @ first, second @ _T(second)
    ends = [np.linalg.eigvalsh(gram - gram[0]) for gram in (inner, outer)]
    low, high = (sum(values[:, k] for values in ends) for k in (0, -1))
    return np.asarray(np.maximum(np.abs(low), np.abs(high)))


def spectrum(problem: Problem, path: Path) -> tuple[Array, Array]:
    """Return λ_min and λ_max of 𝒯 on the seen inputs at every time, in float64."""
    frame = least_squares(problem).frame
    first, second = (to_float_array(weight) for weight in path.weights)
    seen = first @ frame
    ends = [np.linalg.eigvalsh(gram) for gram in (_T(seen) @ seen, second @ _T(second))]
    return ends[0][:, 0] + ends[1][:, 0], ends[0][:, -1] + ends[1][:, -1]


def _convergence(problem: Problem) -> list[Hypothesis]:
    """Say whether some bound −ℒ̇ ≥ cℒ holds, with the largest c."""
    rate = _fastest(problem)
    words = "a guaranteed rate c of the loss"
    return [squared_loss(problem.flow), Hypothesis(words, rate > 0, f"c = {rate:.4g}")]


def _fastest(problem: Problem) -> float:
    answers = [kind.attempt(problem) for kind in POINTWISE]
    return max((a.rate for a in answers if isinstance(a, LossBound)), default=0.0)


def _radius(problem: Problem) -> float:
    start = end_to_end(problem.floats.weights)
    excess = float(least_squares(problem).excess(start))
    return float(2 * (excess / _fastest(problem)) ** 0.5 * (1 + ROUNDED_DOWN))


def _T(matrix: Array) -> Array:
    return np.swapaxes(matrix, -1, -2)
