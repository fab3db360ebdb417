"""Linear programs in fractions, and the largest margin in ℓ₁ with what is unique of it.

The dual of min Σ|ρ_j| under Cρ ≥ 1 is max Σμ_i under |(Cᵀμ)_j| ≤ 1, μ ≥ 0, where μ = 0
is feasible: the simplex method needs no first phase, and with Bland's rule at
degenerate corners it ends.  With s = Cᵀμ all solutions ρ have ρ_j = 0 where |s_j| < 1,
the sign of s_j elsewhere, and margin 1 where μ_i > 0.  Hence ρ is the only one iff
v = 0 is the only direction with v_j = 0 where |s_j| < 1, v_j s_j ≥ 0 where |s_j| = 1
and ρ_j = 0, (Cv)_i = 0 where μ_i > 0, and (Cv)_i ≥ 0 at the other margins of 1: a rank,
and another program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import fmpq, fmpq_mat

from symflow.algebra.arrays import Array
from symflow.algebra.rational import fraction

#: Numbers in a program up to which it is solved in fractions, and unknowns of a linear
#: system that checks a corner found in float64.
MOST_ENTRIES, MOST_UNKNOWNS = 1_000, 100

Row = list[fmpq]


@dataclass(frozen=True)
class Corner:
    """A pair of solutions of a linear program and its dual."""

    primal: Row
    dual: Row


def maximize(objective: Row, rows: list[Row], sides: Row) -> Corner | None:
    """Return argmax c·x under Ax ≤ b and x ≥ 0 for b ≥ 0, or None if it is unbounded.

    The `objective` is c, the `rows` are A and the `sides` b.
    """
    count, size = len(rows), len(objective)
    # one row for each constraint: coefficients of the variables at zero, then its side
    table = [[*row, side] for row, side in zip(rows, sides, strict=True)]
    gains = [*objective, fmpq(0)]
    outside, inside = list(range(size)), list(range(size, size + count))
    stuck = False
    while any(gain > 0 for gain in gains[:-1]):
        rising = [k for k in range(size) if gains[k] > 0]
        entering = (
            min(rising, key=lambda k: outside[k])
            if stuck
            else max(rising, key=lambda k: gains[k])
        )
        limits = [
            (row[-1] / row[entering], inside[k], k)
            for k, row in enumerate(table)
            if row[entering] > 0
        ]
        if not limits:
            return None
        step, _, leaving = min(limits)
        stuck = step == 0
        _pivot(table, gains, leaving, entering)
        outside[entering], inside[leaving] = inside[leaving], outside[entering]
    values = [fmpq(0)] * (size + count)
    prices = [fmpq(0)] * (size + count)
    for k, row in enumerate(table):
        values[inside[k]] = row[-1]
    for k in range(size):
        prices[outside[k]] = -gains[k]
    return Corner(values[:size], prices[size:])


def _pivot(table: list[Row], gains: Row, leaving: int, entering: int) -> None:
    """Exchange a variable at zero with the one of a row."""
    pivot = table[leaving][entering]
    row = [entry / pivot for entry in table[leaving]]
    row[entering] = 1 / pivot
    table[leaving] = row
    for other in [*table[:leaving], *table[leaving + 1 :], gains]:
        factor = other[entering]
        if factor == 0:
            continue
        other[entering] = fmpq(0)
        for k, entry in enumerate(row):
            if entry != 0:
                other[k] -= factor * entry


def least_absolute(columns: list[Row]) -> Corner | None:
    """Return ρ of least Σ|ρ_j| under Cρ ≥ 1 as `dual`, and μ as `primal`.

    The `columns` are C, shape (n, p); None if no ρ has all margins positive.
    """
    forms = [list(form) for form in zip(*columns, strict=True)]
    both = forms + [[-entry for entry in form] for form in forms]
    found = maximize([fmpq(1)] * len(columns), both, [fmpq(1)] * len(both))
    if found is None:
        return None
    plus, minus = found.dual[: len(forms)], found.dual[len(forms) :]
    point = [a - b for a, b in zip(plus, minus, strict=True)]
    return Corner(found.primal, point)


def corner_of(columns: list[Row], support: Array, active: Array) -> Corner | None:
    """Return the pair that float64 suggests, if it is optimal in fractions.

    The `support` and the `active` rows are where ρ_j and μ_i seem not to vanish.
    """
    if not 0 < len(support) == len(active) <= MOST_UNKNOWNS:
        return None
    matrix = fmpq_mat([[columns[i][j] for j in support] for i in active])
    if matrix.rank() < len(support):
        return None
    ones = fmpq_mat(len(active), 1, [1] * len(active))
    sizes = list(matrix.solve(ones).entries())
    signs = [1 if size > 0 else -1 for size in sizes]
    shares = matrix.transpose().solve(fmpq_mat(len(signs), 1, signs)).entries()
    point, multipliers = [fmpq(0)] * len(columns[0]), [fmpq(0)] * len(columns)
    for place, value in zip(support, sizes, strict=True):
        point[place] = value
    for place, value in zip(active, shares, strict=True):
        multipliers[place] = value
    found = Corner(multipliers, point)
    forces, margins = _forces(columns, found), _margins(columns, found)
    fits = max(map(abs, forces)) <= 1 and min(margins) >= 1 and min(multipliers) >= 0
    return found if fits else None


def is_only(columns: list[Row], found: Corner) -> bool | None:
    """Say whether an optimal ρ is the only one; None where that takes too long."""
    forces, margins = _forces(columns, found), _margins(columns, found)
    tight = [j for j, force in enumerate(forces) if abs(force) == 1]
    active = [i for i, margin in enumerate(margins) if margin == 1]
    lines = [[columns[i][j] * forces[j] for j in tight] for i in active]
    held = [line for line, i in zip(lines, active, strict=True) if found.primal[i] != 0]
    spare = [
        line for line, i in zip(lines, active, strict=True) if found.primal[i] == 0
    ]
    size = len(tight)
    free = [k for k, j in enumerate(tight) if found.dual[j] != 0]
    units = [k for k in range(size) if k not in free]
    spare += [[fmpq(int(j == k)) for j in range(size)] for k in units]
    if fmpq_mat(held + spare).rank() < size:
        return False
    if not spare or (held and fmpq_mat(held).rank() == size):
        return True
    rows = held + [[-e for e in line] for line in held]
    rows += [[-e for e in line] for line in spare]
    total = [sum(column, fmpq(0)) for column in zip(*spare, strict=True)]
    # a free unknown is the difference of two that are not negative
    split = [[*row, *(-row[k] for k in free)] for row in (*rows, total)]
    if len(split) * len(split[0]) > 4 * MOST_ENTRIES:
        return None
    best = maximize(split[-1], split, [fmpq(0)] * len(rows) + [fmpq(1)])
    assert best is not None
    return all(value == 0 for value in best.dual[-1:])


def _forces(columns: list[Row], found: Corner) -> Row:
    """Return s = Cᵀμ."""
    weights = fmpq_mat(1, len(found.primal), found.primal)
    return list((weights * fmpq_mat(columns)).entries())


def _margins(columns: list[Row], found: Corner) -> Row:
    return list(
        (fmpq_mat(columns) * fmpq_mat(len(found.dual), 1, found.dual)).entries()
    )


def fractions_of(row: Row) -> Array:
    """Return the numbers as an array of `Fraction`."""
    result = np.empty(len(row), dtype=object)
    result[:] = list(map(fraction, row))
    return result
