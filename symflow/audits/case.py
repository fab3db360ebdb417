"""A file of claims, read as data: a problem and the claims about it.

TOML is read by the standard library.  A number is an integer, a decimal or a text such
as "1/3", and means what is written, exactly; formulas are built from a list of known
words (`algebra/reading.py`).  Nothing in a file is ever run.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction
from symflow.algebra.reading import read_expression
from symflow.data import Dataset, Moments, load_dataset
from symflow.errors import HypothesisFailed, InvalidArgument, one_of
from symflow.flow import GradientFlow, gradient_flow
from symflow.losses import LOSSES
from symflow.networks import LinearNetwork
from symflow.networks.wording import model_in, network_in, widths_in

#: Bytes of a file, characters of a number, and claims that one file may have.
LARGEST_FILE, LONGEST_NUMBER, MOST_CLAIMS = 1_000_000, 1_000, 1_000

_TOP = ("title", "loss", "l2", "start", "model", "data", "claim")
_MODEL = ("widths", "network", "formula", "shapes")
_DATA = ("name", "file", "target", "inputs", "targets", "sigma_xx", "sigma_yx")

Table = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A problem, and what is claimed about it."""

    title: str  #: Of the file.
    flow: GradientFlow  #: Of the model and the loss.
    data: Any  #: Where the file has some.
    start: tuple[Array, ...] | None  #: The weights at t = 0.
    claims: tuple[Table, ...]  #: As the file has them.
    sha256: str  #: Of the file.

    def given(self, *parts: str) -> tuple[Any, ...]:
        """Return the flow with ``"data"``, ``"start"`` or both, or refuse the claim."""
        values = {part: getattr(self, part) for part in parts}
        missing = [part for part, value in values.items() if value is None]
        if missing:
            msg = f"missing: {' and '.join(missing)}"
            raise HypothesisFailed(msg)
        return (self.flow, *values.values())


def read_case(path: str | os.PathLike[str], call: str) -> Case:
    """Return what a file states.

    It is TOML; an error names `call`.  Raises InvalidArgument if it cannot be read, or
    something in it makes no sense.
    """
    raw = _bytes(path, call)
    try:
        # A decimal keeps its digits, and is the fraction that it writes.
        content = tomllib.loads(raw.decode(), parse_float=str)
    except (ValueError, RecursionError) as problem:
        reason = str(problem) or type(problem).__name__
        msg = f"{call}: is no TOML; {reason}"
        raise InvalidArgument(msg) from None
    try:
        return _case(content, hashlib.sha256(raw).hexdigest(), Path(path).parent)
    except InvalidArgument as problem:
        msg = f"{call}: {problem}"
        raise InvalidArgument(msg) from None


def _bytes(path: str | os.PathLike[str], call: str) -> bytes:
    try:
        file = Path(path)
        if not file.is_file():
            msg = f"{call}: there is no such file"
            raise InvalidArgument(msg)
        with file.open("rb") as stream:
            raw = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as problem:
        if isinstance(problem, InvalidArgument):
            raise
        msg = f"{call}: cannot be read; {problem}"
        raise InvalidArgument(msg) from None
    if len(raw) > LARGEST_FILE:
        msg = f"{call}: has more than {LARGEST_FILE} bytes"
        raise InvalidArgument(msg)
    return raw


def _case(content: Table, sha256: str, folder: Path) -> Case:
    check_keys(content, _TOP, "the file")
    words = one_of(text_of(content, "loss", "the file", "squared"), LOSSES, "loss")
    loss = LOSSES[words](l2=number_in(content.get("l2", 0), "l2"))
    flow = gradient_flow(_network(_table(content, "model")), loss)
    claims = content.get("claim", [])
    good = isinstance(claims, list) and all(isinstance(one, dict) for one in claims)
    if not good or not 0 < len(claims) <= MOST_CLAIMS:
        msg = f"needs between one and {MOST_CLAIMS} entries [[claim]]"
        raise InvalidArgument(msg)
    title = text_of(content, "title", "the file", "Claims")
    data = _data(content["data"], folder) if "data" in content else None
    start = _start(content["start"]) if "start" in content else None
    return Case(title, flow, data, start, tuple(claims), sha256)


def _table(content: Table, name: str) -> Table:
    found = content.get(name)
    if not isinstance(found, dict):
        msg = f"needs a table [{name}]"
        raise InvalidArgument(msg)
    return found


