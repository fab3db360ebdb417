"""Certificates: what was proven, in a file that anyone can check without symflow."""

from symflow.certificate.document import (
    json_text,
    stored_object,
    write_checker,
)

__all__ = ["json_text", "stored_object", "write_checker"]
