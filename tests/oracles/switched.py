"""Two weights whose target is switched on the way, by mpmath."""

from __future__ import annotations

from typing import Any

import mpmath


def switched(digits: int) -> tuple[Any, list[Any]]:
    """Return ẇ₁ = w₂(s − w₂w₁), ẇ₂ = w₁(s − w₂w₁) at t = 5/2 from (1/3, 2/3).

    s is 2 up to t = 1, and then −1.  The context of mpmath comes first.
    """
    mp = mpmath.MPContext()
    mp.dps = digits
    state = [mp.mpf(1) / 3, mp.mpf(2) / 3]
    for goal, lasting in ((2, mp.one), (-1, mp.mpf(3) / 2)):

        def rhs(t: Any, x: Any, goal: int = goal) -> list[Any]:
            force = goal - x[0] * x[1]
            return [x[1] * force, x[0] * force]

        state = mp.odefun(rhs, 0, state)(lasting)
    return mp, state
