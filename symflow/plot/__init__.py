"""Pictures: every function draws on `ax` (or on a new one) and returns it.

Nothing is shown, nothing global is set, and matplotlib is imported by the call that
draws.
"""

from symflow.plot.agreement import agreement
from symflow.plot.drift import drift
from symflow.plot.loss import loss
from symflow.plot.modes import modes

__all__ = ["agreement", "drift", "loss", "modes"]
