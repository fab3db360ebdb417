"""The dimension of the Lie algebra of the gradients of W(θ), with plain polynomials."""

from __future__ import annotations

from itertools import product as pairs
from random import Random
from typing import Any

import numpy as np

from adversary.truth import end_to_end

PRIME = 2**31 - 1
Poly = dict[tuple[int, ...], int]


class Letter:
    """A polynomial with +, − and ×, so that `end_to_end` can be evaluated in it."""

    def __init__(self, terms: Poly) -> None:
        self.terms = {key: value for key, value in terms.items() if value}

    def __add__(self, other: Any) -> Letter:
        terms = dict(self.terms)
        for key, value in _terms(other).items():
            terms[key] = terms.get(key, 0) + value
        return Letter(terms)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Letter:
        if isinstance(other, int):
            return Letter({key: other * value for key, value in self.terms.items()})
        terms: Poly = {}
        for (a, x), (b, y) in pairs(self.terms.items(), other.terms.items()):
            key = tuple(i + j for i, j in zip(a, b, strict=True))
            terms[key] = terms.get(key, 0) + x * y
        return Letter(terms)

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Letter:
        return self + other * -1

    def slope(self, index: int) -> Letter:
        """Return the derivative by one variable."""
        terms = {}
        for key, value in self.terms.items():
            if key[index]:
                lower = tuple(k - (i == index) for i, k in enumerate(key))
                terms[lower] = value * key[index]
        return Letter(terms)

    def at(self, point: list[int]) -> int:
        """Return the value modulo the prime."""
        total = 0
        for key, value in self.terms.items():
            for x, k in zip(point, key, strict=True):
                value = value * pow(x, k, PRIME) % PRIME
            total += value
        return total % PRIME


def _terms(value: Any) -> Poly:
    return value.terms if isinstance(value, Letter) else {}


def independent_laws(family: str, shapes: list[tuple[int, int]], d: int) -> int | None:
    """Return dim θ − dim Lie(∇W) at a random point; None where it has not settled."""
    count = sum(rows * columns for rows, columns in shapes)
    units = iter([tuple(int(i == j) for j in range(count)) for i in range(count)])
    weights = []
    for rows, columns in shapes:
        block = [Letter({next(units): 1}) for _ in range(rows * columns)]
        weights.append(np.array(block, dtype=object).reshape(rows, columns))
    entries = [entry for entry in end_to_end(family, weights, d).flat if entry.terms]
    first = [[entry.slope(i) for i in range(count)] for entry in entries]
    point = [Random(7).randrange(PRIME) for _ in range(count)]
    random = Random(7)
    point = [random.randrange(PRIME) for _ in range(count)]
    layers, ranks = [first], [_rank([[p.at(point) for p in f] for f in first])]
    fields = list(first)
    for _ in range(4):
        new = [_bracket(a, b) for a in first for b in layers[-1]]
        new = [f for f in new if any(p.terms for p in f)]
        fields, layers = fields + new, [*layers, new]
        ranks.append(_rank([[p.at(point) for p in f] for f in fields]))
        if ranks[-1] == count or not new:
            return count - ranks[-1]
        if len(ranks) > 2 and ranks[-1] == ranks[-2] == ranks[-3]:
            return count - ranks[-1]
        if len(new) > 300:
            return None
    return None


def _bracket(a: list[Letter], b: list[Letter]) -> list[Letter]:
    size = len(a)
    return [
        sum(
            (b[i].slope(j) * a[j] - a[i].slope(j) * b[j] for j in range(size)),
            Letter({}),
        )
        for i in range(size)
    ]


def _rank(rows: list[list[int]]) -> int:
    table, found = [list(row) for row in rows], 0
    for column in range(len(table[0]) if table else 0):
        place = next((i for i in range(found, len(table)) if table[i][column]), None)
        if place is None:
            continue
        table[found], table[place] = table[place], table[found]
        inverse = pow(table[found][column], -1, PRIME)
        for i in range(found + 1, len(table)):
            factor = table[i][column] * inverse % PRIME
            if factor:
                pairs_ = zip(table[i], table[found], strict=True)
                table[i] = [(x - factor * y) % PRIME for x, y in pairs_]
        found += 1
    return found
