"""Data whose correlations share singular vectors only approximately: a true bound.

Gidel, Bach, Lacoste-Julien (2019) assume Σ_yx = Σ σ_i u_iv_iᵀ and Σ_xxv_i ≈ λ_iv_i,
λ_i = v_iᵀΣ_xxv_i, and bound by εe^{ct²} what the residual C = VᵀΣ_xx − diag(λ)Vᵀ, of
size ε, changes.  Here is a bound with all constants.  Let θ⁰(t) be the closed form of
the balanced start W(0) = Σ w_i(0)u_iv_iᵀ without C,

    W_1⁰ = W_1(0) V diag(√(w_i/w_i(0))) Vᵀ,   W_2⁰ = U diag(√(w_i/w_i(0))) Uᵀ W_2(0),

w_i(t) logistic, and e = ‖θ − θ⁰‖.  θ⁰ fails the equations of the flow by δ(t),

    δ² = ‖diag(w^{3/2})C‖² + ‖diag(w)CV diag(w^{1/2})‖²,

and two layers part no faster than at the rate ν + λ_1e²/16, λ_1 the largest eigenvalue
of Σ_xx and ν = ‖diag(wλ − σ)Vᵀ + diag(w)C‖_2 the force at θ⁰: for E = θ − θ⁰, W − W⁰ is
A_1 + A_2 with parts linear and quadratic in E, ‖A_2‖ ≤ ½e², and the convexity of the
loss takes (A_1 + A_2)(A_1 + 2A_2) ≥ −¼A_2² away in the form Σ_xx (`precision/hessian`).
So e is at most the solution of

    ė = (ν + λ_1e²/16) e + δ,      e(0) = 0,

which is linear in ε at first order, and is integrated here to 1e-8 and rounded up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
from symflow.claims import (
    TOLERANCE,
    Bound,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    random_problems,
    vanishing,
)
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import (
    balanced_start,
    dense_layers,
    on_flow,
    squared_loss,
)
from symflow.claims.example import Examples, RandomExamples, regression, scaled
from symflow.convergence.phases import (
    Modes,
    has_target,
    joint_modes,
    sharp_modes,
    told_exactly,
)
from symflow.flow.problem import Problem

#: The bound is rounded up by this part, and is infinite beyond the second number.
ROUNDED_UP, LARGEST = 1e-6, 1e6
#: Tolerances of its integration; e is of the size of ε, so that only rtol matters.
RTOL, ATOL = 1e-8, 1e-30


def shared_start(problem: Problem) -> Hypothesis:
    """Say whether W(0) has the singular vectors of Σ_yx."""
    words, exactly = "W(0) has the singular vectors of Σ_yx", problem.given_exactly
    defect = told_exactly(problem, sharp_modes(problem).beside, inputs=False)
    return vanishing(words, defect, "off", given_exactly=exactly)


def positive_start(problem: Problem) -> Hypothesis:
    """Say whether every mode starts above zero."""
    modes = sharp_modes(problem)
    start, holds = modes.start, min(modes.start) > modes.error * max(abs(modes.start))
    return Hypothesis("w_i(0) > 0", bool(holds), f"smallest {to_float(min(start)):.2g}")


def reached(problem: Problem) -> Hypothesis:
    """Say whether every mode has input: λ_i > 0."""
    modes = sharp_modes(problem)
    lam, holds = modes.lam, min(modes.lam) > modes.error * max(abs(modes.lam))
    return Hypothesis("λ_i > 0", bool(holds), f"smallest {to_float(min(lam)):.2g}")


@dataclass(frozen=True, eq=False, repr=False)
class PerturbedModes(Bound, Theorem):
    """The weights stay within e(t) of the closed form without C."""

    size: float  #: ε = ‖C‖_F.

    source = GIDEL_2019
    contributes = "the setting; the bound with its constants is ours"
    where = (
        "W₁₀ and W₂₀ are the closed form of the modes that move alone, e the "
        "solution of ė = (ν + λ₁e²/16)e + δ, with ν the force there, δ the error of "
        "its equations and λ₁ of Σ_xx"
    )
    conditions = (
        on_flow(squared_loss),
        on_flow(dense_layers, 2),
        has_target,
        balanced_start,
        shared_start,
        positive_start,
        reached,
    )

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim, for a residual C that stands out of all rounding."""
        size = float(np.linalg.norm(residual(problem, joint_modes(problem))))
        part = size / float(np.linalg.norm(to_float_array(problem.arguments[0])))
        floor = TOLERANCE + 10 / ROUNDED_UP * sum(other.defect for other in found)
        words, detail = "a residual C that is not zero", f"ε = {size:.3g}"
        checked = (*found, Hypothesis(words, part > floor, detail))
        return cls(problem, checked, size) if part > floor else cls.refuse(checked)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return by how much θ⁰ fails the flow, and what bounds the rate."""
        w, sigma, lam, c = sympy.symbols("w sigma lambda c", positive=True)
        force = (sigma - w * lam, -w * c)  # Σ_yx − WΣ_xx for one mode of two inputs
        slope = w * (sigma - lam * w) / w ** sympy.Rational(1, 2)
        first, second = sympy.symbols("A_1 A_2", real=True)
        pull = (first + second) * (first + 2 * second)
        return (
            Identity(
                "Ẇ₁⁰ along its mode", w ** sympy.Rational(1, 2) * force[0] - slope
            ),
            Identity(
                "and across: the force misses by w^{3/2}C",
                w ** sympy.Rational(1, 2) * force[1] + w ** sympy.Rational(3, 2) * c,
            ),
            Identity(
                "what convexity takes away is at least −¼A₂², by a square",
                pull - (first + second * 3 / 2) ** 2 + second**2 / 4,
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return an almost diagonal Σ_xx, and random ones."""
        small, size = sympy.Rational(1, 500), sympy.Rational(1, 5)
        weights = (
            [[size, 0, 0], [0, size, 0], [0, 0, 0]],
            [[size, 0, 0], [0, size, 0]],
        )
        draw = random_problems.spectral(3, 3, 2, residual=3e-3, t=5.0)
        return (
            regression(
                "gidel-perturbed",
                [[2, 0, 0], [0, 1, 0]],
                *weights,
                sigma_xx=[[1, small, 0], [small, 1, small], [0, small, 2]],
                t=tuple(range(7)),
                exact=False,
                false=scaled(size=1e-3),
            ),
            RandomExamples("many-perturbed", draw, scaled(size=1e-3)),
        )

    @property
    def statement(self) -> sympy.Basic:
        """‖θ(t) − θ⁰(t)‖ ≤ e, the solution at t of the equation of the module."""
        shapes = [weight.shape for weight in self.problem.weights]
        gaps = [
            sympy.MatrixSymbol(f"W{k}", *shape) - sympy.MatrixSymbol(f"W{k}0", *shape)
            for k, shape in enumerate(shapes, 1)
        ]
        square = sum((sympy.Trace(gap * gap.T) for gap in gaps), sympy.S.Zero)
        return sympy.Le(sympy.sqrt(square), sympy.Symbol("e"), evaluate=False)

    @cached_property
    def modes(self) -> Modes:
        """The modes of Σ_yx, with λ_i and w_i(0) on them, in float64."""
        return joint_modes(self.problem)

    def reference_weights(self, t: Any) -> tuple[Array, Array]:
        """Return W_1⁰ and W_2⁰, shapes (times, h, d) and (times, m, h)."""
        modes, times = self.modes, np.atleast_1d(np.asarray(t, float))
        growth = np.sqrt(self._strengths(times) / modes.start)
        first, second = self.problem.floats.weights
        inner = np.einsum("ik,tk,jk->tij", modes.right, growth, modes.right)
        outer = np.einsum("ik,tk,jk->tij", modes.left, growth, modes.left)
        return first @ inner, outer @ second

    def bound(self, t: Any) -> Array:
        """Return e at increasing times, from e(0) = 0; infinite where it explodes."""
        from scipy.integrate import solve_ivp

        times = np.atleast_1d(np.asarray(t, float))

        def explodes(_: float, e: Array) -> float:
            return float(e[0] - LARGEST)

        explodes.terminal = True  # type: ignore[attr-defined]
        span = (0.0, max(float(times[-1]), 1e-9))
        fine: dict[str, Any] = {"rtol": RTOL, "atol": ATOL, "method": "DOP853"}
        run = solve_ivp(
            self._growth, span, [0.0], t_eval=times, events=explodes, **fine
        )
        found = np.full(len(times), np.inf)
        found[: run.y.shape[1]] = run.y[0] * (1 + ROUNDED_UP)
        return found

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖θ(t) − θ⁰(t)‖² and e(t)²; zeros where e is infinite."""
        times = np.array([to_float(time) for time in path.t])
        pairs = zip(path.weights, self.reference_weights(times), strict=True)
        gaps = [to_float_array(weight) - closed for weight, closed in pairs]
        squares = np.asarray(sum((gap**2).sum(axis=(-2, -1)) for gap in gaps))
        # both start together, up to the rounding of the closed form
        size = float(sum((w**2).sum() for w in self.problem.floats.weights))
        bound = self.bound(times) ** 2 + 1e-28 * size
        known = np.isfinite(bound)
        return np.where(known, squares, 0.0), np.where(known, bound, 0.0)

    def _strengths(self, t: Array) -> Array:
        """Return w_i(t), shape (times, k)."""
        modes = self.modes
        decay = np.exp(-2 * np.multiply.outer(t, modes.sigma))
        part = modes.start / modes.goal
        return np.asarray(modes.goal * part / (part + (1 - part) * decay))

    @cached_property
    def _shape(self) -> Array:
        """C, scaled to the size ε that is claimed."""
        found = residual(self.problem, self.modes)
        return np.asarray(found * (self.size / np.linalg.norm(found)))

    @cached_property
    def _largest(self) -> float:
        return float(np.linalg.norm(to_float_array(self.problem.arguments[0]), 2))

    def _growth(self, t: float, e: Array) -> list[float]:
        modes, C = self.modes, self._shape
        w = self._strengths(np.array([t]))[0]
        failing = (w[:, None] ** 1.5) * C, (w[:, None] * C @ modes.right) * w**0.5
        delta = np.sqrt(sum(np.sum(part**2) for part in failing))
        force = (w * modes.lam - modes.sigma)[:, None] * modes.right.T + w[:, None] * C
        rate = np.linalg.norm(force, 2) + self._largest * e[0] ** 2 / 16
        return [float(rate * e[0] + delta)]


def residual(problem: Problem, modes: Modes) -> Array:
    """Return C = VᵀΣ_xx − diag(λ)Vᵀ, shape (k, d)."""
    sigma_xx = to_float_array(problem.arguments[0])
    return np.asarray(modes.right.T @ sigma_xx - modes.lam[:, None] * modes.right.T)


def alignment_defect(data: Any) -> float:
    """Return ‖off-diagonal part of VᵀΣ_xxV‖_F/‖Σ_xx‖_F, V the right vectors of Σ_yx.

    It is 0 where both share singular vectors, as for whitened inputs and autoencoders.
    """
    moments = data.moments()
    sigma_xx = to_float_array(moments.sigma_xx)
    frame = np.linalg.svd(to_float_array(moments.sigma_yx))[2]
    turned = frame @ sigma_xx @ frame.T
    rest = turned - np.diag(np.diag(turned))
    return float(np.linalg.norm(rest) / np.linalg.norm(sigma_xx))
