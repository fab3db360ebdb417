"""Diagonal networks of depth 2, orthogonal design, any start: a mirror flow.

With ξ(t) = ∫₀ᵗ (σ − λβ), every coordinate of a diagonal network of depth 2 is

    β = A e^{κξ} − B e^{−κξ}          (hypentropy: β = 2√(AB) sinh(κξ + ½ ln(A/B))),

where, from any start,

    β = u∘v:            κ = 2,  A = (u + v)²/4,   B = (u − v)²/4,
    β = u∘u − v∘v:      κ = 4,  A = u²,           B = v²,
    β = u₁∘u₂ − v₁∘v₂:  κ = 2,  A, B = ((u₁ ± u₂)² + (v₁ ∓ v₂)²)/4

(Woodworth et al. 2020, who start at u = v).  AB is conserved: it is the square of the
imbalance, up to a factor.  y = e^{κξ} solves ẏ = κ(λB + σy − λAy²), y(0) = 1, hence

    y = (ρ + σ + (ρ − σ)m + 2λB(1 − m)) / (ρ − σ + (ρ + σ)m + 2λA(1 − m)),

m = e^{−κρt}, ρ = √(σ² + 4λ²AB).  All terms are positive, so that nothing cancels.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import WOODWORTH_2020
from symflow.flow.coordinates import Coordinates
from symflow.flow.problem import CHECK_DIGITS
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of
from symflow.solutions.conditions import squared_loss
from symflow.solutions.coordinates.independent_coordinates import (
    LAM,
    SIGMA,
    SeparableSolution,
    T,
    orthogonal_design,
    seen_targets,
    separable_network,
)
from symflow.solutions.derivation import Step, over_root, squares
from symflow.solutions.numpy_form import Routine
from symflow.solutions.reduction import coordinate_step

RISE, FALL, KAPPA, RHO = sympy.symbols("A B kappa rho", positive=True)

#: A point where ρ is rational, to tell a wrong formula before expanding it.
SAMPLE = {SIGMA: 3, LAM: 2, RISE: 2, FALL: sympy.Rational(1, 2), RHO: 5, KAPPA: 2}
SAMPLE[T] = sympy.Rational(1, 7)

#: Starts below this are evaluated with more digits: float64 has no numbers for them.
SMALLEST = 1e-140


@final
class HypentropyMode(SeparableSolution):
    """The flow of a depth-2 diagonal network, orthogonal design; made by `solve`."""

    source: ClassVar = WOODWORTH_2020
    contributes: ClassVar = "the mirror flow; its clock here"
    where: ClassVar = (
        "β is one coordinate; A and B are those of the start, so that β = Ae^{κξ} − "
        "Be^{−κξ} with ξ = ∫(σ − λβ), ρ² = σ² + 4λ²AB; σ and λ are those of Σ_yx "
        "and Σ_xx"
    )
    conditions: ClassVar = (
        squared_loss,
        partial(separable_network, least=2, most=2),
        orthogonal_design,
        seen_targets,
    )

    @property
    def formula(self) -> sympy.Expr:
        """β(t) of one coordinate, in t, σ, λ, A, B, κ and ρ."""
        return self.formulas[0]

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The coefficient β = Ay − B/y and the size p = Ay + B/y of its weights."""
        m = sympy.exp(-KAPPA * RHO * T)
        above = RHO + SIGMA + (RHO - SIGMA) * m + 2 * LAM * FALL * (1 - m)
        below = RHO - SIGMA + (RHO + SIGMA) * m + 2 * LAM * RISE * (1 - m)
        grown, fallen = RISE * above / below, FALL * below / above
        return grown - fallen, grown + fallen

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residuals of β̇ = κp(σ−λβ), ṗ = κβ(σ−λβ) and of t = 0.

        Rational functions of e^{−κρt}, in which ρ² is replaced by σ² + 4λ²AB.
        """
        beta, size = formulas
        force = KAPPA * (SIGMA - LAM * beta)
        parts: list[sympy.Expr] = []
        for value, speed, first in (
            (beta, size * force, RISE - FALL),
            (size, beta * force, RISE + FALL),
        ):
            parts += [value.subs(T, 0) - first, value.diff(T) - speed]
        square = SIGMA**2 + 4 * LAM**2 * RISE * FALL
        return squares(
            parts, SAMPLE, lambda part: over_root(part, KAPPA * RHO * T, RHO, square)
        )

    def _derived(self) -> tuple[Step, ...]:
        u, v = (sympy.Function(name)(T) for name in "uv")
        beta, size = (sympy.Function(name)(T) for name in ("beta", "p"))
        force = SIGMA - LAM * u * v
        speeds = {u.diff(T): v * force, v.diff(T): u * force}
        pull = SIGMA - LAM * beta
        product = ((u * v).diff(T) - (u**2 + v**2) * force).subs(speeds)
        kept = ((u**2 - v**2).diff(T)).subs(speeds)
        grown = ((u + v) ** 2).diff(T).subs(speeds) - 2 * force * (u + v) ** 2
        rate = sympy.Eq(RHO**2, SIGMA**2 + 4 * LAM**2 * RISE * FALL)
        return (
            coordinate_step(2, 1 if self.coordinates.kind == "product" else 2),
            Step(
                "β = uv, for one, obeys (κ = 2, p = (u² + v²)/2)",
                sympy.Eq(beta.diff(T), KAPPA * size * pull),
                sympy.expand(product),
            ),
            Step(
                "u² − v² = 2√(AB) is conserved",
                sympy.Eq((u**2 - v**2).diff(T), 0, evaluate=False),
                sympy.expand(kept),
            ),
            Step(
                "(u + v)² = 4Ay grows with the force",
                sympy.Eq(sympy.Function("y")(T).diff(T), KAPPA * pull, evaluate=False),
                sympy.expand(grown),
            ),
            Step("with the rate", rate, definition=True),
            Step("so that", self.statement, self.verify()),
        )

    @cached_property
    def _floats(self) -> tuple[Array, ...]:
        parts = parameters(self.coordinates)
        return tuple(to_float_array(np.asarray(part)) for part in parts)

    @cached_property
    def _tiny(self) -> bool:
        """Whether A or B is too small for float64, without being zero."""
        _, _, _, rise, fall, _ = parameters(self.coordinates)
        return any(0 < size < SMALLEST for size in (*rise, *fall))

    def strengths(self, t: Any) -> Array:
        times = float_times(t)
        if self._tiny:
            rows = [
                [float(value) for value in self._strengths_at(float(time))]
                for time in times.flat
            ]
            return np.array(rows).reshape(*times.shape, -1)
        flat = times.reshape(-1, 1)
        with np.errstate(all="ignore"):
            values = _coefficient(np, flat, *self._floats)
        return np.asarray(values.reshape(*times.shape, -1))

    def routine(self) -> Routine:
        if self._tiny:
            return super().routine()
        names = ("KAPPA", "SIGMA", "LAM", "RISE", "FALL", "FIRST")
        constants: dict[str, Any] = dict(zip(names, self._floats, strict=True))
        mixed = "strengths"
        if self.rounded.transform is not None:
            constants["TRANSFORM"], mixed = (
                self.rounded.transform,
                "(strengths @ TRANSFORM)",
            )
        call = f"_coefficient(xp, xp.reshape(t, (-1, 1)), {', '.join(names)})"
        return Routine(
            constants,
            (_growth, _part, _coefficient),
            (
                f"with np.errstate(all='ignore'): strengths = {call}",
                "strengths = xp.reshape(strengths, (*t.shape, -1))",
            ),
            {"strengths": "strengths", "end_to_end": f"{mixed}[..., None, :]"},
            {"weights": "ask the solution, which has them"},
        )

    def _strengths_at(self, time: float) -> list[Any]:
        context = context_of(CHECK_DIGITS)
        return self.strengths_mpf(self.coordinates, context, context.mpf(time))

    def strengths_mpf(self, found: Coordinates, context: Any, time: Any) -> list[Any]:
        kappa, *columns = parameters(found)
        return [
            _coefficient_mpf(context, time, kappa, *mode)
            for mode in zip(*columns, strict=True)
        ]

    def amplitudes(self, t: Any) -> tuple[Array, ...]:
        times = float_times(t)
        with np.errstate(all="ignore"):
            up, down, shift = _factors(times.reshape(-1, 1), *self._floats)
        up, down, shift = (part.reshape(*times.shape, -1) for part in (up, down, shift))
        start = [to_float_array(a) for a in self.coordinates.amplitudes]
        if self.coordinates.kind == "squares":
            return start[0] * up, start[1] * down
        # a cosh ξ + b sinh ξ, with cosh ξ = (up + down)/2 and sinh ξ = shift
        mean, first = (up + down) / 2, start[:2]
        plus = first[0] * mean + first[1] * shift, first[1] * mean + first[0] * shift
        if self.coordinates.kind == "product":
            return plus
        third, fourth = start[2:]
        return (
            *plus,
            third * mean - fourth * shift,
            fourth * mean - third * shift,
        )

    @property
    def final(self) -> Array:
        """The ρ_j as t → ∞: σ/λ, or a saddle where the growing part is zero."""
        _, sigma, lam, rise, fall, first = self._floats
        seen = lam > 0
        goal = np.where(seen, sigma / np.where(seen, lam, 1.0), first)
        stuck = np.where(sigma > 0, rise == 0, fall == 0) & seen & (sigma != 0)
        return np.where(stuck, 0.0, goal)


def parameters(found: Coordinates) -> tuple[Any, ...]:
    """Return κ and, per coordinate, σ, λ, A, B and β(0), as the numbers are given.

    The depth is 2, in any arithmetic.
    """
    if found.kind == "squares":
        u, v = found.amplitudes
        return 4, found.sigma, found.lam, u * u, v * v, (u - v) * (u + v)
    u, v = found.amplitudes[:2]
    rise, fall, first = (u + v) ** 2, (u - v) ** 2, u * v
    if found.kind == "difference":
        third, fourth = found.amplitudes[2:]
        rise, fall = rise + (third - fourth) ** 2, fall + (third + fourth) ** 2
        first = first - third * fourth
    return 2, found.sigma, found.lam, rise / 4, fall / 4, first


def _growth(xp: Any, times: Any, kappa: Any, *mode: Any) -> Any:
    """Return n and d of y = n/d, and κ(σ − λβ(0))u = n − d, and m and 2R.

    R = κρ/2; n and d are those of the module divided by 2ρ.
    """
    sigma, lam, rise, fall, first = mode
    a, b, c = kappa * lam * fall, kappa * sigma, kappa * lam * rise
    root = xp.hypot(b / 2, xp.sqrt(a) * xp.sqrt(c))
    larger = root + abs(b) / 2
    safe = xp.where(root > 0, root, 1.0)
    minor = a * (c / xp.where(larger > 0, larger, 1.0)) / (2 * safe)
    major = xp.where(root > 0, larger / (2 * safe), 0.5)
    minor = xp.where(root > 0, minor, 0.5)
    up, down = xp.where(b >= 0, major, minor), xp.where(b >= 0, minor, major)
    m = xp.exp(-2 * root * times)
    u = xp.where(root > 0, -xp.expm1(-2 * root * times) / (2 * safe), times)
    change = kappa * (sigma - lam * first) * u
    return up + m * down + a * u, down + m * up + c * u, change, m, 2 * root


def _coefficient(xp: Any, times: Any, kappa: Any, *mode: Any) -> Any:
    """Return β in float64: of three equal forms, the one in which least cancels.

    β(0) + (n − d)(A/d + B/n) is good early, An/d − Bd/n where one part dominates, and
    the quotient that has σ/λ as its constant term late.
    """
    sigma, lam, rise, fall, first = mode
    n, d, change, m, rate = _growth(xp, times, kappa, *mode)
    grown, fallen = _part(xp, rise, n, d), _part(xp, fall, d, n)
    moved = change * (_part(xp, rise, 1.0, d) + _part(xp, fall, 1.0, n))
    a, c = kappa * lam * fall, kappa * lam * rise
    b, ac = kappa * sigma, a * c
    larger = (rate + abs(b)) / 2
    smaller = xp.where(larger > 0, ac / xp.where(larger > 0, larger, 1.0), 0.0)
    high, low = xp.where(b >= 0, larger, smaller), xp.where(b >= 0, smaller, larger)
    scale = kappa * lam * n * d * rate**2
    scale = xp.where(scale > 0, scale, xp.inf)
    steady = b * (c * high + a * low + 2 * ac) / scale
    middle = -4 * ac * kappa * (sigma - lam * first) * m / scale
    last = -b * (c * low + a * high - 2 * ac) * m * m / scale
    size = abs(steady) + abs(middle) + abs(last)
    forms = xp.stack([first + moved, grown - fallen, steady + middle + last])
    usable = xp.isfinite(scale) & (rate > 0)
    late = xp.where(usable, size + abs(steady) / 8, xp.inf)
    errors = xp.stack([abs(first) + abs(moved), grown + fallen, late])
    errors = xp.where(xp.isfinite(forms), errors, xp.inf)
    best = xp.argmin(errors, axis=0)[None, ...]
    return xp.take_along_axis(forms, best, axis=0)[0, ...]


def _part(xp: Any, weight: Any, above: Any, below: Any) -> Any:
    """Return weight·above/below, zero where the weight is."""
    return xp.where(
        weight > 0, weight * (above / xp.where(weight > 0, below, 1.0)), 0.0
    )


def _factors(times: Array, kappa: Any, *mode: Any) -> tuple[Array, Array, Array]:
    """Return √y, 1/√y and (√y − 1/√y)/2."""
    n, d, change, _, _ = _growth(np, times, kappa, *mode)
    up, down = np.sqrt(n / d), np.sqrt(d / n)
    return up, down, change / (2 * np.sqrt(n) * np.sqrt(d))


def _coefficient_mpf(context: Any, time: Any, kappa: Any, *mode: Any) -> Any:
    """Return β at one time, in more digits where the parts Ay and B/y cancel."""
    sigma, lam, rise, fall, first = mode
    size = max(rise, fall, abs(first))
    goal = abs(sigma) / lam if lam else size
    spare = int(context.log10(1 + size / goal)) + 5 if goal and size else 5
    fine = context_of(2 * context.dps + 2 * spare)
    time, sigma, lam, rise, fall = map(fine.mpf, (time, sigma, lam, rise, fall))
    rho = fine.sqrt(sigma**2 + 4 * lam**2 * rise * fall)
    if not rho:
        n, d = 1 + kappa * lam * fall * time, 1 + kappa * lam * rise * time
    else:
        m, rest = fine.exp(-kappa * rho * time), -fine.expm1(-kappa * rho * time)
        n = rho + sigma + (rho - sigma) * m + 2 * lam * fall * rest
        d = rho - sigma + (rho + sigma) * m + 2 * lam * rise * rest
    grown = rise * n / d if rise else fine.zero
    fallen = fall * d / n if fall else fine.zero
    return context.mpf(grown - fallen)
