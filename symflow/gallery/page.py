"""The atlas as one HTML page, which needs no network and no script.

A claim is one row; its hypotheses and its prediction open on demand.  On a narrow
screen every row becomes a card.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from symflow.claims import Reference
from symflow.gallery.entry import Line

STYLE = """
:root { --paper: #fff; --ink: #1f242b; --soft: #5b6470; --line: #d9dee5;
  --good: #00664a; --good-paper: #e0f3ec; --bad: #a33d00; --bad-paper: #fdeadd; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e4e8ed;
  --soft: #9ba6b3; --line: #2e353f; --good: #5fd3ab; --good-paper: #12332a;
  --bad: #ffa06b; --bad-paper: #3a2113; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; }
.verdict { border-left: .35rem solid; border-radius: .3rem; padding: .7rem 1.1rem;
  font-size: 1.25rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; margin-top: 1.2rem; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word; }
small, summary { color: var(--soft); } summary { cursor: pointer; }
details ul { margin: .2rem 0; padding-left: 1.1rem; }
.pill { display: inline-block; white-space: nowrap; padding: 0 .5em;
  border-radius: .8em; font-size: .88em; }
.good { color: var(--good); background: var(--good-paper); }
.bad { color: var(--bad); background: var(--bad-paper); }
@media (max-width: 46rem) {
  thead { display: none; } table, tbody, tr, td { display: block; }
  tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  td { border: 0; padding: .1rem 0; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
}
"""

#: Names of the columns; on a narrow screen they stand before every value.
COLUMNS = ("claim", "paper", "measured", "agreement", "status", "verdict")


def page(lines: Iterable[Line], verdict: str) -> str:
    """Return the whole document.

    Parameters
    ----------
    lines : iterable of Line
        One per claim.
    verdict : str
        One sentence that stands on top.
    """
    given = list(lines)
    mood = "good" if all(line.ok for line in given) else "bad"
    said = escape(verdict[0].upper() + verdict[1:])
    papers = dict.fromkeys(line.paper for line in given)
    sources = "".join(f"<li>{_source(paper)}</li>" for paper in papers)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Atlas of claims</title><style>{STYLE}</style></head><body>"
        f'<h1>Atlas of claims</h1><p class="verdict {mood}">{said}</p>'
        f"{table(given)}<h2>Papers</h2><ul>{sources}</ul></body></html>\n"
    )


def table(lines: Iterable[Line]) -> str:
    """Return the rows as an HTML table, those that fail first.

    Parameters
    ----------
    lines : iterable of Line
        One per claim.
    """
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(_row(line) for line in sorted(lines, key=lambda line: line.ok))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(line: Line) -> str:
    conditions = "".join(f"<li>{escape(text)}</li>" for text in line.hypotheses)
    more = (
        "<details><summary>prediction and hypotheses</summary>"
        f"<p>{escape(line.predicted)}</p><ul>{conditions}</ul></details>"
    )
    claim = f"<b>{escape(line.claim)}</b> <small>{escape(line.key)}</small>{more}"
    mood, word = ("good", "holds") if line.ok else ("bad", "FAILS")
    texts = (str(line.paper), line.measured, line.agreement, line.status)
    cells = [*map(escape, texts), f'<span class="pill {mood}">{word}</span>']
    labelled = "".join(
        f'<td data-label="{label}">{cell}</td>'
        for label, cell in zip(COLUMNS[1:], cells, strict=True)
    )
    return f"<tr><td>{claim}</td>{labelled}</tr>"


def _source(paper: Reference) -> str:
    said = f"{paper.authors}: {paper.title}. {paper.venue}, {paper.year}"
    if not paper.arxiv:
        return escape(said)
    link = f"https://arxiv.org/abs/{paper.arxiv}"
    return f'{escape(said)}. <a href="{link}">arXiv:{escape(paper.arxiv)}</a>'
