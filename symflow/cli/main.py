"""Entry point: parse, run a verb, turn errors into exit codes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from symflow.cli.parser import parser
from symflow.errors import SymflowError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of the process, and return its exit code.

    It is 0, 1 where a validation fails, 2 for bad input, and 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    kept: list[Path] = []
    _speak_unicode()
    try:
        options = parser().parse_args(given)
        options.command, options.kept = shlex.join(["symflow", *given]), kept
        return int(options.verb(options))
    except KeyboardInterrupt:
        what = ", ".join(map(str, kept)) or "nothing; it had not written anything yet"
        print(f"\nsymflow: interrupted; kept {what}", file=sys.stderr)
        return 130
    except SymflowError as problem:
        print(f"symflow: error: {' '.join(str(problem).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of the output has seen enough; silence the flush at exit too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _speak_unicode() -> None:
    """Print mathematics even where the system asks for ASCII."""
    for stream in (sys.stdout, sys.stderr):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        if isinstance(stream, TextIOWrapper) and not encoding.lower().startswith("utf"):
            stream.reconfigure(encoding="utf-8")
