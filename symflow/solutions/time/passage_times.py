"""When a mode of W(t) passes a given part of its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array

#: Times scanned, relative to the fastest rate of the data, and halvings of a bracket.
FIRST, LAST, SCAN, HALVINGS = 1e-6, 1e8, 600, 60

#: Part of the largest limit below which one counts as zero.
NOTHING = 1e-12


@dataclass(frozen=True)
class Times:
    """When the modes of a solution are learned; infinite for those that never are."""

    #: `escape`, `half`, `learned`, shape (modes,): when a mode reaches 1 %, half and
    #: 99 % of its final strength.
    escape: Array
    half: Array
    learned: Array


def passages(solution: Any, parts: tuple[float, ...]) -> list[Array]:
    """Return, for each part, when the modes of W(t) reach it.

    The `parts` are fractions of the final strength.  A time is zero where the start is
    beyond already, infinite where the scan ends before.
    """
    data = solution.problem.floats.arguments
    rate = max(float(np.linalg.norm(part, 2)) for part in data) or 1.0
    grid = np.concatenate([[0.0], np.geomspace(FIRST, LAST, SCAN) / rate])

    values = solution.progress
    scanned = values(grid)
    if not scanned.shape[1]:  # every mode dies
        return [np.zeros(0) for _ in parts]
    return [_firsts(values, grid, scanned, part) for part in parts]


def _firsts(values: Any, grid: Array, scanned: Array, part: float) -> Array:
    """Refine the first passage of every column of `scanned` by bisection."""
    passed = scanned >= part
    place = np.argmax(passed, axis=0)
    columns = np.arange(scanned.shape[1])
    high, low = grid[place], grid[np.maximum(place - 1, 0)]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = values(middle)[columns, columns] < part
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(passed.any(axis=0), high, np.inf)


def parts_of(found: Array, final: Array) -> Array:
    """Return strengths as parts of their limits, for modes that do not end at zero.

    Strengths have shape (…, modes), and limits at most (modes,).
    """
    kept = np.abs(final) > NOTHING * np.max(np.abs(final), initial=1e-300)
    return np.asarray(found[..., : len(final)][..., kept] / final[kept])
