"""The atlas as one HTML page, which needs no network and no script.

A claim is one row; its hypotheses and its prediction open on demand.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from symflow.algebra.page import document, html_table, pill, powers
from symflow.claims import Reference
from symflow.gallery.entry import Line

#: Names of the columns.
COLUMNS = ("claim", "paper", "predicted", "measured", "agreement", "status", "verdict")

#: Characters of a prediction that stands beside what was measured; others open.
WIDEST = 60


def page(lines: Iterable[Line], verdict: str) -> str:
    """Return the whole document of some lines, the claims that fail first."""
    given = list(lines)
    said = verdict[0].upper() + verdict[1:]
    papers = dict.fromkeys(line.paper for line in given)
    sources = "".join(f"<li>{source(paper)}</li>" for paper in papers)
    rows = html_table(COLUMNS, map(_row, sorted(given, key=lambda line: line.ok)))
    body = f"{rows}<h2>Papers</h2><ul>{sources}</ul>"
    good = all(line.ok for line in given)
    return document("Atlas of claims", said, body, good=good)


def _row(line: Line) -> list[str]:
    conditions = "".join(f"<li>{escape(text)}</li>" for text in line.hypotheses)
    is_long = len(line.predicted) > WIDEST
    formula = f"<p>{escape(line.predicted)}</p>" if is_long else ""
    more = (
        f"<details><summary>{'prediction and ' * is_long}hypotheses</summary>"
        f"{formula}<ul>{conditions}</ul></details>"
    )
    claim = f"<b>{escape(line.claim)}</b> <small>{escape(line.key)}</small>{more}"
    texts = (
        str(line.paper),
        "" if is_long else line.predicted,
        line.measured,
        line.agreement,
        line.status,
    )
    cells = [powers(escape(text)) for text in texts]
    return [powers(claim), *cells, pill("holds" if line.ok else "FAILS")]


def source(paper: Reference) -> str:
    """Return a paper as HTML, with a link where it has one."""
    said = f"{paper.authors}: {paper.title}. {paper.venue}, {paper.year}"
    if not paper.arxiv:
        return escape(said)
    link = f"https://arxiv.org/abs/{paper.arxiv}"
    return f'{escape(said)}. <a href="{link}">arXiv:{escape(paper.arxiv)}</a>'
