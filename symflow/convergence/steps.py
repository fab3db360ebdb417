"""Gradient descent on two layers: one step, all steps, and the drift of the imbalance.

Xu, Min, Tarmoun, Mallada, Vidal (2023); notation of `flow/least_squares.py`, with their
K and μ the largest and smallest eigenvalue of Σ_xx on its range.  Let F = EΛ^{1/2} be
the force and λ_min, λ_max the extreme eigenvalues of 𝒯(F) = W_2W_2ᵀF + F(W_1Φ)ᵀW_1Φ.  A
step η moves W by η𝒯(F) + η²FWᵀF, and ℓ is K-smooth in W, so that with g = σ_1(W)‖F‖_F

    ℒ⁺ ≤ ℒ − η q ‖F‖²,     q = λ_min − ηg − ½Kη(λ_max + ηg)²,

hence ℒ⁺ ≤ (1 − 2ημq)ℒ where q ≥ 0 (ℒ: the excess over the minimum).

All steps: the loss falls, so that σ_1(W) ≤ p = (‖Ŷ‖_F + ‖E(0)‖_F)/√μ, and D moves only
by terms η²(∇_1∇_1ᵀ − ∇_2ᵀ∇_2).  With the bracket 2α of `flow/imbalance.py` and β =
½Σ_±(λ_± + √(λ_±² + 4p²)), λ_± = [λ_1(±D)]₊, at the start, as long as the drift of D is
at most d the eigenvalues stay within α − 4d and β + 2d; and the drift is at most
2ηc_2βKℒ(0)/s where each step contracts by 1 − ηs.  Both meet if η ≤ `largest_step`:
then λ_min ≥ c_1α and λ_max ≤ c_2β for ever, c_1 = ½ and c_2 = 3/2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import at_least, float_down, float_up
from symflow.algebra.spectra import FLOAT_ERROR
from symflow.claims import (
    Bound,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    all_hold,
    random_problems,
)
from symflow.claims.bibliography import XU_2023
from symflow.claims.claim import thinned
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.claims.theorem import Condition, check
from symflow.convergence.bound import (
    ROUNDED_DOWN,
    excess_symbol,
    rounding_scale,
    start_excess,
)
from symflow.convergence.reduced import reduced_start
from symflow.convergence.step_constants import Constants, contraction
from symflow.convergence.two_layers import TWO_LAYERS
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class DescentBound(Bound, Theorem):
    """A bound on gradient descent with a given step η."""

    step: float

    source = XU_2023
    question = "descent"
    conditions: ClassVar[tuple[Condition, ...]] = TWO_LAYERS[:-1]

    @classmethod
    def attempt(cls, problem: Problem, step: float = 0.0) -> Self | Refusal:
        """Return the bound for steps of this size, or the hypotheses that fail.

        The problem has two dense layers and the squared loss.
        """
        found = check(cls.conditions, problem)
        usable = 0 < step < np.inf
        found.append(Hypothesis("a positive step", usable, f"η = {step:.3g}"))
        if all_hold(found):
            found += cls.needs(problem, step)
        if all_hold(found):
            return cls(problem, tuple(found), step)
        return cls.refuse(found)

    @classmethod
    def needs(cls, problem: Problem, step: float) -> list[Hypothesis]:
        """Return the further hypotheses."""
        return []

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return how a step moves W, and what that does to the loss."""
        first, second, F = sympy.symbols("W_1 W_2 F", commutative=False)
        back, out = sympy.symbols("W_1' W_2'", commutative=False)
        eta = sympy.Symbol("η")
        stepped = (second + eta * F * back) * (first + eta * out * F)
        moved = second * first + eta * (second * out * F + F * back * first)
        e, K, s = sympy.symbols("e K s")
        return (
            Identity(
                "W⁺ = W + η𝒯(F) + η²FWᵀF, with W_l' for W_lᵀ",
                sympy.expand(stepped - moved - eta**2 * F * back * out * F),
            ),
            Identity(
                "½K(e − s)² = ½Ke² − Ke·s + ½Ks²: the loss along a step s",
                K * (e - s) ** 2 / 2 - K * e**2 / 2 + K * e * s - K * s**2 / 2,
            ),
        )

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the size of what the excess loss is the difference of."""
        return max(super().scale(path, larger), rounding_scale(self.problem))

    def mismatch(self, path: Path) -> str:
        """Return that the run is not descent with this step and without momentum."""
        taken = getattr(path, "stats", {})
        if (taken.get("step size"), taken.get("momentum", 0)) == (self.step, 0):
            return thinned(path)
        return f"it speaks of descent with η = {self.step:.6g} without momentum"


@dataclass(frozen=True, eq=False, repr=False)
class OneStep(DescentBound):
    """Each step with q ≥ 0 multiplies the excess loss by at most 1 − 2ημq."""

    proved_with_base = True

    @classmethod
    def examples(cls) -> Examples:
        """Return Gaussian starts with moderate steps."""
        draw = random_problems.gaussian(3, 4, 2)
        return (RandomExamples("many-step", draw, scaled(step=3), lambda _: 0.02),)

    @property
    def statement(self) -> sympy.Basic:
        """q_k ≥ 0 implies ℒ_{k+1} ≤ (1 − 2ημq_k)ℒ_k, where L_k is the excess loss.

        q_k = λ_min − ηg − ½Kη(λ_max + ηg)² is that of the module, at the k-th iterate.
        """
        names = {"q": "q_k", "now": "L_k", "after": "L_k+1"}
        q, now, after = (sympy.Symbol(name, real=True) for name in names.values())
        smallest = max(at_least(reduced_start(self.problem).smallest), 0.0)
        factor = 1 - float_down(2 * self.step * smallest * (1 - FLOAT_ERROR)) * q
        bound = sympy.Le(after, factor * now, evaluate=False)
        return sympy.Implies(sympy.Ge(q, 0), bound, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ℒ_{k+1} and its bound for every k; zeros where q_k < 0, and last."""
        reduction = least_squares(self.problem)
        excess = reduction.excess(to_float_array(path.end_to_end))
        q = contraction(reduction, path.weights, self.step)
        smallest = float(reduction.eigenvalues[-1])
        bound = (1 - 2 * self.step * smallest * q) * excess
        after = np.where(q >= 0, np.append(excess[1:], 0.0), 0.0)
        return after, np.where(after > 0, bound * (1 + ROUNDED_DOWN), 0.0)


