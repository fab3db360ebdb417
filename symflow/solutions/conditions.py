"""Hypotheses of the catalogue: each measures its condition and says it in words.

A condition holds exactly for exact numbers, and up to `TOLERANCE` for floats; what is
left is kept as the defect of the hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.products import matmul
from symflow.claims import Hypothesis, relative_size
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import Dense, Network
from symflow.solutions.case import CHECK_DIGITS, Case
from symflow.solutions.modes import (
    exactly_aligned,
    joint_modes,
    quick_defect,
    start_defect,
)
from symflow.solutions.rational import product_of

#: Relative defect up to which floats count as satisfying a hypothesis.
TOLERANCE = 1e-9

#: A defect below this is rounding of the arithmetic that checks, not of the input.
ROUNDING = 1e-24

#: What a gap is at least that is no float, but not zero.
TINY = 1e-300


def squared_loss(case: Case) -> Hypothesis:
    """Require the squared loss without weight decay."""
    loss = case.flow.loss
    plain = isinstance(loss, SquaredLoss) and loss.l2 == 0
    return Hypothesis("squared loss without weight decay", plain, repr(loss))


def dense_layers(case: Case, least: int, most: int | None) -> Hypothesis:
    """Require dense layers, at least `least` and at most `most` of them."""
    network = case.flow.network
    dense = isinstance(network, Network) and all(
        isinstance(layer, Dense) for layer in network.layers
    )
    fits = least <= network.depth and (most is None or network.depth <= most)
    count = f"{least}" if least == most else f"{least} or more"
    noun = "layer" if count == "1" else "layers"
    return Hypothesis(f"{count} dense {noun}", dense and fits, repr(network))


def balanced(case: Case) -> Hypothesis:
    """Require W_{l+1}ᵀW_{l+1} = W_lW_lᵀ for all layers."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        return [
            (after.T @ after - before @ before.T, _stacked(before, after))
            for before, after in pairwise(problem.weights)
        ]

    def distance(problem: Problem) -> float:
        layers = problem.weights
        size = max(float(np.abs(layer).max()) for layer in layers) or 1.0
        moves = [
            np.abs(_root(after.T) - _root(before)).max()
            for before, after in pairwise(layers)
        ]
        return float(max(moves, default=0.0)) / size

    said = "‖W₂ᵀW₂ − W₁W₁ᵀ‖ =" if case.problem.widths[3:] == () else "the imbalance ="
    return measured(case, "balanced initialization", said, gaps, distance)


def homogeneous(case: Case) -> Hypothesis:
    """Require W_2ᵀW_2 − W_1W_1ᵀ = λI for some number λ."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        first, second = problem.weights
        gap = imbalance(problem)
        rest = gap - homogeneity(problem) * np.eye(len(gap), dtype=int)
        return [(rest, _stacked(first, second))]

    return measured(case, "λ-balanced initialization", "‖W₂ᵀW₂ − W₁W₁ᵀ − λI‖ =", gaps)


def isotropic(case: Case) -> Hypothesis:
    """Require whitened input, Σ_xx = κI; κ = 1 strictly."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        sigma_xx = problem.arguments[0]
        level = isotropy(problem)
        rest = sigma_xx - level * np.eye(len(sigma_xx), dtype=int)
        return [(rest, sigma_xx)]

    return measured(case, "whitened input", "‖Σ_xx − κI‖ =", gaps)


def seen(case: Case) -> Hypothesis:
    """Require that there is input: Σ_xx ≠ 0."""
    found = bool(np.any(case.problem.arguments[0]))
    return Hypothesis("Σ_xx ≠ 0", found, "" if found else "nothing moves")


def rank_one(case: Case) -> Hypothesis:
    """Require that every layer has rank one, and is not zero."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        return [(_beyond_rank_one(weight), weight) for weight in problem.weights]

    words, said = "every layer has rank one", "‖W_l − its best row and column‖ ="
    if not all(weight.any() for weight in case.problem.weights):
        return Hypothesis(words, False, "a layer is zero", 1.0)
    return measured(case, words, said, gaps)


def aligned(case: Case) -> Hypothesis:
    """Require Σ_xx, Σ_yx and W(0) to share singular vectors."""
    words, said = "Σ_xx, Σ_yx and W(0) share singular vectors", "their gap ="
    if case.rational is not None and not case.is_large:
        exactly = exactly_aligned(*moments(case.rational), product(case.rational))
        if exactly:
            return Hypothesis(words, True)
    floats = case.problem.floats
    size = quick_defect(*moments(floats), product(floats))
    if size <= 1e3 * TOLERANCE:
        sharp = floats if case.is_coarse(CHECK_DIGITS) else case.sharp
        modes = joint_modes(*moments(sharp), product(sharp))
        size = modes.defect
        if case.rational is not None:
            size = max(size, start_defect(modes, len(floats.weights)))
        elif size < ROUNDING:
            size = 0.0
    return verdict(case, words, said, size)


def verdict(
    case: Case, words: str, said: str, size: float, shown: float | None = None
) -> Hypothesis:
    """Return what a measured gap says: numbers that are exact leave no room.

    Parameters
    ----------
    case : Case
        What is asked.
    words, said : str
        The condition, and what is measured.
    size : float
        The gap that decides.
    shown : float, optional
        What is printed instead, where people look for another number.
    """
    room = 0.0 if case.is_exact and not case.is_large else TOLERANCE
    detail = f"{said} {size if shown is None else shown:.2g} relative" if size else ""
    return Hypothesis(words, size <= room, detail, size)


def imbalance(problem: Problem) -> Array:
    """Return W_2ᵀW_2 − W_1W_1ᵀ."""
    first, second = problem.weights
    return np.asarray(matmul(second.T, second) - matmul(first, first.T))


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
    total = problem.weights[0]
    for weight in problem.weights[1:]:
        total = matmul(weight, total)
    return total


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
    case: Case,
    words: str,
    said: str,
    gaps: Callable[[Problem], list[tuple[Array, Array]]],
    distance: Callable[[Problem], float] | None = None,
) -> Hypothesis:
    """Decide exactly whether gaps vanish; measure floats by the distance of weights.

    Parameters
    ----------
    case : Case
        What is asked.
    words, said : str
        The condition, and what is measured.
    gaps : callable
        The arrays that have to vanish, each with the one to whose size it is compared.
    distance : callable, optional
        How far float weights are from weights without gaps, relative; by default the
        size of the gaps.
    """

    def size_of(problem: Problem) -> float:
        size = max((relative_size(*pair) for pair in gaps(problem)), default=0)
        return max(to_float(size), TINY) if size else 0.0

    floats = case.problem.floats
    size = size_of(floats)
    if size <= 1e3 * TOLERANCE and not case.is_large:
        sharp = size_of(case.sharp)
        drawn = case.rational is None
        size = 0.0 if sharp < ROUNDING and drawn else sharp
    if 0 < size <= TOLERANCE and distance is not None and case.rational is not None:
        size, said = max(size, distance(floats)), "the weights are off by"
    return verdict(case, words, said, size)
