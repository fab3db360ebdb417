"""The atlas as a table: text, JSON, and HTML that needs no network and no script.

In HTML a claim is one row; its hypotheses and its prediction open on demand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from html import escape

from symflow.algebra.display import aligned
from symflow.algebra.page import document, html_table, pill
from symflow.claims import Reference
from symflow.errors import ValidationFailed
from symflow.gallery.entry import Line

#: Longest cell of the table in a terminal; HTML and JSON have the whole text.
WIDEST = 36

_HEADER = ("key", "claim", "paper", "measured", "agreement", "status", "")


@dataclass(frozen=True)
class Atlas:
    """Every claim on its reference instance.

    Parameters
    ----------
    lines : tuple of Line
        One per claim.

    Examples
    --------
    >>> Atlas(()).ok
    True
    """

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether every claim holds."""
        return all(line.ok for line in self.lines)

    def raise_if_failed(self) -> Atlas:
        """Return the atlas itself, or raise if a claim fails.

        Raises
        ------
        ValidationFailed
            Naming the claims that fail.
        """
        failed = [line.key for line in self.lines if not line.ok]
        if failed:
            msg = f"atlas: {len(failed)} of {len(self.lines)} claims fail: {failed}"
            raise ValidationFailed(msg)
        return self

    def to_json(self) -> str:
        """Return the table as JSON text."""
        rows = [{**asdict(line), "paper": str(line.paper)} for line in self.lines]
        content = {"ok": self.ok, "claims": rows}
        return json.dumps(content, indent=2, ensure_ascii=False)

    def to_html(self) -> str:
        """Return the table as one HTML page."""
        return page(self.lines, self._verdict)

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self._verdict)}</b></p>{table(self.lines)}"

    @property
    def _verdict(self) -> str:
        failed = sum(not line.ok for line in self.lines)
        count = len(self.lines)
        return f"all {count} claims hold" if not failed else f"{failed} of {count} FAIL"

    def __str__(self) -> str:
        cells = [_HEADER, *(tuple(map(_cut, _cells(line))) for line in self.lines)]
        return "\n".join([self._verdict, *(row[2:] for row in aligned(cells))])

    __repr__ = __str__


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.key,
        line.claim,
        str(line.paper),
        line.measured,
        line.agreement,
        line.status,
        "ok" if line.ok else "FAILS",
    )


#: Names of the columns.
COLUMNS = ("claim", "paper", "measured", "agreement", "status", "verdict")


def page(lines: Iterable[Line], verdict: str) -> str:
    """Return the whole HTML document, with the verdict on top."""
    given = list(lines)
    said = verdict[0].upper() + verdict[1:]
    papers = dict.fromkeys(line.paper for line in given)
    sources = "".join(f"<li>{_source(paper)}</li>" for paper in papers)
    body = f"{table(given)}<h2>Papers</h2><ul>{sources}</ul>"
    good = all(line.ok for line in given)
    return document("Atlas of claims", said, body, good=good)


def table(lines: Iterable[Line]) -> str:
    """Return the rows as an HTML table, those that fail first."""
    return html_table(COLUMNS, map(_row, sorted(lines, key=lambda line: line.ok)))


def _row(line: Line) -> list[str]:
    conditions = "".join(f"<li>{escape(text)}</li>" for text in line.hypotheses)
    more = (
        "<details><summary>prediction and hypotheses</summary>"
        f"<p>{escape(line.predicted)}</p><ul>{conditions}</ul></details>"
    )
    claim = f"<b>{escape(line.claim)}</b> <small>{escape(line.key)}</small>{more}"
    texts = (str(line.paper), line.measured, line.agreement, line.status)
    return [claim, *map(escape, texts), pill("holds" if line.ok else "FAILS")]


def _source(paper: Reference) -> str:
    said = f"{paper.authors}: {paper.title}. {paper.venue}, {paper.year}"
    if not paper.arxiv:
        return escape(said)
    link = f"https://arxiv.org/abs/{paper.arxiv}"
    return f'{escape(said)}. <a href="{link}">arXiv:{escape(paper.arxiv)}</a>'
