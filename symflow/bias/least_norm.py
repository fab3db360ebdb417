"""Regression with dense layers: the limit of least norm, and what keeps a flow from it.

Let ΦΦᵀ project onto the row space of X and P⊥ = I − ΦΦᵀ.  The part W_1P⊥ of the first
layer never moves, because the force Σ_yx − WΣ_xx vanishes on it.  Hence, for any
depth,

    W(∞) = Σ_yxΣ_xx⁺ + W_L⋯W_2(∞) W_1(0)P⊥

where the loss converges to its infimum (`bias/infimum.py`).  The second term vanishes
if W_1(0)P⊥ = 0; and for two layers also on the larger invariant set

    W_2W_1P⊥ = 0  and  ΦᵀW_1ᵀW_1P⊥ = 0

of Min, Tarmoun, Vidal, Mallada (2021), whose V is our W_2, U_2 our (W_1Φ_⊥)ᵀ and U_1
our (W_1Φ)ᵀ: their x = VU_2ᵀ and y = U_1U_2ᵀ obey ẋ = EᵀΛ^{1/2}y, ẏ = Λ^{1/2}Ex.  The
first condition alone does not suffice.  The limit then is the minimizer of least norm.

The loss cannot reach its infimum where a hidden layer is too narrow, or starts so: a
direction a of hidden units with aᵀW_l = 0 and W_{l+1}a = 0 stays at rest, so that the
rank of W never exceeds that of (W_l, W_{l+1}ᵀ) at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, is_exact_array, to_float_array
from symflow.algebra.rank import decide_rank
from symflow.algebra.threads import cached_property
from symflow.bias.infimum import as_given, ends_at_a_minimum, infimum_proof, moves
from symflow.bias.minimizers import (
    Minimizers,
    is_drawn,
    minimizers,
    product,
    start_weights,
    times,
)
from symflow.bias.prediction import RegressionLimit
from symflow.bias.reference_problems import GENERIC, one_sample
from symflow.claims import (
    TOLERANCE,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    all_hold,
    relative_size,
    vanishing,
)
from symflow.claims.bibliography import MIN_2021
from symflow.claims.conditions import dense_layers, on_flow, squared_loss
from symflow.claims.example import Examples
from symflow.flow.least_squares import exact_least_norm
from symflow.flow.problem import Problem

#: Inputs up to which Σ_xx is inverted in rational numbers: seconds, not minutes.
MOST_EXACT = 120

#: What rounding of the data may put off the row space, relative.
ALLOWED_OFF = 1e-8


@dataclass(frozen=True, eq=False, repr=False)
class LeastNorm(RegressionLimit):
    """The limit is Σ_yxΣ_xx⁺; made by `implicit_bias`."""

    source = MIN_2021
    contributes = "the invariant set; rank, saddles and depth above two derived here"
    conditions = (on_flow(squared_loss), on_flow(dense_layers))

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the prediction where the start keeps to the row space and moves."""
        best = minimizers(problem)
        rows = [*found, *best.hypotheses, moves(problem, best)]
        rows += [_reaches(problem, best), _invariant(problem, best)]
        if all_hold(rows):
            rows.append(ends_at_a_minimum(problem, best))
        return cls(problem, tuple(rows)) if all_hold(rows) else cls.refuse(rows)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that the parts off the row space rest, and how saddles lie."""
        return (*row_space_proof(), *infimum_proof())

    @classmethod
    def examples(cls) -> Examples:
        """Return a start whose second layer does not read W_1P⊥, as generic ones do."""
        generic = one_sample("generic", *GENERIC)
        weights = [[1, 2, 0], [0, 0, 3]], [[1, 0]]
        return (one_sample("min-least-norm", *weights, elsewhere=generic),)

    @property
    def statement(self) -> sympy.Basic:
        """W(∞) = Σ_yx Σ_xx⁺."""
        d, m = self.problem.flow.network.widths[0], self.problem.flow.network.widths[-1]
        sigma_xx, sigma_yx = self.problem.flow.data
        inverse = sympy.MatrixSymbol(f"{sigma_xx.name}^+", d, d)
        limit = sympy.MatrixSymbol("W_∞", m, d)
        return sympy.Eq(limit, sigma_yx * inverse, evaluate=False)

    @property
    def limit(self) -> Array:
        """Σ_yxΣ_xx⁺: rounded once where the data are rational and not large."""
        return to_float_array(self.minimizers.least_norm)

    @cached_property
    def exact_limit(self) -> Array | None:
        """Σ_yxΣ_xx⁺ in rational numbers; None where the moments are not known so.

        Beyond `MOST_EXACT` inputs elimination would take minutes, and floats decide.
        """
        if len(self.problem.arguments[0]) > MOST_EXACT:
            return None
        if all(map(is_exact_array, self.problem.arguments)):
            return self.minimizers.least_norm if self.minimizers.exact else None
        sharp = self.problem.sharp
        rank = decide_rank(sharp.arguments[0])
        same = rank.exact and rank.value == self.minimizers.rank.value
        return exact_least_norm(sharp) if same else None

    @property
    def potential(self) -> sympy.Expr:
        """½‖W‖²_F."""
        widths = self.problem.flow.network.widths
        W = sympy.MatrixSymbol("W", widths[-1], widths[0])
        return sympy.Trace(W.T * W) / 2

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the larger of ‖WP⊥‖ and of the distance of WP from the limit."""
        W = to_float_array(np.asarray(end_to_end))
        scale = np.vstack([W, self.limit])
        off = relative_size(self.minimizers.off(W), scale)
        return float(max(off, self.minimizers.misfit(W)))

    def residuals(self, path: Path) -> Array:
        """Return ‖W(t)P⊥‖, relative: on the row space the misfit fixes W(t)."""
        return off_along(self.problem, self.minimizers, path, path.end_to_end)

    def slack(self, path: Path) -> Array:
        """Return what a rounded start, or rounded data, may put off the row space."""
        return super().slack(path) + allowance(self.problem, self.minimizers)


