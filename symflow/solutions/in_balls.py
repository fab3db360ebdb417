"""A closed form held against balls that contain the flow."""

from __future__ import annotations

from typing import Any

from flint import arb

from symflow.algebra.arrays import Array
from symflow.claims import Claim, Finding
from symflow.claims.finding import Balls, gap_to, is_endless, limit_finding

#: Digits of a closed form beyond those of the balls.
SPARE_DIGITS = 10

TRUSTED_FORMULA = "the evaluation of the closed form (mpmath)"


def held_in_balls(solution: Claim, balls: Balls, index: int) -> Finding | str:
    """Return a closed form minus the true end-to-end matrix, in balls.

    Parameters
    ----------
    solution : Solution
        The closed form.
    balls : Enclosure
        What is proven of the flow.
    index : int
        Which of its times; for t = ∞ the limits are compared.
    """
    if is_endless(balls):
        return limit_finding(solution, balls)
    digits = balls.digits + SPARE_DIGITS
    formula: Any = solution
    value: Array = formula._precise(balls.t[index], digits)
    gap = gap_to(value, arb(10) ** -digits, balls, index)
    return Finding(gap, trusted=TRUSTED_FORMULA)
