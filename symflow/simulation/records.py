"""One file that grows by checksummed records: what a sweep has done so far.

A record is a mark, a checksum, the length of its body, and the body: a line of JSON,
then arrays of little-endian float64.  The first record is the header, and the others'
checksums cover it too, so that they are known as its records even where it is damaged.
A record that was cut off, by SIGKILL or a full disk, or damaged is passed over when the
file is opened again; the next mark says where the next one begins.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from symflow.errors import InvalidArgument, OutputError
from symflow.files import Lock, as_path, regular, unwritable, whole_file
from symflow.simulation.system import Floats

#: What every record begins with, and all that stands before its body.
MARK = b"\x93symrun\n"
_FRAME = struct.Struct("<8s32sQ")


@dataclass(frozen=True, eq=False)
class Record:
    """The outcome of one run."""

    run: int  # its number
    #: The start of each layer, then its path; empty where the run failed.
    arrays: tuple[Floats, ...]
    stats: dict[str, Any]  # facts about the run, values for JSON
    error: str = ""  # why the run failed, or nothing

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

    It is made where there is none; one that holds other runs than the `header` says is
    refused.  The `records` are those that are sound, by run, and `damaged` counts the
    places at which something stood that is none.
    """

    def __init__(self, path: str | Path, header: dict[str, Any]) -> None:
        self._call = f"sweep(path={str(as_path(path, 'sweep(path=…)'))!r})"
        self.path, self.header = regular(path, self._call), header
        self.records: dict[int, Record] = {}
        self.damaged = 0
        # Whether the records are whole, and in the order of their runs.
        self._tidy, self._last = True, -1
        # What the header says, what every checksum covers, and where the file ends.
        self._about, self._key, self._end = _line(header), b"", 0
        self._lock = Lock(self.path, self._call)
        try:
            if not self.path.exists() or not self.path.stat().st_size:
                self._rewrite(self._about)
            self._file: BinaryIO = open(self.path, "r+b", buffering=0)  # noqa: SIM115
            try:
                self._read()
            except BaseException:
                self._file.close()
                raise
        except BaseException as problem:
            self._lock.release()
            if isinstance(problem, OSError) and not isinstance(problem, OutputError):
                raise unwritable(problem, self._call) from None
            raise

    def append(self, record: Record) -> None:
        """Write a record; it is in the file when this returns, or nothing of it is.

        Raises OutputError if it cannot be written, for example on a full disk.
        """
        frame = memoryview(_framed(record.encode(), self._key))
        try:
            while frame:
                frame = frame[self._file.write(frame) :]
        except OSError as problem:
            self._file.truncate(self._end)
            self._file.seek(self._end)
            raise unwritable(problem, self._call) from None
        self._end = self._file.tell()
        self._keep(record)

    def finish(self) -> None:
        """Put the records in order, so that equal sweeps give equal bytes.

        Out of order they take as much space again while they are ordered.  Where there
        is none, they stay as they are, and all there, until the file is opened again.
        """
        if not self._tidy:
            try:
                self._rewrite(self._about)
            except OutputError:
                return
            self._tidy = True

    def _rewrite(self, about: bytes) -> None:
        with whole_file(self.path, self._call) as file:
            file.write(_framed(about))
            for run in sorted(self.records):
                file.write(_framed(self.records[run].encode(), _key(about)))

    def _keep(self, record: Record) -> None:
        self._tidy &= record.run > self._last
        self._last = max(self._last, record.run)
        self.records[record.run] = record

    def _read(self) -> None:
        """Check the header, keep the sound records, and cut off what follows them."""
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            about = _body(content, 0)
            self._about = self._about if about is None else about
            self._key = _key(self._about)
            self._check(json.loads(self._about))
            self._end = _FRAME.size + len(about) if about is not None else 0
            for place, body in _bodies(content, self._end, self._key):
                self.damaged += place != self._end
                self._end = place + _FRAME.size + len(body)
                self._keep(Record.decode(body))
            cut = self._end < len(content)
        if about is None and not self.records:
            msg = f"{self._call}: this is not a file of a sweep"
            raise InvalidArgument(msg)
        self._tidy &= not self.damaged
        self.damaged += cut
        self._file.truncate(self._end)
        self._file.seek(self._end)

    def _check(self, found: dict[str, Any]) -> None:
        other = sorted(k for k in self.header if found.get(k) != self.header[k])
        if other:
            msg = (
                f"{self._call}: the file belongs to another sweep; "
                f"they differ in {', '.join(other)}. Give another path"
            )
            raise InvalidArgument(msg)

    def close(self) -> None:
        """Let others open the file."""
        self._file.close()
        self._lock.release()


def _line(value: dict[str, Any]) -> bytes:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=list)
    return text.encode() + b"\n"


def _key(about: bytes) -> bytes:
    return hashlib.sha256(about).digest()


def _checksum(body: bytes, key: bytes) -> bytes:
    return hashlib.sha256(key + struct.pack("<Q", len(body)) + body).digest()


def _framed(body: bytes, key: bytes = b"") -> bytes:
    return _FRAME.pack(MARK, _checksum(body, key), len(body)) + body


def _body(content: mmap.mmap, place: int, key: bytes = b"") -> bytes | None:
    """Return the body of the record that begins at a place, if it is sound."""
    start = place + _FRAME.size
    if start > len(content):
        return None
    mark, checksum, length = _FRAME.unpack(content[place:start])
    if mark != MARK or length > len(content) - start:
        return None
    body = content[start : start + length]
    return body if _checksum(body, key) == checksum else None


def _bodies(content: mmap.mmap, place: int, key: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the sound records, each with the place where it begins."""
    while 0 <= place < len(content):
        body = _body(content, place, key)
        if body is None:
            place = content.find(MARK, place + 1)
        else:
            yield place, body
            place += _FRAME.size + len(body)
