"""Linear regression, one layer: the flow is linear, for any Σ_xx and any start.

Ẇ = Σ_yx − W Σ_xx gives W(t) = W(0) e^{−Σ_xx t} + Σ_yx ∫₀ᵗ e^{−Σ_xx s} ds.  With the
eigenvectors v of Σ_xx every entry of W(t)v obeys

    ẇ = σ − λ w,      w(t) = w₀ e^{−λt} + σ (1 − e^{−λt})/λ,

with (1 − e^{−λt})/λ → t as λ → 0.  (The linear model of Gidel et al. 2019.)
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.flow.times import float_times
from symflow.solutions.case import CHECK_DIGITS, context_of
from symflow.solutions.conditions import dense_layers, squared_loss
from symflow.solutions.eigen import Eigen, spare_digits, symmetric_eigen
from symflow.solutions.references import GIDEL
from symflow.solutions.routine import Routine
from symflow.solutions.solution import Solution, Step
from symflow.solutions.spectral import LAM, SIGMA, START, T


@final
class LinearRegression(Solution):
    """The flow of a single dense layer; made by `solve`."""

    source: ClassVar = GIDEL
    conditions: ClassVar = (squared_loss, partial(dense_layers, least=1, most=1))

    @property
    def formula(self) -> sympy.Expr:
        """One entry of W(t)v, in t, σ, λ and w₀."""
        decayed = sympy.exp(-LAM * T)
        return START * decayed + SIGMA * (1 - decayed) / LAM

    @property
    def statement(self) -> sympy.Eq:
        """w(t) = …, for every output and eigenvector of Σ_xx."""
        return sympy.Eq(sympy.Function("w")(T), self.formula, evaluate=False)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return (ẇ − (σ − λw))² + (w(0) − w₀)², simplified."""
        (w,) = formulas
        equation = sympy.simplify(sympy.diff(w, T) - (SIGMA - LAM * w))
        return equation**2 + sympy.simplify(w.subs(T, 0) - START) ** 2

    def derivation(self) -> tuple[Step, ...]:
        """Return the equation, its integrating factor, and the solution."""
        w = sympy.Function("w")(T)
        factor = sympy.exp(LAM * T)
        left = sympy.Derivative(factor * w, T)
        product = left.doit().subs(w.diff(T), SIGMA - LAM * w) - SIGMA * factor
        return (
            Step("each entry obeys", sympy.Eq(w.diff(T), SIGMA - LAM * w)),
            Step(
                "times an integrating factor",
                sympy.Eq(left, SIGMA * factor),
                sympy.simplify(product),
            ),
            Step("so that", self.statement, self.verify()),
        )

    @cached_property
    def _eigen(self) -> Eigen:
        return symmetric_eigen(self.problem.arguments[0], CHECK_DIGITS)

    @cached_property
    def _floats(self) -> tuple[Array, ...]:
        vectors = self._eigen.vectors
        pushed, moved = self._turned(vectors, CHECK_DIGITS)
        return tuple(
            to_float_array(a) for a in (self._eigen.values, vectors, pushed, moved)
        )

    def _turned(self, vectors: Array, digits: int) -> tuple[Array, Array]:
        problem = self.case.at(digits)
        context = context_of(digits + 5)
        basis = to_mpf_array(vectors, context)
        pushed, moved = problem.arguments[1], problem.weights[0]
        return (
            to_mpf_array(pushed, context) @ basis,
            to_mpf_array(moved, context) @ basis,
        )

    def end_to_end(self, t: Any) -> Array:
        """Return W(t) in float64."""
        return relaxed(float_times(t), *self._floats)

    def routine(self) -> Routine:
        """Return the relaxation as NumPy code."""
        names = ("RATES", "VECTORS", "PUSHED", "MOVED")
        return Routine(
            dict(zip(names, self._floats, strict=True)),
            (relaxed,),
            (f"matrix = relaxed(t, {', '.join(names)})",),
            {"end_to_end": "matrix", "weights": "(matrix,)"},
            {"strengths": "the modes of one layer are entries, not singular values"},
        )

    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return the one weight matrix, W(t), in float64."""
        return (self.end_to_end(t),)

    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) at one time as mpf numbers."""
        asked = digits + spare_digits(t, self.problem.arguments)
        eigen, context = (
            symmetric_eigen(self.problem.exact_arguments[0], asked, fine=True),
            context_of(asked),
        )
        time, rates = to_mpf(t, context), to_mpf_array(eigen.values, context)
        pushed, moved = self._turned(eigen.vectors, asked)
        kept = np.array([context.exp(-rate * time) for rate in rates], dtype=object)
        grown = [
            -context.expm1(-rate * time) / rate if rate else time for rate in rates
        ]
        vectors = to_mpf_array(eigen.vectors, context)
        return np.asarray((moved * kept + pushed * np.array(grown)) @ vectors.T)

    @property
    def limit(self) -> Array:
        """W(0) on the kernel of Σ_xx and the least-squares solution elsewhere."""
        rates, vectors, pushed, moved = self._floats
        seen = rates > 1e-14 * max(float(np.max(rates)), 0.0)
        return np.asarray(
            np.where(seen, pushed / np.where(seen, rates, 1.0), moved) @ vectors.T
        )


def relaxed(
    t: Array, rates: Array, vectors: Array, pushed: Array, moved: Array
) -> Array:
    """Return W(0)e^{−Σt} + Σ_yx∫e^{−Σs}ds, in the eigenvectors of Σ = Σ_xx."""
    times = t[..., None]
    safe = np.where(rates == 0, 1.0, rates)
    grown = np.where(rates == 0, times, -np.expm1(-rates * times) / safe)
    kept = np.exp(-rates * times)[..., None, :]
    return np.asarray((moved * kept + pushed * grown[..., None, :]) @ vectors.T)
