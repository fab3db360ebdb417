"""A hidden layer of one neuron, balanced start, whitened input: W(t) = s u vᵀ.

With the target Z = Σ_yx = Σ z_i p_i q_iᵀ (z_1 ≥ z_2 ≥ …) and ρ = uᵀZv the flow of any
depth L ≥ 2 is (Eftekhari 2020)

    ṡ = L s^{2−2/L}(ρ − s),  u̇ = s^{1−2/L}(Zv − ρu),  v̇ = s^{1−2/L}(Zᵀu − ρv),

because every positive power of WWᵀ and WᵀW annihilates what is orthogonal to u and v.
In the clock dτ = s^{1−2/L}dt the pair x = (u; v)/√2 follows the power flow of the
symmetric matrix ℋ with blocks 0, Z, Zᵀ, 0, whose largest eigenvalue is z_1.

Which starts converge where depends on signs of numbers that may be tiny.  They are
computed from the numbers as given, with `DIGITS` digits, and count where they exceed
the error of that; conditions that hold only to rounding ask for √ of their defect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, end_to_end, to_float_array, to_mpf_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.numbers import WIDE, context_of, to_float
from symflow.algebra.products import matmul
from symflow.claims import Hypothesis, Identity, Path, structural
from symflow.claims.conditions import (
    balanced_start,
    dense_layers,
    on_flow,
    squared_loss,
    whitened_input,
)
from symflow.claims.example import Example, regression
from symflow.flow.problem import Problem

#: Digits in which the target is decomposed, through a Gram matrix of twice as many.
DIGITS = 60
#: What coefficients are good to: from fractions, from mpf, and from float64.
FROM_FRACTIONS, FROM_MPF, FROM_FLOATS = 1e-30, 1e-15, 1e-11
#: A larger target is decomposed in float64.
MOST_MODES, MOST_SIZE = 12, 64


@dataclass(frozen=True, eq=False)
class FirstMode:
    """The first mode of the target, in one arithmetic; made by `one_neuron`.

    `first` and `second` are z_1 and z_2, float or mpf, `left` and `right` p_1 and q_1.
    """

    depth: int
    first: Any
    second: Any
    left: Array
    right: Array

    def strength(self, product: Array) -> Array:
        """Return s = ‖W‖_F, shape (…)."""
        return np.asarray((product**2).sum(axis=(-2, -1)) ** 0.5)

    def overlap(self, product: Array) -> Array:
        """Return ab = (p_1ᵀu)(q_1ᵀv), shape (…)."""
        along = (product @ self.right) @ self.left
        return np.asarray(along / self.strength(product))

    def angle(self, product: Array) -> tuple[Array, Array]:
        """Return cos²φ and sin²φ of the angle of (u; v) with (p_1; q_1), per time."""
        pairs = [self._angle(matrix) for matrix in product]
        return np.asarray([c for c, _ in pairs]), np.asarray([s for _, s in pairs])

    def _angle(self, matrix: Array) -> tuple[Any, Any]:
        u, v = unit_pair(matrix)
        cosine = (u @ self.left + v @ self.right) / 2
        rest = ((u - cosine * self.left) ** 2).sum() + (
            (v - cosine * self.right) ** 2
        ).sum()
        return cosine**2, rest / 2


@dataclass(frozen=True, eq=False)
class Setting:
    """Target and start as they were given, in mpf; made by `setting`."""

    depth: int  #: L.
    values: Array  #: Shape (k,): the z_i that do not vanish, largest first.
    #: `left`, `right`, shapes (m, k) and (d, k): p_i and q_i.
    left: Array
    right: Array
    product: Array  #: Shape (m, d): W(0).
    error: float  #: What the coefficients of W(0) are good to.

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (m, d) of W."""
        rows, columns = self.product.shape
        return rows, columns

    @property
    def frame(self) -> FirstMode:
        """The first mode; z_1 = 0 for a target of zero."""
        values = [*self.values, 0, 0]
        if not len(self.values):
            ends = (np.zeros(size) for size in self.product.shape)
            return FirstMode(self.depth, 0, 0, *ends)
        ends = (side[:, 0] for side in (self.left, self.right))
        return FirstMode(self.depth, *values[:2], *ends)

    @property
    def lowest(self) -> Any:
        """The lower bound s_low on s at all times; not positive where none is."""
        frame, product = self.frame, self.product
        overlap = frame.overlap(product)[()]
        pull = frame.first * overlap - frame.second * (1 - overlap)
        return min(frame.strength(product)[()], pull)

    def separated(self, found: Iterable[Hypothesis]) -> Hypothesis:
        """Say whether z_1 > z_2, the two largest singular values."""
        first, second = self.frame.first, self.frame.second
        detail = f"z₁ = {to_float(first):.3g}, z₂ = {to_float(second):.3g}"
        gap = 1 - second / first if first else 0
        return self.clear("z₁ > z₂", gap, found, detail)

    def excited(self, found: Iterable[Hypothesis]) -> Hypothesis:
        """Say whether the flow ends at the first mode: cos φ(0) ≠ 0."""
        cosine = self.frame.angle(self.product[None])[0][0] ** 0.5
        detail = f"|cos φ| = {to_float(cosine):.3g}"
        return self.clear("p₁ᵀu + q₁ᵀv ≠ 0", cosine, found, detail)

    def bounded_below(self, words: str, found: Iterable[Hypothesis]) -> Hypothesis:
        """Say whether s_low > 0."""
        low, frame = self.lowest, self.frame
        size = max(frame.first, frame.strength(self.product)[()])
        detail = f"s ≥ {to_float(low):.3g} at all times"
        return self.clear(words, low / size, found, detail)

    def clear(
        self, words: str, value: Any, found: Iterable[Hypothesis], detail: str
    ) -> Hypothesis:
        """Require value > 0, of a number of size one, beyond what may be off.

        Of the other conditions that were `found` some may hold only up to rounding.
        """
        floor = self.error + 10 * sum(other.defect for other in found) ** 0.5
        if 0 < value <= floor:
            return Hypothesis(words, False, f"{detail}, which may be rounding")
        return Hypothesis(words, bool(value > floor), detail)


