r"""Classification from any ordered start: the loss vanishes at least like 1/t.

Yun, Krishnan, Mobahi (2021) start where the total loss is below 1.  Orthogonally
decomposable networks in order, |η_{l,j}|² − |η_{L,j}|² ≥ λ > 0 for l < L, need no such
start.  With the features Sx_i, g = Σ_i q_i y_i Sx_i and q_i = −φ′(margin i) (over n for
the mean), the last layer alone gives −ℒ̇ ≥ Σ_j |g_j|² Π_{l<L}|η_{l,j}|² ≥ λ^{L−1}‖g‖²,
and ‖g‖ ≥ γ Σ_i q_i, where γ is the largest margin of a unit vector over the features.
For the exponential loss Σ_i q_i = ℒ.  For the logistic one q = 1 − e^{−φ}, and φ ≤ T_0,
the sum of all φ at the start, gives Σ_i q_i ≥ ℒ (1 − e^{−T_0})/T_0.  So −ℒ̇ ≥ cℒ², or

.. math:: ℒ(t) ≤ 1/(1/ℒ_0 + ct),  c = λ^{L−1} γ² \bigl((1 − e^{−T_0})/T_0\bigr)^2,

the last factor for the logistic loss only; without it the bound is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import scipy  # which imports scipy.optimize where it is first used
import sympy

from symflow.algebra.arrays import Array, to_mpf_array
from symflow.algebra.balls import to_arb, to_arb_array
from symflow.algebra.numbers import exact
from symflow.algebra.outward import float_down, float_up, said_down
from symflow.claims import (
    Finding,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    positive,
    random_problems,
)
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import margin_loss, on_flow
from symflow.claims.example import Example, Examples, RandomExamples, scaled
from symflow.claims.finding import is_endless
from symflow.convergence.bound import SMALLEST, RateBound
from symflow.convergence.ordered_modes import decomposable, mode_levels
from symflow.data import Dataset
from symflow.flow.problem import Problem
from symflow.flow.start import start_matrix
from symflow.losses import ExponentialLoss, LogisticLoss
from symflow.networks import DiagonalNetwork

#: What float64 may have lost of γ², λ^{L−1} and ℒ_0, relative.
LOST = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class InverseTime(RateBound):
    """ℒ(t) ≤ 1/(1/ℒ_0 + ct) in classification."""

    where = "L is the loss"

    quantity = "ℒ"

    @classmethod
    def with_pull(
        cls, problem: Problem, found: Sequence[Hypothesis], pull: float
    ) -> Self | Refusal:
        """Return the bound for −ℒ̇ ≥ pull·(Σ_i q_i)²."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = total_loss(problem, start_matrix(problem).ravel())
        met = positive("a finite loss", 1 / total if total else 1.0, 0.0)
        if isinstance(problem.flow.loss, LogisticLoss) and total:
            pull *= (-np.expm1(-total) / total) ** 2
        return cls.with_rate(problem, [*found, met], float(pull) * (1 - LOST))

    rate = 0.0  #: Zero: no exponential is guaranteed; `constant` is the c of the bound.

    @property
    def falls(self) -> str:
        """How the loss falls."""
        return f"1/(1/ℒ(0) + {said_down(self.constant)} t)"

    @property
    def statement(self) -> sympy.Basic:
        """ℒ ≤ 1/(1/ℒ_0 + ct)."""
        t, loss = sympy.Symbol("t", nonnegative=True), sympy.Symbol("L")
        start = float_up(float(self.bound(0.0)))
        bound = 1 / (1 / start + float_down(self.constant) * t)
        return sympy.Le(loss, bound, evaluate=False)

    def bound(self, t: Any) -> Array:
        """Return the bound on the loss, rounded up, in float64."""
        row = start_matrix(self.problem).ravel()
        start = total_loss(self.problem, row) * _weight(self.problem) * (1 + LOST)
        falling = start / (1 + self.constant * start * np.asarray(t, float))
        return np.asarray(falling + SMALLEST)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the loss, and its bound from the first time of `path`."""
        rows = signed_rows(self.problem, path)
        exponential = isinstance(self.problem.flow.loss, ExponentialLoss)
        losses = _profile(path.end_to_end[:, 0, :] @ rows.T, exponential, path.context)
        values = losses.sum(axis=1) * path.number(exact(_weight(self.problem)))
        first, pace = values[0], path.number(exact(self.constant))
        passed = [path.number(exact(time) - exact(path.t[0])) for time in path.t]
        return values, np.asarray(
            [first / (1 + pace * first * time) for time in passed]
        )

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return 1/(1/ℒ_0 + ct) − ℒ(t) in balls."""
        if is_endless(balls) or balls.t[index] == 0:
            return "needs finite times after the start"
        rows = to_arb_array(balls.problem.data["Y"] * balls.problem.data["X"])
        exponential = isinstance(self.problem.flow.loss, ExponentialLoss)
        weight = to_arb(exact(_weight(self.problem)))

        def loss(product: Array) -> Any:
            terms = [(-margin).exp() for margin in rows @ product[0]]
            return weight * sum(x if exponential else x.log1p() for x in terms)

        start = loss(balls.start_product())
        pace = to_arb(self.constant) * to_arb(balls.t[index])
        margin = start / (1 + pace * start) - loss(balls.product_balls(index))
        return Finding(np.array([margin], dtype=object), inequality=True)


