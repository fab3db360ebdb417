"""What is covered: every result of every catalogue, with its paper and its proof.

The table is read off the catalogues themselves, so that it cannot drift from the code;
a test holds the README against it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from symflow import bias, convergence, solutions
from symflow.algebra.display import Displayed, Sheet
from symflow.claims import Reference
from symflow.gallery.entry import Entry, Experiment, PathEntry
from symflow.gallery.errata import Erratum
from symflow.gallery.papers import Papers, judged

#: What makes the results of a kind hold.
PROOFS = {
    "conserved": "proved for every width and loss: `law.proof()`",
    "closed form": "proved: `sol.verify()` is exactly 0",
    "rate": "theorem with constants; its margin is measured on every run",
    "phase": "theorem with constants; held against every run",
    "descent": "theorem with constants; held against every iterate",
    "limit": "predicted before integration; held against every run",
    "experiment": "measured against the prediction",
    "erratum": "refuted as printed, in rational numbers; corrected",
}


@dataclass(frozen=True)
class CataloguedResult:
    """One result.

    The `kind` is a key of `PROOFS`, the `name` that of the class that states it, or the
    key of its entry in the atlas; `contributes` says what is the paper's, the rest is
    derived here.
    """

    kind: str
    name: str
    result: str
    paper: Reference
    contributes: str = "the prediction; measured here"

    @property
    def proof(self) -> str:
        """How it stands."""
        return PROOFS[self.kind]


@dataclass(frozen=True, repr=False)
class Coverage(Displayed):
    """The results of all catalogues; made by `coverage`."""

    results: tuple[CataloguedResult, ...]  #: In the order of the catalogues.

    def by_paper(self) -> dict[Reference, list[CataloguedResult]]:
        """Return the results of every paper, the oldest paper first."""
        found: dict[tuple[int, str], list[CataloguedResult]] = {}
        for item in self.results:
            found.setdefault((item.paper.year, str(item.paper)), []).append(item)
        return {found[key][0].paper: found[key] for key in sorted(found)}

    @property
    def papers(self) -> Papers:
        """Four lines of papers, statement by statement."""
        return judged(self.results)

    def to_markdown(self) -> str:
        """Return the table of the README: paper, results, and how they stand."""
        header = ("paper", "results", "from the paper", "how they stand")
        lines = [f"| {' | '.join(header)} |", "|---|---|---|---|"]
        for paper, items in self.by_paper().items():
            groups: dict[tuple[str, str], list[str]] = {}
            for item in sorted(items, key=lambda item: list(PROOFS).index(item.kind)):
                key = (item.kind, item.contributes)
                groups.setdefault(key, []).append(f"`{item.name}`")
            lines += [
                f"| {_linked(paper)} | {', '.join(names)} | {from_paper} | "
                f"{kind}: {PROOFS[kind]} |"
                for (kind, from_paper), names in groups.items()
            ]
        return "\n".join(lines) + "\n"

    def to_records(self) -> list[dict[str, Any]]:
        """Return the results as plain values, for JSON."""
        return [
            {**asdict(item), "paper": str(item.paper), "proof": item.proof}
            for item in self.results
        ]

    def _sheet(self) -> Sheet:
        rows = [
            (item.kind, item.name, str(item.paper), item.contributes, item.result)
            for item in self.results
        ]
        papers = len(self.by_paper())
        return Sheet(
            f"{len(rows)} results of {papers} papers",
            rows=tuple(rows),
            header=("kind", "name", "paper", "from the paper", "result"),
            notes=tuple(f"{kind}: {proof}" for kind, proof in PROOFS.items()),
            most=len(rows),
        )


def tabulated(laws: Iterable[PathEntry], entries: Iterable[Entry]) -> Coverage:
    """Return all results: catalogues, and the laws and experiments of the atlas."""
    return Coverage((*_laws(laws), *_theorems(), *_experiments(entries)))


def _laws(laws: Iterable[PathEntry]) -> Iterator[CataloguedResult]:
    claims = [entry.claim(entry.instance()) for entry in laws]
    for kind, paper in dict.fromkeys((type(law), law.reference) for law in claims):
        yield _covered("conserved", kind, paper)


def _theorems() -> Iterator[CataloguedResult]:
    catalogues: dict[str, tuple[Any, ...]] = {
        "closed form": solutions.SOLUTIONS,
        "rate": convergence.BOUNDS,
        "phase": convergence.COMPANIONS,
        "descent": convergence.DESCENTS,
        "limit": (*bias.PREDICTIONS, *bias.COMPANIONS),
    }
    for kind, catalogue in catalogues.items():
        for theorem in catalogue:
            yield _covered(kind, theorem, theorem.source)


def _experiments(entries: Iterable[Entry]) -> Iterator[CataloguedResult]:
    for entry in entries:
        if isinstance(entry, Experiment):
            yield CataloguedResult("experiment", entry.key, entry.claim, entry.paper)
        if isinstance(entry, Erratum):
            text = f"{entry.claim}; corrected: {entry.correction}"
            stated = "the statement, as printed"
            yield CataloguedResult("erratum", entry.key, text, entry.paper, stated)


def _covered(kind: str, stated_by: type, paper: Reference) -> CataloguedResult:
    first = (inspect.getdoc(stated_by) or "").split("\n\n")[0]
    said = " ".join(first.split()).partition("; made by")[0].rstrip(".")
    contributes: str = stated_by.contributes  # type: ignore[attr-defined]
    return CataloguedResult(kind, stated_by.__name__, said, paper, contributes)


def _linked(paper: Reference) -> str:
    if not paper.arxiv:
        return str(paper)
    return f"[{paper}](https://arxiv.org/abs/{paper.arxiv})"
