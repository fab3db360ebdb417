"""The table of what is covered is read off the code, and the README prints it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from symflow import bias, conservation, convergence, solutions
from symflow.claims import Reference
from symflow.conservation import Law
from symflow.gallery import ENTRIES, coverage
from symflow.gallery.coverage import PROOFS
from symflow.gallery.papers import judged

README = Path(__file__).parents[1] / "README.md"


def names(kind: str) -> list[str]:
    return [item.name for item in coverage().results if item.kind == kind]


def test_every_catalogue_is_listed_in_full() -> None:
    theorems = {
        "closed form": solutions.SOLUTIONS,
        "rate": convergence.BOUNDS,
        "phase": convergence.COMPANIONS,
        "descent": convergence.DESCENTS,
        "limit": (*bias.PREDICTIONS, *bias.COMPANIONS),
    }
    for kind, catalogue in theorems.items():
        assert names(kind) == [entry.__name__ for entry in catalogue]
    assert len(names("experiment")) + len(names("erratum")) <= len(ENTRIES)


def test_every_class_of_laws_is_listed() -> None:
    """A new class of laws that no example network has would be missing here."""
    known = {law.__name__ for law in Law.__subclasses__()}
    known = {name for name in known if hasattr(conservation, name)}
    assert known <= set(names("conserved"))


def test_every_result_says_what_it_is_and_how_it_stands() -> None:
    for item in coverage().results:
        assert item.kind in PROOFS
        assert isinstance(item.paper, Reference)
        assert len(item.result) > 10
        assert not item.result.endswith(".")


def test_the_readme_prints_this_very_table() -> None:
    """After a change of a catalogue: `python tests/test_coverage.py` puts it there."""
    assert coverage().to_markdown() in README.read_text(encoding="utf-8")


def test_papers_are_in_the_order_of_their_years() -> None:
    years = [paper.year for paper in coverage().by_paper()]
    assert years == sorted(years)


@pytest.mark.parametrize(
    ("authors", "short"),
    [
        ("Armin Eftekhari", "Eftekhari 2020"),
        ("Ziwei Ji and Matus Telgarsky", "Ji and Telgarsky 2020"),
        ("Simon Du, Wei Hu, Jason Lee", "Du et al. 2020"),
    ],
)
def test_two_authors_are_both_named(authors: str, short: str) -> None:
    assert str(Reference(authors, "Title", "Venue", 2020)) == short


def test_every_statement_of_the_papers_has_a_verdict_from_the_catalogues() -> None:
    table = coverage().papers
    said = {row.statement: row for row in table.statements}
    assert len(said) == len(table.statements)
    assert {str(row.paper).split()[0] for row in table.statements} == {
        *("Min", "Xu", "Yun", "Eftekhari", "Chen", "Gidel")
    }
    assert said["rate from the imbalance alone"].verdict == "as stated"
    assert said["far away: faster with depth"].verdict == "constants ours"
    assert said["two layers, one sample, regression"].verdict == "stronger"
    assert said["scaled outputs"].verdict == "corrected"
    open_ones = [row for row in table.statements if row.verdict == "not covered"]
    assert all(len(row.by) > 10 for row in open_ones)
    assert open_ones


def test_a_verdict_follows_what_a_result_took_from_its_paper() -> None:
    results = coverage().results
    changed = [
        replace(item, contributes="the theorem, constants ours")
        if item.name == "ImbalanceRate"
        else item
        for item in results
    ]
    said = {row.statement: row.verdict for row in judged(changed).statements}
    assert said["rate from the imbalance alone"] == "constants ours"
    missing = [item for item in results if item.name != "ImbalanceRate"]
    with pytest.raises(KeyError, match="ImbalanceRate"):
        judged(missing)


def rewrite_readme() -> None:
    """Put the table of today between its marks."""
    text = README.read_text(encoding="utf-8")
    head, _, rest = text.partition("<!-- coverage -->\n")
    _, mark, tail = rest.partition("<!-- end of coverage -->")
    table = coverage().to_markdown()
    README.write_text(f"{head}<!-- coverage -->\n{table}{mark}{tail}", encoding="utf-8")


if __name__ == "__main__":
    rewrite_readme()
