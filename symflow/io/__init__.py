"""Save and load: flows, trajectories, reports and sweeps, as .npz or JSON, no pickle.

A file is a JSON header and, in ``.npz``, the float64 arrays beside it.  Every exact or
high-precision number is a string of its own digits, so that what comes back is equal
and not merely close.  Objects are written field by field.  What comes back is made by
the constructors of the classes in `kinds.py` and of the expressions in
`algebra/reading.py`, with all their checks: a file cannot run code,
as a pickle can, and formats of arrays keep no numbers of many digits.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import sympy

from symflow.algebra.numbers import whole
from symflow.algebra.reading import read_expression
from symflow.certificate import (
    CARRIED,
    claim_document,
    json_text,
    proof_document,
    stored_object,
)
from symflow.conservation import Law
from symflow.errors import InvalidArgument, InvalidData
from symflow.files import as_path, whole_file
from symflow.io.kinds import classes
from symflow.io.reader import Reader, arrays_of, parsed
from symflow.validation import Certificate

#: How JSON that has no digest is written.
READABLE: dict[str, Any] = {"ensure_ascii": False, "indent": 1}

#: Version of the format; a file of a later one is refused.
FORMAT = 1

#: Bytes that `load` takes for the content of a file.
LIMIT = 1 << 30

#: Fields that hold functions, or what can be made again: they are not stored.
_OMITTED = ("interpolant", "drawn", "ball")


def save(obj: Any, path: str | Path) -> Path:
    """Write an object of symflow to a file.

    Parameters
    ----------
    obj : GradientFlow, Trajectory, Enclosure, Law, Report, Sweep, Dataset, …
        What to store.  The dense output of a trajectory is not.  As ``.json``, an
        enclosure or a law becomes a certificate, see `write_checker`; so does what
        `certify` has proven of a closed form, a bound of the loss, a limit or a law,
        and `load` returns the enclosure or the law that it rests on.
    path : str or Path
        Ends with ``.npz`` (arrays in binary) or ``.json`` (everything readable).

    Returns
    -------
    Path
        The file, complete: it is moved to its place in one piece.

    Raises
    ------
    InvalidArgument
        If the object cannot be stored so, or the name has another ending.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import symflow as sf, tempfile
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", 1), sf.SquaredLoss(l2=0.1))
    >>> path = sf.save(flow, Path(tempfile.mkdtemp(), "flow.json"))
    >>> sf.load(path) == flow, sf.load(path).loss.l2
    (True, 1/10)
    """
    target = as_path(path, "save(obj, path=…)")
    if target.suffix not in (".npz", ".json"):
        msg = (
            f"save(obj, path={str(path)!r}): needs a name that ends with .npz or .json"
        )
        raise InvalidArgument(msg)
    writer = _Writer(binary=target.suffix == ".npz")
    proof, kept = (None, obj) if writer.binary else _proof(obj)
    try:
        header = {
            "symflow file": FORMAT,
            "versions": _versions(),
            "kind": type(kept).__name__,
            "object": writer.encode(kept),
        }
        if proof is not None:
            text = json_text(proof, header)
        else:
            text = json.dumps(header, **({} if writer.binary else READABLE))
        content = text.encode()
    except InvalidArgument:
        raise
    except ValueError as problem:
        # half a character, or an integer with more digits than Python writes
        msg = f"save(obj, path): the object holds what no file can; {problem}"
        raise InvalidArgument(msg) from None
    with whole_file(target, f"save(obj, path={str(path)!r})") as file:
        if writer.binary:
            np.savez_compressed(file, header=np.array(text), **writer.arrays)
        else:
            file.write(content)
    return target


def load(path: str | Path, *, limit: int = LIMIT) -> Any:
    """Read what `save` has written.

    Parameters
    ----------
    path : str or Path
        The file.
    limit : int, keyword-only
        Bytes that it may take in memory, 1 GiB if not given: a small file can be
        packed from a huge one, and a number is larger than its text.

    Returns
    -------
    object
        Of the class that was stored, equal to it; numbers have all their digits.

    Raises
    ------
    InvalidArgument
        If there is no such file.
    InvalidData
        If it is no file of symflow, or is damaged, or of a later format.

    Examples
    --------
    >>> import symflow as sf, tempfile
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.1]], [[0.1]]], [0, 1, 10])
    >>> path = sf.save(run, Path(tempfile.mkdtemp(), "run.npz"))
    >>> round(sf.load(path).end_to_end[1].item(), 6)
    0.430588
    """
    source = as_path(path, "load(path=…)")
    call = f"load(path={str(path)!r})"
    limit = whole(limit, "load(path, limit=…)", least=0, most=1 << 60)
    if not os.path.isfile(source):
        msg = f"{call}: there is no such file"
        raise InvalidArgument(msg)
    try:
        header, arrays = _read(source, limit)
        if header["symflow file"] > FORMAT:
            msg = "the file is of a later format; update symflow to read it"
            raise InvalidData(msg)
        found = Reader(arrays, limit).decode(header["object"])
    except Exception as problem:  # noqa: BLE001 - whatever a damaged file leads to
        msg = f"{call}: this is no file of symflow, or it is damaged: {problem}"
        raise InvalidData(msg) from None
    return found


def _proof(obj: Any) -> tuple[dict[str, Any] | None, Any]:
    """Return a certificate, if there is one, and what is stored with it."""
    if isinstance(obj, Certificate) and isinstance(obj.claim, CARRIED):
        if obj.ball is None or not obj.ok:
            msg = (
                f"save(certificate, 'name.json'): {obj.claim.name} is "
                f"{obj.status.value} here, and only what is proven has a certificate"
            )
            raise InvalidArgument(msg)
        return claim_document(obj.claim, obj.ball, obj.radius), obj.ball
    if isinstance(obj, Certificate) and obj.ok and isinstance(obj.claim, Law):
        obj = obj.claim
    return proof_document(obj), obj


def _read(source: Path, limit: int) -> tuple[dict[str, Any], dict[str, Any]]:
    if source.suffix == ".json":
        if source.stat().st_size > limit:
            msg = f"the file is larger than the limit of {limit} bytes"
            raise InvalidData(msg)
        text = source.read_text(encoding="utf-8")
        return stored_object(parsed(text, limit)), {}
    arrays = arrays_of(source, limit)
    return parsed(str(arrays.pop("header")), limit), arrays


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("symflow", "sympy", "numpy", "mpmath")
    return {name: version(name) for name in names}


class _Writer:
    """Turns objects into JSON values, and arrays into entries of the archive."""

    def __init__(self, *, binary: bool) -> None:
        self.binary, self.arrays = binary, dict[str, Any]()

    def encode(self, value: Any) -> Any:
        """Return the JSON value of an object."""
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, (float, np.floating)):
            return {"float": repr(float(value))}
        if isinstance(value, np.integer) and not isinstance(value, np.timedelta64):
            return int(value)
        if isinstance(value, (list, tuple)):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self.encode(entry) for entry in value]}
        if isinstance(value, dict):
            pairs = value.items()
            return {"dict": [[self.encode(k), self.encode(v)] for k, v in pairs]}
        if isinstance(value, np.ndarray):
            return self._array(value)
        return self._number(value) or self._object(value)

    def _array(self, array: Any) -> Any:
        if array.dtype == object:
            entries = [self.encode(entry) for entry in array.flat]
            return {"entries": entries, "shape": list(array.shape)}
        if array.dtype.kind not in "fiub":
            msg = f"save(obj, path): an array of {array.dtype} cannot be stored"
            raise InvalidArgument(msg)
        if not self.binary:
            texts = [repr(entry.item()) for entry in array.flat]
            return {
                "numbers": texts,
                "shape": list(array.shape),
                "type": array.dtype.str,
            }
        name = f"array{len(self.arrays)}"
        self.arrays[name] = array
        return {"array": name}

    def _number(self, value: Any) -> Any:
        """Return a number, an expression or an arithmetic as text, else None."""
        if isinstance(value, Fraction):
            return {"fraction": str(value)}
        if hasattr(value, "_mpf_") and hasattr(value, "context"):
            sign, mantissa, exponent, bits = value._mpf_
            parts = [int(sign), hex(int(mantissa)), int(exponent), int(bits)]
            return {"mpf": parts, "bits": value.context.prec}
        if isinstance(value, mpmath.MPContext):
            return {"mpmath": value.prec}
        if isinstance(value, sympy.Basic):
            text = sympy.srepr(value)
            read_expression(text)  # what is stored can be read
            return {"sympy": text}
        return None

    def _object(self, value: Any) -> Any:
        name = type(value).__name__
        stored: Any = value
        if classes().get(name) is not type(value):
            msg = (
                f"save(obj, path): a {name} cannot be stored; flows, trajectories, "
                "reports, sweeps, data and initialization rules can"
            )
            raise InvalidArgument(msg)
        if isinstance(value, Enum):
            return {"member": value.name, "of": name}
        content = {
            field.name: self.encode(getattr(value, field.name))
            for field in fields(stored)
            if field.name not in _OMITTED
        }
        return {"class": name, "fields": content}
