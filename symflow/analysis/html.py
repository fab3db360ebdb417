"""The report of an analysis as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sympy

from symflow.algebra.page import marked, render
from symflow.analysis.analysis import Analysis
from symflow.analysis.environment import environment
from symflow.analysis.figures import Drawing
from symflow.analysis.record import About, size_words, start_words
from symflow.analysis.study import Study
from symflow.conservation import Law, conserved
from symflow.flow import GradientFlow
from symflow.solutions import Solution


def html_report(
    analysis: Analysis, about: About, drawings: Sequence[Drawing], without: str = ""
) -> str:
    """Return the report of an analysis as HTML.

    It is a whole document, with mathematics as MathML and figures as SVG.  `without`
    says why there are no figures.
    """
    white = analysis.whitened
    return _page(
        *(analysis.flow, about, analysis.studies, analysis.digits),
        good=analysis.ok,
        verdict=analysis.verdict,
        laws=analysis.raw.laws,
        problem=_problem(analysis, about),
        columns=list(analysis.attempts),
        closed_forms=list(_closed_forms(analysis)),
        solution=analysis.raw.solution or (white.solution if white else None),
        drawings=drawings,
        without=without,
        took=f"It took {analysis.seconds:.1f} seconds",
    )


def unfinished_report(
    flow: GradientFlow, about: About, studies: Sequence[Study], digits: int
) -> str:
    """Return the page of an analysis that is at work, or was interrupted: what is done.

    Figures and closed forms are left to the finished page.
    """
    done = " and ".join(study.title for study in studies)
    what = f"{done} data" if done else "the derivation"
    return _page(
        *(flow, about, studies, digits),
        good=False,
        verdict=f"Not finished: the analysis did not end. What is done: {what}",
        laws=conserved(flow),
        problem={
            "Data": f"{about.name}, {about.preparation}",
            "Network": repr(flow.network),
        },
        closed_forms=None,
        took="It did not end",
    )


def _page(
    flow: GradientFlow,
    about: About,
    studies: Sequence[Study],
    digits: int,
    laws: Iterable[Law],
    **parts: Any,
) -> str:
    return render(
        "analysis/report.html",
        title=f"Gradient flow: {about.name}",
        flow=flow,
        objective=sympy.Eq(sympy.Symbol("ℒ"), flow.potential, evaluate=False),
        laws=laws,
        facts=list(_facts(laws, studies, digits)),
        studies={study.title: study for study in studies},
        command=about.command or "symflow.analyze(flow, data, init)",
        environment=environment(),
        **parts,
    )


def _facts(laws: Iterable[Law], studies: Sequence[Study], digits: int) -> Iterator[str]:
    yield from (f"{law}; {law.status.value}." for law in laws)
    for study in studies:
        yield f"{study.title.capitalize()} data in float64: {study.convergence}."
    for study in studies:
        yield f"{study.title.capitalize()} data at {digits} digits: {study.covered}."


def _problem(analysis: Analysis, about: About) -> dict[str, str]:
    data, white = analysis.raw.data, analysis.whitened
    entries = {
        "Data": f"{about.name}, {about.preparation}: {size_words(data)}",
        "Inputs": _listed(getattr(data, "inputs", ())),
        "Targets": _listed(getattr(data, "targets", ())),
        "Network": repr(analysis.flow.network),
        "Loss": repr(analysis.flow.loss),
        "Start": start_words(analysis.raw.init),
    }
    if white is not None:
        words = "the same targets after X → X Σ_xx^(−1/2), from "
        entries["Whitened problem"] = marked(words + start_words(white.init))
    return entries


def _listed(names: Sequence[str], most: int = 16) -> str:
    hidden = len(names) - most
    return ", ".join(names[:most]) + (f" … and {hidden} more" if hidden > 0 else "")


def _closed_forms(analysis: Analysis) -> Iterator[dict[str, Any]]:
    """Yield each form with its answers; the first that applies is shown opened."""
    found = False
    for entries in zip(*analysis.attempts.values(), strict=True):
        applies = [isinstance(entry, Solution) for entry in entries]
        scope = f"applies to {sum(applies)} of {len(applies)}"
        words = (h.words for entry in entries for h in entry.hypotheses)
        yield {
            "name": entries[0].name,
            "reference": entries[0].reference,
            "entries": entries,
            "words": list(dict.fromkeys(words)),
            "applies": applies,
            "scope": scope if any(applies) else "does not apply",
            "is_open": any(applies) and not found,
        }
        found = found or any(applies)
