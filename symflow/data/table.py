"""Numeric tables in comma separated files: a header line, then rows of numbers.

Every way in which a file can be unusable ends in one line that names the file, the
column, the line and the offending text, which
NumPy's readers do not; pandas, whose frames are taken as well, is no dependency.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from symflow.errors import InvalidArgument, InvalidData, shown
from symflow.files import as_path

#: Columns that a message or a display lists.
SHOWN_COLUMNS = 12
#: Names that are read of targets at most: a table has fewer columns.
MOST_TARGETS = 10**6

#: Characters of a packed table: a small file can be packed from a huge one.
MOST_UNPACKED = 1 << 28

#: What stands in a cell where a number is missing.
GAPS = ("", "NA", "N/A", "NaN", "nan")

NumberedRow = tuple[int, list[str]]

_UNREADABLE = (OSError, EOFError, zlib.error, ValueError, csv.Error)


def read_table(
    path: str | os.PathLike[str],
    call: str,
    drop: Sequence[str] = (),
    *,
    gaps: bool = False,
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    r"""Return the column names and the numbers of a comma separated file.

    The file is read through gzip where its name ends with ``.gz``, and blank lines are
    skipped; the numbers have shape (rows, columns).  Columns to `drop` are not read:
    they are NaN, and with `gaps` so is what is missing.  What is no such file, or no
    finite number in it, is `InvalidData` that names the `call`.
    """
    source = as_path(path, call)
    where = f"{call}: {source.name!r}"
    try:
        if source.is_char_device():
            msg = "it is a device, which may have no end"
            raise OSError(msg)
        with _open(path) as stream:
            rows = _numbered(_lines(stream, os.fspath(path).endswith(".gz")))
            names = _header(next(rows, (0, []))[1], where)
            kept = [name not in drop for name in names]
            return names, _numbers(names, rows, where, kept, gaps=gaps)
    except FileNotFoundError:
        msg = f"{call}: there is no file {os.fspath(path)!r}"
        raise InvalidData(msg) from None
    except InvalidData:
        raise
    except _UNREADABLE as problem:
        msg = f"{where} cannot be read as comma separated text: {problem}"
        raise InvalidData(msg.replace("\n", " ")) from None


def listed(names: Sequence[str]) -> str:
    """Return the names of columns for a message, the first of them where many."""
    first = ", ".join(map(repr, names[:SHOWN_COLUMNS]))
    return f"{first}, …" if len(names) > SHOWN_COLUMNS else first


def target_names(target: str | Iterable[str], call: str) -> tuple[str, ...]:
    """Return the names of target columns, each once; one name may stand alone.

    Raises InvalidArgument if there is none, or one that is no name.
    """
    many = isinstance(target, Iterable) and not isinstance(target, str | np.ndarray)
    targets: tuple[Any, ...] = (
        tuple(islice(target, MOST_TARGETS)) if many else (target,)
    )
    if not all(isinstance(name, str) for name in targets):
        msg = f"{call}: target needs names of columns; got {shown(target)}"
        raise InvalidArgument(msg)
    if not targets or len(set(targets)) < len(targets):
        msg = (
            f"{call}: target needs the name of at least one column, each once; got "
            f"{shown(list(targets))}"
        )
        raise InvalidArgument(msg)
    return targets


def input_names(
    names: Sequence[str],
    targets: Sequence[str],
    inputs: Sequence[str] | None,
    drop: Sequence[str],
    call: str,
) -> tuple[str, ...]:
    """Return the input columns: those asked for, or all that are neither of the others.

    Raises InvalidData if a name is no column, two uses share one, or no input is left.
    """
    known = listed(names)
    for name in (*targets, *(inputs or ()), *drop):
        if name not in names:
            msg = f"{call}: there is no column {name!r}; the columns are {known}"
            raise InvalidData(msg)
    others = {*targets, *drop}
    taken = tuple(name for name in names if name not in others)
    taken = taken if inputs is None else tuple(inputs)
    wrong = [name for name in taken if name in others]
    wrong += [name for name in targets if name in drop]
    if wrong or not taken:
        what = (
            f"{listed(wrong)} is a target or dropped, too" if wrong else "none is left"
        )
        msg = f"{call}: inputs: {what}; the columns are {known}"
        raise InvalidData(msg)
    return taken


def _open(path: str | os.PathLike[str]) -> IO[str]:
    # utf-8-sig: spreadsheets put a byte order mark before the first column's name
    if os.fspath(path).endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def _lines(stream: IO[str], is_packed: bool) -> Iterator[str]:
    """Yield the lines of a text, which a small file may have been packed from."""
    left = MOST_UNPACKED if is_packed else -1
    while line := stream.readline(left):
        left -= len(line) * is_packed
        if left == 0:
            msg = f"it has more than {MOST_UNPACKED} characters when unpacked"
            raise ValueError(msg)
        yield line


def _numbered(stream: Iterable[str]) -> Iterator[NumberedRow]:
    """Yield the line number and the stripped cells of every line that is not blank."""
    reader = csv.reader(stream, strict=True)
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped) or len(stripped) > 1:
            yield reader.line_num, stripped


def _header(cells: list[str], where: str) -> tuple[str, ...]:
    if not cells:
        msg = f"{where} is empty; a header line with the column names is needed"
        raise InvalidData(msg)
    names = tuple(cells)
    if all(_number(name) is not None for name in names):
        msg = (
            f"{where} has no header: its first line holds numbers only. "
            "Put the column names on the first line"
        )
        raise InvalidData(msg)
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not name:
            msg = f"{where}: column {position + 1} has no name in the header"
            raise InvalidData(msg)
        if name in seen:
            msg = f"{where}: the header names column {name!r} twice"
            raise InvalidData(msg)
        seen.add(name)
    return names


def _numbers(
    names: tuple[str, ...],
    rows: Iterable[NumberedRow],
    where: str,
    kept: Sequence[bool],
    *,
    gaps: bool,
) -> NDArray[np.float64]:
    values = array("d")
    for line, cells in rows:
        if len(cells) != len(names):
            msg = (
                f"{where}, line {line}: {len(cells)} cells where the header has "
                f"{len(names)} columns; every line has to have as many"
            )
            raise InvalidData(msg)
        place = f"{where}, line {line}"
        values.extend(
            _cell(text, place, name)
            if used and not (gaps and text in GAPS)
            else math.nan
            for text, name, used in zip(cells, names, kept, strict=True)
        )
    return np.array(values).reshape(-1, len(names))


def _cell(text: str, where: str, name: str) -> float:
    number = _number(text)
    if number is not None and math.isfinite(number):
        return number
    if not text:
        problem = "the cell is empty"
    else:
        problem = f"{text!r} is not {'a' if number is None else 'a finite'} number"
    msg = (
        f"{where}, column {name!r}: {problem}. Remove or complete the line or column; "
        "Dataset.from_csv(…, drop=…, missing=…) does so"
    )
    raise InvalidData(msg)


def _number(text: str) -> float | None:
    """Return the number that `text` is, or None; unlike in Python 1_000 is text."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
