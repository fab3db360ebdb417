"""The file of a certificate, and the program that checks it."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

from symflow.certificate.enclosure import Document, canonical, enclosure_document
from symflow.certificate.law import law_document
from symflow.conservation import Law
from symflow.errors import InvalidData
from symflow.files import as_path, write_text
from symflow.precision import Enclosure

#: Version of the format.
FORMAT = 1


def proof_document(thing: object) -> Document | None:
    """Return statement, problem and evidence of what has a certificate, else None.

    That is an enclosure, a law, or what `certify` has proven. PrecisionLost says that
    the bounds of the checker do not reach the radius.
    """
    if isinstance(thing, Enclosure):
        return enclosure_document(thing)
    return law_document(thing) if isinstance(thing, Law) else None


def json_text(document: Document, stored: Document) -> str:
    """Return the JSON of a certificate, sealed with its digest.

    It has statement, problem and evidence, and the object as `save` stores it, which
    `load` reads and the checker does not.
    """
    evidence = {**document["evidence"], "symflow": stored}
    document = {**document, "evidence": evidence, "symflow certificate": FORMAT}
    document["sha256"] = hashlib.sha256(canonical(document)).hexdigest()
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def stored_object(document: Document) -> Document:
    """Return what `save` stored in a file, if a certificate is as it was written."""
    if "symflow certificate" not in document:
        return document
    content = {key: value for key, value in document.items() if key != "sha256"}
    if hashlib.sha256(canonical(content)).hexdigest() != document.get("sha256"):
        msg = "the certificate has been changed since it was written"
        raise InvalidData(msg)
    stored: Document = document["evidence"]["symflow"]
    return stored


def write_checker(path: str | Path) -> Path:
    """Write the program that checks certificates, which needs Python alone.

    ``python check.py c.json`` says in plain words what is proven.  Its exit code is 0
    for proven, 1 for refuted and 2 for unreadable.

    Parameters
    ----------
    path : str or Path
        Where to write; the parent directory has to exist.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InvalidArgument
        If `path` is no path.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import symflow as sf, tempfile
    >>> file = sf.write_checker(Path(tempfile.mkdtemp(), "check.py"))
    >>> len(file.read_text(encoding="utf-8").splitlines()) <= 500
    True
    >>> import subprocess, sys
    >>> nothing = [sys.executable, "-I", file, file.parent / "none.json"]
    >>> subprocess.run(nothing, capture_output=True).returncode
    2
    """
    target = as_path(path, "write_checker(path)")
    return write_text(target, checker_source(), f"write_checker(path={str(path)!r})")


def checker_source() -> str:
    """Return the text of the program that `write_checker` writes."""
    place = files("symflow.certificate").joinpath("checker.py")
    return place.read_text(encoding="utf-8")
