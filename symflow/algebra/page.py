"""What all HTML pages share: their style, their tables, and words with a colour.

On a narrow screen every row of a table becomes a card, with the labels before the
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files


def page_style() -> str:
    """Return the style sheet of a page, for light and dark screens.

    Examples
    --------
    >>> page_style().count("prefers-color-scheme: dark")
    1
    """
    return files("symflow.algebra").joinpath("page.css").read_text(encoding="utf-8")


def html_table(labels: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already.

    Examples
    --------
    >>> html_table(["t"], [["0.5"]])[-52:]
    '<tr><td data-label="t">0.5</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    body = "".join(f"<tr>{_labelled(row, labels)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _labelled(cells: Sequence[str], labels: Sequence[str]) -> str:
    return "".join(
        f'<td data-label="{escape(label)}">{cell}</td>'
        for label, cell in zip(labels, cells, strict=True)
    )


def pill(word: str) -> str:
    """Return a word on a ground of the colour that it has: good, bad or neither.

    Examples
    --------
    >>> pill("FAILS")
    '<span class="pill bad">FAILS</span>'
    """
    bad = word.lower() in ("fails", "refuted")
    kind = "bad" if bad else "plain" if word.startswith("does not") else "good"
    return f'<span class="pill {kind}">{escape(word)}</span>'
