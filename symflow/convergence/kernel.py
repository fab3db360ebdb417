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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import at_least, at_most, float_down, float_up, said_down
from symflow.algebra.spectra import FLOAT_ERROR, in_balls, kth, root
from symflow.claims import (
    Bound,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    random_problems,
)
from symflow.claims.bibliography import JACOT_2018, LOJASIEWICZ_1963, MIN_2021
from symflow.claims.conditions import dense_layers, known_rank, on_flow, squared_loss
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.claims.theorem import Condition
from symflow.convergence.bound import LossBound, positive_rate
from symflow.convergence.deep import HomogeneousRate, UnimodalRate
from symflow.convergence.kernel_spectrum import ceiling, operator_drift, spectrum
from symflow.convergence.reduced import reduced_start
from symflow.convergence.three_layers import ThreeLayerRate
from symflow.convergence.two_layers import (
    TWO_LAYERS,
    ConvexityRate,
    ImbalanceRate,
    MarginRate,
)
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


def guaranteed_rate(problem: Problem) -> Hypothesis:
    """Say whether some bound −ℒ̇ ≥ cℒ holds, with the largest c."""
    claims = [kind.attempt(problem) for kind in POINTWISE]
    found = [claim for claim in claims if isinstance(claim, LossBound)]
    best = max(found, key=lambda claim: claim.rate, default=None)
    words = "a guaranteed rate c of the loss"
    if best is None:
        return Hypothesis(words, False, "c = 0")
    sure = all(hypothesis.exact for hypothesis in best.checked)
    defect = max(hypothesis.defect for hypothesis in best.checked)
    detail = f"c = {said_down(best.rate)}, {best.name}"
    return Hypothesis(words, True, detail, defect, exact=sure)


