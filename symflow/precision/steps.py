"""Taylor steps in high precision, in exact time.

The order is fixed, K ≈ ln(1/tolerance)/1.75, measured to be cheapest: the step is
R·tolerance^(1/K) for a radius of convergence R, and its cost grows faster than K (with
K² the best would be ½ ln(1/tolerance), where the step is R/e²).
How long a step may be follows from its last terms, |c_k| h^k ≤ tolerance.  Lengths are
dyadic rationals, so that time never accumulates a rounding error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf, log, log2
from typing import Any

from symflow.codegen import Program
from symflow.codegen.series import Fading, Recurrence, Shape
from symflow.flow.problem import Problem
from symflow.precision.cheapest import series_program
from symflow.precision.engine import Engine

#: Fraction bits of a step length in units of its scale.
LENGTH_BITS = 5
#: How many of the last terms decide the length of a step.
LAST_TERMS = 4
#: A step may be this much longer than the guess it was made for (log2).
CAUTION = 0.25
#: A step this much shorter (log2) is expanded again, for precision and for speed.
RETRY = 1.5
#: log2 by which a step is shortened at once, when its series overflows.
SHRINK = -8.0


@dataclass(frozen=True)
class State:
    """Where an integration stands."""

    t: Fraction  # the time, exactly
    weights: tuple[Any, ...]  # matrices of the engine
    h: float  # a guess at log2 of the next step


@dataclass(frozen=True)
class TaylorStep:
    """A Taylor step with its series."""

    start: State  # where it starts
    h: Fraction  # its length, exactly
    unit: Fraction  # the unit of time in which the series is scaled
    series: list[list[Any]]  # scaled coefficients of every weight
    truncation: float  # log2 of the largest term left at the end
    after: State  # where it ends

    def ratio(self, t: Fraction) -> Fraction:
        """Return the argument of the series at a time."""
        return (t - self.start.t) / self.unit


@dataclass(frozen=True)
class SeriesSystem:
    """A flow with its data in the arithmetic of an engine.

    The last terms of a series have to fall below 2^(−tolerance).
    """

    problem: Problem
    engine: Engine
    order: int
    tolerance: float
    program: Program
    constants: tuple[Any, ...]
    shapes: tuple[Shape, ...]

    @classmethod
    def of(
        cls, problem: Problem, engine: Engine, order: int, tolerance: float
    ) -> SeriesSystem:
        """Convert the data of a problem, once."""
        constants = tuple(engine.constant(array) for array in problem.arguments)
        shapes = tuple(a.shape for a in (*problem.weights, *problem.arguments))
        program = series_program(problem)
        return cls(problem, engine, order, tolerance, program, constants, shapes)

    def start(self, h: float) -> State:
        """Return the state at t = 0, with a guess at log2 of the first step."""
        weights = tuple(self.engine.constant(w) for w in self.problem.weights)
        return State(Fraction(0), weights, h)

    def steps(self, state: State) -> Iterator[TaylorStep]:
        """Yield steps without end."""
        while True:
            step = self.step(state)
            yield step
            state = step.after

    def step(self, state: State) -> TaylorStep:
        """Expand the solution at a state, and choose how far the series is used."""
        guess = state.h
        while True:
            unit, series = self._expand(state, guess)
            scale = log2_of(unit)
            h, sizes = self._length(series, scale)
            fits = all(self.engine.fits(terms) for terms in series)
            if fits and h > guess - RETRY:
                break
            guess = h if fits else min(h, guess - CAUTION)
        longest = guess + CAUTION
        h = min(h, longest)
        ratio = _dyadic(h - scale)
        weights = tuple(self.engine.evaluate(terms, ratio) for terms in series)
        after = State(state.t + ratio * unit, weights, h)
        truncation = max(size + k * log2_of(ratio) for k, size in sizes)
        return TaylorStep(state, ratio * unit, unit, series, truncation, after)

    def _expand(self, state: State, guess: float) -> tuple[Fraction, list[list[Any]]]:
        """Return a unit of time and the series, made for a step of about 2^guess."""
        radius = self.engine.lead * self.tolerance / self.order
        unit = _short(guess + radius + CAUTION)
        self.engine.begin(max(0.0, log2_of(unit) - guess - CAUTION))
        recurrence = Recurrence(
            self.program, self.engine, self.shapes, self.constants, self.order
        )
        c = self.problem.flow.fading
        fading = Fading(c, state.t) if c else None
        return unit, recurrence.run(state.weights, unit, fading)

    def _length(
        self, series: list[list[Any]], scale: float
    ) -> tuple[float, list[tuple[int, float]]]:
        """Return log2 of the step, and the sizes of the last terms."""
        floor_size = -float(self.engine.bits)
        sizes = []
        for k in range(max(1, self.order + 1 - LAST_TERMS), self.order + 1):
            terms = [column[k] for column in series if column[k] is not None]
            size = max(map(self.engine.size, terms), default=-inf)
            sizes.append((k, max(size, floor_size)))
        length = min((-self.tolerance - size) / k for k, size in sizes)
        return max(length, SHRINK) + scale, sizes


def log2_of(value: Fraction) -> float:
    """Return log2 of a positive fraction, also of one that is no float."""
    return log2(value.numerator) - log2(value.denominator)


def _short(exponent: float) -> Fraction:
    """Return a dyadic number with three bits near 2^exponent."""
    whole = floor(exponent)
    quarters = round(4 * 2 ** (exponent - whole))
    scale = Fraction(1 << max(whole, 0), 1 << max(-whole, 0))
    return Fraction(quarters, 4) * scale


def _dyadic(exponent: float) -> Fraction:
    """Round 2^exponent down to a dyadic number of a few bits."""
    bits = LENGTH_BITS - floor(exponent)
    return Fraction(floor(2 ** (exponent + bits)), 1 << bits)


def best_order(tolerance: float) -> int:
    """Return the order at which a tolerance of that many bits is cheapest."""
    return max(12, ceil(tolerance * log(2) / 1.75) + 1)
