"""Formulas in LaTeX, rewritten in the syntax that `algebra/reading.py` reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from symflow.errors import InvalidArgument

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S")
_SILENT = {r"\left", r"\right", r"\,", r"\;", r"\!", r"\quad"}
_SIGNS = {r"\cdot": "*", r"\times": "*", "[": "(", "]": ")"}
_TRACE = {r"\operatorname{tr}", r"\mathrm{tr}", r"\tr"}


def from_latex(text: str) -> str:
    r"""Return the formula that a text in LaTeX writes; other text as it is.

    It may have fractions, roots, powers, transposes, traces, subscripts, ``\dot`` and
    Greek letters, factors side by side; other groups and commands are refused.
    """
    if not {*text} & {*"\\{"}:
        return text
    for command in _TRACE:
        text = text.replace(command, r"\Trace")
    try:
        tokens = iter([t for t in _TOKEN.findall(text) if t not in _SILENT])
        return _row(tokens, "")
    except (StopIteration, RecursionError):
        msg = f"{text[:60]!r} is no LaTeX that can be read: its groups are not closed"
        raise InvalidArgument(msg) from None


def _row(tokens: Iterator[str], end: str) -> str:
    """Return everything up to a closing token, with factors joined."""
    row = ""
    for token in tokens:
        if token == end:
            return row
        if token == "^":
            power = _group(tokens)
            row += ".T" if power in ("top", "T", "intercal") else f"**({power})"
        elif token == "_":
            index = next(tokens)
            if index == "{":
                index = "".join(iter(lambda: next(tokens), "}"))
            row += index if index.isdigit() else f"_{index}"
        else:
            part = _part(token, tokens)
            beside = re.search(r"[\w)]$", row) and re.match(r"[\w(]", part)
            row += f"*{part}" if beside and not row.endswith("Trace") else part
    if end:
        raise StopIteration
    return row


def _part(token: str, tokens: Iterator[str]) -> str:
    if token == r"\frac":
        return f"(({_group(tokens)})/({_group(tokens)}))"
    if token == r"\sqrt":
        return f"sqrt({_group(tokens)})"
    if token == r"\dot":
        return f"{_group(tokens)}dot"
    if token == "{":
        return f"({_row(tokens, '}')})"
    return _SIGNS.get(token, token.removeprefix("\\"))


def _group(tokens: Iterator[str]) -> str:
    token = next(tokens)
    return _row(tokens, "}") if token == "{" else _part(token, tokens)
