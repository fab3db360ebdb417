"""A problem at the precision that an answer takes."""

from __future__ import annotations

import numpy as np

from symflow.algebra.numbers import context_of as context_of
from symflow.algebra.rational import height_of
from symflow.flow.problem import CHECK_DIGITS, FINE_SIZE, Problem

#: Working digits are rounded up to a multiple, so that times share what is found.
STEP = 16

#: Digits in which zero is told from small, beyond those of the numbers given.
SPARE_DIGITS = 10


def is_coarse(problem: Problem, digits: int = CHECK_DIGITS) -> bool:
    """Say whether float64 has to do: to draw a large start takes minutes."""
    return digits <= CHECK_DIGITS and problem.widths[0] > FINE_SIZE


def checkable(problem: Problem, digits: int = CHECK_DIGITS) -> Problem:
    """Return the problem as it was given, or to a few digits more than asked.

    Fractions where all numbers are rational; float64 where it is large.
    """
    if is_coarse(problem, digits):
        return problem.floats
    return problem.rational or problem.at(digits + spare_of(problem))


def spare_of(problem: Problem) -> int:
    """Return digits beyond those of an answer in which zero is told from small."""
    return problem.remembered("spare", lambda: _spare(problem))


def _spare(problem: Problem) -> int:
    found = problem.rational
    if found is not None:
        return 2 * height_of((*found.weights, *found.arguments)) + SPARE_DIGITS
    sizes = [np.abs(w).max() for w in problem.floats.weights]
    return SPARE_DIGITS + int(sum(-np.log10(size) for size in sizes if 0 < size < 1))
