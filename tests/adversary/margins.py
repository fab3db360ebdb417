"""The direction of largest margin by enumeration of supports, in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

from adversary.exact import rank, solved
from adversary.problem import Problem
from adversary.truth import fractions


def largest_margin(problem: Problem) -> Any:
    """Return argmin ‖w‖² under y_i⟨w, x_i⟩ ≥ 1, or None where there is none.

    On a support S of independent rows A the candidate is w = Aᵀ(AAᵀ)⁻¹1; it is the
    minimizer if its multipliers are not negative and all margins at least 1.
    """
    rows = fractions(problem.Y) * fractions(problem.X)
    unique = [list(row) for row in dict.fromkeys(map(tuple, rows))]
    one = Fraction(1)
    for size in range(1, problem.d + 1):
        for support in combinations(unique, size):
            if rank(support) < size:
                continue
            gram = [[_dot(a, b) for b in support] for a in support]
            part = solved(gram, [[one]] * size)
            if any(value[0] < 0 for value in part):
                continue
            w = [
                sum((p[0] * a[j] for p, a in zip(part, support, strict=True)), 0 * one)
                for j in range(problem.d)
            ]
            if all(_dot(row, w) >= 1 for row in unique):
                return w
    return None


def _dot(a: Any, b: Any) -> Any:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))
