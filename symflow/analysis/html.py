"""The report of an analysis as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sympy

from symflow.algebra.page import marked, render
from symflow.analysis.analysis import Analysis
from symflow.analysis.environment import environment
from symflow.analysis.figures import Drawing
from symflow.analysis.record import About, size_words, start_words
from symflow.solutions import Solution


def html_report(
    analysis: Analysis, about: About, drawings: Sequence[Drawing], without: str = ""
) -> str:
    """Return the report of an analysis as HTML.

    It is a whole document, with mathematics as MathML and figures as SVG.  `without`
    says why there are no figures.
    """
    flow, white = analysis.flow, analysis.whitened
    return render(
        "analysis/report.html",
        title=f"Gradient flow: {about.name}",
        good=analysis.ok,
        analysis=analysis,
        flow=flow,
        objective=sympy.Eq(sympy.Symbol("ℒ"), flow.potential, evaluate=False),
        facts=list(_facts(analysis)),
        problem=_problem(analysis, about),
        closed_forms=list(_closed_forms(analysis)),
        solution=analysis.raw.solution or (white.solution if white else None),
        drawings=drawings,
        without=without,
        command=about.command or "symflow.analyze(flow, data, init)",
        environment=environment(),
    )


def _facts(analysis: Analysis) -> Iterator[str]:
    yield from (f"{law}; {law.status.value}." for law in analysis.raw.laws)
    for study in analysis.studies:
        yield f"{study.title.capitalize()} data in float64: {study.convergence}."
    for study in analysis.studies:
        name = f"{study.title.capitalize()} data at {analysis.digits} digits"
        yield f"{name}: {study.covered}."


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
