"""Pictures: every function draws on `ax` (or on a new one) and returns it.

Nothing is shown, nothing global is set, and matplotlib is imported by the call that
draws.

>>> import symflow as sf
>>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
>>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0]]], [0, 1, 9])
>>> sf.plot.loss(run).lines[0].get_ydata().round(3).tolist()
[2.0, 0.271, 0.0]
"""

from symflow.plot.agreement import agreement
from symflow.plot.basin import basin
from symflow.plot.bounds import bounds
from symflow.plot.drift import drift
from symflow.plot.forgetting import forgetting
from symflow.plot.imbalance import imbalance
from symflow.plot.loss import loss
from symflow.plot.modes import modes
from symflow.plot.plane import plane
from symflow.plot.sharpness import sharpness
from symflow.plot.singular_values import singular_values
from symflow.plot.staircase import staircase
from symflow.plot.sweep import sweep
from symflow.plot.width import width

__all__ = [
    "agreement",
    "basin",
    "bounds",
    "drift",
    "forgetting",
    "imbalance",
    "loss",
    "modes",
    "plane",
    "sharpness",
    "singular_values",
    "staircase",
    "sweep",
    "width",
]
