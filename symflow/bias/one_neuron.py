"""One hidden neuron, one output, any imbalance: the limit is explicit.

Azulay et al. (2021).  With w = au, ȧ = uᵀf and u̇ = af, δ = a² − ‖u‖² is conserved, and
the flow stops at the w that minimizes Q(w) − ⟨∇Q(w(0)), w⟩ among the minimizers of the
loss, for the radial

    Q′(x) = √(√(x² + δ²/4) − δ/2),  the ‖u‖ that belongs to ‖w‖ = x:

because ∇Q(w) = ±u, and u moves in the row space of X only.  With the least-norm
solution ω and the frozen part f = P⊥u(0) of u this is

    w(∞) = ω + a f,     a² = ½(δ + ‖f‖² + √((δ + ‖f‖²)² + 4‖ω‖²)),

where a keeps its sign and the loss converges to its infimum.  Where a = 0 or in a
saddle, w = 0.  Both are excluded for δ + ‖f‖² > 0, as a² = δ + ‖u‖² is at least that,
and the loss falls exponentially; and for any δ where the flow moves and ℓ(w(0)) ≤ ℓ(0),
as the loss falls.  For δ = 0 = f the flow may end at 0, as it does from w(0) = −cΣ_yx
for an eigenvector Σ_yx of Σ_xx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
from symflow.bias.infimum import moves
from symflow.bias.least_norm import ALLOWED_OFF
from symflow.bias.minimizers import (
    Minimizers,
    is_drawn,
    minimizers,
    product,
    start_weights,
    times,
)
from symflow.bias.prediction import RegressionLimit
from symflow.bias.reference_problems import unseen
from symflow.claims import (
    TOLERANCE,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    all_hold,
    relative_size,
    structural,
)
from symflow.claims.bibliography import AZULAY_2021
from symflow.claims.conditions import dense_layers, on_flow, squared_loss
from symflow.claims.example import Examples, scaled
from symflow.claims.hypothesis import ROUNDING
from symflow.flow.problem import Problem
from symflow.networks import LinearNetwork


def _one_neuron(problem: Problem) -> Hypothesis:
    """Say whether there is one hidden neuron, and one output."""
    widths = problem.widths
    words = "one hidden neuron and one output"
    return structural(words, widths[1:] == (1, 1), f"widths {widths}")


@dataclass(frozen=True, eq=False, repr=False)
class OneNeuron(RegressionLimit):
    """The limit of a network with one hidden neuron; made by `implicit_bias`."""

    delta: float  #: δ = a² − ‖u‖².

    source = AZULAY_2021
    contributes = "the potential; the limit in closed form and its saddles derived here"
    where = (
        "ω is the minimizer of least norm, f what the start of W₁ has off the row "
        "space of X"
    )
    conditions = (on_flow(squared_loss), on_flow(dense_layers, 2), _one_neuron)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the prediction where the sign of a is known."""
        best = minimizers(problem)
        rows = [*found, *best.hypotheses, moves(problem, best)]
        if not all_hold(rows):
            return cls.refuse(rows)
        delta, keeps, converges = _verdicts(problem, best)
        rows += [keeps, converges]
        return cls(problem, tuple(rows), delta) if all_hold(rows) else cls.refuse(rows)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that δ rests, and the equation of a²."""
        a, u, f = sympy.symbols("a u f", real=True)
        delta, rest, omega = sympy.symbols("delta f2 omega2", nonnegative=True)
        level = delta + rest
        square = (level + sympy.sqrt(level**2 + 4 * omega)) / 2
        norm = omega + square * rest - square * (square - delta)
        return (
            Identity(
                "δ̇ = 2aȧ − 2uᵀu̇ = 0 for ȧ = uᵀf, u̇ = af", a * (u * f) - u * (a * f)
            ),
            Identity("‖ω + af‖² = a²‖u‖² = a²(a² − δ)", sympy.expand(norm)),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return an unbalanced start."""
        start = (np.array([[0.5, -0.2, 0.3, 0.4]]), np.array([[1.5]]))
        network = LinearNetwork(4, 1, 1)
        return (unseen("azulay-neuron", network, start, false=scaled(delta=2)),)

    @property
    def potential(self) -> sympy.Expr:
        """Q(‖w‖) − ⟨∇Q(w(0)), w⟩, Q as an integral."""
        w, u = sympy.Symbol("w"), sympy.Symbol("u0")  # ∇Q(w(0)) = ±u(0)
        x = sympy.Symbol("x", positive=True)
        delta = sympy.Float(self.delta)
        slope = sympy.sqrt(sympy.sqrt(x**2 + delta**2 / 4) - delta / 2)
        radial = sympy.Integral(slope, (x, 0, sympy.Abs(w)))
        return radial - self.sign * u * w

    @property
    def statement(self) -> sympy.Basic:
        """w(∞) = ω + a f with a² written out."""
        d = self.problem.widths[0]
        omega, rest = sympy.MatrixSymbol("omega", 1, d), sympy.MatrixSymbol("f", 1, d)
        limit = sympy.MatrixSymbol("w_inf", 1, d)
        level = sympy.Float(self.delta) + sympy.Trace(rest * rest.T)
        root = sympy.sqrt(level**2 + 4 * sympy.Trace(omega * omega.T))
        size = self.sign * sympy.sqrt((level + root) / 2)
        return sympy.Eq(limit, omega + size * rest, evaluate=False)

    @cached_property
    def sign(self) -> int:
        """The sign of a, for all t > 0."""
        first, second = start_weights(self.problem, self.minimizers)
        a = second[0, 0] or times(first, self.minimizers.moments[1].T)[0, 0]
        return int(a > 0) - int(a < 0)

    @cached_property
    def frozen(self) -> Array:
        """The part f of u that never moves, shape (1, d)."""
        first = start_weights(self.problem, self.minimizers)[0]
        return to_float_array(self.minimizers.off(first))

    @cached_property
    def limit(self) -> Array:
        """The predicted wᵀ, shape (1, d)."""
        frozen, omega = self.frozen, to_float_array(self.minimizers.least_norm)
        level, size = self.delta + float(np.sum(frozen**2)), np.linalg.norm(omega)
        root = float(np.hypot(level, 2 * size))
        # 2‖ω‖²/(root − level) where the sum would cancel
        square = (level + root) / 2 if level >= 0 else 2 * size * size / (root - level)
        return np.asarray(omega + self.sign * np.sqrt(square) * frozen)

    def slope(self, w: Array) -> Array:
        """Return ∇Q(w) for end-to-end vectors of shape (…, d)."""
        size = np.linalg.norm(w, axis=-1, keepdims=True)
        # x²/(√(x² + δ²/4) + δ/2) where the difference would cancel
        root, half = np.hypot(size, self.delta / 2), self.delta / 2
        inner = size**2 / (root + half) if half > 0 else root - half
        safe = np.where(size > 0, size, 1.0)
        return np.asarray(np.sqrt(inner) / safe * w)

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the larger of the misfit and of ∇Q(w) − ∇Q(w(0)) off the row space."""
        W = to_float_array(np.asarray(end_to_end)).reshape(1, -1)
        gap = relative_size(self._off(W), np.vstack([self.slope(W), self.frozen]))
        return max(float(gap), self.minimizers.misfit(W))

    def residuals(self, path: Path) -> Array:
        """Return how far ∇Q(w(t)) − ∇Q(w(0)) is off the row space, relative."""
        u = self.problem.floats.weights[0]
        scale = np.vstack([u, self.minimizers.least_norm.astype(float)])
        gaps = self._off(to_float_array(path.end_to_end)[:, 0, :])
        return np.asarray([relative_size(gap, scale) for gap in gaps])

    def _off(self, w: Array) -> Array:
        """Return ∇Q(w)P⊥ − f, with the sign of a; f where w = 0."""
        rest = self.minimizers.off(self.slope(w))
        alive = np.any(w != 0, axis=-1, keepdims=True)
        return np.where(alive, rest - self.sign * self.frozen, 0.0)

    def slack(self, path: Path) -> Array:
        return super().slack(path) + ALLOWED_OFF


def _verdicts(
    problem: Problem, best: Minimizers
) -> tuple[float, Hypothesis, Hypothesis]:
    """Return δ, whether a keeps its sign, and whether the loss reaches its infimum."""
    weights = start_weights(problem, best)
    u, a = weights[0][0], weights[1][0, 0]
    sharp = problem.given_exactly and best.exact and not is_drawn(problem)
    rest = best.off(weights[0])[0]
    delta, frozen, target = a * a - u @ u, rest @ rest, best.moments[1][0]
    noise: Any = 0 if sharp else ROUNDING * to_float(a * a + u @ u)
    at_start, at_zero = best.excess(product(weights)), best.excess(0 * weights[0])
    apart = delta + frozen > noise
    below = at_start <= at_zero * (1 if sharp else 1 - ROUNDING) if a else np.any(u)
    nothing = frozen <= (0 if sharp else TOLERANCE**2 * (u @ u))
    detail = f"δ + ‖f‖² = {to_float(delta + frozen):.3g}, ‖f‖² = {to_float(frozen):.2g}"
    words = "the outer weight keeps its sign, or nothing is frozen"
    keeps = Hypothesis(words, bool(apart or below or nothing), detail)
    words = "the loss converges to its infimum, not to a saddle"
    if apart or below or at_zero == 0:
        proved = "a² ≥ δ + ‖f‖² > 0" if apart else "w = 0 has no smaller loss"
        return to_float(delta), keeps, Hypothesis(words, True, proved)
    straight = not np.any(_crossed(times(best.moments[1], best.moments[0])[0], target))
    against = not np.any(_crossed(u, target)) and a * (target @ u) < 0
    stuck = bool(abs(delta) <= noise and straight and against)
    if stuck:
        opposite = Hypothesis(words, False, "W(0) is opposite to the target")
        return to_float(delta), keeps, opposite
    assumed = Hypothesis(words, True, detail, exact=False, assumed=True)
    return to_float(delta), keeps, assumed


def _crossed(left: Array, right: Array) -> Array:
    """Return the products x_iy_j − x_jy_i, which vanish for parallel vectors."""
    outer = np.multiply.outer(left, right)
    gap = outer - outer.T
    if gap.dtype != object:
        gap = np.where(abs(gap) <= ROUNDING * np.max(abs(outer), initial=0.0), 0.0, gap)
    return np.asarray(gap)
