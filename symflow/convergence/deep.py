"""Any depth: exponential rates from λ_min of the operator that drives W.

Min, Vidal, Mallada (2023).  Ẇ = 𝒯(F) with the positive operator 𝒯(F) = Σ_l
(W_L⋯W_{l+1})(W_L⋯W_{l+1})ᵀ F (W_{l−1}⋯W_1)ᵀ(W_{l−1}⋯W_1), hence −ℒ̇ = ⟨F, 𝒯(F)⟩ ≥
λ_min(𝒯)‖F‖² and ‖F‖² ≥ 2λ_r(Σ_xx)(ℒ − ℒ*).  Everything is said of the reduced network
of `flow/least_squares.py`, with r inputs and W_1Φ for W_1.  Their matrices are the
transposes of ours, and their D_l is −Δ_l = W_lW_lᵀ − W_{l+1}ᵀW_{l+1}.

Unimodal imbalance (some l* with D_l ⪰ 0 for l < l* and D_l ⪯ 0 from l* on): the term
l* alone has λ_min(𝒯) ≥ Π_i d̃_i with the cumulative imbalances d̃_i = Σ_{l=i}^{l*−1}
λ_r(D_l) for i < l* and Σ_{l=l*}^{i} λ_m(−D_l) from l* on.

Homogeneous unimodal imbalance (D_l = d_lI) of square layers, m = r: with σ a lower
bound on σ_min(WΦ),

    λ_min(𝒯) ≥ √((Π d̃_i)² + (Lσ^{2−2/L})²);

for balanced layers with r ≠ m the part with σ holds without the factor L (which is
often printed without this restriction).  The flow keeps σ ≥ σ_min(W*Φ) −
‖E(0)‖_F/√λ_r, in the balanced, whitened case the deficiency margin of Arora, Cohen,
Golowich, Hu (2019); the loss then falls at least at rate 2Lσ^{2−2/L}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims import TOLERANCE, Hypothesis, Refusal, all_hold
from symflow.claims.bibliography import ARORA_2019, MIN_2023
from symflow.claims.conditions import (
    dense_layers,
    imbalances,
    squared_loss,
    wide_enough,
)
from symflow.convergence.bound import LossBound, end_to_end, positive_rate
from symflow.flow.imbalance import positive_part, singular_value
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class UnimodalRate(LossBound):
    """The rate 2λ_r(Σ_xx)·Πd̃_i of a deep network with unimodal imbalance."""

    source = MIN_2023

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow)]
        if not all_hold(found):
            return cls.refuse(found)
        reduction = least_squares(problem)
        weights = reduction.reduced(problem.floats.weights)
        ends = reduction.rank, problem.widths[-1]
        product, words = _best_cumulative(weights, *ends)
        rate = float(2 * reduction.eigenvalues[-1] * product)
        found += [
            Hypothesis("unimodal imbalance", words != "none", f"peak at {words}"),
            positive_rate(rate),
        ]
        return cls.with_rate(problem, found, rate)


@dataclass(frozen=True, eq=False, repr=False)
class HomogeneousRate(LossBound):
    """The rate of a deep network with D_l = d_lI, or balanced, near the target."""

    source = ARORA_2019

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow)]
        if not all_hold(found):
            return cls.refuse(found)
        reduction = least_squares(problem)
        weights = reduction.reduced(problem.floats.weights)
        ends = reduction.rank, problem.widths[-1]
        balanced, homogeneous = _homogeneous(weights)
        product, words = _best_cumulative(weights, *ends)
        depth = len(weights) if ends[0] == ends[1] else 1
        power = 2 - 2 / len(weights)
        smallest = max(deficiency_margin(problem), 0.0) ** power
        rate = float(
            2 * reduction.eigenvalues[-1] * np.hypot(product, depth * smallest)
        )
        found += [
            wide_enough(problem.widths[1:-1], min(ends)),
            homogeneous,
            Hypothesis("unimodal imbalance", words != "none", f"peak at {words}"),
            Hypothesis(
                "balanced, or as many outputs as input directions",
                balanced or ends[0] == ends[1],
                f"{ends[1]} outputs, {ends[0]} directions",
            ),
            positive_rate(rate),
        ]
        return cls.with_rate(problem, found, rate)


def cumulative_imbalances(
    weights: tuple[Array, ...], peak: int, r: int, m: int
) -> Array | None:
    """Return the d̃_i for the peak l*, or None where the imbalance has no such peak.

    Parameters
    ----------
    weights : tuple of ndarray
        W_1, …, W_L.
    peak : int
        l*, from 1 to L.
    r, m : int
        Inputs and outputs.

    Returns
    -------
    ndarray or None
        d̃_1, …, d̃_{L−1}.

    Examples
    --------
    >>> layers = tuple(np.array([[w]]) for w in (3.0, 2.0, 1.0))
    >>> cumulative_imbalances(layers, 3, 1, 1).tolist()
    [8.0, 3.0]
    """
    size = max(float(np.max(np.abs(weight))) for weight in weights) ** 2
    levels = []
    for number, gap in enumerate(imbalances(weights), start=1):
        signed, k = (-gap, r) if number < peak else (gap, m)
        rising = np.linalg.eigvalsh(signed)
        if rising[0] < -TOLERANCE * size:
            return None
        levels.append(positive_part(rising[::-1], k))
    before, after = np.array(levels[: peak - 1]), np.array(levels[peak - 1 :])
    return np.concatenate([np.cumsum(before[::-1])[::-1], np.cumsum(after)])


def _best_cumulative(weights: tuple[Array, ...], r: int, m: int) -> tuple[float, str]:
    """Return the largest Πd̃_i over all peaks, and the peak."""
    best, words = 0.0, "none"
    for peak in range(1, len(weights) + 1):
        levels = cumulative_imbalances(weights, peak, r, m)
        if levels is not None and (words == "none" or np.prod(levels) > best):
            best, words = float(np.prod(levels)), f"layer {peak}"
    return best, words


def _homogeneous(weights: tuple[Array, ...]) -> tuple[bool, Hypothesis]:
    """Say whether all D_l vanish, and whether all are multiples of the identity."""
    size = max(float(np.max(np.abs(weight))) for weight in weights) ** 2 or 1.0
    gaps = imbalances(weights)
    spread = max(
        float(np.max(np.abs(gap - np.trace(gap) / len(gap) * np.eye(len(gap)))))
        for gap in gaps
    )
    largest = max(float(np.max(np.abs(gap))) for gap in gaps)
    detail = f"max|D_l − d_lI| = {spread / size:.2g} relative"
    holds = spread <= TOLERANCE * size
    return largest <= TOLERANCE * size, Hypothesis(
        "imbalances D_l = d_lI", holds, detail, spread / size
    )


def deficiency_margin(problem: Problem) -> float:
    """Return σ_min(W*Φ) − ‖E(0)‖_F/√λ_r, which has to be positive near the target.

    For whitened input this is σ_min(Z) − ‖W(0) − Z‖_F (Arora, Cohen, Golowich, Hu
    2019): positive only if the start is nearer to Z than any matrix of lower rank.

    Parameters
    ----------
    problem : Problem
        With the squared loss.

    Returns
    -------
    float
        The largest c for which the start has deficiency margin c.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow.flow.problem import bind
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    >>> start = ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
    >>> data = sf.whitened([[1.5, 0.0], [0.0, 1.0]])
    >>> round(deficiency_margin(bind(flow, data, start)), 12)
    0.5
    """
    reduction = least_squares(problem)
    start = end_to_end(problem.floats.weights)
    distance = (
        np.linalg.norm(reduction.misfit(start)) / reduction.eigenvalues[-1] ** 0.5
    )
    smallest = singular_value(reduction.optimum, min(reduction.optimum.shape))
    return float(smallest - distance)
