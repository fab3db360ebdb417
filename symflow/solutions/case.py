"""One question to the catalogue: a flow, its data and its start, at any precision."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import mpmath
import numpy as np

from symflow.algebra.arrays import is_exact_array, map_entries, to_mpf_array
from symflow.algebra.numbers import as_fraction
from symflow.algebra.threads import cached_property
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem, bind
from symflow.inits import GivenInit, as_init
from symflow.inits.seeds import seed_of
from symflow.solutions.rational import height_of

#: Digits in which hypotheses are checked where the numbers are not rational.
CHECK_DIGITS = 30

#: Up to this many inputs, hypotheses and modes have more digits than float64.
FINE_SIZE = 40

#: Multiplications beyond which a condition is left as measured in float64.
PRODUCTS = 200_000

#: Working digits are rounded up to a multiple, so that times share what is found.
STEP = 16

#: Digits in which zero is told from small, beyond those of the numbers given.
SPARE_DIGITS = 10


Found = TypeVar("Found")


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
    _made: dict[Hashable, Any] = field(default_factory=dict, repr=False)

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
        """Return the problem as it was given, or to a few digits more than asked.

        Fractions where all numbers are rational; float64 where it is large.
        """
        if self.is_coarse(digits):
            return self.problem.floats
        return self.rational or self.at(digits + self.spare)

    @cached_property
    def is_exact(self) -> bool:
        """Whether no number is a float: what is said of them holds exactly or not."""
        rule = as_init(self.init)
        given = rule.weights if isinstance(rule, GivenInit) else ()
        arrays = (*given, *self.problem.arguments)
        return bool(given) and all(map(is_exact_array, arrays))

    @cached_property
    def rational(self) -> Problem | None:
        """The problem in fractions; None where a number is drawn or irrational."""
        rule = as_init(self.init)
        if not isinstance(rule, GivenInit):
            return None
        problem = self.problem if self.is_large else self.at(CHECK_DIGITS)
        weights = tuple(map_entries(as_fraction, array) for array in rule.weights)
        data = {
            symbol.name: map_entries(as_fraction, array)
            for symbol, array in zip(self.flow.data, problem.arguments, strict=True)
        }
        arrays = (*weights, *data.values())
        if any(entry is None for array in arrays for entry in array.flat):
            return None
        return Problem(problem.flow, problem.widths, weights, data)

    @cached_property
    def is_large(self) -> bool:
        """Whether fractions, or a draw of many digits, would take minutes."""
        return self.problem.size * max(self.problem.widths) > PRODUCTS

    @cached_property
    def spare(self) -> int:
        """Digits beyond those of an answer in which zero is told from small."""
        if self.rational is not None:
            found = self.rational
            return 2 * height_of((*found.weights, *found.arguments)) + SPARE_DIGITS
        sizes = [np.abs(w).max() for w in self.problem.floats.weights]
        return SPARE_DIGITS + int(
            sum(-np.log10(size) for size in sizes if 0 < size < 1)
        )

    @cached_property
    def sharp(self) -> Problem:
        """The problem as hypotheses see it: in fractions where everything is rational.

        Otherwise numbers of `CHECK_DIGITS` digits.
        """
        return self.rational or _lifted(self.at(CHECK_DIGITS), CHECK_DIGITS)

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

    def remembered(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """Return what `make` made when it was first asked for under this key."""
        if key not in self._made:
            self._made[key] = make()
        found: Found = self._made[key]
        return found


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
