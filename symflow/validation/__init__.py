"""Validation of claims on trajectories."""

from symflow.validation.asserted import AssertedLaw, claim
from symflow.validation.asserted_limit import AssertedLimit
from symflow.validation.asserted_mode import AssertedMode
from symflow.validation.asserted_rate import AssertedRate
from symflow.validation.certificate import Certificate
from symflow.validation.certify import certify
from symflow.validation.crosscheck import CrossCheck, crosscheck
from symflow.validation.report import Report, Row
from symflow.validation.validate import agreement, digits_of, validate
from symflow.validation.vanishing import Counterexample

__all__ = [
    "AssertedLaw",
    "AssertedLimit",
    "AssertedMode",
    "AssertedRate",
    "Certificate",
    "Counterexample",
    "CrossCheck",
    "Report",
    "Row",
    "agreement",
    "certify",
    "claim",
    "crosscheck",
    "digits_of",
    "validate",
]
