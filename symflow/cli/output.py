"""Where a verb writes: a new file, a file that may be replaced, or standard output."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from symflow.errors import InvalidArgument, OutputError
from symflow.progress import ProgressBar

#: Stands for standard input or output in place of the name of a file.
PIPE = "-"


def put(
    options: argparse.Namespace,
    source: Callable[[], str],
    record: Callable[[str], dict[str, Any]],
) -> int:
    """Write a text to the file that was asked for, and print its path.

    It is made by `source`, and printed where the file is ``-``; `record` writes it to a
    path, and returns what JSON says of it.  The options are `file`, `force` and `json`.
    Raises OutputError if a file stands there, and nothing says that it may be replaced.
    """
    from symflow.analysis.record import to_json

    if options.file == PIPE:
        print(source(), end="")
        return 0
    check_free(options.file, options)
    content = record(options.file)
    print(to_json(content) if options.json else content["file"])
    return 0


def check_free(file: str, options: argparse.Namespace, *endings: str) -> None:
    """Refuse, before any work, a file that cannot or may not be written.

    Its name may end with `endings`.  Raises InvalidArgument if it has another ending,
    and OutputError if something stands there, and no `force` is given.
    """
    if endings and not file.endswith(endings):
        msg = f"{file!r}: needs a name that ends with {' or '.join(endings)}"
        raise InvalidArgument(msg)
    if not options.force and os.path.exists(file):
        msg = f"{file!r} is there already; --force replaces it"
        raise OutputError(msg)


@contextmanager
def reporter(options: argparse.Namespace) -> Iterator[Callable[[str, float], None]]:
    """Give what shows a stage and how much of it is done, on standard error.

    A terminal gets a line that is rewritten, a file one line per stage; the option
    `quiet` says nothing.
    """
    bar, alive = ProgressBar(), sys.stderr.isatty()

    def told(stage: str, fraction: float) -> None:
        nonlocal bar
        if stage != bar.title:
            bar.close()
            bar = ProgressBar(stage)
            print(end="" if alive else f"{stage} …\n", file=sys.stderr, flush=True)
        if alive:
            bar(fraction)

    try:
        yield (lambda *_: None) if options.quiet else told
    finally:
        bar.close()