@dataclass(frozen=True, eq=False, repr=False)
class PathLength(Bound, Theorem):
    """The weights never leave the ball of radius κ = 2√(ℒ(0)/c) around the start."""

    radius: float  #: κ, rounded up.

    source = LOJASIEWICZ_1963
    contributes = "the argument; the constants are those of the rates"
    where = "W_l_0 is W_l at the start"
    conditions = (
        on_flow(squared_loss),
        on_flow(dense_layers),
        known_rank,
        guaranteed_rate,
    )

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        return cls(problem, tuple(found), at_most(_radius(problem)))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return ∫‖θ̇‖ ≤ ∫ −ℒ̇/√(cℒ) in closed form."""
        c, size, slope = sympy.symbols("c L dL", positive=True)
        moved = 2 * sympy.sqrt(size / c)
        return (
            Identity(
                "(2√(ℒ/c))˙ = ℒ̇/√(cℒ), and ‖θ̇‖ = −ℒ̇/‖∇ℒ‖ ≤ −ℒ̇/√(cℒ)",
                moved.diff(size) * slope - slope / sympy.sqrt(c * size),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return starts near minimizers."""
        draw = random_problems.near(3, 4, 2)
        return (RandomExamples("many-length", draw, scaled(radius=0.1)),)

    @property
    def statement(self) -> sympy.Basic:
        """√(Σ‖W_l(t) − W_l(0)‖²) ≤ κ, with W_l_0 for W_l(0)."""
        total = sum(_squared(W - start) for W, start in _moved(self.problem))
        return sympy.Le(sympy.sqrt(total), float_up(self.radius), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖θ(t) − θ(0)‖² and κ²."""
        moved = sum(
            ((weight - start) ** 2).sum(axis=(-2, -1))
            for weight, start in zip(path.weights, self.start_on(path), strict=True)
        )
        square = path.number(self.radius) ** 2
        return np.asarray(moved), np.asarray([square for _ in path.t])

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the size of the start, of which the motion may be a small part."""
        size = path.number(reduced_start(self.problem).size)
        return max(super().scale(path, larger), size)


class OperatorBound(Bound, Theorem):
    """A bound on the operator 𝒯 of two layers, whose sides are eigenvalues."""

    source = MIN_2021
    contributes = "the bracket; that it bounds the kernel at all times is derived here"
    where = (
        "F is any matrix of the shape of W with rows in the range of Σ_xx, and W_l_0 "
        "is W_l at the start"
    )
    conditions: ClassVar[tuple[Condition, ...]] = TWO_LAYERS

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the scalar identities on which the bounds rest."""
        return MarginRate.proof()

    def residuals(self, path: Path) -> Array:
        """Return by how much one side exceeds the other, relative to λ_max(𝒯)."""
        smaller, larger = self.sides(path)
        size = max(float(reduced_start(self.problem).size), np.finfo(float).tiny)
        largest = float(max(np.max(to_float_array(larger)), size))
        gaps = to_float_array(smaller) - to_float_array(larger)
        return np.asarray(np.maximum(gaps, 0.0) / largest)

    def slack(self, path: Path) -> Array:
        """Return what eigenvalues that are computed in float64 may add."""
        return super().slack(path) + FLOAT_ERROR * sum(self.problem.widths)


@dataclass(frozen=True, eq=False, repr=False)
class KernelFloor(OperatorBound):
    """At all times λ_min(𝒯) is at least half the bracket; made by `attempt`."""

    proved_with_base = True

    floor: float  #: The lower bound on λ_min(𝒯), rounded down.

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim, if the bracket is positive."""
        start = reduced_start(problem)
        bracket = start.levels.ball(*MarginRate.floors(start)) / 2
        floor = max(at_least(bracket), 0.0)
        verdict = positive_rate(problem, at_least(start.smallest * floor))
        detail = f"λ_min ≥ {said_down(floor)}"
        words = "a bracket that is positive"
        positive = Hypothesis(words, verdict.holds, detail, exact=verdict.exact)
        if positive.holds:
            return cls(problem, (*found, positive), floor)
        return cls.refuse([*found, positive])

    @classmethod
    def examples(cls) -> Examples:
        """Return starts near minimizers."""
        return (
            RandomExamples(
                "many-floor", random_problems.near(3, 4, 2), scaled(floor=30)
            ),
        )

    @property
    def statement(self) -> sympy.Basic:
        """‖W_2ᵀF‖² + ‖FW_1ᵀ‖² ≥ λ‖F‖² for every F with rows in the range of Σ_xx."""
        F, moved = _operator(self.problem)
        return sympy.Ge(moved, float_down(self.floor) * _squared(F), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the floor and λ_min(𝒯), every time."""
        smallest = spectrum(self.problem, path)[0]
        return np.full(len(smallest), self.floor), smallest


@dataclass(frozen=True, eq=False, repr=False)
class KernelCeiling(OperatorBound):
    """At all times λ_max(𝒯) is at most β; made by `attempt`."""

    proved_with_base = True

    top: float  #: The upper bound β on λ_max(𝒯), rounded up.

    conditions = TWO_LAYERS[:-1]

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        return cls(problem, tuple(found), at_most(ceiling(reduced_start(problem))))

    @classmethod
    def examples(cls) -> Examples:
        """Return Gaussian starts."""
        draw = random_problems.gaussian(3, 4, 2)
        return (RandomExamples("many-ceiling", draw, scaled(top=0.1)),)

    @property
    def statement(self) -> sympy.Basic:
        """‖W_2ᵀF‖² + ‖FW_1ᵀ‖² ≤ β‖F‖² for every F with rows in the range of Σ_xx."""
        F, moved = _operator(self.problem)
        return sympy.Le(moved, float_up(self.top) * _squared(F), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return λ_max(𝒯) and β, every time."""
        largest = spectrum(self.problem, path)[1]
        return largest, np.full(len(largest), self.top)


@dataclass(frozen=True, eq=False, repr=False)
class KernelDrift(OperatorBound):
    """The kernel's operator moves by at most 2κ√(‖W_1‖² + ‖W_2‖²) + κ²."""

    drift: float  #: The bound on ‖𝒯(t) − 𝒯(0)‖, rounded up.

    source = JACOT_2018
    contributes = "the kernel; the bound is derived here"
    conditions = (*TWO_LAYERS[:-1], guaranteed_rate)

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        radius, start = _radius(problem), reduced_start(problem)
        first, second = start.weights
        grams = first @ first.T, second.T @ second
        sizes = sum(kth(start.eigenvalues(gram), 1) for gram in grams)
        drift = 2 * radius * root(sizes) + radius**2
        return cls(problem, tuple(found), at_most(drift))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return how a Gram matrix moves, and what bounds the sum of two such."""
        a, b, x, y = sympy.symbols("a b x y")
        spare = (a * y - b * x) ** 2
        product = (a**2 + b**2) * (x**2 + y**2) - (a * x + b * y) ** 2
        return (
            Identity(
                "(a + x)² − a² = 2ax + x²", (a + x) ** 2 - a**2 - 2 * a * x - x**2
            ),
            Identity("2(ax + by) ≤ 2√(a² + b²)·κ, κ² = x² + y²", product - spare),
            *PathLength.proof(),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return starts near minimizers."""
        return (
            RandomExamples(
                "many-drift", random_problems.near(3, 4, 2), scaled(drift=0.03)
            ),
        )

    @property
    def statement(self) -> sympy.Basic:
        """|⟨F, 𝒯(t)F⟩ − ⟨F, 𝒯(0)F⟩| ≤ drift·‖F‖² for every F, with W_l_0 for W_l(0)."""
        F, moved = _operator(self.problem)
        _, start = _operator(self.problem, [past for _, past in _moved(self.problem)])
        right = float_up(self.drift) * _squared(F)
        return sympy.Le(sympy.Abs(moved - start), right, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖𝒯(t) − 𝒯(0)‖ and its bound, every time."""
        drift = operator_drift(path, self.problem)
        return drift, np.full(len(drift), self.drift)


def _radius(problem: Problem) -> Any:
    """Return κ as a ball."""
    answers = [kind.attempt(problem) for kind in POINTWISE]
    rate = max(claim.rate for claim in answers if isinstance(claim, LossBound))
    return 2 * root(reduced_start(problem).excess / rate)


def _squared(matrix: Any) -> Any:
    return sympy.Trace(matrix * matrix.T)


def _moved(problem: Problem) -> list[tuple[Any, Any]]:
    """Return the symbols of the weights, each with that of its start."""
    state = problem.flow.state
    return [(W, sympy.MatrixSymbol(f"{W.name}_0", *W.shape)) for W in state]


def _operator(problem: Problem, layers: Any = None) -> tuple[Any, Any]:
    """Return F and ⟨F, 𝒯F⟩ for an F of the shape of W."""
    first, second = layers or problem.flow.state
    F = sympy.MatrixSymbol("F", *problem.flow.data[1].shape)
    return F, _squared(second.T * F) + _squared(F * first.T)
