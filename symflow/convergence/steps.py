"""Gradient descent on two layers: one step, all steps, and the drift of the imbalance.

Let ℓ be K-smooth in W, with ‖F‖² ≥ 2μ(ℓ − ℓ*) for the force F = −∂ℓ/∂W: the squared
loss (Xu, Min, Tarmoun, Mallada, Vidal 2023), or another one as in their sequel of 2025,
here a convex quadratic function of W (`quadratic_loss.py`).  Only the inputs Φ that
F = FΦΦᵀ sees count, and W stands for WΦ.  Let λ_min and λ_max be the extreme
eigenvalues of 𝒯(F) = W_2W_2ᵀF + F(W_1Φ)ᵀW_1Φ.  A step η moves W by η𝒯(F) + η²FWᵀF, so
that with g = σ_1(W)‖F‖_F

    ℒ⁺ ≤ ℒ − η q ‖F‖²,     q = λ_min − ηg − ½Kη(λ_max + ηg)²,

hence ℒ⁺ ≤ (1 − 2ημq)ℒ where q ≥ 0 (ℒ: the excess over the minimum).

All steps: the loss falls, so that σ_1(W) ≤ p = (‖Ŷ‖_F + ‖E(0)‖_F)/√μ, ½‖E‖² being ℒ
and ½‖Ŷ‖² that of W = 0, and D moves only by terms η²(∇_1∇_1ᵀ − ∇_2ᵀ∇_2).  With the
bracket 2α of `flow/imbalance.py` and β = ½Σ_±(λ_± + √(λ_±² + 4p²)), λ_± = [λ_1(±D)]₊,
at the start, as long as the drift of D is at most d the eigenvalues stay within α − 4d
and β + 2d; and the drift is at most 2ηc_2βKℒ(0)/s where each step contracts by 1 − ηs,
as ‖F‖² ≤ 2Kℒ.  Both meet if η ≤ `largest_step`: then λ_min ≥ c_1α and λ_max ≤ c_2β for
ever, c_1 = ½ and c_2 = 3/2.  The bracket is at floors of the σ_k(W) for ever: those of
`two_layers.py`, of which the last one asks for ℒ ≥ ½μ‖W − W*‖² alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import at_least, float_down, float_up
from symflow.algebra.spectra import FLOAT_ERROR
from symflow.algebra.threads import cached_property
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
from symflow.claims.bibliography import XU_2023, XU_2025, Reference
from symflow.claims.claim import thinned
from symflow.claims.conditions import dense_layers, on_flow, same_pace
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.claims.theorem import Condition, check
from symflow.convergence.bound import (
    ROUNDED_DOWN,
    excess_symbol,
    rounding_scale,
    start_excess,
)
from symflow.convergence.quadratic_loss import (
    known_minimum,
    one_minimizer,
    quadratic_loss,
)
from symflow.convergence.reduced import reduced_start
from symflow.convergence.step_constants import Constants, LossInW, contraction
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss


@dataclass(frozen=True, eq=False, repr=False)
class DescentBound(Bound, Theorem):
    """A bound on gradient descent with a given step η."""

    step: float

    source = XU_2023
    contributes = (
        "the theorem for the squared loss; of its sequel for others the abstract was "
        "read, the constants are derived here"
    )
    question = "descent"
    conditions: ClassVar[tuple[Condition, ...]] = (
        on_flow(dense_layers, 2),
        quadratic_loss,
        known_minimum,
    )

    @classmethod
    def attempt(cls, problem: Problem, step: float = 0.0) -> Self | Refusal:
        """Return the bound for steps of this size, or the hypotheses that fail.

        The problem has two dense layers and a convex loss that is quadratic in W.
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
        e, K, s, mu, x, lam = sympy.symbols("e K s μ x λ")
        force, excess = sympy.diff(lam * x**2 / 2, x) ** 2, lam * x**2 / 2
        return (
            Identity(
                "W⁺ = W + η𝒯(F) + η²FWᵀF, with W_l' for W_lᵀ",
                sympy.expand(stepped - moved - eta**2 * F * back * out * F),
            ),
            Identity(
                "½K(e − s)² = ½Ke² − Ke·s + ½Ks²: the loss along a step s",
                K * (e - s) ** 2 / 2 - K * e**2 / 2 + K * e * s - K * s**2 / 2,
            ),
            Identity(
                "‖F‖² − 2μℒ = λ(λ − μ)x² ≥ 0 along an eigenvector of H; as K for μ",
                force - 2 * mu * excess - lam * (lam - mu) * x**2,
            ),
        )

    @property
    def reference(self) -> Reference:
        """The paper, or its sequel where the loss is not the squared one."""
        squared = isinstance(self.problem.flow.loss, SquaredLoss)
        return self.source if squared else XU_2025

    @cached_property
    def in_w(self) -> LossInW:
        """The loss as a function of W, in float64."""
        return self.problem.remembered("in W", lambda: LossInW.of(self.problem))

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
    where = (
        "L_k is the excess loss of the k-th iterate, and q_k = λ_min − ηg − "
        "½Kη(λ_max + ηg)² there, with λ_min and λ_max of W₂W₂ᵀF + FW₁ᵀW₁ as a map of "
        "F, g = σ₁(W)‖F‖ and K the largest curvature of the loss in W"
    )

    @classmethod
    def examples(cls) -> Examples:
        """Return Gaussian starts with moderate steps."""
        draw = random_problems.gaussian(3, 4, 2)
        measured, larger = random_problems.measured(2, 4, 2), scaled(step=50)
        return (
            RandomExamples("many-step", draw, scaled(step=3), lambda _: 0.02),
            RandomExamples("many-measured-step", measured, larger, lambda _: 2e-4),
        )

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
        excess = self.in_w.excess(to_float_array(path.end_to_end))
        q = contraction(self.in_w, path.weights, self.step)
        smallest = float(self.in_w.fine.eigenvalues[-1])
        bound = (1 - 2 * self.step * smallest * q) * excess
        after = np.where(q >= 0, np.append(excess[1:], 0.0), 0.0)
        return after, np.where(after > 0, bound * (1 + ROUNDED_DOWN), 0.0)


