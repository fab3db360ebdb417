"""Hypotheses of the catalogue: each measures its condition and says it in words."""

from __future__ import annotations

from functools import reduce

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.products import matmul
from symflow.algebra.rational import exactly_aligned, product_of
from symflow.claims import Hypothesis, conditions
from symflow.claims.conditions import on_flow
from symflow.claims.hypothesis import TOLERANCE, UNSEEN
from symflow.claims.whitened import measured, verdict
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.solutions.any_precision import is_coarse
from symflow.solutions.modes.joint_modes import (
    joint_modes,
    quick_defect,
    start_defect,
)

#: The squared loss without weight decay, as a condition on a problem.
squared_loss = on_flow(conditions.squared_loss)


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
