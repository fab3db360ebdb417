"""The limit path from saddle to saddle, by enumeration of supports in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, combinations
from typing import Any

from adversary.exact import rank, solved

Path = list[tuple[Fraction, list[Fraction]]]


def path(gram: Any, force: Any, *, positive: bool) -> Path | None:
    """Return [(t̂, β after it), …], or None where a minimizer is not unique.

    The dual variable ξ starts at 0 and moves by ξ' = −∇ℒ(β); β minimizes ℒ among the
    β that are ≥ 0 where ξ = 1, ≤ 0 where ξ = −1, and 0 elsewhere.
    """
    d = len(force)
    xi, beta, clock = [Fraction(0)] * d, [Fraction(0)] * d, Fraction(0)
    found: Path = []
    for _ in range(4 * 3**d):
        slopes = _slopes(gram, force, beta)
        waits = [_wait(x, s, positive) for x, s in zip(xi, slopes, strict=True)]
        known = [wait for wait in waits if wait is not None]
        if not known:
            return found
        clock += min(known)
        xi = [x + min(known) * s for x, s in zip(xi, slopes, strict=True)]
        sides = {i: int(x) for i, x in enumerate(xi) if x == 1 or x == -1}
        if positive:
            sides = {i: side for i, side in sides.items() if side > 0}
        best = _minimizer(gram, force, sides, d)
        if best is None:
            return None
        if best != beta:
            found.append((clock, best))
        beta = best
    return None


def _slopes(gram: Any, force: Any, beta: list[Fraction]) -> list[Fraction]:
    return [
        f - sum((g * b for g, b in zip(row, beta, strict=True)), Fraction(0))
        for f, row in zip(force, gram, strict=True)
    ]


def _wait(x: Fraction, slope: Fraction, positive: bool) -> Fraction | None:
    """Return how long ξ_i takes to a wall, if it moves towards one and is not there."""
    if slope > 0 and x < 1:
        return (1 - x) / slope
    if slope < 0 and x > -1 and not positive:
        return (x + 1) / -slope
    return None


def _minimizer(gram: Any, force: Any, sides: dict[int, int], d: int) -> Any:
    """Return the minimizer under the signs, by its optimality conditions."""
    indices = sorted(sides)
    supports = chain.from_iterable(
        combinations(indices, k) for k in range(len(indices) + 1)
    )
    found: list[list[Fraction]] = []
    for support in supports:
        block = [[gram[i][j] for j in support] for i in support]
        if support and rank(block) < len(support):
            return None
        part = solved(block, [[force[i]] for i in support]) if support else []
        beta = [Fraction(0)] * d
        for i, value in zip(support, part, strict=True):
            beta[i] = value[0]
        slopes = _slopes(gram, force, beta)
        signs = all(beta[i] * sides[i] >= 0 for i in support)
        rest = all(slopes[i] * sides[i] <= 0 for i in indices if i not in support)
        if signs and rest and beta not in found:
            found.append(beta)
    return found[0] if len(found) == 1 else None
