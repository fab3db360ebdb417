"""The weights of a start in the numbers in which a limit is decided."""

from __future__ import annotations

from functools import reduce

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.numbers import as_fraction
from symflow.bias.minimizers import Minimizers, times
from symflow.flow.problem import Problem
from symflow.inits import GivenInit


def start_weights(problem: Problem, found: Minimizers) -> tuple[Array, ...]:
    """Return the start in fractions, where `found` and it are; in floats otherwise."""
    if not (found.exact and problem.is_small):
        return problem.floats.weights
    return tuple(map_entries(as_fraction, weight) for weight in problem.sharp.weights)


def is_drawn(problem: Problem) -> bool:
    """Say whether a rule drew the start, or irrational numbers: to some digits."""
    rule = None if problem.given is None else problem.given.init
    if rule is not None and not isinstance(rule, GivenInit):
        return True
    if not problem.is_small:
        return False
    entries = (entry for weight in problem.sharp.weights for entry in weight.flat)
    return any(hasattr(entry, "_mpf_") for entry in entries)


def product(weights: tuple[Array, ...]) -> Array:
    """Return W_L⋯W_1."""
    return reduce(lambda done, weight: times(weight, done), weights)