@dataclass(frozen=True, eq=False, repr=False)
class UniformDescent(DescentBound):
    """The excess loss falls at least geometrically: ℒ_k ≤ (1 − ηs)^k ℒ_0."""

    proved_with_base = True

    slope: float = 0.0  #: s.

    where = (
        "L_k is the excess loss of the k-th iterate, and W_opt the minimizer of least "
        "norm"
    )
    conditions = (*DescentBound.conditions, one_minimizer)

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
        measured = random_problems.measured(2, 4, 2, near=True)
        return (
            RandomExamples("many-descent", draw, faster, _half_the_largest),
            RandomExamples(
                "many-measured-descent", measured, faster, _half_the_largest
            ),
        )

    @property
    def factor(self) -> float:
        """1 − ηs, rounded up."""
        return 1 - self.step * self.slope * (1 - ROUNDED_DOWN)

    @property
    def statement(self) -> sympy.Basic:
        """½ tr((W − W*)Σ_xx(W − W*)ᵀ) ≤ (1 − ηs)^k ℒ_0, W the k-th product.

        For another loss than the squared one the left side is L_k, the excess loss.
        """
        k = sympy.Symbol("k", nonnegative=True, integer=True)
        bound = float_up(self.factor) ** k * float_up(start_excess(self.problem))
        squared = isinstance(self.problem.flow.loss, SquaredLoss)
        left = excess_symbol(self.problem) if squared else sympy.Symbol("L_k")
        return sympy.Le(left, bound, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ℒ_k and its bound."""
        excess = self.in_w.excess(to_float_array(path.end_to_end))
        return excess, excess[0] * self.factor ** np.arange(len(excess))


@dataclass(frozen=True, eq=False, repr=False)
class ImbalanceDrift(DescentBound):
    """The imbalance drifts by at most ‖D_k − D_0‖_F ≤ η² Σ_{j<k} ‖∇ℒ_j‖².

    That is so for every loss.  Where each step has ℒ⁺ ≤ ℒ − ½η‖∇ℒ‖² it is at most
    2η times the excess of the start.
    """

    contributes = "the bound, here for every loss"
    where = (
        "D^0 is W₁W₁ᵀ − W₂ᵀW₂ at the start, g_j the norm of the gradient at iterate j"
    )
    conditions = (on_flow(dense_layers, 2), on_flow(same_pace))
    reference = Theorem.reference

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
        # the steps taken are −η∇ℒ, of any loss
        taken = getattr(path, "stats", {}).get("step size", self.step)
        moves = (np.diff(weight, axis=0) / taken for weight in (first, second))
        squares = sum(np.sum(move**2, axis=(-2, -1)) for move in moves)
        sums = np.concatenate([[0.0], np.cumsum(squares)])
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
