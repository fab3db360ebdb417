"""Hypotheses of the catalogue: each measures its condition and says it in words.

A condition holds exactly for exact numbers, and up to `TOLERANCE` for floats; what is
left is kept as the defect of the hypothesis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.claims import Hypothesis, relative_size
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import Dense, Network
from symflow.solutions.case import CHECK_DIGITS, Case
from symflow.solutions.modes import joint_modes, quick_defect

#: Relative defect up to which floats count as satisfying a hypothesis.
TOLERANCE = 1e-9

#: A defect below this is rounding of the arithmetic that checks, not of the input.
ROUNDING = 1e-24

#: Multiplications beyond which a condition is left as measured in float64.
PRODUCTS = 200_000


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

    def measure(problem: Problem) -> Any:
        pairs = zip(problem.weights, problem.weights[1:], strict=False)
        gaps = [
            relative_size(after.T @ after - before @ before.T, _stacked(before, after))
            for before, after in pairs
        ]
        return max(gaps, default=0)

    said = "‖W₂ᵀW₂ − W₁W₁ᵀ‖" if case.problem.widths[3:] == () else "the imbalance"
    return _measured(case, "balanced initialization", said, measure)


def homogeneous(case: Case) -> Hypothesis:
    """Require W_2ᵀW_2 − W_1W_1ᵀ = λI for some number λ."""

    def measure(problem: Problem) -> Any:
        first, second = problem.weights
        gap = imbalance(problem)
        rest = gap - homogeneity(problem) * np.eye(len(gap), dtype=int)
        return relative_size(rest, _stacked(first, second))

    return _measured(case, "λ-balanced initialization", "‖W₂ᵀW₂ − W₁W₁ᵀ − λI‖", measure)


def isotropic(case: Case) -> Hypothesis:
    """Require whitened input, Σ_xx = κI; κ = 1 strictly."""

    def measure(problem: Problem) -> Any:
        sigma_xx = problem.arguments[0]
        level = isotropy(problem)
        rest = sigma_xx - level * np.eye(len(sigma_xx), dtype=int)
        return relative_size(rest, sigma_xx)

    return _measured(case, "whitened input", "‖Σ_xx − κI‖", measure)


def rank_one(case: Case) -> Hypothesis:
    """Require that every layer has rank one, and is not zero."""

    def measure(problem: Problem) -> Any:
        return max(_beyond_rank_one(weight) for weight in problem.weights)

    words = "every layer has rank one"
    return _measured(case, words, "‖W_l − its best row and column‖", measure)


def aligned(case: Case) -> Hypothesis:
    """Require Σ_xx, Σ_yx and W(0) to share singular vectors."""
    words = "Σ_xx, Σ_yx and W(0) share singular vectors"
    floats = case.problem.floats
    size = quick_defect(*moments(floats), product(floats))
    if size <= 1e3 * TOLERANCE:
        coarse = case.is_coarse(CHECK_DIGITS)
        sharp = case.problem.floats if coarse else case.sharp
        modes = joint_modes(*moments(sharp), product(sharp))
        size = 0.0 if modes.defect < ROUNDING else modes.defect
    return Hypothesis(words, size <= TOLERANCE, _say("their gap", size), size)


def imbalance(problem: Problem) -> Array:
    """Return W_2ᵀW_2 − W_1W_1ᵀ."""
    first, second = problem.weights
    return np.asarray(second.T @ second - first @ first.T)


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
    total = problem.weights[0]
    for weight in problem.weights[1:]:
        total = weight @ total
    return total


def _beyond_rank_one(weight: Array) -> Any:
    """Return by how much a matrix is not the outer product along its largest row."""
    sizes = [(row * row).sum() for row in weight]
    if not max(sizes) > 0:
        return 1
    row = weight[sizes.index(max(sizes))]
    column = (weight @ row) / max(sizes)
    return relative_size(weight - np.multiply.outer(column, row), weight)


def _stacked(first: Array, second: Array) -> Array:
    return np.concatenate([(first @ first.T).ravel(), (second.T @ second).ravel()])


def _measured(case: Case, words: str, said: str, measure: Any) -> Hypothesis:
    """Measure in float64, and precisely where that looks good."""
    size = to_float(measure(case.problem.floats))
    if size <= 1e3 * TOLERANCE and _is_small(case.problem):
        size = to_float(measure(case.sharp))
        size = 0.0 if size < ROUNDING else size
    return Hypothesis(words, size <= TOLERANCE, _say(said, size), size)


def _is_small(problem: Problem) -> bool:
    return problem.size * max(problem.widths) <= PRODUCTS


def _say(what: str, size: float) -> str:
    return f"{what} = {size:.2g} relative" if size else ""
