"""What symflow asserts: claims, their conditions, and the papers behind them."""

from symflow.claims.bibliography import Reference
from symflow.claims.claim import (
    Bound,
    Claim,
    Path,
    Refusal,
    Status,
    relative_size,
)
from symflow.claims.finding import Finding
from symflow.claims.hypothesis import (
    TOLERANCE,
    Hypothesis,
    all_hold,
    positive,
    strictly,
    structural,
    vanishing,
)
from symflow.claims.theorem import Identity, Theorem, check

__all__ = [
    "TOLERANCE",
    "Bound",
    "Claim",
    "Finding",
    "Hypothesis",
    "Identity",
    "Path",
    "Reference",
    "Refusal",
    "Status",
    "Theorem",
    "all_hold",
    "check",
    "positive",
    "relative_size",
    "strictly",
    "structural",
    "vanishing",
]