def unit_pair(matrix: Array) -> tuple[Array, Array]:
    """Return the unit vectors u and v of a matrix s u vᵀ, in its arithmetic."""
    rows = np.abs(matrix).max(axis=1)
    row = matrix[int(np.argmax(rows))] / max(rows)  # squares of tiny numbers vanish
    v = row / (row**2).sum() ** 0.5
    u = matrix @ v / max(rows)
    return u / (u**2).sum() ** 0.5, v


@lru_cache(maxsize=16)
def setting(problem: Problem) -> Setting:
    """Decompose the target and multiply out the start, as sharply as is affordable."""
    context = context_of(2 * DIGITS)
    shape = problem.arguments[1].shape
    small = min(shape) <= MOST_MODES and max(shape) <= MOST_SIZE and problem.is_small
    at = problem.sharp if small else problem.floats
    parts = _modes(at.arguments[1], context) if small else _rounded(at, context)
    error = FROM_FLOATS
    if small:
        error = FROM_FRACTIONS if is_rational(problem) else FROM_MPF
    product = to_mpf_array(end_to_end(at.weights), context)
    return Setting(problem.flow.network.depth, *parts, product, error)


def is_rational(problem: Problem) -> bool:
    """Say whether `sharp` are the numbers as given, and all rational."""
    arrays = [*problem.sharp.weights, *problem.sharp.arguments]
    fractions = all(isinstance(x, Fraction) for array in arrays for x in array.flat)
    return fractions and problem.given_weights is not None


