"""Which problems are drawn for which verb, in which units and at which times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction as F
from math import log10
from random import Random
from typing import Any

from adversary.columns import circular, coordinates, labelled, ties
from adversary.problem import Problem, matrix
from adversary.problems import dense, nearly_balanced, one_neuron, spectral

#: The generators, and how often each is drawn.
GENERATORS: dict[Callable[[Random], Problem], int] = {
    spectral: 4,
    nearly_balanced: 2,
    one_neuron: 2,
    dense: 3,
    coordinates: 4,
    circular: 1,
    labelled: 2,
    ties: 1,
}


#: What a verb is for; any other is drawn from all generators.
SUITED: dict[str, tuple[Callable[[Random], Problem], ...]] = {
    "data": (dense, coordinates, ties),
    "certify": (spectral, nearly_balanced, one_neuron, dense, coordinates),
    "companions": (spectral, nearly_balanced, one_neuron, dense, labelled),
    "regime": (spectral, nearly_balanced, one_neuron, dense),
    "rates": (spectral, nearly_balanced, one_neuron, dense, coordinates, circular),
    "saddle_to_saddle": (coordinates, ties),
    "solve": (spectral, nearly_balanced, one_neuron, coordinates, circular),
}
#: Verbs that are for flows with weight decay and a rate for each layer too.
CHANGED = ("conserved", "simulate", "precise", "validate")


def draw(rng: Random, verb: str = "") -> Problem:
    """Return a problem of any kind, perhaps in floats, rescaled, or looked at late."""
    makers = list(SUITED.get(verb, GENERATORS))
    maker = rng.choices(makers, [GENERATORS[m] for m in makers])[0]
    found = maker(rng)
    if found.exact and rng.random() < 0.25:
        found = as_floats(found)
    if rng.random() < 0.1 and not found.modes:
        found = rescaled(found, F(10) ** rng.choice((-7, -3, 3, 6)))
    often = 0.3 if verb in CHANGED else 0.04
    if rng.random() < often:
        rates = tuple(rng.choice((F(1), F(3), F(1, 10**8))) for _ in found.weights)
        found = replace(found, rates=rates, modes=())
    if rng.random() < often:
        found = replace(found, decay=rng.choice((F(1, 2), F(1, 10**6))), modes=())
    return replace(found, times=_times(rng, found))


def as_floats(problem: Problem) -> Problem:
    """Return the problem in floats: what held exactly holds up to rounding."""
    parts = [
        tuple(tuple(float(x) for x in row) for row in part)
        for part in (*problem.weights, problem.X, problem.Y)
    ]
    *weights, X, Y = parts
    note = f"{problem.note}, floats"
    return replace(problem, weights=tuple(weights), X=X, Y=Y, modes=(), note=note)


def as_fractions(problem: Problem) -> Problem:
    """Return the problem with every float as the fraction that it is."""
    parts = [
        tuple(tuple(F(x) for x in row) for row in part)
        for part in (*problem.weights, problem.X, problem.Y)
    ]
    *weights, X, Y = parts
    return replace(problem, weights=tuple(weights), X=X, Y=Y)


def rescaled(problem: Problem, factor: F) -> Problem:
    """Return the problem in other units of the targets and the first layer."""
    scale: Any = factor if problem.exact else float(factor)
    if problem.loss != "squared":
        return problem
    Y = matrix([[y * scale for y in row] for row in problem.Y])
    first = matrix([[w * scale for w in row] for row in problem.weights[0]])
    note = f"{problem.note}, scaled by {float(factor):g}"
    return replace(problem, weights=(first, *problem.weights[1:]), Y=Y, note=note)


def _times(rng: Random, problem: Problem) -> tuple[F, ...]:
    """Return times in units of the fastest motion: early, from 0 on, or all late."""
    depth = len(problem.weights)
    size = max(_top(w) for w in problem.weights)
    gram = _top(problem.X) if problem.moments else _top(problem.X) ** 2 * problem.d
    drive = _top(problem.Y) * (1 if problem.moments else _top(problem.X))
    width = max(len(w) for w in problem.weights)
    pace = max(1.0, gram * width * size ** max(2 * depth - 2, 0))
    pace = max(pace, drive * size ** max(depth - 2, 0))
    unit = F(1) / 10 ** max(0, round(log10(pace)))
    shape = rng.choice(((0, 1), (0, 1, 3), (2,), (5, 10, 20), (F(1, 2), 2)))
    return tuple(unit * time for time in shape)


def _top(rows: Any) -> float:
    return max((abs(float(x)) for row in rows for x in row), default=0.0)