@dataclass(frozen=True, eq=False, repr=False)
class VanishingLoss(InverseTime):
    """ℒ(t) ≤ 1/(1/ℒ_0 + ct) for modes in order, whatever the loss at the start."""

    source = YUN_2021
    contributes = "the setting; without a condition on the loss derived here"
    conditions = (on_flow(margin_loss),)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with its constant; S and γ are known to rounding."""
        known = mode_levels(problem)
        if isinstance(known, Hypothesis):
            return cls.refuse([*found, known])
        modes, level, off = known
        rows = signed_rows(problem) @ modes.S.T
        real = np.concatenate([rows.real, rows.imag], axis=1)
        margin = widest_margin(real)
        # features are off by S's error, and the rounding of a sum
        margin -= (off + LOST) * float(np.abs(real).max(initial=0.0)) * real.shape[1]
        found = [
            *found,
            decomposable(problem, modes),
            positive("modes in order, the last layer smallest", level, 1.0),
            positive("separable features", margin, 1.0),
        ]
        rate = max(level, 0.0) ** (len(problem.weights) - 1) * max(margin, 0.0) ** 2
        return cls.with_pull(problem, found, rate)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return what one coordinate of one sample gives, and what follows of it."""
        x, a, b, c, t = sympy.symbols("x a b c t", positive=True)
        size, slope = sympy.Function("L")(t), sympy.Symbol("dL")
        margin = a * b * x
        exponential = sympy.exp(-margin)
        logistic = sympy.log(1 + sympy.exp(-margin))
        pull = 1 - sympy.exp(-logistic)
        grown = (1 / size - c * t).diff(t).subs(size.diff(t), slope)
        chord = (1 - sympy.exp(-t)) / t
        return (
            Identity(
                "∂ℒ/∂η_L = −q x Πη_l with q = ℒ for the exponential loss",
                exponential.diff(b) + exponential * x * a,
            ),
            Identity(
                "and q = 1 − e^{−φ} for the logistic one",
                sympy.simplify(logistic.diff(b) + pull * x * a),
            ),
            Identity(
                "(1 − e^{−s})/s falls, with slope −(e^s − 1 − s)e^{−s}/s² ≤ 0: for "
                "φ ≤ T_0 it is at least the factor",
                sympy.simplify(
                    chord.diff(t) + (sympy.exp(t) - 1 - t) * sympy.exp(-t) / t**2
                ),
            ),
            Identity(
                "(1/ℒ − ct)˙ = (−ℒ̇ − cℒ²)/ℒ² ≥ 0",
                sympy.simplify(grown - (-slope - c * size**2) / size**2),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return one coordinate that starts on the wrong side, and random networks."""
        draw = partial(classified, random_problems.diagonal(3))
        return (
            _wrong_side("yun-exponential", ExponentialLoss("sum")),
            _wrong_side("yun-logistic", LogisticLoss()),
            RandomExamples("many-vanishing", draw, scaled(constant=400)),
        )


def _wrong_side(key: str, loss: Any) -> Example:
    """Return one coordinate that starts with the wrong sign."""
    start, t = ([[2]], [[-1]]), (0, sympy.Rational(1, 4), 1)
    network, data, false = (
        DiagonalNetwork(1, 2),
        Dataset([[1]], [1]),
        scaled(constant=20),
    )
    return Example(key, network, data, start, t, loss=loss, false=false)


def widest_margin(rows: Array) -> float:
    """Return the margin over rows of a unit vector that is nearly the best.

    The shortest vector in their convex hull points there; what is returned holds for
    the vector that was found, whatever the rounding.
    """
    scale = float(np.abs(rows).max(initial=0.0)) or 1.0
    stacked = np.concatenate([rows.T / scale, np.ones((1, len(rows)))])
    shares, _ = scipy.optimize.nnls(stacked, np.eye(len(stacked))[-1])
    way = shares @ rows
    size = float(np.linalg.norm(way))
    return float(np.min(rows @ way)) / size if size > LOST * scale else 0.0


def signed_rows(problem: Problem, path: Path | None = None) -> Array:
    """Return the rows y_i x_i, in the arithmetic of a path."""
    if path is None or path.context is None:
        data = problem.floats.data
        return np.asarray(data["Y"] * data["X"])
    labels, inputs = (to_mpf_array(problem.data[name], path.context) for name in "YX")
    return np.asarray(labels * inputs)


def _weight(problem: Problem) -> float:
    """Return 1/n for the mean, 1 for the sum."""
    loss: Any = problem.flow.loss
    return 1 / len(problem.data["X"]) if loss.reduction == "mean" else 1.0


def total_loss(problem: Problem, row: Array) -> float:
    """Return Σφ, rounded up."""
    exponential = isinstance(problem.flow.loss, ExponentialLoss)
    return float(_profile(signed_rows(problem) @ row, exponential, None).sum()) * (
        1 + LOST
    )


def _profile(margins: Array, exponential: bool, context: Any) -> Array:
    """Return φ of every margin."""
    if context is None:
        return np.exp(-margins) if exponential else np.logaddexp(0, -margins)
    grown = [context.exp(-margin) for margin in margins.flat]
    found = grown if exponential else [context.log1p(x) for x in grown]
    return np.array(found, dtype=object).reshape(margins.shape)


def classified(start: Any, generator: np.random.Generator) -> Any:
    """Return separable samples of three features, either loss, and random starts."""
    batch = start(generator)
    goal = generator.standard_normal(3)
    rows = generator.standard_normal((4, 3))
    rows = rows * np.sign(rows @ goal)[:, None] + 0.3 * goal
    loss = LogisticLoss() if generator.random() < 0.5 else ExponentialLoss()
    labels = generator.choice([-1.0, 1.0], 4)
    return replace(batch, data=Dataset(labels[:, None] * rows, labels), loss=loss)
