"""Linear algebra in fractions: rank, least squares and least norm."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from adversary.problem import Problem
from adversary.truth import fractions, moments


def reduced(rows: Any) -> tuple[Any, list[int]]:
    """Return the reduced row echelon form and its pivot columns."""
    table = [list(row) for row in rows]
    pivots: list[int] = []
    for column in range(len(table[0]) if table else 0):
        place = len(pivots)
        found = next((i for i in range(place, len(table)) if table[i][column]), None)
        if found is None:
            continue
        table[place], table[found] = table[found], table[place]
        lead = table[place][column]
        table[place] = [x / lead for x in table[place]]
        for i, row in enumerate(table):
            if i != place and row[column]:
                factor = row[column]
                pairs = zip(row, table[place], strict=True)
                table[i] = [x - factor * y for x, y in pairs]
        pivots.append(column)
    return table, pivots


def rank(rows: Any) -> int:
    """Return the rank."""
    return len(reduced(fractions(rows))[1])


def solved(matrix: Any, right: Any) -> Any:
    """Return one x with matrix·x = right (a matrix of columns), or None."""
    count = len(matrix[0])
    table, pivots = reduced([[*a, *b] for a, b in zip(matrix, right, strict=True)])
    if pivots and pivots[-1] >= count:
        return None
    answer = [[Fraction(0)] * len(right[0]) for _ in range(count)]
    for row, pivot in zip(table, pivots, strict=False):
        answer[pivot] = row[count:]
    return np.array(answer, dtype=object)


def least_squares(problem: Problem) -> Any:
    """Return the minimizer of the squared loss of least norm, in fractions, or None.

    W Σ_xx = Σ_yx with the rows of W in the row space of Σ_xx: W = ZΣ_xx, ZΣ_xx² = Σ_yx.
    """
    xx, yx, _ = moments(problem)
    Z = solved(xx @ xx, yx.T)
    return None if Z is None else (xx @ Z).T
