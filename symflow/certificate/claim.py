"""What a claim that `certify` has proven says of the flow, for the checker."""

from __future__ import annotations

from typing import Any

import sympy

from symflow.algebra.outward import float_up
from symflow.bias.least_norm import LeastNorm
from symflow.bias.prediction import Prediction
from symflow.certificate.enclosure import Document, enclosure_document, time_text
from symflow.certificate.numbers import matrix_text, rational_text
from symflow.claims import Claim
from symflow.claims.finding import limit_of
from symflow.convergence.bound import LossBound
from symflow.precision import Enclosure
from symflow.solutions.solution import BEYOND_BALLS, Solution

#: Claims that a certificate carries, beside laws.
CARRIED = (Solution, Prediction, LossBound)


def claim_document(claim: Claim, ball: Enclosure, radius: float) -> Document:
    """Return statement, problem and evidence of a claim on one instance.

    A closed form: its digits are within a radius of W at the times. A predicted limit:
    so is the limit of the flow, and where it is the solution of least norm, this is
    stated. A bound of the loss: it holds at the times. PrecisionLost says that the
    bounds of the checker do not reach what is stated.
    """
    stated: list[Document] = []
    bound = None
    if isinstance(claim, LossBound):
        bound = [
            rational_text(float_up(float(claim.bound(0.0)))),
            rational_text(claim.rate),
        ]
        later = [t for t in ball.t if t not in (0, sympy.oo)]
        stated = [{"t": time_text(t), "loss": "best"} for t in later]
    else:
        stated = [
            {
                "t": time_text(t),
                "radius": rational_text(radius),
                "W": _value(claim, t, ball),
            }
            for t in ball.t
            if isinstance(claim, Solution) or t == sympy.oo
        ]
    return enclosure_document(ball, stated, bound)


def _value(claim: Any, t: Any, ball: Enclosure) -> Any:
    """Return W as the claim has it, or a word for the solution of least norm."""
    if t != sympy.oo:
        return matrix_text(claim.precise(t, digits=ball.digits + BEYOND_BALLS))
    return "best" if isinstance(claim, LeastNorm) else matrix_text(limit_of(claim)[0])
