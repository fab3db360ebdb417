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

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import (
    Array,
    end_to_end,
    map_entries,
    to_float_array,
    to_mpf_array,
)
from symflow.algebra.numbers import context_of, exact, to_float
from symflow.algebra.outward import float_down, float_up
from symflow.algebra.rank import decide_rank
from symflow.algebra.rational import exactly_aligned
from symflow.algebra.threads import cached_property
from symflow.claims import (
    Bound,
    Hypothesis,
    Identity,
    Path,
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
from symflow.claims.example import Example, Examples, RandomExamples, restarted
from symflow.claims.hypothesis import UNSEEN
from symflow.convergence.bound import ROUNDED_DOWN, falling
from symflow.convergence.one_neuron import MOST_MODES, MOST_SIZE
from symflow.data import whitened
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.inits import singular_frames, spectral_init
from symflow.networks import LinearNetwork

#: What strengths computed with `CHECK_DIGITS` digits are good to, relative.
FAINT = 1e-20
#: The same in float64, and by how much a start may be off to be looked at more closely.
ROUNDED, NEARLY = 1e-11, 1e-6
#: Singular values of Σ_yx from which on a mode is one, relative to the largest.
VISIBLE = 1e-12


@dataclass(frozen=True, eq=False)
class Modes:
    """The joint modes of data and start, those with σ_i > 0; made by `joint_modes`."""

    #: `left`, `right`, shapes (m, k) and (d, k): u_i and v_i.
    left: Array
    right: Array
    #: `sigma`, `lam`, `start`, shape (k,): σ_i, λ_i and w_i(0).
    sigma: Array
    lam: Array
    start: Array
    #: `defect`, `off`: by how much the data and the start fail to be of this form, and
    #: the start alone, relative to the largest mode.
    defect: float
    off: float
    #: `coupling`, `beside`: by how much Σ_xx couples the modes to each other and to the
    #: rest, and by how much W(0) is of another form, each relative to the modes that it
    #: couples.
    coupling: float
    beside: float
    error: float  #: What the strengths are good to, relative to the largest.

    @property
    def goal(self) -> Array:
        """The strengths w*_i = σ_i/λ_i that the flow learns."""
        return np.asarray(self.sigma / self.lam)

    @property
    def times(self) -> Array:
        """The phase times t_i, at which half of the strength is learned."""
        ratios = self.goal / self.start - 1
        logs = (
            map_entries(lambda x: x.context.log(x), ratios)
            if ratios.dtype == object
            else np.log(ratios)
        )
        return np.asarray(logs / (2 * self.sigma))


def has_target(problem: Problem) -> Hypothesis:
    """Say whether Σ_yx ≠ 0, of a rank that can be told."""
    target, words = problem.arguments[1], "Σ_yx ≠ 0, of a rank that can be told"
    rank = decide_rank(target)
    told = len(joint_modes(problem).sigma) == rank.value > 0 and rank.is_clear
    return Hypothesis(words, told, str(rank), exact=rank.exact, structural=True)


def shared_vectors(problem: Problem) -> Hypothesis:
    """Say whether Σ_xx, Σ_yx and W(0) share singular vectors."""
    words = "Σ_xx, Σ_yx and W(0) share singular vectors"
    modes = sharp_modes(problem)
    defect = told_exactly(problem, max(modes.coupling, modes.beside))
    return vanishing(words, defect, "off", given_exactly=problem.given_exactly)


def told_exactly(problem: Problem, defect: Any, *, inputs: bool = True) -> Any:
    """Return a defect of shared singular vectors, not below what mpf can tell.

    Fractions say whether there is any; with or without those of the `inputs`.
    """
    numbers = problem.rational
    if numbers is None or not problem.is_small:
        return defect
    gram, target = numbers.arguments
    gram = gram if inputs else np.eye(len(gram), dtype=int)
    aligned = exactly_aligned(gram, target, end_to_end(numbers.weights))
    return max(defect, UNSEEN) if aligned is False else defect


def small_start(problem: Problem) -> Hypothesis:
    """Say whether every mode starts between 0 and its goal."""
    modes = sharp_modes(problem)
    parts = modes.start * modes.lam / modes.sigma
    floor = modes.error * max(abs(modes.start))
    below = (parts > 0) & (parts < 1 - modes.error)
    inside = all(modes.start > floor) and all(below)
    low, high = to_float(min(parts)), to_float(max(parts))
    detail = f"w_i(0)/w*_i from {low:.2g} to {high:.2g}"
    return Hypothesis("every mode starts between 0 and its goal", inside, detail)


@dataclass(frozen=True, eq=False, repr=False)
class Staircase(Bound, Theorem):
    """The flow stays near the partial sums W_k, with explicit exponentials."""

    source = GIDEL_2019
    contributes = "the equations and phases; the bound with its constants is ours"
    where = (
        "W_k is the sum of the first k modes of the minimizer, in the order in "
        "which they are learned"
    )
    conditions = (
        on_flow(squared_loss),
        on_flow(dense_layers, 2),
        has_target,
        balanced_start,
        shared_vectors,
        small_start,
    )

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the curve of a mode, and its distance from both ends."""
        w, goal, sigma, time, phase = sympy.symbols("w g sigma t t_i", positive=True)
        x = 2 * sigma * (time - phase)
        curve = goal / (1 + sympy.exp(-x))
        slope = curve.diff(time) - 2 * curve * (sigma - sigma / goal * curve)
        start = goal / (1 + (goal / w - 1))
        return (
            Identity("ẇ = 2w(σ − λw), λ = σ/w*: the logistic curve", slope),
            Identity("2σt_i = ln(w*/w(0) − 1): its value at 0", start - w),
            Identity(
                "(w* − w)e^x = w, so that w* − w ≤ w*e^{−x}, and w ≤ w*e^x",
                (goal - curve) * sympy.exp(x) - curve,
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return three modes from a small spectral start, and random ones."""
        target = whitened([[3, 0, 0], [0, 2, 0], [0, 0, 1]])
        return (
            Example(
                "gidel-stairs",
                LinearNetwork(3, 3, 3),
                target,
                spectral_init(sympy.Rational(1, 100)),
                tuple(range(13)),
                false=restarted(0.1),
            ),
            RandomExamples(
                "many-stairs", random_problems.spectral(3, 3, 2), restarted(0.1)
            ),
        )

    @cached_property
    def modes(self) -> Modes:
        """The joint modes of data and start, in float64."""
        return _rounded(sharp_modes(self.problem))

    @property
    def statement(self) -> sympy.Basic:
        """‖W(t) − W_k‖² ≤ the bound of the module for every k, with its numbers."""
        t, (m, d) = sympy.Symbol("t", nonnegative=True), self.stages[0].shape
        W, sides, parts = sympy.MatrixSymbol("W", m, d), [], self._ordered(self.modes)
        for k in range(len(parts[0]) + 1):
            gap, bound = W - sympy.MatrixSymbol(f"W_{k}", m, d), sympy.S.Zero
            for i, (sigma, goal, phase) in enumerate(zip(*parts, strict=True)):
                rate = float_down(4 * sigma * (1 - ROUNDED_DOWN))
                if i < k:
                    shift, falls = exact(rate) * exact(float_up(phase)), -rate * t
                else:
                    shift, falls = -exact(rate) * exact(float_down(phase)), rate * t
                decay = float_up(sympy.exp(shift)) * sympy.exp(falls)
                size = float_up(goal**2 * (1 + ROUNDED_DOWN))
                bound += size * sympy.Min(1, decay)
            sides.append(sympy.Le(sympy.Trace(gap * gap.T), bound, evaluate=False))
        return sympy.And(*sides, evaluate=False)

    @property
    def stages(self) -> Array:
        """The end-to-end matrices W_0 = 0, W_1, …, in the order of phase times."""
        return self._stages(self.modes)

    def bound(self, t: Array) -> Array:
        """Return the bounds on ‖W(t) − W_k‖²_F, shape (times, stages)."""
        times = np.asarray(t, dtype=float)
        return self._bounds(self.modes, times, falling) * (1 + ROUNDED_DOWN)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W(t) − W_k‖² and its bound, for the stage k of smallest bound."""
        if path.context is None:
            bounds, stages = self.bound(to_float_array(path.t)), self.stages
        else:
            modes = joint_modes(self.problem, path.digits)
            times = np.array([path.number(exact(time)) for time in path.t])
            bounds = self._bounds(modes, times, lambda x: map_entries(_falling, x))
            stages = self._stages(modes)
        nearest = np.argmin(bounds, axis=1)
        gaps = path.end_to_end - path.lift(stages[nearest])
        larger = [path.number(bound) for bound in bounds.min(axis=1)]
        return (gaps**2).sum(axis=(-2, -1)), np.asarray(larger)

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the square of what is learned."""
        goal = path.number(float(np.sum(self.modes.goal**2)))
        return max(super().scale(path, larger), goal)

    @staticmethod
    def _ordered(modes: Modes) -> tuple[Array, Array, Array]:
        """Return σ, w* and t_i in the order of phase times."""
        order = np.argsort(to_float_array(modes.times))
        return modes.sigma[order], modes.goal[order], modes.times[order]

    @staticmethod
    def _stages(modes: Modes) -> Array:
        order = np.argsort(to_float_array(modes.times))
        parts = [
            np.multiply.outer(modes.left[:, k], modes.right[:, k]) * modes.goal[k]
            for k in order
        ]
        return np.cumsum([0 * parts[0], *parts], axis=0)

    def _bounds(self, modes: Modes, times: Array, decay: Any) -> Array:
        sigma, goal, phase = self._ordered(modes)
        ahead = 4 * sigma * (times[:, None] - phase)
        # a mode is never further from either end than its whole strength
        learned, absent = (decay(np.maximum(side, 0)) for side in (ahead, -ahead))
        done = np.cumsum(np.pad(goal**2 * learned, ((0, 0), (1, 0))), axis=1)
        left = np.cumsum(np.pad(goal**2 * absent, ((0, 0), (0, 1)))[:, ::-1], axis=1)
        return np.asarray(done + left[:, ::-1])


@lru_cache(maxsize=16)
def sharp_modes(problem: Problem) -> Modes:
    """Return the modes of the numbers as given, in mpf where it matters and can be."""
    rough, shape = joint_modes(problem), problem.arguments[1].shape
    small = min(shape) <= MOST_MODES and max(shape) <= MOST_SIZE and problem.is_small
    worthwhile = small and rough.off <= NEARLY
    return joint_modes(problem, CHECK_DIGITS) if worthwhile else rough


def joint_modes(problem: Problem, digits: int | None = None) -> Modes:
    """Return the modes of Σ_yx that have σ_i > 0, with λ_i and w_i(0) on them.

    Without `digits` they are in float64.
    """
    at = problem.floats if digits is None else problem.at(digits)
    frames = singular_frames(at.arguments[1], digits, metric=at.arguments[0])
    values = to_float_array(frames.values)
    kept = values > VISIBLE * values.max(initial=0.0)
    left, right = frames.left[:, kept], frames.right[:, kept]
    sigma_xx, product = at.arguments[0], end_to_end(at.weights)
    if digits is not None:
        context = context_of(2 * digits)
        sigma_xx, product = (to_mpf_array(x, context) for x in (sigma_xx, product))
    turned, inside = right.T @ sigma_xx @ right, left.T @ product @ right
    gaps = sigma_xx @ right - right * np.diag(turned)
    rest = product - (left * np.diag(inside)) @ right.T
    among = left.T @ rest @ right
    size = float(np.abs(to_float_array(product)).max()) or 1.0
    off = _norm(rest, product)
    outside = to_float(np.abs(rest - left @ among @ right.T).max()) / size
    return Modes(
        *(left, right, frames.values[kept], np.diag(turned), np.diag(inside)),
        defect=max(_norm(gaps, sigma_xx), off),
        off=off,
        coupling=_relative(right.T @ gaps, np.diag(turned)) + _norm(gaps, sigma_xx),
        beside=max(_relative(among, np.diag(inside)), outside),
        error=ROUNDED if digits is None else FAINT,
    )


def _relative(matrix: Array, diagonal: Array) -> float:
    """Return max|M_ij|/√|d_id_j|; infinite for a coupling to a mode of size zero."""
    entries, sizes = to_float_array(matrix), np.abs(to_float_array(diagonal)) ** 0.5
    scale = np.outer(sizes, sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(entries == 0, 0.0, np.abs(entries) / scale)
    return float(ratios.max(initial=0.0))


def _norm(matrix: Array, scale: Array) -> float:
    top, bottom = (np.linalg.norm(to_float_array(part)) for part in (matrix, scale))
    return float(top / (bottom or 1.0))


def _falling(exponent: Any) -> Any:
    return exponent.context.exp(-exponent) if exponent else 1


def _rounded(modes: Modes) -> Modes:
    names = ("left", "right", "sigma", "lam", "start")
    parts: Any = {name: to_float_array(getattr(modes, name)) for name in names}
    return replace(modes, **parts)
