"""Three or more full circular filters, stationary input, balanced: rays in the plane.

With the transforms a_l of the filters and β̂ = a_1⋯a_L, every frequency obeys

    ȧ_l = (σ − λβ̂) Π_{j≠l} ā_j,    hence    dβ̂/dt = (σ − λβ̂) Σ_l Π_{j≠l} |a_j|²:

β̂ moves on a straight line to σ/λ, whatever the phases.  All |a_l|² − |a_j|² are
conserved; where they vanish, |a_l| = |β̂|^{1/L}, the phases of all a_l turn by the same
angle, and with e^{−s} the part of the way that is left

    β̂ = σ/λ + (β̂(0) − σ/λ) e^{−s},     t = ∫₀ˢ dx / (λL |β̂|^{2−2/L}).

The integral is inverted at any precision (`clock`), in a variable y that resolves a
small start.  A phase that faces away from σ (as for real modes of the wrong sign) leads
to zero, along the curve of `deep`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Self, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float, to_mpf
from symflow.claims import Hypothesis
from symflow.solutions.case import CHECK_DIGITS, Case, context_of
from symflow.solutions.clock import Clock
from symflow.solutions.conditions import ROUNDING, TOLERANCE, squared_loss
from symflow.solutions.deep import deep_strengths
from symflow.solutions.eigen import spare_digits
from symflow.solutions.fourier import (
    SIGMA,
    SPARE,
    YUN,
    circulant_design,
    full_filters,
    spectra,
    turned_back,
)
from symflow.solutions.separable import LAM, T, sampled
from symflow.solutions.solution import NOTHING, Solution, Step

S, X = sympy.symbols("s x", positive=True)
U0, V0, GOAL = sympy.symbols("u0 v0 goal", real=True)
DEPTH = sympy.Symbol("L", positive=True)

#: A point at which a wrong formula shows.
SAMPLE = {
    LAM: 2,
    DEPTH: 3,
    U0: sympy.Rational(1, 3),
    V0: sympy.Rational(-2, 5),
    GOAL: sympy.Rational(3, 2),
    X: sympy.Rational(1, 2),
    S: sympy.Rational(1, 2),
}

#: The angle between β̂(0) and −σ below which a ray counts as facing away, and below
#: which it passes zero too closely.
AWAY, CLOSE = 1e-20, 0.05


def balanced_spectra(case: Case) -> Hypothesis:
    """Require filters with the same modulus at every frequency."""
    context = context_of(CHECK_DIGITS)
    rows, _ = spectra(case.sharp, context)
    sizes = [[abs(a) for a in row[2:]] for row in rows]
    top = max(max(row) for row in sizes)
    gap = to_float(max(max(row) - min(row) for row in sizes) / top) if top else 0.0
    gap = 0.0 if gap < ROUNDING else gap
    words = "balanced initialization: all filters alike in modulus at each frequency"
    detail = f"moduli differ by {gap:.2g} relative" if gap else ""
    return Hypothesis(words, gap <= TOLERANCE, detail, gap)


def no_near_miss(case: Case) -> Hypothesis:
    """Require that no ray passes zero closely, where the integral has a peak."""
    rows, _ = spectra(case.sharp, context_of(CHECK_DIGITS))
    rays = [_ray(*row) for row in rows]
    least = min((ray.miss for ray in rays if ray.moves), default=1.0)
    words = "no β̂(k) passes zero closely"
    return Hypothesis(words, least >= CLOSE, f"smallest angle {least:.2g}")


@dataclass(frozen=True, eq=False)
class Ray:
    """One frequency: λ, σ, and the transforms a_l of the filters at the start.

    Parameters
    ----------
    lam : mpf
        λ.
    sigma : mpc
        σ.
    filters : tuple of mpc
        The a_l(0), alike in modulus.
    """

    lam: Any
    sigma: Any
    filters: tuple[Any, ...]

    @property
    def ops(self) -> Any:
        """The mpmath context of the numbers."""
        return self.lam.context

    def at(self, ops: Any) -> Self:
        """Return the same ray in another mpmath context."""
        filters = tuple(map(ops.mpc, self.filters))
        return replace(
            self, lam=ops.mpf(self.lam), sigma=ops.mpc(self.sigma), filters=filters
        )

    @property
    def depth(self) -> int:
        """The number L of filters."""
        return len(self.filters)

    @cached_property
    def start(self) -> Any:
        """β̂(0)."""
        return self.ops.fprod(self.filters)

    @cached_property
    def goal(self) -> Any:
        """σ/λ."""
        return self.sigma / self.lam

    @cached_property
    def ratio(self) -> Any:
        """β̂(0)λ/σ: its modulus is the size of the start, its phase that to turn by."""
        return self.start / self.goal

    @property
    def moves(self) -> bool:
        """Whether β̂ goes to σ/λ: it does not from zero, nor from the far side."""
        if not self.lam or not self.sigma or not self.start:
            return False
        turn = abs(self.ops.arg(-self.ratio))
        return bool(turn > AWAY and abs(self.ratio - 1) > AWAY)

    @property
    def small(self) -> bool:
        """Whether the start is nearer to zero than the goal."""
        return bool(abs(self.ratio) < 1)

    @cached_property
    def miss(self) -> float:
        """The imaginary part of the y at which β̂ would vanish."""
        inner = 1 - self.ratio
        if self.small:
            inner = 1 - self.ratio / abs(self.ratio)
        return abs(float(self.ops.arg(inner))) if self.ops.re(inner) > 0 else 3.0

    @cached_property
    def clock(self) -> Clock:
        """The time as an integral over y."""
        settled = 2 + abs(float(self.ops.log(abs(self.ratio))))
        return Clock(self._density, min(0.5, 1.5 * self.miss), settled)

    def _density(self, ops: Any, end: Any) -> Any:
        fine = self.at(ops)
        power, scale = 2 - ops.mpf(2) / self.depth, fine.lam * self.depth

        def g(y: Any) -> Any:
            value, rate = fine.place(y)
            return rate / (scale * abs(value) ** power)

        return g

    def place(self, y: Any) -> tuple[Any, Any]:
        """Return β̂ and ds/dy at y, in the arithmetic of the ray.

        A small start, ε = |β̂(0)λ/σ| < 1, takes e^s = 1 + ε(e^y − 1); others s = y.
        """
        ops = self.ops
        if y == ops.inf:
            return self.goal, ops.one
        if not self.small:
            left = ops.exp(-y)
            return self.start * left - self.goal * ops.expm1(-y), ops.one
        grown = abs(self.ratio) * ops.expm1(y)
        value = (self.start + self.goal * grown) / (1 + grown)
        return value, abs(self.ratio) * ops.exp(y) / (1 + grown)

    def value(self, time: Any) -> Any:
        """Return β̂(t), in the arithmetic of the ray."""
        if not self.moves:
            return self._fading([time])[0]
        ops, rate = self.ops, self.rate
        far = 2.4 * ops.dps + abs(ops.log(abs(self.ratio)))
        place, passed = self.clock.far
        late = rate * time > 2 * far and place + rate * (time - passed) > far + 1
        y = ops.inf if late else self.clock.invert(ops, time, far)
        return self.place(y)[0]

    @property
    def rate(self) -> Any:
        """The rate λL|σ/λ|^{2−2/L} in the end."""
        power = 2 - self.ops.mpf(2) / self.depth
        return self.lam * self.depth * abs(self.goal) ** power

    @property
    def end(self) -> Any:
        """β̂ as t → ∞."""
        if self.moves:
            return self.goal
        return self.start if self._rests else self.ops.zero

    @property
    def _rests(self) -> bool:
        """Whether β̂ is at rest: nothing to learn from, nowhere to start, or there."""
        there = bool(self.lam and self.sigma) and abs(self.ratio - 1) <= AWAY
        return there or not self.start or not self.lam

    def _fading(self, times: list[Any]) -> list[Any]:
        """Return β̂ at rising times where it rests, or goes straight to zero."""
        if self._rests:
            return [self.start for _ in times]
        size, away = abs(self.start), -abs(self.sigma)
        known = (self.ops, self.depth, times, away, self.lam, size)
        return [self.start * (w / size) for w in deep_strengths(*known)]

    def floats(self, times: Array) -> Array:
        """Return β̂ in float64, complex, for times of any shape."""
        if not self.moves:
            rising, places = np.unique(times, return_inverse=True)
            values = self._fading([self.ops.mpf(t) for t in rising.tolist()])
            return np.array([complex(x) for x in values])[places.reshape(times.shape)]
        y = self.clock.floats(times)
        start, goal, size = complex(self.start), complex(self.goal), abs(self.ratio)
        if not self.small:
            return np.asarray(start * np.exp(-y) - goal * np.expm1(-y))
        grown = float(size) * np.expm1(np.minimum(y, 700.0))
        return np.asarray(start / (1 + grown) + goal * (grown / (1 + grown)))


def _ray(lam: Any, sigma: Any, *filters: Any) -> Ray:
    return Ray(lam, lam.context.mpc(sigma), tuple(filters))


@final
class DeepFourierMode(Solution):
    """The flow of three or more balanced circular filters; made by `solve`."""

    source: ClassVar = YUN
    conditions: ClassVar = (
        squared_loss,
        partial(full_filters, least=3, most=None),
        circulant_design,
        balanced_spectra,
        no_near_miss,
    )

    @property
    def depth(self) -> int:
        """The number L of filters."""
        return self.problem.flow.network.depth

    @property
    def formula(self) -> sympy.Expr:
        """The time t(s), for the depth at hand, |β̂|² written out."""
        return self.formulas[0].subs(DEPTH, self.depth)

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The time, and the line on which β̂ moves, turned so that the goal is real."""
        u, v = GOAL + (U0 - GOAL) * sympy.exp(-X), V0 * sympy.exp(-X)
        below = LAM * DEPTH * (u**2 + v**2) ** (1 - 1 / DEPTH)
        return sympy.Integral(1 / below, (X, 0, S)), u, v

    @property
    def statement(self) -> sympy.Eq:
        """The time, t = …, as a function of the way that is left."""
        return sympy.Eq(T, self.formula, evaluate=False)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residual of dβ̂/dt = (σ − λβ̂) L|β̂|^{2−2/L}, and at t = 0.

        With u and v in x as the way: (dt/dx)⁻¹ u′ = λ(goal − u) L|β̂|^{2−2/L}, likewise
        for v.
        """
        time, u, v = formulas
        inner = time.diff(S).subs(S, X)
        speed = DEPTH * (u**2 + v**2) ** (1 - 1 / DEPTH)
        parts = [
            u.diff(X) - inner * LAM * (GOAL - u) * speed,
            v.diff(X) + inner * LAM * v * speed,
            u.subs(X, 0) - U0,
            v.subs(X, 0) - V0,
            time.limits[0][1],
        ]
        for part in parts:
            if wrong := sampled(part, SAMPLE):
                return wrong
        return sympy.Add(*(sympy.simplify(part) ** 2 for part in parts))

    def derivation(self) -> tuple[Step, ...]:
        """Return the equation of one frequency, its line, and the integral."""
        beta, way = sympy.Function("betahat")(T), sympy.Function("s")(T)
        start, size = sympy.Symbol("beta0"), sympy.Symbol("N", positive=True)
        pull = sympy.Eq(beta.diff(T), (SIGMA - LAM * beta) * size)
        line = SIGMA / LAM + (start - SIGMA / LAM) * sympy.exp(-way)
        moved = line.diff(T).subs(way.diff(T), LAM * size) - (SIGMA - LAM * line) * size
        straight = sympy.Eq(beta, line)
        return (
            Step("each frequency obeys, with N = Σ_l Π_{j≠l}|a_j|² > 0", pull),
            Step("so that, with ds/dt = λN", straight, sympy.expand(moved)),
            Step(
                "where N = L|β̂|^{2−2/L} for balanced filters; apart",
                self.statement,
                self.verify(),
            ),
        )

    def rays(self, digits: int) -> tuple[list[Ray], Array]:
        """Return all frequencies at some precision, and the transform."""
        rows, basis = spectra(self.case.at(digits), context_of(digits))
        return [_ray(*row) for row in rows], basis

    @cached_property
    def _rays(self) -> list[Ray]:
        return self.rays(CHECK_DIGITS)[0]

    def strengths(self, t: Any) -> Array:
        """Return the β̂(k) in float64, complex, shape (…, d).

        Parameters
        ----------
        t : float or array_like
            Times.
        """
        times, d = np.asarray(t, dtype=float), len(self._rays)
        half = [ray.floats(times) for ray in self._rays[: d // 2 + 1]]
        rest = [np.conj(half[d - k]) for k in range(d // 2 + 1, d)]
        return np.stack([*half, *rest], axis=-1)

    def end_to_end(self, t: Any) -> Array:
        """Return W(t), the inverse transform of β̂, in float64.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        array
            Shape (…, 1, d) for t of shape (…).
        """
        return np.fft.ifft(self.strengths(t), axis=-1).real[..., None, :]

    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return all filters in float64: each phase turns by the angle of β̂ over L.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        tuple of arrays
            L of shape (…, d, 1).
        """
        values = self.strengths(t)
        start = np.array([complex(ray.start) for ray in self._rays])
        ratio = np.where(start != 0, values / np.where(start != 0, start, 1.0), 1.0)
        turned = np.abs(ratio) ** (1 / self.depth)
        turned = turned * np.exp(1j * np.angle(ratio) / self.depth)
        filters = np.array([[complex(a) for a in ray.filters] for ray in self._rays])
        return tuple(
            np.fft.ifft(turned * column, axis=-1).real[..., None]
            for column in filters.T
        )

    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) at one time as mpf numbers.

        Parameters
        ----------
        t : number
            The time; a float is taken as the rational that it is.
        digits : int, keyword-only
            Correct decimal digits, relative to the largest entry.

        Returns
        -------
        array
            Shape (1, d), entries of an mpmath context with spare digits.
        """
        sizes = [abs(ray.ratio) for ray in self._rays if ray.moves]
        wait = -int(np.log10(float(min([*sizes, 1])))) if sizes else 0
        asked = digits + spare_digits(t, self.problem.floats.arguments) + SPARE + wait
        rays, basis = self.rays(asked)
        time, d = to_mpf(t, context_of(asked)), len(rays)
        half = [ray.value(time) for ray in rays[: d // 2 + 1]]
        rest = [half[d - k].conjugate() for k in range(d // 2 + 1, d)]
        return turned_back(basis, [*half, *rest])

    @cached_property
    def _final(self) -> Array:
        return np.array([complex(ray.end) for ray in self._rays])

    @property
    def limit(self) -> Array:
        """The end-to-end matrix as t → ∞, in float64."""
        return np.fft.ifft(self._final).real[None, :]

    def progress(self, t: Any) -> Array:
        """Return |β̂(k)| for k ≤ d/2, as parts of the limits that are not zero.

        Parameters
        ----------
        t : array_like
            Times.
        """
        size = len(self._final) // 2 + 1
        final = np.abs(self._final[:size])
        kept = final > NOTHING * max(np.max(final), 1e-300)
        return np.asarray(
            np.abs(self.strengths(t))[..., :size][..., kept] / final[kept]
        )
