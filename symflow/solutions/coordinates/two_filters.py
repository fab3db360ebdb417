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

from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, from_spectrum
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import full_filters
from symflow.flow.problem import CHECK_DIGITS
from symflow.flow.times import float_times
from symflow.solutions.conditions import squared_loss
from symflow.solutions.coordinates.fourier_coordinates import (
    SPARE,
    CircularSolution,
    circulant_design,
    spectra,
    turned_back,
)
from symflow.solutions.coordinates.independent_coordinates import LAM, T
from symflow.solutions.derivation import Step, over_root, squares
from symflow.solutions.modes.hyperbolic import (
    amplitudes,
    final_strengths,
    hyperbola,
    strength_mpf,
)
from symflow.solutions.reduction import frequency_step

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


@final
class FourierMode(CircularSolution):
    """The flow of two full circular filters on stationary input; made by `solve`."""

    source: ClassVar = YUN_2021
    contributes: ClassVar = "the decoupling into frequencies; solved here"
    where: ClassVar = (
        "β̂ is one frequency, β₀ at the start; p₀ = |a₀|² + |b₀|² and δ = |b₀|² − "
        "|a₀|² of the two filters, R = Re(σ̄β₀), ρ² = |σ|² + λ²δ²/4; σ and λ are "
        "those of Σ_yx and Σ_xx"
    )
    unknown: ClassVar = sympy.Function("betahat")(T)
    conditions: ClassVar = (
        squared_loss,
        partial(full_filters, least=2, most=2),
        circulant_design,
    )

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
        root = SIZE**2 + LAM**2 * DELTA**2 / 4
        return squares(
            parts, SAMPLE, lambda part: over_root(part, 2 * RHO * T, RHO, root)
        )

    def _derived(self) -> tuple[Step, ...]:
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

    def frequencies(self, digits: int) -> tuple[list[tuple[Any, ...]], Array]:
        """Return σ/|σ| and the `hyperbola` of all frequencies, and the transform."""
        rows, basis = spectra(self.problem, digits)
        return [_frequency(basis.flat[0].context, *row) for row in rows], basis

    @cached_property
    def _floats(self) -> tuple[Array, ...]:
        modes, _ = self.frequencies(CHECK_DIGITS)
        columns = (np.array(list(map(complex, c))) for c in zip(*modes, strict=True))
        phase, lam, rho, x, y, *amplitudes = columns
        return phase, lam.real, rho.real, x.real, y.real, *amplitudes

    def _filters(self, t: Any) -> tuple[Array, Array]:
        """Return the transforms a and b in float64, shape (…, d)."""
        phase, *known = self._floats
        a, b_bar = amplitudes(np, float_times(t)[..., None], *known)
        return phase * a, np.conj(b_bar)

    def strengths(self, t: Any) -> Array:
        a, b = self._filters(t)
        return a * b

    def _weights(self, t: Any) -> tuple[Array, ...]:
        filters = self._filters(t)
        group = self.problem.group
        return tuple(from_spectrum(w, group)[..., None] for w in filters)

    def _at(self, t: Any, digits: int) -> Array:
        modes, basis = self.frequencies(digits)
        context = basis.flat[0].context
        time = to_mpf(t, context)
        values = [
            phase * strength_mpf(context, time, *known) for phase, *known in modes
        ]
        return turned_back(basis, values)

    @property
    def _final(self) -> Array:
        phase, *known = self._floats
        return phase * final_strengths(*known)


def _frequency(
    context: Any, lam: Any, sigma: Any, first: Any, second: Any
) -> tuple[Any, ...]:
    """Return the phase of σ, and a frequency from which it is taken out."""
    size, noise = abs(sigma), context.mpf(10) ** (SPARE - context.dps)
    phase = sigma / size if size else context.one
    known = hyperbola(size, lam, first / phase, context.conj(second), noise)
    return phase, *known
