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

from dataclasses import dataclass
from typing import Self

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims import Refusal, all_hold
from symflow.claims.bibliography import MIN_2023
from symflow.claims.conditions import (
    dense_layers,
    imbalances,
    squared_loss,
    wide_enough,
)
from symflow.convergence.bound import LossBound, positive_rate
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class ThreeLayerRate(LossBound):
    """The rate 2λ_r(Σ_xx)·`operator_floor` of three layers."""

    source = MIN_2023

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 3)]
        if not all_hold(found):
            return cls.refuse(found)
        reduction = least_squares(problem)
        weights = reduction.reduced(problem.floats.weights)
        rate = float(2 * reduction.eigenvalues[-1] * operator_floor(weights))
        needed = min(reduction.rank, problem.widths[-1])
        found += [wide_enough(problem.widths[1:-1], needed), positive_rate(rate)]
        return cls.with_rate(problem, found, rate)


def operator_floor(weights: tuple[Array, ...]) -> float:
    """Return the lower bound on λ_min(𝒯) that the imbalances of three layers give.

    Parameters
    ----------
    weights : tuple of ndarray
        W_1, W_2, W_3.

    Returns
    -------
    float
        Not negative.

    Examples
    --------
    >>> layers = tuple(np.array([[w]]) for w in (1.0, 3.0, 2.0))
    >>> operator_floor(layers)
    24.0
    """
    first, second = imbalances(weights)
    spectra = [np.linalg.eigvalsh(gap)[::-1] for gap in (first, -second)]
    length = max(len(spectrum) for spectrum in spectra)
    above = np.max([_padded(spectrum, length) for spectrum in spectra], axis=0)
    inputs, outputs = weights[0].shape[1], weights[-1].shape[0]
    (p1, p2), (q1, q2) = (
        _excess(np.maximum(above, 0.0), spectrum, k)
        for spectrum, k in zip(spectra, (inputs, outputs), strict=True)
    )
    return max((p2 + p1**2) / 2 + p1 * q1 + (q2 + q1**2) / 2, 0.0)


def _padded(spectrum: Array, length: int) -> Array:
    """Return the eigenvalues, followed by zeros."""
    return np.concatenate([spectrum, np.zeros(length - len(spectrum))])


def _excess(above: Array, spectrum: Array, k: int) -> tuple[float, float]:
    """Return S_1 and S_2."""
    top = above[: len(spectrum)]
    shifted = np.concatenate([np.full(k - 1, np.inf), spectrum])[: len(spectrum)]
    least = np.minimum(top, shifted)
    return float(np.sum(top - least)), float(np.sum(top**2 - least**2))
