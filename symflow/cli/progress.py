"""Progress on one line of a terminal, or one line per stage elsewhere."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import TextIO

#: Seconds between two updates of a line.
INTERVAL = 0.1


class Progress:
    r"""Shows the stage that is running and how much of it is done.

    Parameters
    ----------
    stream : file
        Where to; a terminal gets a line that is rewritten.

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> with Progress(stream) as progress:
    ...     progress("raw: float64", 0.5)
    ...     progress("raw: float64", 1.0)
    >>> stream.getvalue()
    'raw: float64 …\n'
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._alive = stream.isatty()
        self._stage = ""
        self._shown = 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        """Report that `fraction` of `stage` is done."""
        if not self._alive:
            if stage != self._stage:
                print(f"{stage} …", file=self._stream, flush=True)
        elif stage != self._stage or monotonic() - self._shown > INTERVAL:
            self._shown = monotonic()
            print(f"\r\x1b[K{stage} {fraction:4.0%}", end="", file=self._stream)
            self._stream.flush()
        self._stage = stage

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._alive:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
