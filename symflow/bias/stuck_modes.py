"""Modes that move alone and end at zero although the target asks for more.

Without weight decay all a_l² − a_k² of a mode of W* that moves alone (see
`flow/lone_modes.py`) are conserved, and ∏a reaches s unless it has to pass zero, or
rests there, where two of the a_l vanish together: if ∏a(0)·s ≤ 0 and the two smallest
|a_l| are equal.
"""

from __future__ import annotations

import numpy as np

from symflow.algebra.numbers import context_of
from symflow.bias.minimizers import Minimizers, is_drawn, start_weights
from symflow.claims import TOLERANCE
from symflow.flow.lone_modes import (
    MOST_INPUTS,
    SEEN,
    LoneMode,
    digits_for,
    lone_modes,
)
from symflow.flow.problem import Problem


def stuck_modes(problem: Problem, found: Minimizers) -> int:
    """Return how many modes of a dense regression move alone and end at zero."""
    weights = start_weights(problem, found)
    fine = found.exact and weights[0].dtype == object
    fine = fine and len(found.seen) <= MOST_INPUTS
    context = context_of(digits_for(weights)) if fine else None
    exact = fine and problem.given_exactly and not is_drawn(problem)
    allowed = SEEN if exact else TOLERANCE
    modes = lone_modes((found.least_norm, found.moments[0], *weights), context, allowed)
    return sum(mode is not None and _is_stuck(mode, allowed) for mode in modes)


def _is_stuck(mode: LoneMode, allowed: float) -> bool:
    """Say whether a mode ends at zero."""
    sizes = sorted(map(abs, mode.amplitudes))
    product = np.prod(np.array(mode.amplitudes))
    # a single layer has no second amplitude to vanish with
    return bool(
        len(sizes) > 1
        and sizes[1] - sizes[0] <= allowed * (sizes[-1] or 1)
        and product <= 0
    )
