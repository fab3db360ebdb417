"""What becomes of every claim of a file: a ledger, as text, JSON and a web page."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.page import render
from symflow.analysis.environment import environment
from symflow.certificate import write_checker
from symflow.claims import Status
from symflow.errors import InvalidArgument, PrecisionLost
from symflow.io import save


@dataclass(frozen=True)
class Settled:
    """One claim, as it was read, and what became of it."""

    kind: str  #: The kind of claim.
    reading: str  #: What was understood.
    verdict: Status  #: What became of it, never more than was checked.
    reason: str  #: Why: a proof, a counterexample, or what is missing.
    #: What `save` writes as a certificate, where the checker knows its kind.
    evidence: Any = None


#: Verdict, reason, and perhaps evidence; a reading, and how to settle it.
Outcome = tuple[Any, ...]
Asked = tuple[str, Callable[[], Outcome]]


@dataclass(frozen=True, repr=False)
class Audit(Displayed):
    """The ledger of a file of claims; made by `audit`."""

    title: str  #: As the file has it.
    problem: str  #: The flow that the claims speak of.
    lines: tuple[Settled, ...]  #: One per claim, in the order of the file.
    sha256: str = field(default="")  #: Of the file.

    @property
    def refuted(self) -> tuple[Settled, ...]:
        """The claims that are false."""
        return tuple(one for one in self.lines if one.verdict is Status.REFUTED)

    @property
    def ok(self) -> bool:
        """Whether no claim is refuted; some may be undecided."""
        return not self.refuted

    @property
    def summary(self) -> str:
        """How many claims met which verdict, in words."""
        met = [one.verdict for one in self.lines]
        counts = [f"{met.count(v)} {v.value}" for v in Status if v in met]
        plural = "" if len(met) == 1 else "s"
        return f"{len(met)} claim{plural}: {', '.join(counts)}"

    def to_records(self) -> dict[str, Any]:
        """Return the ledger as plain values, with versions and the file's digest."""
        claims = [
            {
                "kind": one.kind,
                "reading": one.reading,
                "verdict": one.verdict.value,
                "reason": one.reason,
            }
            for one in self.lines
        ]
        return {
            "title": self.title,
            "problem": self.problem,
            "ok": self.ok,
            "claims": claims,
            "sha256": self.sha256,
            "versions": environment(),
        }

    def to_json(self) -> str:
        """Return the ledger as JSON text."""
        return json.dumps(self.to_records(), indent=2, ensure_ascii=False)

    def to_html(self) -> str:
        """Return the ledger as one page, which needs no network and no script."""
        said = {"title": self.title, "verdict": self.summary, "good": self.ok}
        return render("audits/ledger.html", audit=self, **said)

    def certificates(self, folder: Path) -> tuple[Path, ...]:
        """Write what is proven for the checker into a folder, and the checker.

        The files are ``claim-1.json`` … and ``check.py``; a kind that the checker does
        not know has none.
        """
        written = []
        for number, one in enumerate(self.lines, 1):
            with suppress(InvalidArgument, PrecisionLost):
                if one.evidence is not None:
                    written.append(save(one.evidence, folder / f"claim-{number}.json"))
        if written:
            write_checker(folder / "check.py")
        return tuple(written)

    def _sheet(self) -> Sheet:
        rows = tuple((one.verdict.value, one.reading, one.reason) for one in self.lines)
        head = f"{self.title}: {self.summary}"
        columns = ("verdict", "claim as read", "why")
        notes = (self.problem,)
        return Sheet(head, (), rows, columns, notes, ".to_records()")
