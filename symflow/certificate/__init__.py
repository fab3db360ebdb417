"""Certificates: what was proven, in a file that anyone can check without symflow."""

from symflow.certificate.claim import CARRIED, claim_document
from symflow.certificate.document import (
    checker_source,
    json_text,
    proof_document,
    stored_object,
    write_checker,
)

__all__ = [
    "CARRIED",
    "checker_source",
    "claim_document",
    "json_text",
    "proof_document",
    "stored_object",
    "write_checker",
]
