"""One sample, two layers or any quadratic model: where the flow ends, from any start.

Yun, Krishnan, Mobahi (2021), for f = v_1ᵀM(x)v_2 with any tensor M.  All weights move
on one curve, z(ξ) = Σ_k c_k e^{θ_kξ} q_k, whatever the loss (`flow/one_sample.py`).  It
ends

    squared loss:    at the only ξ with ½Σθ_k c_k² e^{2θ_kξ} = y;
    classification:  in the direction of the q_k with the largest θ_k > 0 that the start
                     excites, c_k ≠ 0: top singular vectors of y M(x) among those.

There ξ grows without bound from any start that excites some θ_k > 0, whatever its loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_float, to_mpf
from symflow.algebra.threads import cached_property
from symflow.bias.max_margin import Direction, euclidean_norm
from symflow.bias.prediction import Prediction, RegressionLimit
from symflow.bias.reference_problems import two_points
from symflow.bias.separation import margin_loss
from symflow.claims import Hypothesis, Identity, Path, Refusal, all_hold, positive
from symflow.claims.bibliography import YUN_2021
from symflow.claims.claim import relative_size
from symflow.claims.conditions import (
    excited_sample,
    on_flow,
    quadratic_model,
    single_sample,
    squared_loss,
)
from symflow.claims.example import Example, Examples, restarted
from symflow.data import Dataset
from symflow.flow.one_sample import Excitation, crossing, excitation, sample
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.networks import ConvolutionalNetwork

#: Filters of sizes 2 and 3, which no orthogonal frame decomposes, and a false start.
FILTERS, SAMPLE = ConvolutionalNetwork(3, (2, 3)), Dataset([[1, 2, -1]], [1])
START, FALSE = ([[1], [2]], [[0], [-1], [1]]), restarted(sympy.Rational(11, 10))


@dataclass(frozen=True, eq=False, repr=False)
class CurvePrediction(Prediction):
    """A prediction of where the weights end on their curve z(ξ)."""

    @cached_property
    def excitation(self) -> Excitation:
        """What the start excites."""
        return excitation(self.problem, CHECK_DIGITS)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return that z(ξ) solves dz/dξ = ∇f = Kz, and that f rises along it."""
        a, b, c, x, y, k, theta, xi = sympy.symbols("a b c x y k theta xi", real=True)
        form = (a * x**2 + 2 * b * x * y + c * y**2) / 2
        pulled = form.diff(x) - a * x - b * y + form.diff(y) - b * x - c * y
        part = k * sympy.exp(theta * xi)
        rise = (theta * part**2 / 2).diff(xi) - (theta * part) ** 2
        return (
            Identity("∇(½zᵀKz) = Kz: one sample moves z along K alone", pulled),
            Identity("d(c e^{θξ})/dξ = θ c e^{θξ}", part.diff(xi) - theta * part),
            Identity("df/dξ = Σ(θ_k c_k e^{θ_kξ})² > 0: it has a value once", rise),
        )

    def residuals(self, path: Path) -> Array:
        """Return max|z − z(ξ)| relative to max|z|, ξ read off the largest part."""
        digits = CHECK_DIGITS if path.context is None else path.digits + 10
        found = excitation(self.problem, digits)
        context, gaps = found.theta[0].context, []
        for weights in zip(*path.weights, strict=True):
            z = np.concatenate([to_mpf_array(w.ravel(), context) for w in weights])
            now = found.basis.T @ z
            sizes = [abs(now * found.theta)[k] * m for k, m in enumerate(found.moving)]
            most = sizes.index(max(sizes))
            ratio = now[most] / (found.amounts[most] or context.inf)
            gaps.append(1.0)
            if ratio > 0:
                here = found.weights(context.log(ratio) / found.theta[most])
                gaps[-1] = to_float(relative_size(z - here, z))
        return np.array(gaps)


