"""Writing a file in one piece: the old one stays until the new one is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO

from symflow.errors import OutputError, expect


def as_path(path: Any, call: str) -> Path:
    """Return the path of a file, or refuse what is none.

    Raises InvalidArgument, which names `call`, if it is neither text nor a path.
    """
    expect(path, str | os.PathLike, call, "the path of a file")
    return Path(path)


@contextmanager
def whole_file(path: str | os.PathLike[str], call: str) -> Iterator[BinaryIO]:
    """Open a file beside its place, and move it there when everything is written.

    Whatever ends the writing, a full disk or SIGKILL, leaves the old file as it was.

    A link is followed; an error names `call`.  Raises OutputError if it cannot be
    written, or something else than a file stands there.
    """
    target = regular(path, call)
    # Not named after the file, whose name may be as long as names can be.
    beside = target.with_name(f".{os.getpid()}.{get_ident()}.part")
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except OSError as problem:
        raise unwritable(problem, call) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, call: str) -> Path:
    """Write a text in one piece, and return its path; raise what `whole_file` does."""
    with whole_file(path, call) as file:
        file.write(text.encode())
    return Path(path)


def regular(path: str | os.PathLike[str], call: str) -> Path:
    """Return the path behind all links, once nothing but a file stands there.

    A device has no end, and a pipe no second reading.

    An error names `call`.  Raises OutputError if a directory, a device or a pipe stands
    there.
    """
    try:
        target = Path(os.path.realpath(as_path(path, call)))
        if not target.exists() or target.is_file():
            return target
    except (OSError, ValueError) as problem:
        raise unwritable(problem, call) from None
    msg = f"{call}: cannot write there: it is no file"
    raise OutputError(msg)


def unwritable(problem: Exception, call: str) -> OutputError:
    """Return the error of `call` that says why a file cannot be written."""
    reason = getattr(problem, "strerror", None) or problem
    return OutputError(f"{call}: cannot write there: {reason}")


class Lock:
    """A lock on a path, which goes with the process however that ends.

    It is on a file beside, because the file itself is replaced.  On Windows, which has
    no such lock, it holds nobody off.  OutputError, which names the `call`, says that
    another holds it, or that no file can be made beside.
    """

    def __init__(self, path: Path, call: str) -> None:
        self._beside = path.with_name(f".{path.name}.lock")
        self._file: int | None = None
        try:
            import fcntl
        except ImportError:
            return
        try:
            while self._file is None:
                self._file = os.open(self._beside, os.O_RDWR | os.O_CREAT, 0o666)
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self._in_place():
                    # Whoever held it removed it after it was opened here.
                    os.close(self._file)
                    self._file = None
        except OSError as problem:
            if self._file is not None:
                os.close(self._file)
            if isinstance(problem, BlockingIOError):
                msg = f"{call}: another process is writing it"
                raise OutputError(msg) from None
            raise unwritable(problem, call) from None

    def release(self) -> None:
        """Let others in, and leave nothing behind."""
        if self._file is not None:
            import fcntl

            self._beside.unlink(missing_ok=True)
            # A forked child may have the file open too.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)

    def _in_place(self) -> bool:
        assert self._file is not None
        try:
            return os.path.samestat(os.stat(self._beside), os.fstat(self._file))
        except FileNotFoundError:
            return False
