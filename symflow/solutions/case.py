"""One question to the catalogue: a flow, its data and its start, at any precision."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, is_exact_array, map_entries, to_mpf_array
from symflow.algebra.numbers import as_fraction
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem, bind
from symflow.inits.seeds import seed_of

#: Digits in which hypotheses are checked where the numbers are not rational.
CHECK_DIGITS = 30

#: Up to this many inputs, hypotheses and modes have more digits than float64.
FINE_SIZE = 40


@dataclass(frozen=True, eq=False)
class Case:
    """A flow with data and start, drawn again at whatever precision is asked for.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where the flow starts.
    rng : None, int or numpy.random.Generator
        Overrides the random state of the rule; a generator is read once.
    """

    flow: GradientFlow
    data: Any
    init: Any
    rng: Any = None
    _drawn: dict[int, Problem] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.rng is not None:
            object.__setattr__(self, "rng", seed_of(self.rng, "solve(rng=…)"))

    @cached_property
    def problem(self) -> Problem:
        """The initial value problem in float64."""
        return bind(self.flow, self.data, self.init, rng=self.rng)

    def at(self, digits: int) -> Problem:
        """Return the initial value problem with a start correct to `digits` digits."""
        if digits not in self._drawn:
            self._drawn[digits] = bind(
                self.flow, self.data, self.init, rng=self.rng, digits=digits
            )
        return self._drawn[digits]

    def is_coarse(self, digits: int) -> bool:
        """Say whether float64 has to do: to draw a large start takes minutes."""
        return digits <= CHECK_DIGITS and self.problem.widths[0] > FINE_SIZE

    def checkable(self, digits: int = CHECK_DIGITS) -> Problem:
        """Return the problem to a few digits more than asked, or in float64."""
        return self.problem.floats if self.is_coarse(digits) else self.at(digits + 5)

    @cached_property
    def sharp(self) -> Problem:
        """The problem as hypotheses see it: in fractions where everything is rational.

        Otherwise numbers of `CHECK_DIGITS` digits.
        """
        problem = self.given
        # floats are no exact numbers here, though their moments are formed exactly
        exact = all(map(is_exact_array, [*problem.weights, *self.problem.arguments]))
        parts = [*problem.weights, *problem.arguments]
        if not exact or not all(_is_rational(part) for part in parts):
            return _lifted(problem, CHECK_DIGITS)
        weights = tuple(map_entries(as_fraction, array) for array in problem.weights)
        data = {
            symbol.name: map_entries(as_fraction, array)
            for symbol, array in zip(self.flow.data, problem.arguments, strict=True)
        }
        return Problem(problem.flow, problem.widths, weights, data)

    @cached_property
    def given(self) -> Problem:
        """The problem in the numbers that were given; a rule draws `CHECK_DIGITS`."""
        return bind(
            self.flow,
            self.data,
            self.init,
            rng=self.rng,
            digits=CHECK_DIGITS,
            exact=True,
        )


def context_of(digits: int) -> Any:
    """Return a local mpmath context of `digits` decimal digits."""
    context = mpmath.MPContext()
    context.dps = digits
    return context


def _lifted(problem: Problem, digits: int) -> Problem:
    context = context_of(digits + 10)
    data = {
        symbol.name: to_mpf_array(array, context)
        for symbol, array in zip(problem.flow.data, problem.arguments, strict=True)
    }
    weights = tuple(to_mpf_array(array, context) for array in problem.weights)
    return Problem(problem.flow, problem.widths, weights, data)


def _is_rational(array: Array) -> bool:
    return all(as_fraction(entry) is not None for entry in np.ravel(array))
