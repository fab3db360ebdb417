"""One file that grows by checksummed records: what a sweep has done so far.

A record is the SHA-256 of its body, the length of the body, and the body: a line of
JSON, then arrays of little-endian float64.  The first record is the header.  A write
that was cut off, by SIGKILL or a full disk, shows as a record whose checksum fails; it
is dropped when the file is opened again.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from symflow.errors import InvalidArgument, OutputError
from symflow.simulation.system import Floats

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, eq=False)
class Record:
    """The outcome of one run.

    Parameters
    ----------
    run : int
        Its number.
    arrays : tuple of arrays
        The start of each layer, then its path; empty where the run failed.
    stats : dict
        Facts about the run, values for JSON.
    error : str
        Why the run failed, or nothing.
    """

    run: int
    arrays: tuple[Floats, ...]
    stats: dict[str, Any]
    error: str = ""

    def encode(self) -> bytes:
        """Return the record as bytes, the same on every machine."""
        head = {
            "run": self.run,
            "shapes": [array.shape for array in self.arrays],
            "stats": self.stats,
            "error": self.error,
        }
        parts = [np.ascontiguousarray(array, "<f8").tobytes() for array in self.arrays]
        return b"".join([_line(head), *parts])

    @staticmethod
    def decode(body: bytes) -> Record:
        """Return the record of some bytes."""
        line, _, rest = body.partition(b"\n")
        head = json.loads(line)
        arrays, first = [], 0
        for shape in head["shapes"]:
            count = int(np.prod(shape))
            flat = np.frombuffer(rest, "<f8", count=count, offset=first)
            arrays.append(flat.astype(np.float64).reshape(shape))
            first += 8 * count
        return Record(head["run"], tuple(arrays), head["stats"], head["error"])


class RecordFile:
    """A record file, opened for appending by one process at a time.

    Parameters
    ----------
    path : str or Path
        Created if it is not there.
    header : dict
        What the file is about; a file about something else is refused.

    Raises
    ------
    InvalidArgument
        If the file holds other runs, or is no record file.
    OutputError
        If it cannot be written, or another process has it open.
    """

    def __init__(self, path: str | Path, header: dict[str, Any]) -> None:
        self.path, self.header = Path(path), header
        try:
            self._create()
            self._file: BinaryIO = open(self.path, "r+b", buffering=0)  # noqa: SIM115
        except OSError as problem:
            msg = f"sweep(path={str(path)!r}): cannot write there: {problem.strerror}"
            raise OutputError(msg) from None
        try:
            _lock(self._file, self.path)
            self.records = {record.run: record for record in self._open()}
        except BaseException:
            self._file.close()
            raise

    def append(self, record: Record) -> None:
        """Write a record; it is in the file when this returns."""
        self.records[record.run] = record
        self._file.write(_framed(record.encode()))

    def finish(self) -> None:
        """Put the records in order, so that equal sweeps give equal bytes."""
        ordered = [self.records[run] for run in sorted(self.records)]
        bodies = [_line(self.header), *(record.encode() for record in ordered)]
        _replace(self.path, bodies)

    def _create(self) -> None:
        if not self.path.exists():
            _replace(self.path, [_line(self.header)])

    def _open(self) -> Iterator[Record]:
        """Check the header, yield the sound records, and cut off what follows them."""
        content = self.path.read_bytes()
        found_bodies = list(_bodies(content))
        sound = [body for body, _ in found_bodies]
        if not sound:
            msg = f"sweep(path={str(self.path)!r}): this is not a file of a sweep"
            raise InvalidArgument(msg)
        found = json.loads(sound[0])
        other = sorted(k for k in self.header if found.get(k) != self.header[k])
        if other:
            msg = (
                f"sweep(path={str(self.path)!r}): the file belongs to another sweep; "
                f"they differ in {', '.join(other)}. Give another path"
            )
            raise InvalidArgument(msg)
        end = found_bodies[-1][1]
        self._file.truncate(end)
        self._file.seek(end)
        yield from map(Record.decode, sound[1:])

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _line(value: dict[str, Any]) -> bytes:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=list)
    return text.encode() + b"\n"


def _framed(body: bytes) -> bytes:
    return hashlib.sha256(body).digest() + _LENGTH.pack(len(body)) + body


def _bodies(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the sound records from the front, each with the place where it ends."""
    place, head = 0, 32 + _LENGTH.size
    while place + head <= len(content):
        (length,) = _LENGTH.unpack(content[place + 32 : place + head])
        body = content[place + head : place + head + length]
        digest = content[place : place + 32]
        if len(body) < length or hashlib.sha256(body).digest() != digest:
            return
        place += head + length
        yield body, place


def _replace(path: Path, bodies: Iterable[bytes]) -> None:
    """Write a whole file beside its place and move it there in one piece."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with open(beside, "wb") as file:
        file.writelines(map(_framed, bodies))
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def _lock(file: BinaryIO, path: Path) -> None:
    # The lock goes with the process, however it ends.  Windows has no such call.
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        msg = f"sweep(path={str(path)!r}): another process is writing this sweep"
        raise OutputError(msg) from None