@dataclass(frozen=True, eq=False, repr=False)
class UniformDescent(DescentBound):
    """The excess loss falls at least geometrically: ℒ_k ≤ (1 − ηs)^k ℒ_0."""

    proved_with_base = True

    slope: float = 0.0  #: s.

    conditions = TWO_LAYERS

    @classmethod
    def attempt(cls, problem: Problem, step: float = 0.0) -> Self | Refusal:
        answer = super().attempt(problem, step)
        if isinstance(answer, Refusal):
            return answer
        return replace(answer, slope=Constants.of(problem).slope(step))

    @classmethod
    def needs(cls, problem: Problem, step: float) -> list[Hypothesis]:
        """Return that α > 0, and the step small."""
        constants = Constants.of(problem)
        words, detail = "α > 0", f"α = {constants.low:.3g}"
        found = [Hypothesis(words, constants.low > 0, detail)]
        if all_hold(found):
            largest = constants.largest_step
            detail = f"η = {step:.3g}, at most {largest:.3g}"
            found.append(Hypothesis("a small step", step <= largest, detail))
        return found

    @classmethod
    def examples(cls) -> Examples:
        """Return starts near minimizers, with half of the largest step."""
        draw, faster = random_problems.near(3, 4, 2), scaled(slope=60)
        return (RandomExamples("many-descent", draw, faster, _half_the_largest),)

    @property
    def factor(self) -> float:
        """1 − ηs, rounded up."""
        return 1 - self.step * self.slope * (1 - ROUNDED_DOWN)

    @property
    def statement(self) -> sympy.Basic:
        """½ tr((W − W*)Σ_xx(W − W*)ᵀ) ≤ (1 − ηs)^k ℒ_0, W the k-th product."""
        k = sympy.Symbol("k", nonnegative=True, integer=True)
        bound = float_up(self.factor) ** k * float_up(start_excess(self.problem))
        return sympy.Le(excess_symbol(self.problem), bound, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ℒ_k and its bound."""
        reduction = least_squares(self.problem)
        excess = reduction.excess(to_float_array(path.end_to_end))
        return excess, excess[0] * self.factor ** np.arange(len(excess))


@dataclass(frozen=True, eq=False, repr=False)
class ImbalanceDrift(DescentBound):
    """The imbalance drifts by at most ‖D_k − D_0‖_F ≤ η² Σ_{j<k} ‖∇ℒ_j‖².

    Where every step has ℒ⁺ ≤ ℒ − ½η‖∇ℒ‖² this is at most 2ηℒ(0).
    """

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that the first order in η cancels, and bound the second."""
        first, second, F = sympy.symbols("W_1 W_2 F", commutative=False)
        names = sympy.symbols("W_1' W_2' F'", commutative=False)
        back, out, turned = names
        eta, x, y = sympy.symbols("η x y")
        down, up = out * F, F * back
        moved = (first + eta * down) * (back + eta * turned * second) - (
            out + eta * first * turned
        ) * (second + eta * up)
        change = down * turned * second - first * turned * up
        return (
            Identity(
                "D⁺ = D + η²(∇_1∇_1ᵀ − ∇_2ᵀ∇_2), with ' for transposes",
                sympy.expand(moved - first * back + out * second - eta**2 * change),
            ),
            Identity(
                "‖∇_1‖² + ‖∇_2‖² ≥ √(‖∇_1‖⁴ + ‖∇_2‖⁴), the rest being 2xy",
                (x + y) ** 2 - x**2 - y**2 - 2 * x * y,
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return Gaussian starts with moderate steps."""
        draw, smaller = random_problems.gaussian(3, 4, 2), scaled(step=0.3)
        return (RandomExamples("many-walk", draw, smaller, lambda _: 0.02),)

    @property
    def statement(self) -> sympy.Basic:
        """‖D_k − D_0‖_F ≤ η² Σ_{j<k} ‖∇ℒ_j‖²; D^0 is D_0 and g_j is ‖∇ℒ_j‖."""
        j, k = sympy.symbols("j k", nonnegative=True, integer=True)
        first, second = self.problem.flow.state
        gap = first * first.T - second.T * second
        gap = gap - sympy.MatrixSymbol("D^0", *gap.shape)
        total = sympy.Sum(sympy.IndexedBase("g")[j] ** 2, (j, 0, k - 1))
        drift = sympy.sqrt(sympy.Trace(gap * gap.T))
        return sympy.Le(drift, float_up(self.step) ** 2 * total, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖D_k − D_0‖_F and η² Σ ‖∇ℒ_j‖², from the first time of `path`."""
        first, second = (to_float_array(weight) for weight in path.weights)
        gaps = first @ first.mT - second.mT @ second
        drift = np.linalg.norm(gaps - gaps[0], axis=(-2, -1))
        reduction = least_squares(self.problem)
        misfit = reduction.misfit(second @ first)
        force = (misfit * reduction.eigenvalues**0.5) @ reduction.frame.T
        gradients = (second.mT @ force, force @ first.mT)
        squares = sum(np.sum(part**2, axis=(-2, -1)) for part in gradients)
        sums = np.concatenate([[0.0], np.cumsum(squares)[:-1]])
        # D is only known up to its rounding, which accumulates
        size = max(float(np.max(np.sum(w**2, axis=(-2, -1)))) for w in (first, second))
        rounding = FLOAT_ERROR * size * np.arange(1, len(sums) + 1)
        return drift, self.step**2 * sums + rounding

    def residuals(self, path: Path) -> Array:
        """Return by how much the drift exceeds its bound, relative to the bound."""
        drift, bound = self.sides(path)
        excess = np.maximum(drift - bound, 0.0)
        return np.asarray(excess / (np.max(bound) or 1.0))


def _half_the_largest(problem: Problem) -> float:
    """Return half of the largest step of `UniformDescent`; 0 where there is none."""
    constants = Constants.of(problem)
    return constants.largest_step / 2 if constants.low > 0 else 0.0
