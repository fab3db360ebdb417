"""Sequential learning: each mode is learned at its own time, the strongest first.

Gidel, Bach, Lacoste-Julien (2019), two layers; their XW_1W_2 is our (W_2W_1Xᵀ)ᵀ.
Where Σ_xx = Σ λ_i v_iv_iᵀ and Σ_yx = Σ σ_i u_iv_iᵀ (σ_i > 0) share singular vectors
and the start is balanced with W(0) = Σ w_i(0) u_iv_iᵀ, w_i(0) > 0, mode i is a
logistic curve

    w_i(t) = w*_i / (1 + e^{−2σ_i(t − t_i)}),   w*_i = σ_i/λ_i,
    t_i = ln(w*_i/w_i(0) − 1)/(2σ_i),

centred at its phase time t_i.  For starts w_i(0) = e^{−2δ}, δ → ∞, t_i/δ → 1/σ_i: in
the clock t/δ the flow jumps from one of W_k = Σ_{i≤k} w*_i u_iv_iᵀ to the next.  Any
time is this near to one of them:

    ‖W(t) − W_k‖² ≤ Σ_{i≤k} w*_i² e^{−4σ_i(t−t_i)} + Σ_{i>k} w*_i² e^{−4σ_i(t_i−t)},

where i ≤ k now counts the modes in the order of their phase times.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.claims import (
    TOLERANCE,
    Bound,
    Hypothesis,
    Path,
    Refusal,
    Theorem,
    all_hold,
)
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import (
    balanced_start,
    dense_layers,
    squared_loss,
)
from symflow.convergence.bound import ROUNDED_DOWN, end_to_end
from symflow.flow.problem import Problem
from symflow.inits import singular_frames


@dataclass(frozen=True, eq=False)
class Modes:
    """The joint modes of data and start, those with σ_i > 0; made by `joint_modes`.

    Parameters
    ----------
    left, right : ndarray, shapes (m, k) and (d, k)
        u_i and v_i.
    sigma, lam, start : ndarray, shape (k,)
        σ_i, λ_i and w_i(0).
    defect : float
        By how much the data and the start fail to be of this form, relative.
    """

    left: Array
    right: Array
    sigma: Array
    lam: Array
    start: Array
    defect: float

    @property
    def goal(self) -> Array:
        """The strengths w*_i = σ_i/λ_i that the flow learns."""
        return np.asarray(self.sigma / self.lam)

    @property
    def times(self) -> Array:
        """The phase times t_i, at which half of the strength is learned."""
        return np.asarray(np.log(self.goal / self.start - 1) / (2 * self.sigma))


@dataclass(frozen=True, eq=False, repr=False)
class Staircase(Bound, Theorem):
    """The flow stays near the partial sums W_k, with explicit exponentials."""

    source = GIDEL_2019

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        if all_hold(found):
            modes = joint_modes(problem)
            words, detail = (
                "Σ_xx, Σ_yx and W(0) share singular vectors",
                f"off by {modes.defect:.2g} relative",
            )
            found += [
                balanced_start(problem),
                Hypothesis(words, modes.defect <= TOLERANCE, detail, modes.defect),
                _small_start(modes),
            ]
        return cls(problem, tuple(found)) if all_hold(found) else cls.refuse(found)

    @cached_property
    def modes(self) -> Modes:
        """The joint modes of data and start."""
        return joint_modes(self.problem)

    @property
    def statement(self) -> sympy.Basic:
        """The smallest ‖W(t) − W_k‖ is at most the bound."""
        t = sympy.Symbol("t", nonnegative=True)
        nearest, bound = sympy.Function("nearest"), sympy.Function("bound")
        return sympy.Le(nearest(t), bound(t), evaluate=False)

    @property
    def stages(self) -> Array:
        """The end-to-end matrices W_0 = 0, W_1, …, in the order of phase times."""
        order, modes = np.argsort(self.modes.times), self.modes
        rank_one = np.einsum("ik,jk,k->kij", modes.left, modes.right, modes.goal)
        first = np.zeros_like(rank_one[:1])
        return np.concatenate([first, np.cumsum(rank_one[order], axis=0)])

    def bound(self, t: Array) -> Array:
        """Return the bounds on ‖W(t) − W_k‖²_F, shape (times, stages)."""
        order, modes = np.argsort(self.modes.times), self.modes
        sigma, goal, phase = (
            part[order] for part in (modes.sigma, modes.goal, modes.times)
        )
        ahead = 4 * sigma * (np.asarray(t, dtype=float)[:, None] - phase)
        # a mode is never further from either end than its whole strength
        learned, absent = (np.exp(-np.maximum(side, 0)) for side in (ahead, -ahead))
        done = np.cumsum(np.pad(goal**2 * learned, ((0, 0), (1, 0))), axis=1)
        left = np.cumsum(np.pad(goal**2 * absent, ((0, 0), (0, 1)))[:, ::-1], axis=1)
        return np.asarray((done + left[:, ::-1]) * (1 + ROUNDED_DOWN))

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W(t) − W_k‖² and its bound, for the stage k of smallest bound."""
        bounds = self.bound(np.array([to_float(time) for time in path.t]))
        nearest = np.argmin(bounds, axis=1)
        gaps = path.end_to_end - path.lift(self.stages[nearest])
        larger = [path.number(float(bound)) for bound in bounds.min(axis=1)]
        return (gaps**2).sum(axis=(-2, -1)), np.asarray(larger)


def joint_modes(problem: Problem) -> Modes:
    """Return the modes of Σ_yx that have σ_i > 0, with λ_i and w_i(0) on them."""
    sigma_xx, sigma_yx = (to_float_array(array) for array in problem.arguments)
    frames = singular_frames(sigma_yx, metric=sigma_xx)
    kept = frames.values > TOLERANCE * frames.values[0]
    left, right = frames.left[:, kept], frames.right[:, kept]
    product = end_to_end(problem.floats.weights)
    lam = np.einsum("ik,ij,jk->k", right, sigma_xx, right)
    start = np.einsum("ik,ij,jk->k", left, product, right)
    gaps = (sigma_xx @ right - right * lam, product - (left * start) @ right.T)
    sizes = (np.linalg.norm(sigma_xx), np.linalg.norm(product) or 1.0)
    defect = max(
        float(np.linalg.norm(gap) / size) for gap, size in zip(gaps, sizes, strict=True)
    )
    return Modes(left, right, frames.values[kept], lam, start, defect)


def _small_start(modes: Modes) -> Hypothesis:
    words = "every mode starts between 0 and its goal"
    if not len(modes.sigma):
        return Hypothesis(words, False, "Σ_yx = 0 has no modes")
    parts = modes.start * modes.lam / modes.sigma
    holds = bool(np.all((parts > 0) & (parts < 1)))
    detail = f"w_i(0)/w*_i from {parts.min():.2g} to {parts.max():.2g}"
    return Hypothesis(words, holds, detail)
