"""Validation of claims on trajectories."""

from symflow.validation.certificate import Certificate
from symflow.validation.certify import certify
from symflow.validation.report import Report, Row
from symflow.validation.validate import agreement, digits_of, validate

__all__ = [
    "Certificate",
    "Report",
    "Row",
    "agreement",
    "certify",
    "digits_of",
    "validate",
]
