"""Three or more full circular filters, stationary input, balanced: rays in the plane.

With the transforms a_l of the filters and β̂ = a_1⋯a_L, every frequency obeys

    ȧ_l = (σ − λβ̂) Π_{j≠l} ā_j,    hence    dβ̂/dt = (σ − λβ̂) Σ_l Π_{j≠l} |a_j|²:

β̂ moves on a straight line to σ/λ, whatever the phases.  All |a_l|² − |a_j|² are
conserved; where they vanish, |a_l| = |β̂|^{1/L}, the phases of all a_l turn by the same
angle, and with e^{−s} the part of the way that is left

    β̂ = σ/λ + (β̂(0) − σ/λ) e^{−s},     t = ∫₀ˢ dx / (λL |β̂|^{2−2/L}).

The integral is inverted at any precision (`time.quadrature`), in a variable y that
resolves a small start.  A phase that faces away from σ (as for real modes of the wrong
sign) leads to zero, along the curve of `modes.deep`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, from_spectrum
from symflow.algebra.numbers import to_float, to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import full_filters
from symflow.claims.whitened import verdict
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.flow.times import float_times
from symflow.solutions.conditions import squared_loss
from symflow.solutions.coordinates.fourier_coordinates import (
    SPARE,
    CircularSolution,
    circulant_design,
    paired,
    spectra,
    turned_back,
)
from symflow.solutions.coordinates.frequency_lines import Ray
from symflow.solutions.coordinates.independent_coordinates import LAM, T
from symflow.solutions.coordinates.two_filters import SIGMA
from symflow.solutions.derivation import Step, squares
from symflow.solutions.reduction import frequency_step

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

#: The angle below which a ray passes zero too closely.
CLOSE = 0.05


def balanced_spectra(problem: Problem) -> Hypothesis:
    """Require filters with the same modulus at every frequency."""
    rows, basis = spectra(problem, CHECK_DIGITS)
    sizes = [[abs(a) for a in row[2:]] for row in rows]
    gaps = [(max(row) - min(row)) / max(row) for row in sizes if max(row)]
    gap, top = to_float(max(gaps, default=0)), max(map(max, sizes))
    shown = to_float(max(max(row) - min(row) for row in sizes) / (top or 1))
    digits = basis.flat[0].context.dps
    gap = 0.0 if gap < 10.0 ** (CHECK_DIGITS // 2 + SPARE - digits) else gap
    words = "balanced initialization: all filters alike in modulus at each frequency"
    return verdict(problem, words, "moduli differ by", gap, shown)


def no_near_miss(problem: Problem) -> Hypothesis:
    """Require that no ray passes zero closely, where the integral has a peak."""
    rows, _ = spectra(problem, CHECK_DIGITS)
    rays = [_ray(*row) for row in rows]
    least = min((ray.miss for ray in rays if ray.moves), default=1.0)
    words = "no β̂(k) passes zero closely"
    return Hypothesis(words, least >= CLOSE, f"smallest angle {least:.2g}")


def _ray(lam: Any, sigma: Any, *filters: Any) -> Ray:
    return Ray(lam, lam.context.mpc(sigma), tuple(filters))


def _moved_gap(depth: int) -> sympy.Expr:
    """Return by how much the slope of Πa_l, ȧ_l = f Π_{j≠l} ā_j, differs from fN."""
    filters, turned = (sympy.symbols(f"{name}1:{depth + 1}") for name in ("a", "abar"))
    force = sympy.Symbol("f")
    others = [
        (sympy.Mul(*(x for k, x in enumerate(row) if k != place)))
        for row in (filters, turned)
        for place in range(depth)
    ]
    pairs = list(zip(others[:depth], others[depth:], strict=True))
    slope = sympy.Add(*(a * (force * b) for a, b in pairs))
    return sympy.expand(slope - force * sympy.Add(*(a * b for a, b in pairs)))


@final
class DeepFourierMode(CircularSolution):
    """The flow of three or more balanced circular filters; made by `solve`."""

    source: ClassVar = YUN_2021
    contributes: ClassVar = "the decoupling into frequencies; solved here"
    where: ClassVar = (
        "e^{−s} is the part of the way to σ/λ that is left to a frequency; u and v "
        "are along the goal and across it"
    )
    unknown: ClassVar = T
    conditions: ClassVar = (
        squared_loss,
        partial(full_filters, least=3, most=None),
        circulant_design,
        balanced_spectra,
        no_near_miss,
    )

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
        return squares(parts, SAMPLE)

    def _derived(self) -> tuple[Step, ...]:
        beta, way = sympy.Function("betahat")(T), sympy.Function("s")(T)
        start, size = sympy.Symbol("beta0"), sympy.Symbol("N", positive=True)
        pull = sympy.Eq(beta.diff(T), (SIGMA - LAM * beta) * size)
        line = SIGMA / LAM + (start - SIGMA / LAM) * sympy.exp(-way)
        moved = line.diff(T).subs(way.diff(T), LAM * size) - (SIGMA - LAM * line) * size
        straight = sympy.Eq(beta, line)
        return (
            frequency_step(self.depth),
            Step(
                "so that, with N = Σ_l Π_{j≠l}|a_j|² > 0", pull, _moved_gap(self.depth)
            ),
            Step("so that, with ds/dt = λN", straight, sympy.expand(moved)),
            Step(
                "where N = L|β̂|^{2−2/L} for balanced filters; apart",
                self.statement,
                self.verify(),
            ),
        )

    def rays(self, digits: int) -> tuple[list[Ray], Array]:
        """Return all frequencies at some precision, and the transform."""
        rows, basis = spectra(self.problem, digits)
        return [_ray(*row) for row in rows], basis

    @cached_property
    def _rays(self) -> list[Ray]:
        return self.rays(CHECK_DIGITS)[0]

    def strengths(self, t: Any) -> Array:
        times, rays = float_times(t), self._rays
        found = paired(self.problem.group, lambda k: rays[k].floats(times))
        return np.stack(found, axis=-1)

    def _weights(self, t: Any) -> tuple[Array, ...]:
        """Return all filters in float64: each phase turns by the angle of β̂ over L."""
        values = self.strengths(t)
        start = np.array([complex(ray.start) for ray in self._rays])
        ratio = np.where(start != 0, values / np.where(start != 0, start, 1.0), 1.0)
        turned = np.abs(ratio) ** (1 / self.depth)
        turned = turned * np.exp(1j * np.angle(ratio) / self.depth)
        filters = np.array([[complex(a) for a in ray.filters] for ray in self._rays])
        return tuple(
            from_spectrum(turned * column, self.problem.group)[..., None]
            for column in filters.T
        )

    @property
    def _lost(self) -> int:
        # the wait near zero
        sizes = [abs(ray.ratio) for ray in self._rays if ray.moves]
        return super()._lost - int(np.log10(float(min([*sizes, 1]))))

    def _at(self, t: Any, digits: int) -> Array:
        rays, basis = self.rays(digits)
        time = to_mpf(t, basis.flat[0].context)
        found = paired(self.problem.group, lambda k: rays[k].value(time))
        return turned_back(basis, found)

    @cached_property
    def _final(self) -> Array:
        return np.array([complex(ray.end) for ray in self._rays])
