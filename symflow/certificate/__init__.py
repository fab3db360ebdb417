"""Certificates: what was proven, in a file that anyone can check without symflow."""

from symflow.certificate.claim import (
    CARRIED as CARRIED,
    claim_document as claim_document,
)
from symflow.certificate.document import (
    checker_source as checker_source,
    json_text as json_text,
    proof_document as proof_document,
    stored_object as stored_object,
    write_checker as write_checker,
)
