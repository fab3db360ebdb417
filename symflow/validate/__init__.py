"""Validation of claims on trajectories."""

from symflow.validate.report import Report, Row
from symflow.validate.validate import agreement, digits_of, validate

__all__ = ["Report", "Row", "agreement", "digits_of", "validate"]
