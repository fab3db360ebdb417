"""The atlas as a table: text, HTML and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from html import escape

from symflow.errors import ValidationFailed
from symflow.gallery.entry import Line

#: Longest cell of the table in a terminal; HTML and JSON have the whole text.
WIDEST = 36

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:90rem;"
    "padding:0 1rem}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{text-align:left;vertical-align:top;padding:.35rem .7rem;"
    "border-bottom:1px solid #8884;min-width:7rem}"
)

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
        return (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>Atlas of claims</title><style>{_STYLE}</style></head><body>"
            f"<h1>Atlas of claims</h1>{self._repr_html_()}</body></html>\n"
        )

    def _repr_html_(self) -> str:
        names = (
            "claim",
            "paper",
            "hypotheses",
            "predicted",
            "measured",
            "agreement",
            "status",
            "verdict",
        )
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(_html_row(line) for line in self.lines)
        verdict = escape(self._verdict)
        return f"<p><b>{verdict}</b></p><table><tr>{head}</tr>{body}</table>"

    @property
    def _verdict(self) -> str:
        failed = sum(not line.ok for line in self.lines)
        count = len(self.lines)
        return f"all {count} claims hold" if not failed else f"{failed} of {count} FAIL"

    def __str__(self) -> str:
        cells = [_HEADER, *(tuple(map(_cut, _cells(line))) for line in self.lines)]
        sizes = [max(len(row[k]) for row in cells) for k in range(len(_HEADER))]
        rows = [
            "  ".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=True))
            for row in cells
        ]
        return "\n".join([self._verdict, *(row.rstrip() for row in rows)])

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


def _html_row(line: Line) -> str:
    cells = [
        f"{line.key}: {line.claim}",
        f"{line.paper}. {line.paper.title}. {line.paper.venue}",
        "; ".join(line.hypotheses),
        line.predicted,
        line.measured,
        line.agreement,
        line.status,
        "holds" if line.ok else "FAILS",
    ]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
