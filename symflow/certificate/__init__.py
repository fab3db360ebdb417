"""Certificates: what was proven, in a file that anyone can check without symflow."""

from symflow.certificate.document import (
    checker_source,
    json_text,
    stored_object,
    write_checker,
)

__all__ = ["checker_source", "json_text", "stored_object", "write_checker"]
