"""How much is done: one line of tqdm in a terminal, a widget in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO, TypeAlias

from symflow.errors import expect

#: What ``progress=`` takes: True for a bar, or what is called with fractions.
Told: TypeAlias = Callable[[float], None] | bool | None

#: What a line shows: the part that is done and the time that is left.
_FORMAT = "{desc} {percentage:3.0f}% |{bar:24}| {remaining} left"


class ProgressBar:
    r"""Shows on one line how much is done; what ``progress=True`` makes.

    Parameters
    ----------
    title : str
        Written before the bar.
    stream : file, optional
        Where to; standard error by default, or the page of a notebook.

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> bar = ProgressBar("flow", stream)
    >>> bar(0.5), bar(1.0), stream.getvalue().split("\r")[-1][:10]
    (None, None, 'flow 100% ')
    """

    def __init__(self, title: str = "", stream: TextIO | None = None) -> None:
        self.title, self._stream = title, stream
        self._line: Any = None

    def __repr__(self) -> str:
        return f"ProgressBar({self.title!r})"

    def __call__(self, fraction: float) -> None:
        """Report that a fraction of the work is done."""
        if self._line is None:
            from tqdm.auto import tqdm

            about = {"desc": self.title, "bar_format": _FORMAT}
            self._line = tqdm(total=1, file=self._stream, **about)
        self._line.update(min(fraction, 1) - self._line.n)
        if fraction >= 1:
            self.close()

    def close(self) -> None:
        """End the line."""
        if self._line is not None:
            self._line.close()
        self._line = None


#: The same for work in stages, whose names come first.
Staged: TypeAlias = Callable[[str, float], None] | bool | None


def staged(progress: Staged, call: str) -> Callable[[str, float], None]:
    """Return what `call` tells stages and fractions to, or raise InvalidArgument."""
    if progress is None or progress is False:
        return lambda stage, fraction: None
    if progress is True:
        bars: dict[str, ProgressBar] = {}
        return lambda stage, part: bars.setdefault(stage, ProgressBar(stage))(part)
    reporter(progress, call)  # type: ignore[arg-type]
    return progress


def untold(fraction: float) -> None:
    """Take a fraction, and tell nobody."""


def reporter(progress: Told, call: str) -> Callable[[float], None]:
    """Return what `call` tells fractions to, or raise InvalidArgument."""
    if progress is None or progress is False:
        return untold
    if progress is True:
        return ProgressBar(call)
    needs = "True or a function of a number"
    return expect(progress, Callable, f"{call}(progress=…)", needs)
