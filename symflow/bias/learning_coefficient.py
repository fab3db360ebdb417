"""The learning coefficient of a linear network whose truth has a given rank.

The volume of the weights with ‖W(θ) − W*‖² < ε falls as ε^λ (ln 1/ε)^{m−1}: λ is the
learning coefficient, and half the number of parameters where the model is regular.  For
dense layers of widths h_0, …, h_L and a truth of rank r, with M_i = h_i − r in rising
order, Aoyagi (2024) finds

    2λ = r(h_0 + h_L) − r² + a(ℓ−a)/(2ℓ) − ½ℓ(ℓ−1)(S/ℓ)² + Σ_{i<j≤ℓ} M_iM_j,

m = a(ℓ−a) + 1, where S = M_0 + ⋯ + M_ℓ, a = S − ℓ(⌈S/ℓ⌉ − 1), and ℓ is the largest with
S ≥ ℓM_ℓ; at L = 2 it is the formula of Aoyagi and Watanabe (2005).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations


def learning_coefficient(widths: tuple[int, ...], rank: int) -> tuple[Fraction, int]:
    """Return λ and its multiplicity m for dense layers and a truth of this rank."""
    spare = sorted(width - rank for width in widths)
    layers = len(spare) - 1
    last = max(k for k in range(1, layers + 1) if sum(spare[: k + 1]) >= k * spare[k])
    taken = spare[: last + 1]
    total = sum(taken)
    rest = total - last * (-(-total // last) - 1)
    pairs = sum(x * y for x, y in combinations(taken, 2))
    double = (
        Fraction(rank * (widths[0] + widths[-1]) - rank**2 + pairs)
        + Fraction(rest * (last - rest), 2 * last)
        - Fraction((last - 1) * total**2, 2 * last)
    )
    return double / 2, rest * (last - rest) + 1


def diagonal_coefficient(
    kind: str, depth: int, zeros: int, d: int
) -> tuple[Fraction, int]:
    """Return λ and m of a diagonal network whose truth has some zero coefficients.

    Coefficients do not share weights, so that their λ = ½ and m − 1 add up.  A zero of
    w_1⋯w_L is L planes that cross; u_1⋯u_L − v_1⋯v_L has a normal toric zero set, which
    counts as a smooth one.
    """
    crossing = 0 if kind == "difference" else depth - 1
    return Fraction(d, 2), 1 + crossing * zeros
