"""A mode of infinitely many layers, in the clock Lt: an explicit curve.

As L → ∞ the balanced mode equation ẇ = L w^{2−2/L}(σ − λw) becomes, per layer,

    ẇ = w² (σ − λw),      w(t) = (σ/λ) / (1 + y),    y + ln y = y₀ + ln y₀ − σ²t/λ,

so that y = W(y₀ e^{y₀ − σ²t/λ}) with Lambert's function W and y₀ = σ/(λw₀) − 1
(Saxe, McClelland, Ganguli 2014 give the time t(w)).  Depth L is off by O(1/L).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_mpf
from symflow.claims import Reference
from symflow.claims.bibliography import SAXE_2014
from symflow.flow.times import float_times
from symflow.inits.init import positive_number
from symflow.solutions.any_precision import context_of
from symflow.solutions.derivation import sampled
from symflow.solutions.modes.spectral import LAM, START, T

SIGMA = sympy.Symbol("sigma", positive=True)


@dataclass(frozen=True)
class InfiniteDepth:
    """The strength of one mode of an infinitely deep network.

    Raises
    ------
    InvalidArgument
        If one of them is not positive.

    Examples
    --------
    >>> mode = InfiniteDepth(2, 1, 0.1)
    >>> [round(w, 6) for w in mode.strength([0.0, 5.0, 1e8]).tolist()]
    [0.1, 0.792564, 2.0]
    """

    #: `sigma`, `lam`, `start`: σ > 0, λ > 0 and w₀ > 0; exact numbers stay exact.
    sigma: Any
    lam: Any
    start: Any

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            positive_number(value, f"InfiniteDepth({name}=…)")

    @property
    def reference(self) -> Reference:
        """Where the solution comes from."""
        return SAXE_2014

    @property
    def formula(self) -> sympy.Expr:
        """The strength w(t), in t, σ, λ and w₀."""
        first = SIGMA / (LAM * START) - 1
        inner = first * sympy.exp(first - SIGMA**2 * T / LAM)
        return SIGMA / LAM / (1 + sympy.LambertW(inner))

    @classmethod
    def residual(cls, formula: sympy.Expr) -> sympy.Expr:
        """Return (ẇ − w²(σ − λw))², simplified, if w(0) = w₀; else the gap there.

        SymPy does not know W(y eʸ) = y; the start is checked to 30 digits at a point.
        """
        equation = formula.diff(T) - formula**2 * (SIGMA - LAM * formula)
        here = {SIGMA: 3, LAM: 2, START: sympy.Rational(1, 2)}
        begin = sampled(formula.subs(T, 0) - START, here)
        return begin or sympy.simplify(equation) ** 2

    def verify(self) -> sympy.Expr:
        """Return the residual of equation and start, exactly zero."""
        return self.residual(self.formula)

    def precise(self, t: Any, *, digits: int = 50) -> Any:
        """Return w(t) as an mpf number, at a time in units of 1/L."""
        low = context_of(15)
        first = to_mpf(self.sigma, low) / (
            to_mpf(self.lam, low) * to_mpf(self.start, low)
        )
        asked = digits + 15 + max(0, int(low.log10(first + to_mpf(t, low) + 1)))
        context = context_of(asked)
        sigma, lam, start, time = (
            to_mpf(number, context) for number in (self.sigma, self.lam, self.start, t)
        )
        above = sigma / (lam * start) - 1
        inner = above * context.exp(above - sigma**2 * time / lam)
        return sigma / lam / (1 + context.lambertw(inner).real)

    def strength(self, t: Any) -> Array:
        """Return w(t) in float64, for times of any shape."""
        times = float_times(t)
        values = [
            float(self.precise(time, digits=18)) for time in times.ravel().tolist()
        ]
        return np.array(values).reshape(times.shape)
