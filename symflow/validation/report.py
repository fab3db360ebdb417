"""Reports: every claim against every trajectory, as rows with a verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

from symflow.algebra.text import scientific
from symflow.errors import ValidationFailed


@dataclass(frozen=True)
class Row:
    """One claim on one route.

    Parameters
    ----------
    claim : str
        What is asserted.
    route : str
        What it was held against.
    residual : float or mpf
        By how much the route contradicts the claim, relative.
    bound : float or mpf
        The largest residual that the route's own error allows.
    status : str
        How firmly the claim stands now: ``"proved"``, ``"verified to 48 digits"``,
        ``"measured"`` …
    reference : str
        Author and year.
    """

    claim: str
    route: str
    residual: Any
    bound: Any
    status: str
    reference: str = ""

    @property
    def ok(self) -> bool:
        """Whether the residual is within its bound."""
        return bool(self.residual <= self.bound)

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values for JSON."""
        numbers = {"residual": _plain(self.residual), "bound": _plain(self.bound)}
        return {**self.__dict__, **numbers, "ok": self.ok}


@dataclass(frozen=True)
class Report:
    """The outcome of `validate`.

    Parameters
    ----------
    rows : tuple of Row
        One per claim and route.

    Examples
    --------
    >>> Report((Row("Δ1 = const", "float64", 2e-13, 1e-7, "proved"),)).ok
    True
    """

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether every row is within its bound."""
        return all(row.ok for row in self.rows)

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that are out of bound."""
        return tuple(row for row in self.rows if not row.ok)

    def raise_if_failed(self) -> Report:
        """Return the report itself, or raise if a row is out of its bound.

        Raises
        ------
        ValidationFailed
            Naming every failed row with its residual and bound.
        """
        if self.failures:
            lines = [
                f"  {row.claim} on {row.route}: residual {scientific(row.residual)} "
                f"exceeds {scientific(row.bound)}"
                for row in self.failures
            ]
            msg = f"{len(lines)} of {len(self.rows)} checks failed:\n" + "\n".join(
                lines
            )
            raise ValidationFailed(msg)
        return self

    def to_json(self) -> str:
        """Return the report as JSON text."""
        content = {"ok": self.ok, "rows": [row.as_dict() for row in self.rows]}
        return json.dumps(content, indent=2, ensure_ascii=False)

    @property
    def verdict(self) -> str:
        """One line that says how it went."""
        count, failed = len(self.rows), len(self.failures)
        return (
            f"all {count} checks hold"
            if not failed
            else f"{failed} of {count} checks FAIL"
        )

    def __str__(self) -> str:
        header = ("claim", "route", "residual", "bound", "", "status")
        cells = [header] + [
            (
                row.claim,
                row.route,
                scientific(row.residual),
                scientific(row.bound),
                "ok" if row.ok else "FAILS",
                row.status,
            )
            for row in self.rows
        ]
        widths = [max(len(line[k]) for line in cells) for k in range(len(header))]
        lines = [
            "  ".join(
                cell.ljust(width) for cell, width in zip(line, widths, strict=True)
            )
            for line in cells
        ]
        return "\n".join([self.verdict, *(line.rstrip() for line in lines)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th>{name}</th>"
            for name in (
                "claim",
                "route",
                "residual",
                "bound",
                "verdict",
                "status",
                "source",
            )
        )
        body = "".join(_html_row(row) for row in self.rows)
        return (
            f"<p><b>{escape(self.verdict)}</b></p><table><tr>{head}</tr>{body}</table>"
        )


def _plain(size: Any) -> float | str:
    """Return a float for JSON, or text for what no float can hold."""
    number = float(size)
    return scientific(size) if number == 0 and size != 0 else number


def _html_row(row: Row) -> str:
    cells = (
        row.claim,
        row.route,
        scientific(row.residual),
        scientific(row.bound),
        "holds" if row.ok else "FAILS",
        row.status,
        row.reference,
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
