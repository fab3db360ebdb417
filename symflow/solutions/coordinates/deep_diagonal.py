"""Diagonal networks of depth L ≥ 3, orthogonal design: the time as an integral.

Each coordinate has the flow ẇ_l = (σ − λβ) Π_{k≠l} w_k with β = w_1⋯w_L.  All w_l² − p²
are conserved, p the weight of smallest size, so that with D_l = w_l(0)² − p(0)²

    t = ∫_{p(0)}^{p} ds / (G(s)(σ − λ s G(s))),       G(s) = ±Π_l √(s² + D_l).

For β = u_1∘⋯∘u_L − v_1∘⋯∘v_L from u_l = a, v_l = b > 0, with k = L − 2,

    t = ∫₀^ξ dx / (σ − λ((a^{−k} − kx)^{−L/k} − (b^{−k} + kx)^{−L/k})).

These are the maps of the potentials of Yun, Krishnan, Mobahi (2021) and Woodworth et
al. (2020) along their flow.  `coordinate_curves` inverts it.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis
from symflow.claims.bibliography import WOODWORTH_2020
from symflow.flow.coordinates import Coordinates
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of
from symflow.solutions.conditions import squared_loss
from symflow.solutions.coordinates.coordinate_curves import (
    Balanced,
    Course,
    Difference,
    Pivot,
)
from symflow.solutions.coordinates.independent_coordinates import (
    LAM,
    SIGMA,
    SeparableSolution,
    T,
    coordinates_of,
    orthogonal_design,
    seen_targets,
    separable_network,
)
from symflow.solutions.derivation import Step, squares
from symflow.solutions.reduction import coordinate_step
from symflow.solutions.time.power_series import deep_strengths

W, START, S = sympy.symbols("p p0 s", real=True)
XI, X = sympy.symbols("xi x", real=True)
A, B, DEPTH = sympy.symbols("a b L", positive=True)

#: A point at which a wrong formula shows.
SAMPLE = {SIGMA: 3, LAM: 2, W: sympy.Rational(1, 3), A: 1, B: 2, DEPTH: 5}


def generic_start(problem: Problem) -> Hypothesis:
    """Require a start from which every coordinate is on a known curve."""
    found = coordinates_of(problem, CHECK_DIGITS)
    if found.kind == "product":
        words = "one weight of each coordinate smallest in size, or all alike"
    else:
        words = "all u_l of a coordinate equal and positive, all v_l too"
    columns = enumerate(zip(*found.amplitudes, strict=True))
    bad = [j for j, w in columns if found.lam[j] and not _known(found.kind, w)]
    detail = f"not so in coordinate {bad[0] + 1}" if bad else ""
    return Hypothesis(words, not bad, detail)


def _known(kind: str, column: tuple[Any, ...]) -> bool:
    if kind != "product":
        half = len(column) // 2
        sides = column[:half], column[half:]
        return all(w == side[0] > 0 for side in sides for w in side)
    sizes = sorted(abs(w) for w in column)
    alike = sizes[0] in (0, sizes[-1])
    return bool(alike or sizes[0] < sizes[1])


@final
class DeepDiagonalMode(SeparableSolution):
    """The flow of a deep diagonal network, orthogonal design; made by `solve`."""

    source: ClassVar = WOODWORTH_2020
    contributes: ClassVar = "the mirror flow; solved by quadrature here"
    where: ClassVar = (
        "p is the weight of least size of a coordinate, p₀ at the start, the others "
        "are w_l² = p² + D_l; for two sides ξ = ∫(σ − λβ); σ and λ are those of "
        "Σ_yx and Σ_xx"
    )
    unknown: ClassVar = T
    conditions: ClassVar = (
        squared_loss,
        partial(separable_network, least=3, most=None),
        orthogonal_design,
        seen_targets,
        generic_start,
    )

    @property
    def formula(self) -> sympy.Expr:
        """The time, as a function of the smallest weight p or of ξ."""
        return self.formulas[0]

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The time, and the curve on which the weights move."""
        if self.coordinates.kind == "product":
            gaps = _gaps(self.depth)
            others = _others(S, gaps)
            time = 1 / (others * (SIGMA - LAM * S * others))
            return sympy.Integral(time, (S, START, W)), sympy.sqrt(W**2 + gaps[0])
        k = DEPTH - 2
        plus = (A**-k - k * X) ** (-1 / k)
        minus = (B**-k + k * X) ** (-1 / k)
        time = 1 / (SIGMA - LAM * (plus**DEPTH - minus**DEPTH))
        return sympy.Integral(time, (X, 0, XI)), plus, minus

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residuals of the flow, in p or in ξ as the time.

        Product: (dt/dp) ṗ = 1 and d√(p² + D)/dp · ṗ = ẇ_l.  Difference: (dt/dξ) ξ̇ = 1,
        da/dξ = a^{L−1}, db/dξ = −b^{L−1} and the values at ξ = 0.
        """
        time, *curve = formulas
        if XI not in time.free_symbols:
            return _product_residual(time, curve[0])
        plus, minus = curve
        force = SIGMA - LAM * (plus**DEPTH - minus**DEPTH)
        parts = [
            time.diff(XI).subs(XI, X) * force - 1,
            plus.diff(X) - plus ** (DEPTH - 1),
            minus.diff(X) + minus ** (DEPTH - 1),
            plus.subs(X, 0) - A,
            minus.subs(X, 0) - B,
            time.limits[0][1],
        ]
        return _squares(parts, {X: sympy.Rational(1, 9)})

    def _derived(self) -> tuple[Step, ...]:
        if self.coordinates.kind != "product":
            a, xi = sympy.Function("a")(T), sympy.Function("xi")(T)
            force = sympy.Symbol("f")
            grown = sympy.Eq(a.diff(T), a ** (DEPTH - 1) * force)
            inverse = (a ** (2 - DEPTH) + (DEPTH - 2) * xi).diff(T)
            kept = inverse.subs({a.diff(T): grown.rhs, xi.diff(T): force})
            constant = sympy.Eq(a ** (2 - DEPTH) + (DEPTH - 2) * xi, A ** (2 - DEPTH))
            side = sympy.Symbol("a")
            alike = sympy.Mul(*[side] * (self.depth - 1)) * force
            moved = (grown.rhs.subs(a, side)).subs(DEPTH, self.depth)
            return (
                coordinate_step(self.depth, 2),
                Step("each side obeys, with the force f = ξ̇", grown, alike - moved),
                Step("so that", constant, sympy.powsimp(sympy.expand(kept))),
                Step("and for v with −ξ; apart", self.statement, self.verify()),
            )
        p, w = sympy.Function("p")(T), sympy.Function("w")(T)
        rest, force = sympy.symbols("r f")
        speeds = {p.diff(T): w * rest * force, w.diff(T): p * rest * force}
        kept = (w**2 - p**2).diff(T).subs(speeds)
        others = _others(p, _gaps(self.depth))
        speed = others * (SIGMA - LAM * p * others)
        conserved = sympy.Eq((w**2 - p**2).diff(T), 0, evaluate=False)
        alone = sympy.symbols(f"w2:{self.depth + 1}", positive=True)
        product = sympy.Mul(*alone)
        pulled = product * (SIGMA - LAM * p * product)
        placed = zip(alone, _gaps(self.depth), strict=True)
        pulled = pulled.subs({w: sympy.sqrt(p**2 + gap) for w, gap in placed}) - speed
        return (
            coordinate_step(self.depth, 1),
            Step("w² − p² is conserved", conserved, sympy.expand(kept)),
            Step("the smallest weight obeys", sympy.Eq(p.diff(T), speed), pulled),
            Step("apart", self.statement, self.verify()),
        )

    @cached_property
    def _courses(self) -> list[Course | None]:
        return courses(self.coordinates)

    @property
    def _lost(self) -> int:
        # the wait near zero
        sizes = [abs(w) for a in self.coordinates.amplitudes for w in a if w]
        least = float(min(sizes, default=1.0))
        wait = self.depth * max(0, -int(np.log10(max(least, 1e-300)) - 1))
        return super()._lost + wait

    def strengths(self, t: Any) -> Array:
        times = float_times(t)
        columns = [
            self._faded(j, times)
            if course is None
            else course.sign * course.height(course.places(times), np)
            for j, course in enumerate(self._courses)
        ]
        return np.stack(columns, axis=-1)

    def _faded(self, j: int, times: Array) -> Array:
        """Return ρ_j where it is at rest, or fades to zero."""
        context, found = context_of(CHECK_DIGITS), self.coordinates
        rising, places = np.unique(times, return_inverse=True)
        values = _fading(context, found, j, [context.mpf(x) for x in rising.tolist()])
        return np.array([float(x) for x in values])[places.reshape(times.shape)]

    def strengths_mpf(self, found: Coordinates, context: Any, time: Any) -> list[Any]:
        values = []
        for j, course in enumerate(courses(found)):
            if course is None:
                values += _fading(context, found, j, [time])
            else:
                fine = course.at(context)
                height = fine.height(fine.place(time), context)
                values.append(fine.sign * height)
        return values

    def amplitudes(self, t: Any) -> tuple[Array, ...]:
        times = float_times(t)
        columns = []
        for j, course in enumerate(self._courses):
            first = to_float_array(
                np.array([a[j] for a in self.coordinates.amplitudes])
            )
            if course is None:
                strength = self._faded(j, times)
                begin = abs(to_float(_coefficient(self.coordinates, j)))
                ratio = np.abs(strength) / begin if begin else np.ones(times.shape)
                columns.append(
                    ratio ** (1 / self.depth) * first[:, *[None] * times.ndim]
                )
            else:
                found = course.weights(course.places(times), np)
                columns.append(np.stack([found[place] for place in self._order(j)]))
        return tuple(np.stack(columns, axis=-1))

    def _order(self, j: int) -> list[int]:
        """Return where the weights of a coordinate are in the order of its course."""
        if self.coordinates.kind == "difference":
            return [0] * self.depth + [1] * self.depth
        sizes = [abs(a[j]) for a in self.coordinates.amplitudes]
        pivot = sizes.index(min(sizes))
        return [0 if k == pivot else k + (k < pivot) for k in range(self.depth)]

    @property
    def final(self) -> Array:
        """The ρ_j as t → ∞: σ/λ, or where it started, or zero."""
        found = self.coordinates
        values = []
        for j, course in enumerate(self._courses):
            first = _coefficient(found, j)
            rest = found.sigma[j] * 0 if found.lam[j] else first
            goal = rest if course is None else course.sigma / course.lam
            values.append(float(goal))
        return np.array(values)


def courses(found: Coordinates) -> list[Course | None]:
    """Return the course of every coordinate; None where it rests or fades to zero.

    The depth is 3 or more, and the numbers are mpf.
    """
    columns = zip(*found.amplitudes, strict=True)
    modes = zip(found.sigma, found.lam, columns, strict=True)
    return [_course(found.kind, found.depth, *mode) for mode in modes]


def _course(kind: str, depth: int, sigma: Any, lam: Any, column: Any) -> Course | None:
    if not lam:
        return None
    if kind == "difference":
        return Difference(sigma, lam, (column[0], column[depth]), depth)
    sizes = [abs(w) for w in column]
    pivot = sizes.index(min(sizes))
    others = column[:pivot] + column[pivot + 1 :]
    if min(abs(w) for w in others) > sizes[pivot]:
        return Pivot(sigma, lam, (column[pivot], *others), depth)
    course = Balanced(sigma, lam, (column[pivot], *others), depth)
    return course if sizes[pivot] and course.goal > 0 else None


def _coefficient(found: Coordinates, j: int) -> Any:
    """Return ρ_j at the start: a product of L weights, or the difference of two."""
    column, depth = [a[j] for a in found.amplitudes], found.depth
    return prod(column[:depth]) - (prod(column[depth:]) if column[depth:] else 0)


def _fading(context: Any, found: Coordinates, j: int, times: list[Any]) -> list[Any]:
    """Return ρ_j at rising times where weights of one size face away from σ."""
    first = context.mpf(_coefficient(found, j))
    sigma, lam = context.mpf(found.sigma[j]), context.mpf(found.lam[j])
    if not first or not lam:
        return [first for _ in times]
    side = context.sign(first)
    values = deep_strengths(context, found.depth, times, side * sigma, lam, abs(first))
    return [side * value for value in values]


def _product_residual(time: Any, other: Any) -> sympy.Expr:
    """Return the residual for a product of p and the ±√(p² + D_l)."""
    gaps = sorted(time.function.free_symbols - {S, SIGMA, LAM}, key=str)
    rest = _others(W, gaps)
    speed = rest * (SIGMA - LAM * W * rest)
    parts = [
        time.diff(W) * speed - 1,
        other.diff(W) * speed - W * rest / other * (SIGMA - LAM * W * rest),
        other**2 - W**2 - gaps[0],
        time.limits[0][1] - START,
    ]
    return _squares(parts, {gap: 2 + k for k, gap in enumerate(gaps)})


def _gaps(depth: int) -> list[sympy.Symbol]:
    """Return the symbols D_2, …, D_L."""
    return [sympy.Symbol(f"D{layer}", positive=True) for layer in range(2, depth + 1)]


def _others(pivot: sympy.Expr, gaps: list[sympy.Symbol]) -> sympy.Expr:
    return sympy.Mul(*(sympy.sqrt(pivot**2 + gap) for gap in gaps))


def _squares(parts: list[Any], more: dict[Any, Any]) -> sympy.Expr:
    return squares(
        parts,
        {**SAMPLE, **more},
        lambda part: sympy.simplify(sympy.powdenest(part, force=True)),
    )