def _modes(target: Array, context: Any) -> tuple[Array, Array, Array]:
    """Return the z_i, p_i and q_i with z_i > 0, from the smaller Gram matrix."""
    if target.shape[0] > target.shape[1]:
        values, right, left = _modes(target.T, context)
        return values, left, right
    matrix = to_mpf_array(target, context)
    squares, vectors = eigensystem(matmul(matrix, matrix.T), context)
    order = list(reversed(range(len(matrix))))
    floor = squares[order[0]] * context.mpf(10) ** (-DIGITS - DIGITS // 2)
    kept = [i for i in order if squares[i] > floor]
    values = np.array([context.sqrt(squares[i]) for i in kept], dtype=object)
    left = vectors[:, kept]
    return values, left, matrix.T @ left / values


def _rounded(at: Problem, context: Any) -> tuple[Array, Array, Array]:
    u, values, vt = np.linalg.svd(at.arguments[1], full_matrices=False)
    kept = values > FROM_FLOATS * values[0]
    parts = values[kept], u[:, kept], vt[kept].T
    values, left, right = (to_mpf_array(part, context) for part in parts)
    return values, left, right


def one_neuron(problem: Problem, path: Path | None = None) -> FirstMode:
    """Return the first mode of the target, in float64 or the arithmetic of `path`."""
    frame = setting(problem).frame
    number = to_float if path is None else path.number
    lift = to_float_array if path is None else path.lift
    ends = (lift(side) for side in (frame.left, frame.right))
    return FirstMode(frame.depth, number(frame.first), number(frame.second), *ends)


def start_of(problem: Problem) -> tuple[FirstMode, float, float]:
    """Return the frame of the target, and s and ab at the start, in float64."""
    given = setting(problem)
    strength = given.frame.strength(given.product)[()]
    overlap = given.frame.overlap(given.product)[()]
    return one_neuron(problem), to_float(strength), to_float(overlap)


def narrow_layer(problem: Problem) -> Hypothesis:
    """Say whether a hidden layer has one neuron."""
    hidden = problem.widths[1:-1]
    return structural("a hidden layer of one neuron", 1 in hidden, f"widths {hidden}")


def moving_start(problem: Problem) -> Hypothesis:
    """Say whether W(0) ≠ 0."""
    size = np.abs(setting(problem).product).max()
    detail = f"max|W(0)| = {WIDE.nstr(size, 3)}"
    return structural("a start other than zero", bool(size > 0), detail)


def separated(problem: Problem) -> Hypothesis:
    """Say whether z_1 > z_2."""
    return setting(problem).separated([whitened_input(problem)])


#: The conditions of all claims about one-neuron layers.
BALANCED = (
    on_flow(squared_loss),
    on_flow(dense_layers),
    narrow_layer,
    moving_start,
    whitened_input,
    balanced_start,
)
#: Those of all claims but the limits.
CONDITIONS = (*BALANCED, separated)


def overlap_grows() -> tuple[Identity, ...]:
    """Return why ab never falls and ρ ≥ z_1ab − z_2(1 − ab), where ab ≥ 0."""
    a, b, z, rho = sympy.symbols("a b z1 rho", real=True)
    slope = (z * b - rho * a) * b + a * (z * a - rho * b)
    lost = (1 - a * b) ** 2 - (1 - a**2) * (1 - b**2)
    return (
        Identity(
            "(ab)˙ = 2ab(z₁ − ρ) + z₁(a − b)² ≥ 0, as ȧ = z₁b − ρa, ḃ = z₁a − ρb",
            slope - 2 * a * b * (z - rho) - z * (a - b) ** 2,
        ),
        Identity(
            "ρ − z₁ab ≥ −z₂√((1 − a²)(1 − b²)) ≥ −z₂(1 − ab): the squares differ by "
            "(a − b)²",
            lost - (a - b) ** 2,
        ),
    )


def angle_falls() -> Identity:
    """Return why tan φ falls at the rate z_1 − z_2 in the clock τ."""
    c, rest, form, rho, first, second = sympy.symbols("c Y q rho z1 z2")
    slope = (2 * form - 2 * rho * rest) / c**2 - 2 * rest / c**3 * (first - rho) * c
    gap = -2 * (first - second) * rest / c**2 - 2 * (second * rest - form) / c**2
    return Identity(
        "x' = ℋx − ρx, c = xᵀe₁, y = x − ce₁: (|y|²/c²)' = −2(z₁ − z₂)|y|²/c² − "
        "2(z₂|y|² − yᵀℋy)/c², and yᵀℋy ≤ z₂|y|²",
        slope - gap,
    )


def aligned_example(key: str, *sizes: Any, second: Any = 1, **more: Any) -> Example:
    """Return a start near the first mode of diag(2, z_2), with layers in between.

    The `sizes` are those of the layers in between, and `more` is as of `Example`.
    """
    first = [[sympy.Rational(4, 5), sympy.Rational(3, 5)]]
    middle = [[[size]] for size in sizes]
    target = [[2, 0], [0, second]]
    return regression(key, target, first, *middle, [[1], [0]], **more)
