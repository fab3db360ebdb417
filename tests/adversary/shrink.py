"""A failing problem made small: fewer times, samples and units, simpler entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from time import monotonic
from typing import Any

from adversary.problem import Matrix, Problem
from adversary.problems import from_modes

#: Values that an entry is tried to be replaced by.
SIMPLE = (0, 1, -1, 2)


def shrink(
    problem: Problem, fails: Callable[[Problem], bool], seconds: float = 20.0
) -> Problem:
    """Return the smallest problem found that fails in the same way.

    Parameters
    ----------
    problem : Problem
        One that fails.
    fails : callable
        Whether a problem fails in that way.
    seconds : float
        When to stop.
    """
    end, moved = monotonic() + seconds, True
    while moved and monotonic() < end:
        moved = False
        for smaller in _smaller(problem):
            if monotonic() >= end:
                break
            if fails(smaller):
                problem, moved = smaller, True
                break
    return problem


def _smaller(problem: Problem) -> Iterator[Problem]:
    """Yield simpler problems, the boldest changes first."""
    if problem.rates:
        yield replace(problem, rates=())
    if problem.decay:
        yield replace(problem, decay=0)
    if problem.modes:
        yield from _fewer_modes(problem)
    if len(problem.times) > 1:
        yield from (replace(problem, times=(time,)) for time in problem.times)
    if not problem.moments and len(problem.X) > 1:
        for i in range(len(problem.X)):
            X, Y = _without(problem.X, i), _without(problem.Y, i)
            yield replace(problem, X=X, Y=Y, modes=())
    if problem.family == "dense":
        yield from _narrower(problem)
    elif problem.family != "circular" and problem.d > 1:
        yield from _fewer_coordinates(problem)
    yield from _simpler_entries(problem)


def _fewer_modes(problem: Problem) -> Iterator[Problem]:
    """Yield problems on the axes, with all modes, without one, or with simpler ones."""
    modes = problem.modes[2]
    plain = from_modes(modes)
    if plain.weights != problem.weights:
        yield replace(plain, times=problem.times, note=problem.note)
    for k in range(len(modes) if len(modes) > 1 else 0):
        changed = from_modes(modes[:k] + modes[k + 1 :])
        yield replace(changed, times=problem.times, note=problem.note)


def _narrower(problem: Problem) -> Iterator[Problem]:
    weights = problem.weights
    for layer in range(len(weights) - 1):
        for unit in range(len(weights[layer]) if len(weights[layer]) > 1 else 0):
            changed = list(weights)
            changed[layer] = _without(weights[layer], unit)
            changed[layer + 1] = _columns_without(weights[layer + 1], unit)
            yield replace(problem, weights=tuple(changed), modes=())
    for j in range(problem.d if problem.d > 1 else 0):
        yield replace(
            _input_dropped(problem, j),
            weights=(_columns_without(weights[0], j), *weights[1:]),
        )
    for i in range(problem.m if problem.m > 1 else 0):
        Y = (
            _without(problem.Y, i)
            if problem.moments
            else _columns_without(problem.Y, i)
        )
        last = _without(weights[-1], i)
        yield replace(problem, weights=(*weights[:-1], last), Y=Y, modes=())


def _input_dropped(problem: Problem, j: int) -> Problem:
    X = _columns_without(problem.X, j)
    if not problem.moments:
        return replace(problem, X=X, modes=())
    Y = _columns_without(problem.Y, j)
    return replace(problem, X=_without(X, j), Y=Y, modes=())


def _fewer_coordinates(problem: Problem) -> Iterator[Problem]:
    for j in range(problem.d):
        weights = tuple(_without(weight, j) for weight in problem.weights)
        yield replace(_input_dropped(problem, j), weights=weights)


def _simpler_entries(problem: Problem) -> Iterator[Problem]:
    parts: list[Matrix] = [*problem.weights, problem.X, problem.Y]
    for k, part in enumerate(parts):
        for i, row in enumerate(part):
            for j, entry in enumerate(row):
                for value in _simpler(entry):
                    changed = list(parts)
                    changed[k] = _with(part, i, j, value)
                    *weights, X, Y = changed
                    yield replace(problem, weights=tuple(weights), X=X, Y=Y, modes=())
    for index, time in enumerate(problem.times):
        if time not in (0, 1, 10):
            for value in (Fraction(1), Fraction(10)):
                times = [*problem.times]
                times[index] = value
                if times == sorted(set(times)):
                    yield replace(problem, times=tuple(times))


def _simpler(entry: Any) -> Iterator[Any]:
    """Yield simpler numbers of the kind of `entry`."""
    kind: Any = float if isinstance(entry, float) else Fraction
    if entry in SIMPLE:
        if entry not in (0, 1):
            yield from (kind(0), kind(1))
        elif entry == 1:
            yield kind(0)
        return
    yield from (kind(value) for value in SIMPLE)
    rounded = kind(Fraction(entry).limit_denominator(10))
    if rounded != entry and rounded not in SIMPLE:
        yield rounded


def _without(rows: Matrix, i: int) -> Matrix:
    return rows[:i] + rows[i + 1 :]


def _columns_without(rows: Matrix, j: int) -> Matrix:
    return tuple(row[:j] + row[j + 1 :] for row in rows)


def _with(rows: Matrix, i: int, j: int, value: Any) -> Matrix:
    row = (*rows[i][:j], value, *rows[i][j + 1 :])
    return (*rows[:i], row, *rows[i + 1 :])