@dataclass(frozen=True, eq=False, repr=False)
class OneSampleLimit(CurvePrediction, RegressionLimit):
    """One sample: the only point of the curve that fits; made by `implicit_bias`."""

    proved_with_base = True

    source = YUN_2021
    contributes = "the limit for v_2(0) = 0; other starts and models here"
    where = (
        "c_k are the parts of the weights along eigenvectors of the model's "
        "quadratic form, θ_k its eigenvalues, ξ is the time of z_k = c_ke^{θ_kξ}, and "
        "y the target"
    )
    conditions = (
        on_flow(squared_loss),
        quadratic_model,
        single_sample,
        excited_sample,
    )

    @cached_property
    def limit(self) -> Array:
        """The predicted βᵀ, shape (1, d)."""
        found, context = self.excitation, self.excitation.theta[0].context
        numbers = self.problem.rational or self.problem.at(context.dps)
        sigma, lam = (to_mpf(part, context) for part in sample(numbers)[1])
        parts = found.theta[found.moving], found.amounts[found.moving] ** 2
        return to_float_array(found.row(found.weights(crossing(*parts, sigma / lam))))

    @property
    def potential(self) -> sympy.Expr:
        """¼Σc_k²e^{2θ_kξ} − yξ, which is convex in ξ and least at the limit."""
        k, count = sympy.Symbol("k", integer=True), len(self.excitation.theta)
        c, theta = sympy.IndexedBase("c"), sympy.IndexedBase("theta")
        part = c[k] ** 2 * sympy.exp(2 * theta[k] * sympy.Symbol("xi")) / 4
        return sympy.Sum(part, (k, 1, count)) - sympy.Symbol("y") * sympy.Symbol("xi")

    @property
    def statement(self) -> sympy.Basic:
        """ξ goes to the minimizer of the potential."""
        goal = sympy.Function("argmin")(self.potential)
        return sympy.Eq(sympy.Symbol("xi_inf"), goal, evaluate=False)

    @classmethod
    def examples(cls) -> Examples:
        """Return small filters, started elsewhere in the false version."""
        t = (0, 1, 5, 40)
        return (Example("yun-sample-limit", FILTERS, SAMPLE, START, t, false=FALSE),)


@dataclass(frozen=True, eq=False, repr=False)
class OneSampleDirection(CurvePrediction, Direction):
    """One sample: the top singular vectors excited; made by `implicit_bias`."""

    proved_with_base = True

    source = YUN_2021
    contributes = "the theorem for one sample; ties, other starts and models here"
    where = (
        "β_inf is the limit of β/‖β‖, and z_top the part of the start in the "
        "eigenvectors of the model's quadratic form with the largest eigenvalue among "
        "those that it excites"
    )
    conditions = (margin_loss, quadratic_model, single_sample, excited_sample)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the prediction where floats tell the top from what is below it."""
        along = excitation(problem, CHECK_DIGITS)
        first = max(along.theta[along.top])
        below = [*along.theta[along.moving & ~along.top], -first]
        room = min(to_float(1 - max(below) / first), along.visible)
        words = "the top direction that is excited stands out"
        clear = Hypothesis(words, True, "told apart exactly")
        tied = not along.distinct and sum(along.top) > 1
        if tied or (not along.sure and max(along.theta) > first):
            # digits do not tell a tie, or what is missing, from what is small
            clear = Hypothesis(words, False, "digits do not tell")
        if clear.holds and not problem.given_exactly:
            clear = positive(words, room, 1)
        rows = (*found, clear)
        return cls(problem, rows) if all_hold(rows) else cls.refuse(rows)

    @property
    def statement(self) -> sympy.Basic:
        """β/‖β‖ goes to that of the part of z(0) with the largest θ_k."""
        goal = sympy.Function("beta")(sympy.Symbol("z_top"))
        return sympy.Eq(sympy.Symbol("beta_inf"), goal, evaluate=False)

    @property
    def limit(self) -> Array:
        """The direction in float64, of unit Euclidean norm, shape (1, d)."""
        found = self.excitation
        row = found.row(found.basis @ np.where(found.top, found.amounts, 0))
        scaled = to_float_array(row / max(abs(entry) for entry in row.flat))
        return np.asarray(scaled / euclidean_norm(scaled))

    @property
    def margin(self) -> float:
        """θ, the most that f can be for ½‖z‖² = 1 along what is excited."""
        return to_float(max(self.excitation.theta[self.excitation.top]))

    @property
    def potential(self) -> sympy.Expr:
        """½‖z‖² of what the start excites, least where the margin is at least 1."""
        z = sympy.MatrixSymbol("z", self.problem.size, 1)
        return sympy.Trace(z.T * z) / 2

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the chord between the directions of W and of the prediction."""
        return float(2 * np.sin(self.angle(end_to_end) / 2))

    @classmethod
    def examples(cls) -> Examples:
        """Return small filters, started elsewhere in the false version."""
        return (
            two_points("yun-sample-margin", FILTERS, *START, data=SAMPLE, false=FALSE),
        )
