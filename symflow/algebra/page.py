"""What all HTML pages share: their style, their tables, and words with a colour.

On a narrow screen every row of a table becomes a card, with the labels before the
values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

#: The exponent of a number.
_POWER = re.compile(r"(?<=\d)e([+-]?)0*(\d+)\b")


def page_style() -> str:
    """Return the style sheet of a page, for light and dark screens."""
    return files("symflow.algebra").joinpath("page.css").read_text(encoding="utf-8")


def document(title: str, verdict: str, body: str, *, good: bool) -> str:
    r"""Return a whole page of one title, a verdict on top, and HTML below."""
    mood = "good" if good else "bad"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{page_style()}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="verdict {mood}">{escape(verdict)}</p>'
        f"{body}</body></html>\n"
    )


def html_table(labels: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    body = "".join(f"<tr>{_labelled(row, labels)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _labelled(cells: Sequence[str], labels: Sequence[str]) -> str:
    return "".join(
        f'<td data-label="{escape(label)}">{cell}</td>'
        for label, cell in zip(labels, cells, strict=True)
    )


def powers(text: str) -> str:
    """Return HTML with 2.5e-12 as a power of ten."""
    return _POWER.sub(
        lambda found: f"·10<sup>{'−' * (found[1] == '-')}{found[2]}</sup>", text
    )


def pill(word: str) -> str:
    """Return a word on a ground of the colour that it has: good, bad or neither."""
    bad = word.lower() in ("fails", "refuted")
    plain = word.startswith(("does not", "undecided", "out of scope"))
    kind = "bad" if bad else "plain" if plain else "good"
    return f'<span class="pill {kind}">{escape(word)}</span>'