def off_along(problem: Problem, best: Minimizers, path: Path, gaps: Array) -> Array:
    """Return max|GP⊥| at every time, relative to W(0) and the minimizer.

    G are the `gaps`, shape (times, m, d), in the arithmetic of `path`.
    """
    start, least = product(problem.floats.weights), to_float_array(best.least_norm)
    scale = path.lift(np.vstack([start, least]))
    return np.asarray([relative_size(gap, scale) for gap in best.off(gaps, path)])


def allowance(problem: Problem, best: Minimizers) -> float:
    """Return how far off the row space rounded data alone may lead, relative.

    Exact data have no such excuse.
    """
    exact = all(map(is_exact_array, problem.arguments))
    return 0.0 if exact or best.rank.value == len(best.seen) else ALLOWED_OFF


def off_parts(problem: Problem, best: Minimizers) -> tuple[Array, Array, Array]:
    """Return W_1P, W_2W_1P⊥ and ΦᵀW_1ᵀW_1P⊥ (times Φ) of a two-layer start.

    They are in fractions where `best` is.
    """
    first, second = start_weights(problem, best)
    rest = best.off(first)
    inside = first - rest
    return inside, times(second, rest), times(inside.T, rest)


def row_space_proof() -> tuple[Identity, ...]:
    """Return what holds off the row space: F = GΦᵀ for the force, and ΦᵀP⊥ = 0."""
    names = "W1 W2 G Phi P"
    first, second, G, Phi, P = sympy.symbols(names, commutative=False)
    seen = sympy.Symbol("PhitP", commutative=False)  # ΦᵀP⊥
    rest, t = first * P, sympy.adjoint
    rate_first, rate_second = t(second) * G * t(Phi), G * t(Phi) * t(first)
    moved = (rate_first * P).subs(t(Phi) * P, seen).subs(seen, 0)
    x_rate = rate_second * rest + second * moved
    y_rate = t(Phi) * (t(rate_first) * rest + t(first) * moved)
    y, x = t(Phi) * t(first) * rest, second * rest
    pull = t(Phi) * Phi * t(G)
    return (
        Identity("Ẇ_1P⊥ = W_2ᵀGΦᵀP⊥ = 0", moved),
        Identity("ẋ = Gy for x = W_2W_1P⊥, y = ΦᵀW_1ᵀW_1P⊥", x_rate - G * y),
        Identity("ẏ = Gᵀx, so that x = y = 0 stays", sympy.expand(y_rate - pull * x)),
    )


def _invariant(problem: Problem, best: Minimizers) -> Hypothesis:
    """Say whether the start keeps W(t) in the row space of X."""
    first, *later = start_weights(problem, best)
    rest = best.off(first)
    defect: Any = max(map(_ratio, rest, abs(first)))
    detail = "‖W₁P⊥‖"
    if len(later) == 1 and float(defect) > TOLERANCE * (not problem.given_exactly):
        inside, x, y = off_parts(problem, best)
        across = _ratio(x, abs(later[0]) @ abs(rest))
        down = _ratio(y, abs(inside).T @ abs(rest))
        defect = max(across, down)
        detail = f"‖W₂W₁P⊥‖ = {float(across):.2g}, ‖ΦᵀW₁ᵀW₁P⊥‖ = {float(down):.2g}; max"
    if best.exact and is_drawn(problem):
        defect = float(defect)
    words = "the start keeps W in the row space of X"
    return vanishing(words, defect, detail, given_exactly=problem.given_exactly)


def _ratio(part: Array, terms: Array) -> Any:
    """Return max|part| relative to the terms of which it is made; 0 for none."""
    top = max(abs(entry) for entry in part.flat)
    return top / max(terms.flat) if top else 0


def _reaches(problem: Problem, best: Minimizers) -> Hypothesis:
    """Say whether the hidden units of the start leave W(t) enough rank."""
    needed = decide_rank(as_given(problem, best.least_norm))
    # what a rule draws is known to some digits, and has no exact rank
    drawn = best.exact and is_drawn(problem)
    weights = problem.floats.weights if drawn else start_weights(problem, best)
    spans = [
        decide_rank(np.hstack([before, after.T])).value
        for before, after in pairwise(weights)
    ]
    words = "the hidden units reach the rank of the limit"
    shown = ", ".join(map(str, spans)) or "none"
    detail = f"rank {needed.value}; hidden directions in use: {shown}"
    enough = not spans or min(spans) >= needed.value
    return Hypothesis(words, enough, detail, exact=needed.exact or needed.is_clear)
