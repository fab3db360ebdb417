"""Validation of claims on trajectories."""

from symflow.validation.certificate import Certificate
from symflow.validation.certify import certify
from symflow.validation.crosscheck import CrossCheck, crosscheck
from symflow.validation.report import Report, Row
from symflow.validation.validate import agreement, digits_of, validate

__all__ = [
    "Certificate",
    "CrossCheck",
    "Report",
    "Row",
    "agreement",
    "certify",
    "crosscheck",
    "digits_of",
    "validate",
]
