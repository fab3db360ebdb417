"""Validation of claims on trajectories."""

from symflow.validation.asserted import AssertedLaw as AssertedLaw, claim as claim
from symflow.validation.asserted_mode import AssertedMode as AssertedMode
from symflow.validation.assertion import (
    AssertedLimit as AssertedLimit,
    AssertedRate as AssertedRate,
)
from symflow.validation.certificate import Certificate as Certificate
from symflow.validation.certify import certify as certify
from symflow.validation.crosscheck import (
    CrossCheck as CrossCheck,
    crosscheck as crosscheck,
)
from symflow.validation.report import Report as Report, Row as Row
from symflow.validation.validate import (
    agreement as agreement,
    digits_of as digits_of,
    validate as validate,
)
from symflow.validation.vanishing import Counterexample as Counterexample
