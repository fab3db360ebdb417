"""One hidden neuron, one output, any imbalance: the limit is explicit.

Azulay et al. (2021).  With w = au, ȧ = uᵀf and u̇ = af, δ = a² − ‖u‖² is conserved, and
the flow stops at the w that minimizes Q(w) − ⟨∇Q(w(0)), w⟩ among the minimizers of the
loss, for the radial

    Q′(x) = √(√(x² + δ²/4) − δ/2),  the ‖u‖ that belongs to ‖w‖ = x:

because ∇Q(w) = ±u, and u moves in the row space of X only.  With the least-norm
solution ω and the frozen part f = P⊥u(0) of u this is

    w(∞) = ω + a f,     a² = ½(δ + ‖f‖² + √((δ + ‖f‖²)² + 4‖ω‖²)),

where a keeps its sign: δ ≥ 0, or nothing is frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.prediction import Prediction
from symflow.claims import TOLERANCE, Hypothesis, Path, Refusal, all_hold, relative_size
from symflow.claims.bibliography import AZULAY_2021
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.flow.least_squares import ALLOWED_OFF, LeastSquares, least_squares
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class OneNeuron(Prediction):
    """The limit of a network with one hidden neuron; made by `implicit_bias`.

    Parameters
    ----------
    delta : float
        δ = a² − ‖u‖².
    """

    delta: float

    source = AZULAY_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        if all_hold(found):
            widths = problem.widths
            words = "one hidden neuron and one output"
            found.append(Hypothesis(words, widths[1:] == (1, 1), f"widths {widths}"))
        if not all_hold(found):
            return cls.refuse(found)
        u, a = (weight.ravel() for weight in problem.floats.weights)
        delta = float(a @ a - u @ u)
        frozen = float(np.linalg.norm(least_squares(problem).off(u)))
        scale = float(a @ a + u @ u) or 1.0
        keeps = delta >= -TOLERANCE * scale or frozen <= TOLERANCE * scale**0.5
        words = "the outer weight keeps its sign, a² ≥ ‖u‖² > 0"
        detail = f"a² − ‖u‖² = {delta:.3g}"
        found.append(Hypothesis(words, keeps and float(a @ a) > 0, detail))
        return (
            cls(problem, tuple(found), delta) if all_hold(found) else cls.refuse(found)
        )

    @property
    def potential(self) -> sympy.Expr:
        """Q(‖w‖) − ⟨∇Q(w(0)), w⟩, Q as an integral."""
        w, w0 = sympy.Symbol("w"), sympy.Symbol("w0")
        x = sympy.Symbol("x", positive=True)
        delta = sympy.Float(self.delta)
        slope = sympy.sqrt(sympy.sqrt(x**2 + delta**2 / 4) - delta / 2)
        radial = sympy.Integral(slope, (x, 0, sympy.Abs(w)))
        return radial - sympy.Function("dQ")(w0) * w

    @property
    def statement(self) -> sympy.Basic:
        """The limit minimizes the potential."""
        infinite = sympy.Symbol("w_inf")
        return sympy.Eq(infinite, sympy.Function("argmin")(self.potential))

    @cached_property
    def reduction(self) -> LeastSquares:
        """The least-squares problem in float64."""
        return least_squares(self.problem)

    @cached_property
    def _start(self) -> tuple[Array, float]:
        u, a = (weight.ravel() for weight in self.problem.floats.weights)
        return u, float(a[0])

    @cached_property
    def limit(self) -> Array:
        """The predicted wᵀ, shape (1, d)."""
        u, a = self._start
        frozen, omega = self.reduction.off(u), self.reduction.least_norm
        level = self.delta + float(frozen @ frozen)
        square = (level + np.hypot(level, 2 * float(np.linalg.norm(omega)))) / 2
        return np.asarray(omega + np.sign(a) * np.sqrt(square) * frozen)

    def slope(self, w: Array) -> Array:
        """Return ∇Q(w).

        Parameters
        ----------
        w : ndarray, shape (…, d)
            End-to-end vectors.
        """
        size = np.linalg.norm(w, axis=-1, keepdims=True)
        # x²/(√(x² + δ²/4) + δ/2) where the difference would cancel
        root, half = np.hypot(size, self.delta / 2), self.delta / 2
        inner = size**2 / (root + half) if half > 0 else root - half
        safe = np.where(size > 0, size, 1.0)
        return np.asarray(np.sqrt(inner) / safe * w)

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the larger of the misfit and of ∇Q(w) − ∇Q(w(0)) off the row space."""
        W = to_float_array(np.asarray(end_to_end)).reshape(1, -1)
        u, a = self._start
        force = self.slope(W[0]) - np.sign(a) * u
        off = relative_size(self.reduction.off(force), np.concatenate([force, u]))
        misfit = relative_size(self.reduction.misfit(W), self.reduction.target)
        return float(max(off, misfit))

    def residuals(self, path: Path) -> Array:
        """Return how far ∇Q(w(t)) − ∇Q(w(0)) is off the row space, relative."""
        u, a = self._start
        slopes = self.slope(to_float_array(path.end_to_end)[:, 0, :])
        force = slopes - np.sign(a) * u
        gaps = np.max(np.abs(self.reduction.off(force)), axis=1)
        return np.asarray(gaps / np.max(np.abs(u), initial=1e-300))

    def slack(self, path: Path) -> Array:
        """Return what data and start in float64 may put off the row space."""
        return np.full(len(path.t), ALLOWED_OFF)
