"""Reports: every claim against every trajectory, as rows with a verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.text import scientific
from symflow.errors import ValidationFailed

#: Columns of the table.
COLUMNS = ("claim", "route", "residual", "bound", "verdict", "status", "source")

#: A tolerance from which on agreement says nothing.
UNINFORMATIVE = 0.1


@dataclass(frozen=True)
class Row:
    """One claim on one route."""

    claim: str  #: What is asserted.
    route: str  #: What it was held against.
    #: By how much the route contradicts the claim, relative; NaN where there is nothing
    #: to compare.
    residual: float
    #: The largest residual that the route's own error allows; infinite where there is
    #: nothing to compare.
    bound: float
    #: How firmly the claim stands now: ``"proved"``, ``"verified to 48 digits"``,
    #: ``"measured"`` …
    status: str
    reference: str = ""  #: Author and year.

    @property
    def ok(self) -> bool:
        """Whether the residual is within a bound that is small enough to mean it."""
        return not self.failed and bool(self.bound < UNINFORMATIVE)

    @property
    def failed(self) -> bool:
        """Whether the residual exceeds its bound."""
        return bool(self.residual > self.bound)

    @property
    def verdict(self) -> str:
        """``"ok"``, ``"FAILS"``, or ``"not checked"`` where anything is allowed."""
        return "FAILS" if self.failed else "ok" if self.ok else "not checked"

    @property
    def numbers(self) -> tuple[str, str]:
        """Residual and bound as text; a dash where there is nothing to compare."""
        pair = (self.residual, self.bound)
        first, second = (scientific(x) if isfinite(x) else "–" for x in pair)
        return first, second

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values for JSON."""
        numbers = {"residual": _plain(self.residual), "bound": _plain(self.bound)}
        return {**self.__dict__, **numbers, "ok": self.ok, "verdict": self.verdict}


@dataclass(frozen=True, repr=False)
class Report(Displayed):
    """The outcome of `validate`.

    Parameters
    ----------
    rows : tuple of Row
        One per claim and route.

    Examples
    --------
    >>> Report((Row("Δ1 = const", "float64", 2e-13, 1e-7, "proved"),)).ok
    True
    >>> len(Report((Row("Δ1 = const", "float64", 2e-3, 1e-7, "proved"),)).failures)
    1
    """

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether something was checked, and no row is out of its bound."""
        return not self.failures and any(row.ok for row in self.rows)

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that are out of bound."""
        return tuple(row for row in self.rows if row.failed)

    def raise_if_failed(self) -> Report:
        """Return the report itself, or raise if a row is out of its bound.

        Raises
        ------
        ValidationFailed
            Naming every failed row with its residual and bound.

        Examples
        --------
        >>> report = Report((Row("Δ1 = const", "float64", 2e-13, 1e-7, "proved"),))
        >>> len(report.raise_if_failed().rows)
        1
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
        """Return the report as JSON text.

        Examples
        --------
        >>> import json
        >>> report = Report((Row("Δ1 = const", "float64", 2e-13, 1e-7, "proved"),))
        >>> json.loads(report.to_json())["rows"][0]["residual"]
        2e-13
        """
        content = {"ok": self.ok, "rows": [row.as_dict() for row in self.rows]}
        return json.dumps(content, indent=2, ensure_ascii=False)

    @property
    def verdict(self) -> str:
        """One line that says how it went."""
        failed, held = len(self.failures), sum(row.ok for row in self.rows)
        count = failed + held
        all_hold = f"all {count} checks hold" if count > 1 else "the one check holds"
        said = f"{failed} of {count} checks FAIL" if failed else all_hold
        left = len(self.rows) - count
        said = said if count else "nothing was checked"
        return f"{said}, {left} not checked" if left and count else said

    def _sheet(self) -> Sheet:
        rows = tuple(
            (row.claim, row.route, *row.numbers, row.verdict, row.status, row.reference)
            for row in self.rows
        )
        return Sheet(self.verdict, rows=rows, header=COLUMNS, most=200)


def _plain(size: Any) -> float | str | None:
    """Return a float for JSON, text for what no float can hold, None for no number."""
    number = float(size)
    if not isfinite(number):
        return None
    return scientific(size) if number == 0 and size != 0 else number
