"""A progress bar for whatever takes ``progress=``."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TextIO

from symflow.errors import expect

#: Characters of the bar, and seconds between two updates of its line.
WIDTH, INTERVAL = 24, 0.1


class ProgressBar:
    r"""Shows on one line how much is done, and how long the rest will take.

    Parameters
    ----------
    title : str
        Written before the bar.
    stream : file, optional
        Where to; standard error by default.  What is no terminal gets a line per tenth.

    Examples
    --------
    >>> import io, symflow as sf
    >>> stream = io.StringIO()
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> bar = sf.ProgressBar("flow", stream)
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[1]], [[1]]], 9, progress=bar)
    >>> stream.getvalue().splitlines()[-1]
    'flow 100%'
    """

    def __init__(self, title: str = "", stream: TextIO | None = None) -> None:
        expect(title, str, "ProgressBar(title)", "a text")
        self._title = f"{title} " if title else ""
        chosen = sys.stderr if stream is None else stream
        self._stream = expect(chosen, "write", "ProgressBar(stream=…)", "an open file")
        self._begun = self._shown = monotonic()
        self._tenths = -1

    def __repr__(self) -> str:
        return f"ProgressBar({self._title.strip()!r})"

    def __call__(self, fraction: float) -> None:
        """Report that a fraction of the work is done."""
        if not self._stream.isatty():
            if int(10 * fraction) > self._tenths:
                self._tenths = int(10 * fraction)
                self._write(f"{self._title}{fraction:.0%}\n")
            return
        now = monotonic()
        if fraction < 1 and now - self._shown < INTERVAL:
            return
        self._shown = now
        done = round(WIDTH * fraction)
        left = (now - self._begun) * (1 - fraction) / fraction if fraction else 0.0
        text = f"{self._title}[{'#' * done:<{WIDTH}}] {fraction:4.0%}"
        rest = f" {left:.0f} s left" if fraction < 1 else "\n"
        self._write(f"\r\x1b[K{text}{rest}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
