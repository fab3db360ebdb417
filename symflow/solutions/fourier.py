"""Circular convolution of two full filters, stationary input: complex scalar modes.

With the discrete Fourier transforms a, b of the filters, β̂(k) = a(k)b(k).  Where Σ_xx
is circulant with the spectrum λ(k), and σ is the transform of Σ_yx, every frequency has
a flow of its own (Yun, Krishnan, Mobahi 2021, for the coordinates),

    ȧ = (σ − λab) b̄,    ḃ = (σ − λab) ā,    δ = |b|² − |a|²  is conserved.

The pair q = (a, b̄) satisfies q̇ = Fq − ½λ|q|²q with the Hermitian constant matrix
F = [[−λδ/2, σ], [σ̄, λδ/2]], so that for real signals of any phase

    β̂(t) = σ/λ + (β̂(0) − σ/λ)/D,
    D = 1 + λ(p₀ sinh 2ρt/(2ρ) + E (cosh 2ρt − 1)/(2ρ²)),

p₀ = |a₀|² + |b₀|², E = 2 Re(σ̄β̂(0)) + λδ²/2, ρ² = |σ|² + λ²δ²/4: every β̂(k) moves on a
straight line towards its target.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import YUN_2021
from symflow.flow.times import float_times
from symflow.solutions.case import CHECK_DIGITS, STEP
from symflow.solutions.conditions import squared_loss
from symflow.solutions.eigen import spare_digits
from symflow.solutions.reduction import frequency_step
from symflow.solutions.separable import LAM, T, sampled
from symflow.solutions.solution import NOTHING, Solution
from symflow.solutions.spectra import (
    SPARE,
    circulant_design,
    full_filters,
    spectra,
    turned_back,
)
from symflow.solutions.step import Step

#: |σ|, p₀, |δ|, ρ; Re(σ̄β̂(0)).
SIZE, P0, DELTA, RHO = sympy.symbols("s p0 delta rho", positive=True)
ALONG = sympy.Symbol("R", real=True)
SIGMA, START = sympy.symbols("sigma beta0")

#: A point where ρ² = s² + λ²δ²/4 holds, to tell a wrong formula.
SAMPLE = {
    SIZE: 3,
    LAM: 2,
    DELTA: 4,
    RHO: 5,
    P0: 6,
    ALONG: sympy.Rational(1, 3),
    T: sympy.Rational(1, 7),
}


@dataclass(frozen=True, eq=False)
class Frequency:
    """One frequency: data and start, with what its formula needs.

    Parameters
    ----------
    sigma, start, phase : mpc
        σ, β̂(0) and σ/|σ|.
    lam, rho : mpf
        λ and ρ.
    up, down : mpc
        (a₀, b̄₀) along the eigenvectors of F for ρ and −ρ.
    x, y : mpf
        The eigenvector for ρ, after the phase is taken out.
    first, second : mpc
        a₀/phase and b̄₀.
    """

    sigma: Any
    start: Any
    phase: Any
    lam: Any
    rho: Any
    up: Any
    down: Any
    x: Any
    y: Any
    first: Any
    second: Any

    def value(self, context: Any, time: Any) -> Any:
        """Return β̂(t), in the arithmetic of the numbers."""
        m = context.exp(-2 * self.rho * time)
        u = -context.expm1(-2 * self.rho * time) / (2 * self.rho) if self.rho else time
        kept = m if self.up else context.one
        grown = u * (abs(self.up) ** 2 + kept * abs(self.down) ** 2)
        return (self.start * kept + self.sigma * grown) / (kept + self.lam * grown)


@final
class FourierMode(Solution):
    """The flow of two full circular filters on stationary input; made by `solve`."""

    source: ClassVar = YUN_2021
    contributes: ClassVar = "the decoupling into frequencies; solved here"
    conditions: ClassVar = (
        squared_loss,
        partial(full_filters, least=2, most=2),
        circulant_design,
    )

    @property
    def coupling(self) -> float:
        """The transforms of d numbers are up to √d times as large."""
        size = float(self.problem.widths[0])
        return float((self.degree - 1) * size ** (self.degree / 2))

    @property
    def formula(self) -> sympy.Expr:
        """β̂(t) of one frequency, in D(t) written out."""
        return SIGMA / LAM + (START - SIGMA / LAM) / self.formulas[0]

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The denominator D(t), which is proved."""
        rate, energy = 2 * RHO, 2 * ALONG + LAM * DELTA**2 / 2
        grown = P0 * sympy.sinh(rate * T) / rate
        grown += energy * (sympy.cosh(rate * T) - 1) / (2 * RHO**2)
        return (1 + LAM * grown,)

    @property
    def statement(self) -> sympy.Eq:
        """β̂(t) = …, for every frequency."""
        return sympy.Eq(sympy.Function("betahat")(T), self.formula, evaluate=False)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residual of p² = δ² + 4|β̂|² with p = Ḋ/(λD), and at t = 0.

        β̂ = σ/λ + (β̂(0) − σ/λ)/D solves dβ̂/dt = p(σ − λβ̂) for this p, whatever D is;
        that |a|² + |b|² = p is the identity to check.
        """
        (below,) = formulas
        square = (P0**2 - DELTA**2) / 4
        turned = SIZE**2 * (below - 1) ** 2 + 2 * LAM * ALONG * (below - 1)
        turned += LAM**2 * square
        parts = [
            below.diff(T) ** 2 - LAM**2 * DELTA**2 * below**2 - 4 * turned,
            below.subs(T, 0) - 1,
            below.diff(T).subs(T, 0) - LAM * P0,
        ]
        for part in parts:
            if wrong := sampled(part, SAMPLE):
                return wrong
        return sympy.Add(*(_reduced(part) ** 2 for part in parts))

    def _derived(self) -> tuple[Step, ...]:
        """Return the equations of one frequency, and why they are linear inside."""
        a, b, a_bar, b_bar = (sympy.Function(n)(T) for n in ("a", "b", "abar", "bbar"))
        force, force_bar = sympy.symbols("f fbar")
        speeds = {
            a.diff(T): force * b_bar,
            b.diff(T): force * a_bar,
            a_bar.diff(T): force_bar * b,
            b_bar.diff(T): force_bar * a,
        }
        size = a * a_bar + b * b_bar
        product = (a * b).diff(T).subs(speeds) - force * size
        kept = (b * b_bar - a * a_bar).diff(T).subs(speeds)
        beta, p = sympy.Function("betahat")(T), sympy.Function("p")(T)
        pull = sympy.Eq(beta.diff(T), p * (SIGMA - LAM * beta))
        conserved = sympy.Eq((b * b_bar - a * a_bar).diff(T), 0, evaluate=False)
        rate = sympy.Eq(RHO**2, SIZE**2 + LAM**2 * DELTA**2 / 4)
        return (
            frequency_step(2),
            Step("β̂ = ab obeys, p = |a|² + |b|²", pull, sympy.expand(product)),
            Step("|b|² − |a|² is conserved", conserved, sympy.expand(kept)),
            Step("with the rate", rate, definition=True),
            Step("so that", self.statement, self.verify()),
        )

    def frequencies(self, digits: int) -> tuple[list[Frequency], Array]:
        """Return all frequencies at some precision, and the transform."""
        rows, basis = spectra(self.case, digits)
        return [_frequency(basis.flat[0].context, *row) for row in rows], basis

    @cached_property
    def _modes(self) -> list[Frequency]:
        return self.frequencies(CHECK_DIGITS)[0]

    @cached_property
    def _floats(self) -> dict[str, Array]:
        names = Frequency.__dataclass_fields__
        return {
            name: np.array([complex(getattr(mode, name)) for mode in self._modes])
            for name in names
        }

    def _pieces(self, t: Any) -> tuple[Array, ...]:
        """Return m, u, the common factor kept and mD, each of shape (…, d)."""
        times = float_times(t)[..., None]
        f = self._floats
        rho, lam = f["rho"].real, f["lam"].real
        m = np.exp(-2 * rho * times)
        safe = np.where(rho > 0, 2 * rho, 1.0)
        u = np.where(rho > 0, -np.expm1(-2 * rho * times) / safe, times)
        kept = np.where(f["up"] != 0, m, 1.0)
        grown = u * (np.abs(f["up"]) ** 2 + kept * np.abs(f["down"]) ** 2)
        return m, u, kept, grown, kept + lam * grown

    def strengths(self, t: Any) -> Array:
        """Return the β̂(k) in float64, complex, shape (…, d).

        Parameters
        ----------
        t : float or array_like
            Times.
        """
        _, _, kept, grown, below = self._pieces(t)
        f = self._floats
        return np.asarray((f["start"] * kept + f["sigma"] * grown) / below)

    def _end_to_end(self, t: Any) -> Array:
        """Return W(t), the inverse transform of β̂, in float64."""
        return np.fft.ifft(self.strengths(t), axis=-1).real[..., None, :]

    def _weights(self, t: Any) -> tuple[Array, ...]:
        """Return both filters in float64."""
        m, u, _, _, below = self._pieces(t)
        f = self._floats
        x, y, up, down = f["x"], f["y"], f["up"], f["down"]
        tilt = f["rho"] * (y * y - x * x)
        across = 2 * f["rho"] * x * y
        pulls = (
            across * f["second"] - tilt * f["first"],
            across * f["first"] + tilt * f["second"],
        )
        # a mode without a growing part carries e^{−ρt} instead
        fade = np.where(up != 0, m, np.sqrt(m))
        late = (up * x - fade * down * y, up * y + fade * down * x)
        early = [
            (1 + m) / 2 * q + u * pull
            for q, pull in zip((f["first"], f["second"]), pulls, strict=True)
        ]
        use = (m > 0.5) & (up != 0)
        scale = 1 / np.sqrt(below)
        a, b = (np.where(use, e, w) * scale for e, w in zip(early, late, strict=True))
        filters = f["phase"] * a, np.conj(b)
        return tuple(np.fft.ifft(w, axis=-1).real[..., None] for w in filters)

    def _precise(self, t: Any, digits: int) -> Array:
        """Return W(t) at one time as mpf numbers."""
        asked = digits + spare_digits(t, self.problem.floats.arguments) + SPARE
        asked = -(-asked // STEP) * STEP
        modes, basis = self.frequencies(asked)
        context = basis.flat[0].context
        time = to_mpf(t, context)
        return turned_back(basis, [mode.value(context, time) for mode in modes])

    @property
    def _limit(self) -> Array:
        """The end-to-end matrix as t → ∞, in float64."""
        return np.fft.ifft(self._final).real[None, :]

    @property
    def _final(self) -> Array:
        f = self._floats
        lam, seen = f["lam"].real, f["lam"].real > 0
        # without input a filter stays; σ ≠ 0 there belongs to no data
        goal = np.where(seen, f["sigma"] / np.where(seen, lam, 1.0), f["start"])
        return np.where(seen & (f["up"] == 0), 0.0, goal)

    def progress(self, t: Any) -> Array:
        """Return |β̂(k)| for k ≤ d/2, as parts of the limits that are not zero."""
        size = len(self._final) // 2 + 1
        final = np.abs(self._final[:size])
        kept = final > NOTHING * max(np.max(final), 1e-300)
        return np.asarray(
            np.abs(self.strengths(t)[..., :size][..., kept]) / final[kept]
        )


def _frequency(
    context: Any, lam: Any, sigma: Any, first: Any, second: Any
) -> Frequency:
    """Return a frequency with F diagonalized, its phase taken out."""
    size = abs(sigma)
    phase = sigma / size if size else context.one
    a, b_bar = first / phase, context.conj(second)
    tilt = lam * (abs(second) ** 2 - abs(first) ** 2) / 2
    rho = context.hypot(size, tilt)
    x, y = (size, rho + tilt) if tilt >= 0 else (rho - tilt, size)
    length = context.hypot(x, y)
    x, y = (x / length, y / length) if length else (context.one, context.zero)
    up, down = x * a + y * b_bar, x * b_bar - y * a
    if abs(up) <= context.mpf(10) ** (SPARE - context.dps) * (abs(a) + abs(b_bar)):
        up = context.zero
    start = first * second
    return Frequency(sigma, start, phase, lam, rho, up, down, x, y, a, b_bar)


def _reduced(expression: sympy.Expr) -> sympy.Expr:
    """Return the numerator in powers of e^{2ρt}, with ρ² replaced."""
    grown = sympy.Symbol("g", positive=True)
    rational = expression.rewrite(sympy.exp).expand()
    rational = rational.subs(sympy.exp(-2 * RHO * T), 1 / grown)
    rational = rational.subs(sympy.exp(-4 * RHO * T), grown**-2)
    rational = rational.subs(sympy.exp(4 * RHO * T), grown**2)
    rational = rational.subs(sympy.exp(2 * RHO * T), grown)
    above = sympy.numer(sympy.together(rational))
    square = SIZE**2 + LAM**2 * DELTA**2 / 4
    return sympy.rem(sympy.expand(above), RHO**2 - square, RHO)
