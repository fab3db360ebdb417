"""Three layers, any start: an exponential rate from the spectra of both imbalances.

Min, Vidal, Mallada (2023), Theorem 2.  With r inputs (see `flow/least_squares.py`), m
outputs and λ_i the i-th largest eigenvalue (0 beyond the size, +∞ for i ≤ 0), let

    P = Δ_1 = W_2ᵀW_2 − W_1W_1ᵀ  (h_1×h_1),    Q = −Δ_2 = W_2W_2ᵀ − W_3ᵀW_3  (h_2×h_2),
    x_i = max(λ_i(P), λ_i(Q), 0),
    S_p(P, k) = Σ_{i ≤ h} x_i^p − min(x_i, λ_{i+1−k}(P))^p       (h the size of P).

Then the operator 𝒯 that drives W (see `deep.py`) satisfies, at all times,

    λ_min(𝒯) ≥ ½(S_2(P, r) + S_1(P, r)²) + S_1(P, r) S_1(Q, m)
             + ½(S_2(Q, m) + S_1(Q, m)²).

Theirs are the transposes: D_21 = P, D_23 = Q.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import at_least
from symflow.algebra.spectra import (
    FLOAT_ERROR,
    MOST_ROWS,
    clipped,
    eigenvalues,
    in_balls,
    to_rationals,
)
from symflow.claims import Hypothesis, Identity, Refusal, random_problems
from symflow.claims.bibliography import MIN_2023
from symflow.claims.conditions import (
    dense_layers,
    imbalances,
    known_rank,
    on_flow,
    squared_loss,
    wide_layers,
)
from symflow.claims.example import Examples, RandomExamples, regression, scaled
from symflow.convergence.bound import LossBound
from symflow.convergence.reduced import reduced_start
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class ThreeLayerRate(LossBound):
    """The rate 2λ_r(Σ_xx)·λ_min(𝒯) of three layers, 𝒯 bounded by the imbalances."""

    source = MIN_2023
    conditions = (
        on_flow(squared_loss),
        on_flow(dense_layers, 3),
        known_rank,
        wide_layers,
    )

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with its rate, if that is positive."""
        start = reduced_start(problem)
        first, second = start.spectra
        ends = start.rank.value, problem.widths[-1]
        floor = _floor([-value for value in first[::-1]], second, *ends)
        return cls.with_ball(problem, found, 2 * start.smallest * floor)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the theorem for one number per layer, and what follows of it."""
        P, Q, x, u = sympy.symbols("P Q x u")
        value = u * (u - Q) + (u - P) * (u - Q) + u * (u - P)
        s1, s2, r1, r2 = x - P, x**2 - P**2, x - Q, x**2 - Q**2
        floor = (s2 + s1**2) / 2 + s1 * r1 + (r2 + r1**2) / 2
        grown = 2 * (u + (u - P) + (u - Q))
        return (
            Identity(
                "with w_2² = u, w_1² = u − P, w_3² = u − Q, λ(𝒯) is the floor at u = x",
                value.subs(u, x) - floor,
            ),
            Identity("and grows with u ≥ x = max(P, Q, 0)", value.diff(u) - grown),
            *super().proof(),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return a start with D_1 and D_2 of both signs, and Gaussian starts."""
        weights = [[1], [0]], [[2, 0], [0, 2]], [[1, sympy.Rational(1, 2)]]
        return (
            regression("min-three", [[1]], *weights, false=scaled(constant=9)),
            RandomExamples(
                "many-three", random_problems.gaussian(2, 7, 5, 2), scaled(constant=40)
            ),
        )


@in_balls
def operator_floor(weights: tuple[Array, ...]) -> float:
    """Return the lower bound on λ_min(𝒯) that the imbalances of three layers give.

    It is not negative, and rounded down.
    """
    small = max(len(weight) for weight in weights[:-1]) <= MOST_ROWS
    layers = tuple(map(to_rationals, weights)) if small else weights
    first, second = imbalances(layers)
    size = float(sum(np.sum(to_float_array(weight) ** 2) for weight in weights))
    error = 0.0 if small else FLOAT_ERROR * (len(first) + len(second)) * size
    spectra = eigenvalues(first, error), eigenvalues(-second, error)
    ends = weights[0].shape[1], weights[-1].shape[0]
    return at_least(_floor(*spectra, *ends))


def _floor(first: list[Any], second: list[Any], inputs: int, outputs: int) -> Any:
    """Return the bound for the eigenvalues of P and of Q, largest first."""
    length = max(len(first), len(second))
    padded = [
        spectrum + [arb(0)] * (length - len(spectrum)) for spectrum in (first, second)
    ]
    above = [clipped(p.max(q)) for p, q in zip(*padded, strict=True)]
    p1, p2 = _excess(above, first, inputs)
    q1, q2 = _excess(above, second, outputs)
    return clipped((p2 + p1**2) / 2 + p1 * q1 + (q2 + q1**2) / 2)


def _excess(above: list[Any], spectrum: list[Any], k: int) -> tuple[Any, Any]:
    """Return S_1 and S_2."""
    shifted = [None] * (k - 1) + spectrum
    first = second = arb(0)
    for x, bound in zip(above, shifted[: len(spectrum)], strict=False):
        if bound is not None:
            least = x.min(bound)
            first += x - least
            second += x**2 - least**2
    return clipped(first), second
