"""Validation of claims on trajectories."""

from symflow.validation.report import Report, Row
from symflow.validation.validate import agreement, digits_of, validate

__all__ = ["Report", "Row", "agreement", "digits_of", "validate"]
