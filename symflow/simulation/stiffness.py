"""Telling that an explicit method took its steps for stability and not for accuracy.

DOP853 damps a decaying mode of rate λ for steps h up to about 6.2/λ.  A flow that has
nearly settled is smooth, its steps could be long, and the controller keeps them there:
hλ of the stiffest mode is then at the boundary, all the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symflow.simulation.methods import IntegratorStep
from symflow.simulation.system import System

#: Fewer steps need no advice.
FEW_STEPS = 1_000
#: Parts of the run at which steps are looked at.
PLACES = (0.5, 0.75, 0.95)
#: Beyond this hλ a step is at the boundary, which is at 6.2.
BOUND = 5.0
#: Products with the Jacobian for an estimate of λ from below.
POWERS = 20
#: Weights up to which an implicit step costs less than the explicit ones it saves.
SMALL = 2_000


def advice(system: System, steps: Sequence[IntegratorStep]) -> str | None:
    """Return what to do about steps at the bound of stability; None elsewhere."""
    if len(steps) < FEW_STEPS:
        return None
    chosen = [steps[int(part * len(steps))] for part in PLACES]
    with np.errstate(all="ignore"):
        if any(_reach(system, step) < BOUND for step in chosen):
            return None
    if system.size <= SMALL:
        return "steps are at the bound of stability: method='Radau' has none"
    return (
        "steps are at the bound of stability: stop with steady_state=True or earlier, "
        "or learn from data.standardized() or data.whitened()"
    )


def _reach(system: System, step: IntegratorStep) -> float:
    """Return h times an estimate of the largest rate in size."""
    state: Any = np.asarray(step.state)
    vector = np.random.default_rng(0).standard_normal(system.size)
    size = 0.0
    for _ in range(POWERS):
        vector = system.along(state, vector)
        size = float(np.linalg.norm(vector))
        if not 0 < size < np.inf:
            return 0.0
        vector /= size
    return (step.end - step.t) * size
