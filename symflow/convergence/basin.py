"""One-neuron layer: the flow of W alone, and where each start ends.

Notation of `convergence/one_neuron.py`; Z = Σ z_kp_kq_kᵀ and F = Z − W.

Induced flow (Eftekhari 2020).  W = s u vᵀ obeys an equation of its own, at any depth:

    Ẇ = s^{2−2/L} (uuᵀF + F vvᵀ + (L − 2) uuᵀF vvᵀ).

Limit.  In the clock τ the pair x = (u; v)/√2 follows x' = ℋx − ρx, so that its
coefficients c_k = (p_kᵀu + q_kᵀv)/2 grow against each other as e^{z_kτ}: the first
group of equal z_k > 0 in which some c_k(0) ≠ 0 wins, its part cos²φ of x never falls,

    W(∞) = z_k Σc_jp_j Σc_jq_jᵀ / Σc_j²,

and s → 0, W → 0 where all these coefficients vanish.  W(∞) = z_1p_1q_1ᵀ fails only on
a hyperplane of starts; every other limit is a saddle, which flows near it leave at the
rate z_k^{1−2/L}(z_1 − z_k).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import (
    TOLERANCE,
    Bound,
    Hypothesis,
    Path,
    Refusal,
    Theorem,
    all_hold,
    relative_size,
)
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.convergence.bound import end_to_end
from symflow.convergence.one_neuron import conditions, unit_pair
from symflow.flow.problem import Problem
from symflow.inits import singular_frames

#: A coefficient of the unit vector x below this counts as zero.
VANISHING = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class InducedFlow(Theorem):
    """W(t) = s u vᵀ moves by an equation of its own; made by `attempt`.

    Parameters
    ----------
    depth : int
        L.
    """

    depth: int

    source = EFTEKHARI_2020

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim, or the hypotheses that fail."""
        found = _conditions(problem)
        if all_hold(found):
            return cls(problem, tuple(found), problem.flow.network.depth)
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """Ẇ = s^{2−2/L}(uuᵀF + Fvvᵀ + (L−2)uuᵀFvvᵀ)."""
        m, d = self.problem.widths[-1], self.problem.widths[0]
        Wdot, F = sympy.MatrixSymbol("Wdot", m, d), sympy.MatrixSymbol("F", m, d)
        u, v = sympy.MatrixSymbol("u", m, 1), sympy.MatrixSymbol("v", d, 1)
        power = sympy.Symbol("s", positive=True) ** (2 - sympy.Rational(2, self.depth))
        inside = u * u.T * F + F * v * v.T + (self.depth - 2) * u * u.T * F * v * v.T
        return sympy.Eq(Wdot, power * inside, evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return the gap between Ẇ from the layers and from W alone, relative."""
        target = path.lift(self.problem.exact_arguments[1])
        gaps = []
        for index, product in enumerate(path.end_to_end):
            force = target - product
            moved = _moved([weight[index] for weight in path.weights], force)
            gap = moved - self._induced(path, product, force)
            scale = abs(moved).max() + 1e-3 * abs(product).max()
            gaps.append(relative_size(gap, np.array([scale])))
        return np.asarray(gaps)

    def _induced(self, path: Path, product: Array, force: Array) -> Array:
        u, v = unit_pair(product)
        left, right = np.outer(u, u), np.outer(v, v)
        square = (product**2).sum()
        size = square ** path.number(sympy.Rational(self.depth - 1, self.depth))
        both = left @ force @ right
        inside = left @ force + force @ right + (self.depth - 2) * both
        return np.asarray(size * inside)


@dataclass(frozen=True, eq=False, repr=False)
class RankOneLimit(Bound, Theorem):
    """Where the flow ends, from any start; made by `attempt`.

    Parameters
    ----------
    group : tuple of int
        The numbers k, from 0, of the modes that win; empty if W → 0.
    """

    group: tuple[int, ...]

    source = EFTEKHARI_2020

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        found = _conditions(problem)
        if not all_hold(found):
            return cls.refuse(found)
        frames = singular_frames(to_float_array(problem.arguments[1]))
        sizes = np.abs(_coefficients(frames, end_to_end(problem.floats.weights)))
        seen = (sizes > VANISHING) & (frames.values > TOLERANCE * frames.values[0])
        if not np.any(seen):
            return cls(problem, tuple(found), ())
        value = frames.values[np.argmax(seen)]
        near = np.abs(frames.values - value) <= TOLERANCE * frames.values[0]
        return cls(problem, tuple(found), tuple(map(int, np.flatnonzero(near))))

    @cached_property
    def limit(self) -> Array:
        """W(∞) in float64."""
        frames = singular_frames(to_float_array(self.problem.arguments[1]))
        start = end_to_end(self.problem.floats.weights)
        if not self.group:
            return np.zeros_like(start)
        modes = list(self.group)
        parts = _coefficients(frames, start)[modes]
        u, v = frames.left[:, modes] @ parts, frames.right[:, modes] @ parts
        return np.asarray(frames.values[modes[0]] * np.outer(u, v) / (parts @ parts))

    @property
    def statement(self) -> sympy.Basic:
        """W(∞) = the winning modes."""
        m, d = self.problem.widths[-1], self.problem.widths[0]
        limit = sympy.MatrixSymbol("Winf", m, d)
        if not self.group:
            return sympy.Eq(limit, sympy.ZeroMatrix(m, d), evaluate=False)
        k = self.group[0] + 1
        p, q = (
            sympy.MatrixSymbol(f"{name}{k}", n, 1) for name, n in (("p", m), ("q", d))
        )
        return sympy.Eq(limit, sympy.Symbol(f"z{k}") * p * q.T, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return cos²φ at the first time and at every time; s² where W → 0."""
        if not self.group:
            sizes = (path.end_to_end**2).sum(axis=(-2, -1))
            return sizes, np.asarray([sizes[0] for _ in path.t])
        digits = None if path.context is None else path.digits
        frames = singular_frames(self.problem.exact_arguments[1], digits)
        modes = list(self.group)
        left, right = (
            path.lift(side[:, modes]) for side in (frames.left, frames.right)
        )
        cosines = []
        for product in path.end_to_end:
            u, v = unit_pair(product)
            cosines.append((((u @ left + v @ right) / 2) ** 2).sum())
        return np.asarray([cosines[0] for _ in path.t]), np.asarray(cosines)


def escape_rate(depth: int, first: float, mode: float) -> float:
    """Return z_k^{1−2/L}(z_1 − z_k), the rate at which flows leave the saddle z_k.

    Parameters
    ----------
    depth : int
        L.
    first, mode : float
        z_1 and z_k.

    Examples
    --------
    >>> [round(escape_rate(depth, 2.0, 0.5), 4) for depth in (2, 3, 4)]
    [1.5, 1.1906, 1.0607]
    """
    return float(mode ** (1 - 2 / depth) * (first - mode))


def _conditions(problem: Problem) -> list[Hypothesis]:
    """Return the conditions of all claims about one neuron but the gap z_1 > z_2."""
    return [found for found in conditions(problem) if found.words != "z₁ > z₂"]


def _coefficients(frames: Any, product: Array) -> Array:
    """Return the c_k of a matrix s u vᵀ."""
    u, v = unit_pair(product)
    return np.asarray((u @ frames.left + v @ frames.right) / 2)


def _moved(weights: list[Array], force: Array) -> Array:
    """Return Ẇ = Σ_l B_lB_lᵀ F A_lᵀA_l, layer by layer."""
    total, before = 0 * force, None
    for layer, _ in enumerate(weights):
        after = None
        for weight in weights[:layer:-1]:
            after = weight if after is None else after @ weight
        part = force if before is None else force @ before.T @ before
        total = total + (part if after is None else after @ after.T @ part)
        before = weights[layer] if before is None else weights[layer] @ before
    return np.asarray(total)
