"""What Riccati equations ask for, and how closed forms measure what they ask for.

A condition holds exactly for exact numbers, and up to `TOLERANCE` for floats; what is
left is kept as the defect of the hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.claims.claim import relative_size
from symflow.claims.conditions import imbalances, on_flow, squared_loss
from symflow.claims.hypothesis import ROUNDING, TOLERANCE, UNSEEN, Hypothesis, positive
from symflow.flow.problem import Problem
from symflow.flow.riccati import homogeneity, isotropy, signed_gram, two_levels

#: What a gap is at least that is no float, but not zero.
TINY = 1e-300

#: The squared loss, where closed forms know what one weight decay changes.
decaying_loss = on_flow(squared_loss, decay=True)


def balanced(problem: Problem) -> Hypothesis:
    """Require W_{l+1}ᵀW_{l+1} = W_lW_lᵀ for all layers."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        sizes = (_stacked(*pair) for pair in pairwise(problem.weights))
        return list(zip(imbalances(problem.weights), sizes, strict=True))

    def distance(problem: Problem) -> float:
        layers = problem.weights
        size = max(float(np.abs(layer).max()) for layer in layers) or 1.0
        moves = [
            np.abs(_root(after.T) - _root(before)).max()
            for before, after in pairwise(layers)
        ]
        return float(max(moves, default=0.0)) / size

    said = "‖W₂ᵀW₂ − W₁W₁ᵀ‖ =" if problem.widths[3:] == () else "the imbalance ="
    return measured(problem, "balanced initialization", said, gaps, distance)


def homogeneous(problem: Problem) -> Hypothesis:
    """Require W_2ᵀW_2 − W_1W_1ᵀ = λI for some number λ."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        first, second = problem.weights
        (gap,) = imbalances(problem.weights)
        rest = gap - homogeneity(problem) * np.eye(len(gap), dtype=int)
        return [(rest, _stacked(first, second))]

    return measured(
        problem, "λ-balanced initialization", "‖W₂ᵀW₂ − W₁W₁ᵀ − λI‖ =", gaps
    )


def of_two_levels(problem: Problem) -> Hypothesis:
    """Require N² = λN + c²I for N = JP: all of the imbalance is at one of two levels.

    Balanced layers have c = 0, and so have λ-balanced ones.
    """

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        signed = signed_gram(problem.weights)
        lam, square = two_levels(problem.weights)
        rest = signed @ signed - lam * signed
        return [(rest - square * np.eye(len(rest), dtype=int), signed @ signed.T)]

    def distance(problem: Problem) -> float:
        # P is about c in some direction, and the weights there as much more off
        square = abs(two_levels(problem.weights)[1])
        size = (signed_gram(problem.weights) ** 2).sum()
        gap = max(relative_size(*pair) for pair in gaps(problem))
        return float(gap * size / square) if square else np.inf

    words = "W₂ᵀW₂ − W₁W₁ᵀ has two levels"
    return measured(problem, words, "‖N² − λN − c²I‖ =", gaps, distance)


def opposite_levels(problem: Problem) -> Hypothesis:
    """Require c² > 0: of the two levels, one is positive and one negative."""
    layers = (problem.rational or problem.floats).weights
    square, size = two_levels(layers)[1], (signed_gram(layers) ** 2).sum()
    detail = f"c² = {to_float(square):.3g}"
    words, levels = "they are of opposite sign", of_two_levels(problem)
    if not levels.holds:
        return Hypothesis(words, bool(square > 0), detail)
    if levels.defect:  # c² has to stand out of what is off
        square, size = to_float(square), to_float(size) * (1 + levels.defect / ROUNDING)
    return positive(words, square, size, detail)


def seen(problem: Problem) -> Hypothesis:
    """Require that there is input: Σ_xx ≠ 0."""
    found = bool(np.any(problem.arguments[0]))
    return Hypothesis("Σ_xx ≠ 0", found, "" if found else "nothing moves")


def lasting_balance(problem: Problem) -> Hypothesis:
    """Require W_2ᵀW_2 − W_1W_1ᵀ = λI, and λ = 0 where weight decay changes it."""
    if len(problem.weights) == 1:
        return Hypothesis("λ-balanced initialization", True, "one factor")
    return (balanced if problem.flow.loss.l2 else homogeneous)(problem)


def isotropic(problem: Problem) -> Hypothesis:
    """Require whitened input, Σ_xx = κI; κ = 1 strictly."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        sigma_xx = problem.arguments[0]
        level = isotropy(problem)
        rest = sigma_xx - level * np.eye(len(sigma_xx), dtype=int)
        return [(rest, sigma_xx)]

    return measured(problem, "whitened input", "‖Σ_xx − κI‖ =", gaps)


def verdict(
    problem: Problem, words: str, said: str, size: float, shown: float | None = None
) -> Hypothesis:
    """Return what a measured gap says: numbers that are exact leave no room.

    The `size` is the gap that decides; `shown` is printed instead, where people look
    for another number.
    """
    room = 0.0 if problem.is_exact and not problem.is_large else TOLERANCE
    detail = f"{said} {size if shown is None else shown:.2g} relative" if size else ""
    return Hypothesis(words, size <= room, detail, size)


def _stacked(first: Array, second: Array) -> Array:
    return np.concatenate([(first @ first.T).ravel(), (second.T @ second).ravel()])


def _root(matrix: Array) -> Array:
    """Return (MMᵀ)^{1/2} without squaring M: what is small keeps its digits."""
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray((left * sizes) @ left.T)


def measured(
    problem: Problem,
    words: str,
    said: str,
    gaps: Callable[[Problem], list[tuple[Array, Array]]],
    distance: Callable[[Problem], float] | None = None,
) -> Hypothesis:
    """Decide exactly whether gaps vanish; measure floats by the distance of weights.

    `gaps` returns the arrays that have to vanish, each with the one to whose size it is
    compared; `distance` how far float weights are from weights without gaps, relative,
    by default the size of the gaps.
    """

    def size_of(problem: Problem) -> float:
        size = max((relative_size(*pair) for pair in gaps(problem)), default=0)
        return max(to_float(size), TINY) if size else 0.0

    floats = problem.floats
    size = size_of(floats)
    if size <= 1e3 * TOLERANCE and not problem.is_large:
        sharp = size_of(problem.sharp)
        drawn = problem.rational is None
        size = 0.0 if sharp < UNSEEN and drawn else sharp
    if 0 < size <= TOLERANCE and distance is not None and problem.rational is not None:
        size, said = max(size, distance(floats)), "the weights are off by"
    return verdict(problem, words, said, size)
