"""Hypotheses of the catalogue: each measures its condition and says it in words.

A condition holds exactly for exact numbers, and up to `TOLERANCE` for floats; what is
left is kept as the defect of the hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction, to_float, to_mpf
from symflow.algebra.products import matmul
from symflow.algebra.rational import exactly_aligned, product_of
from symflow.claims import Hypothesis, conditions, relative_size
from symflow.claims.conditions import imbalances, on_flow
from symflow.claims.hypothesis import TOLERANCE, UNSEEN
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.solutions.any_precision import is_coarse
from symflow.solutions.modes.joint_modes import (
    joint_modes,
    quick_defect,
    start_defect,
)

#: What a gap is at least that is no float, but not zero.
TINY = 1e-300


#: The squared loss without weight decay, as a condition on a problem.
squared_loss = on_flow(conditions.squared_loss)

#: The squared loss, where closed forms know what one weight decay changes.
decaying_loss = on_flow(conditions.squared_loss, decay=True)


def weight_decay(problem: Problem) -> Any:
    """Return the weight decay as a number of the arithmetic of the data."""
    like = problem.arguments[0].flat[0]
    if hasattr(like, "context"):
        return to_mpf(problem.flow.loss.l2, like.context)
    l2 = as_fraction(problem.flow.loss.l2)
    return to_float(l2) if isinstance(like, float) else l2


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
        gap = imbalance(problem)
        rest = gap - homogeneity(problem) * np.eye(len(gap), dtype=int)
        return [(rest, _stacked(first, second))]

    return measured(
        problem, "λ-balanced initialization", "‖W₂ᵀW₂ − W₁W₁ᵀ − λI‖ =", gaps
    )


def isotropic(problem: Problem) -> Hypothesis:
    """Require whitened input, Σ_xx = κI; κ = 1 strictly."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        sigma_xx = problem.arguments[0]
        level = isotropy(problem)
        rest = sigma_xx - level * np.eye(len(sigma_xx), dtype=int)
        return [(rest, sigma_xx)]

    return measured(problem, "whitened input", "‖Σ_xx − κI‖ =", gaps)


def seen(problem: Problem) -> Hypothesis:
    """Require that there is input: Σ_xx ≠ 0."""
    found = bool(np.any(problem.arguments[0]))
    return Hypothesis("Σ_xx ≠ 0", found, "" if found else "nothing moves")


def rank_one(problem: Problem) -> Hypothesis:
    """Require that every layer has rank one, and is not zero."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        return [(_beyond_rank_one(weight), weight) for weight in problem.weights]

    words, said = "every layer has rank one", "‖W_l − its best row and column‖ ="
    if not all(weight.any() for weight in problem.weights):
        return Hypothesis(words, False, "a layer is zero", 1.0)
    return measured(problem, words, said, gaps)


def aligned(problem: Problem) -> Hypothesis:
    """Require Σ_xx, Σ_yx and W(0) to share singular vectors."""
    words, said = "Σ_xx, Σ_yx and W(0) share singular vectors", "their gap ="
    if problem.rational is not None and not problem.is_large:
        exactly = exactly_aligned(*moments(problem.rational), product(problem.rational))
        if exactly:
            return Hypothesis(words, True)
    floats = problem.floats
    size = quick_defect(*moments(floats), product(floats))
    if size <= 1e3 * TOLERANCE:
        sharp = floats if is_coarse(problem, CHECK_DIGITS) else problem.sharp
        modes = joint_modes(*moments(sharp), product(sharp))
        size = modes.defect
        if problem.rational is not None:
            size = max(size, start_defect(modes, len(floats.weights)))
        elif size < UNSEEN:
            size = 0.0
    return verdict(problem, words, said, size)


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


def imbalance(problem: Problem) -> Array:
    """Return W_2ᵀW_2 − W_1W_1ᵀ."""
    return imbalances(problem.weights)[0]


def homogeneity(problem: Problem) -> Any:
    """Return λ, the mean of the diagonal of the imbalance."""
    first, second = problem.weights
    return ((second * second).sum() - (first * first).sum()) / len(first)


def isotropy(problem: Problem) -> Any:
    """Return κ, the mean of the diagonal of Σ_xx."""
    sigma_xx = problem.arguments[0]
    return sigma_xx.trace() / len(sigma_xx)


def moments(problem: Problem) -> tuple[Array, Array]:
    """Return Σ_xx and Σ_yx."""
    sigma_xx, sigma_yx = problem.arguments
    return sigma_xx, sigma_yx


def product(problem: Problem) -> Array:
    """Return the end-to-end matrix W_L⋯W_1 of the start."""
    if problem.weights[0].dtype == object:
        found = product_of(reversed(problem.weights))
        if found is not None:
            return found
    return reduce(lambda done, weight: matmul(weight, done), problem.weights)


def _beyond_rank_one(weight: Array) -> Array:
    """Return what a matrix is beyond the outer product along its largest row."""
    sizes = [(row * row).sum() for row in weight]
    row = weight[sizes.index(max(sizes))]
    column = (weight @ row) / max(sizes)
    return np.asarray(weight - np.multiply.outer(column, row))


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
