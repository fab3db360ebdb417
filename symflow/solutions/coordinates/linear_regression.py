"""Linear regression, one layer: the flow is linear, for any Σ_xx and any start.

Ẇ = Σ_yx − W Σ_xx gives W(t) = W(0) e^{−Σ_xx t} + Σ_yx ∫₀ᵗ e^{−Σ_xx s} ds.  With the
eigenvectors v of Σ_xx every entry of W(t)v obeys

    ẇ = σ − λ w,      w(t) = w₀ e^{−λt} + σ (1 − e^{−λt})/λ,

with (1 − e^{−λt})/λ → t as λ → 0.  A weight decay l2 turns Σ_xx into Σ_xx + l2 I and λ
into λ + l2, the ridge flow.  (The linear model of Gidel et al. 2019.)
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.whitened import decaying_loss
from symflow.flow.problem import CHECK_DIGITS, FINE_SIZE
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of, is_coarse
from symflow.solutions.derivation import Step
from symflow.solutions.modes.eigenvectors import symmetric_eigen
from symflow.solutions.modes.spectral import L2, LAM, SIGMA, START, T
from symflow.solutions.numpy_form import Routine
from symflow.solutions.reduction import eigenvector_steps
from symflow.solutions.solution import Solution

#: Eigenvalues of correlations of floats below this are rounding.
CORRELATED = 1e-13


@final
class LinearRegression(Solution):
    """The flow of a single dense layer; made by `solve`."""

    source: ClassVar = GIDEL_2019
    contributes: ClassVar = "the closed form"
    where: ClassVar = (
        "w is an entry of W along an eigenvector of Σ_xx, w₀ at the start; λ is its "
        "eigenvalue, σ the entry of Σ_yx"
    )
    unknown: ClassVar = sympy.Function("w")(T)
    conditions: ClassVar = (decaying_loss, on_flow(dense_layers, 1))

    @property
    def formula(self) -> sympy.Expr:
        """One entry of W(t)v, in t, σ, λ and w₀ (and the weight decay)."""
        rate = LAM + self._decay
        decayed = sympy.exp(-rate * T)
        return START * decayed + SIGMA * (1 - decayed) / rate

    @property
    def _decay(self) -> sympy.Expr:
        return L2 if self.problem.flow.loss.l2 else sympy.S.Zero

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return (ẇ − (σ − λw))² + (w(0) − w₀)², simplified.

        A formula in which l2 stands is one of the flow with weight decay: λ + l2.
        """
        (w,) = formulas
        rate = LAM + int(w.has(L2)) * L2
        equation = sympy.simplify(sympy.diff(w, T) - (SIGMA - rate * w))
        return equation**2 + sympy.simplify(w.subs(T, 0) - START) ** 2

    def _derived(self) -> tuple[Step, ...]:
        w = sympy.Function("w")(T)
        rate = LAM + self._decay
        factor = sympy.exp(rate * T)
        left = sympy.Derivative(factor * w, T)
        product = left.doit().subs(w.diff(T), SIGMA - rate * w) - SIGMA * factor
        return (
            *eigenvector_steps(self._decay),
            Step(
                "times an integrating factor",
                sympy.Eq(left, SIGMA * factor),
                sympy.simplify(product),
            ),
            Step("so that", self.statement, self.verify()),
        )

    def _turned(self, digits: int) -> tuple[Array, ...]:
        """Return λ + l2, V, Σ_yxV and W(0)V, found once."""
        return self.problem.remembered(
            ("regression", digits), lambda: self._found(digits)
        )

    def _found(self, digits: int) -> tuple[Array, ...]:
        coarse = is_coarse(self.problem, digits)
        problem = self.problem.rational or self.problem.at(digits)
        sigma_xx, sigma_yx = problem.arguments
        eigen = symmetric_eigen(sigma_xx, digits, fine=not coarse)
        context = context_of(digits + 5)
        rates, basis, pushed, moved = (
            to_mpf_array(a, context)
            for a in (eigen.values, eigen.vectors, sigma_yx, problem.weights[0])
        )
        rates = rates + to_mpf(self.problem.flow.loss.l2, context)
        return rates, basis, pushed @ basis, moved @ basis

    @cached_property
    def _floats(self) -> tuple[Array, ...]:
        return tuple(map(to_float_array, self._turned(CHECK_DIGITS)))

    def _end_to_end(self, t: Any) -> Array:
        return np.asarray(relaxed(np, float_times(t), *self._floats))

    def routine(self) -> Routine:
        return self._routine_of("PUSHED", "MOVED")

    def family(self) -> Routine:
        return self._routine_of("sigma_yx @ VECTORS", "init[0] @ VECTORS")

    def _routine_of(self, pushed: str, moved: str) -> Routine:
        names = ("RATES", "VECTORS", "PUSHED", "MOVED")
        return Routine(
            dict(zip(names, self._floats, strict=True)),
            (relaxed,),
            (f"matrix = relaxed(xp, t, RATES, VECTORS, {pushed}, {moved})",),
            {"end_to_end": "matrix", "weights": "(matrix,)"},
            {"strengths": "the modes of one layer are entries, not singular values"},
            family="any Σ_yx and any start",
        )

    def _weights(self, t: Any) -> tuple[Array, ...]:
        return (self.end_to_end(t),)

    def layers_at(self, t: Any, digits: int) -> tuple[Array, ...]:
        return (self._at(t, digits),)

    def _at(self, t: Any, digits: int) -> Array:
        context = context_of(digits)
        rates, vectors, pushed, moved = (
            to_mpf_array(part, context) for part in self._turned(digits)
        )
        time = to_mpf(t, context)
        kept = np.array([context.exp(-rate * time) for rate in rates], dtype=object)
        grown = [
            -context.expm1(-rate * time) / rate if rate else time for rate in rates
        ]
        return np.asarray((moved * kept + pushed * np.array(grown)) @ vectors.T)

    @property
    def _limit(self) -> Array:
        """W(0) on the kernel of Σ_xx + l2 I, the least-squares solution elsewhere."""
        rates, vectors, pushed, moved = self._floats
        seen = np.arange(len(rates)) < self._rank
        return np.asarray(
            np.where(seen, pushed / np.where(seen, rates, 1.0), moved) @ vectors.T
        )

    @property
    def _rank(self) -> int:
        """The rank of Σ_xx + l2 I: exact moments exactly, floats by correlations."""
        if self.problem.flow.loss.l2:
            return self.problem.widths[0]
        sigma_xx = self.problem.floats.arguments[0]
        if self.problem.is_exact and len(sigma_xx) <= FINE_SIZE:
            return int(np.count_nonzero(self._floats[0] > 0))
        scale = np.sqrt(np.where(np.diag(sigma_xx) > 0, np.diag(sigma_xx), np.inf))
        alike = np.linalg.eigvalsh(sigma_xx / np.multiply.outer(scale, scale))
        return int(np.count_nonzero(alike > CORRELATED))


def relaxed(xp: Any, t: Any, rates: Any, vectors: Any, pushed: Any, moved: Any) -> Any:
    """Return W(0)e^{−Σt} + Σ_yx∫e^{−Σs}ds, in the eigenvectors of Σ = Σ_xx."""
    times = t[..., None]
    safe = xp.where(rates == 0, 1.0, rates)
    grown = xp.where(rates == 0, times, -xp.expm1(-rates * times) / safe)
    kept = xp.exp(-rates * times)[..., None, :]
    return (moved * kept + pushed * grown[..., None, :]) @ vectors.T