def _network(table: Table) -> Any:
    check_keys(table, _MODEL, "[model]")
    kinds = sorted({*table} - {"shapes"})
    if kinds == ["formula"] and "shapes" in table:
        formula = text_of(table, "formula", "[model]")
        shapes = text_of(table, "shapes", "[model]")
        return model_in(formula, shapes, ("formula", "shapes"))
    if "shapes" not in table and kinds == ["network"]:
        return network_in(text_of(table, "network", "[model]"), "network")
    if "shapes" not in table and kinds == ["widths"]:
        widths = table["widths"]
        if isinstance(widths, list) and all(type(w) in (int, str) for w in widths):
            return LinearNetwork(*widths_in(" ".join(map(str, widths)), "widths"))
        msg = f"[model] widths = {widths!r}: needs a list such as [3, 2, 1]"
        raise InvalidArgument(msg)
    msg = "[model]: needs widths, or network, or formula with shapes"
    raise InvalidArgument(msg)


def _data(table: Any, folder: Path) -> Any:
    if not isinstance(table, dict):
        msg = "data: needs a table [data]"
        raise InvalidArgument(msg)
    check_keys(table, _DATA, "[data]")
    kinds = sorted(table)
    if kinds == ["name"]:
        return load_dataset(text_of(table, "name", "[data]")).standardized()
    if kinds == ["file", "target"]:
        file = folder / text_of(table, "file", "[data]")
        return Dataset.from_csv(file, text_of(table, "target", "[data]").split(","))
    if kinds == ["inputs", "targets"]:
        inputs, targets = (array_in(table[key], key) for key in kinds)
        return Dataset(inputs, targets)
    if kinds == ["sigma_xx", "sigma_yx"]:
        gram, cross = (array_in(table[key], key) for key in kinds)
        return Moments(gram, cross)
    msg = (
        "[data]: needs name, or file and target, or inputs and targets, or sigma_xx "
        "and sigma_yx"
    )
    raise InvalidArgument(msg)


def _start(value: Any) -> tuple[Array, ...]:
    if not isinstance(value, list) or not value:
        msg = "start: needs a list of matrices, one per weight"
        raise InvalidArgument(msg)
    return tuple(array_in(one, f"start, weight {k}") for k, one in enumerate(value, 1))


def check_keys(table: Table, known: tuple[str, ...], where: str) -> None:
    """Refuse what a table has besides the keys that are known.

    An error says `where`.  Raises InvalidArgument if there is another key.
    """
    strange = [key for key in table if key not in known]
    if strange:
        msg = f"{where}: does not know {strange[0][:60]!r}, only {', '.join(known)}"
        raise InvalidArgument(msg)


def text_of(table: Table, key: str, where: str, default: str | None = None) -> str:
    """Return a text of a table.

    A missing text is the `default`; an error says `where`.  Raises InvalidArgument if
    there is none, or something else.
    """
    value = table.get(key, default)
    if not isinstance(value, str):
        msg = f"{where}: needs a text {key}"
        raise InvalidArgument(msg)
    return value


def number_in(value: Any, where: str) -> Fraction:
    """Return a number exactly as it is written.

    That is an integer, or a text with arithmetic in rational numbers or a decimal.  An
    error says `where`.  Raises InvalidArgument if it is none.
    """
    if type(value) is int and value.bit_length() <= 3 * LONGEST_NUMBER:
        return Fraction(value)
    found = None
    if isinstance(value, str) and len(value) <= LONGEST_NUMBER:
        read = read_expression(value)
        found = as_fraction(read) if getattr(read, "is_Rational", False) else None
    if found is None:
        # Python writes no integers of more than a few thousand digits.
        shown = value[:60] if isinstance(value, str) else type(value).__name__
        msg = f'{where}: needs a rational number such as 2, 0.1 or "1/3"; got {shown}'
        raise InvalidArgument(msg)
    return found


def array_in(value: Any, where: str) -> Array:
    """Return a list of rows as a matrix of fractions.

    Rows are of one length, and a list of numbers is one row; an error says `where`.
    Raises InvalidArgument if it is none.
    """
    rows = value if isinstance(value, list) else []
    if rows and not any(isinstance(row, list) for row in rows):
        rows = [rows]
    lengths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if len(lengths) != 1 or 0 in lengths:
        msg = f"{where}: needs rows of one length, such as [[1, 0], [0, 1]]"
        raise InvalidArgument(msg)
    return np.array([[number_in(x, where) for x in row] for row in rows], dtype=object)
