"""The atlas as a table: text, HTML and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.page import render
from symflow.errors import ValidationFailed
from symflow.gallery.entry import Line

#: Longest cell of the table in a terminal; HTML and JSON have the whole text.
WIDEST = 36

#: Names of the columns of the page.
COLUMNS = ("claim", "paper", "predicted", "measured", "agreement", "status", "verdict")

_HEADER = ("key", "claim", "paper", "measured", "agreement", "status", "")


@dataclass(frozen=True, repr=False)
class Atlas(Displayed):
    """Every claim on its reference instance.

    Examples
    --------
    >>> Atlas(()).ok
    True
    """

    lines: tuple[Line, ...]  #: One per claim.

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
        return render(
            "gallery/atlas.html",
            title="Atlas of claims",
            verdict=self._verdict[0].upper() + self._verdict[1:],
            good=self.ok,
            lines=sorted(self.lines, key=lambda line: line.ok),
            columns=COLUMNS,
            papers=list(dict.fromkeys(line.paper for line in self.lines)),
        )

    @property
    def _verdict(self) -> str:
        failed = sum(not line.ok for line in self.lines)
        count = len(self.lines)
        all_hold = f"all {count} claims hold" if count > 1 else "the one claim holds"
        return f"{failed} of {count} FAIL" if failed else all_hold

    def _sheet(self) -> Sheet:
        rows = tuple(tuple(map(_cut, _cells(line))) for line in self.lines)
        return Sheet(self._verdict, rows=rows, header=_HEADER, most=len(rows))


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
