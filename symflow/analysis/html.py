"""The report of an analysis as one HTML file that needs no network and no script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import sympy

from symflow.algebra.page import html_table, page_style, pill, powers
from symflow.analysis.analysis import Analysis
from symflow.analysis.environment import environment
from symflow.analysis.figures import Drawing
from symflow.analysis.mathml import mathml
from symflow.analysis.record import About, start_words
from symflow.analysis.study import Study
from symflow.conservation import Law, conserved
from symflow.data.moments import counted
from symflow.flow import GradientFlow
from symflow.solutions import Refusal, Solution
from symflow.validation import Row

#: Equations with more layers than this are shown for the layers alone.
_DEEP = 4


def html_report(
    analysis: Analysis, about: About, drawings: Sequence[Drawing], without: str = ""
) -> str:
    """Return the report of an analysis as HTML.

    It is a whole document, with mathematics as MathML and figures as SVG.  `without`
    says why there are no figures.
    """
    return _page(
        about,
        mood="good" if analysis.ok else "bad",
        verdict=escape(analysis.verdict),
        facts=_facts(analysis.raw.laws, analysis.studies, analysis.digits),
        problem=_problem(analysis, about),
        equations=_equations(analysis.flow),
        conserved=_conserved(analysis.raw.laws),
        closed_forms=_closed_forms(analysis),
        raw_figures=_figures(drawings, "raw") or _left_out(without),
        whitened_figures=_figures(drawings, "whitened") or _left_out(without),
        raw_rows=_rows(analysis.raw),
        whitened_rows=_rows(analysis.whitened),
        took=f"It took {analysis.seconds:.1f} seconds",
    )


def unfinished_report(
    flow: GradientFlow, about: About, studies: Sequence[Study], digits: int
) -> str:
    """Return the page of an analysis that is at work, or was interrupted: what is done.

    Figures and closed forms are left to the finished page.
    """
    laws, missing = conserved(flow), "<p>Not reached: the analysis did not end.</p>"
    done = {study.title: study for study in studies}
    known = {
        "Data": f"{about.name}, {about.preparation}",
        "Network": repr(flow.network),
    }
    what = f"{' and '.join(done)} data" if done else "the derivation"
    return _page(
        about,
        mood="bad",
        verdict=f"Not finished: the analysis did not end. What is done: {what}",
        facts=_facts(laws, studies, digits),
        problem=_definitions(known),
        equations=_equations(flow),
        conserved=_conserved(laws),
        closed_forms=missing,
        raw_figures="",
        whitened_figures="",
        raw_rows=_rows(done["raw"]) if "raw" in done else missing,
        whitened_rows=_rows(done["whitened"]) if "whitened" in done else missing,
        took="It did not end",
    )


def _page(about: About, **parts: str) -> str:
    template = files("symflow.analysis").joinpath("report_template.html")
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=escape(f"Gradient flow: {about.name}"),
        style=page_style(),
        command=escape(about.command or "symflow.analysis.analyze(flow, data, init)"),
        environment=_definitions(environment()),
        **parts,
    )


def _facts(laws: Iterable[Law], studies: Iterable[Study], digits: int) -> str:
    facts = [f"Conserved: {law}; proved." for law in laws]
    facts += [
        f"{study.title.capitalize()} data in float64: {study.convergence}."
        for study in studies
    ]
    facts += [
        f"{study.title.capitalize()} data at {digits} digits: {study.covered}."
        for study in studies
    ]
    return "".join(f"<li>{_text(fact)}</li>" for fact in facts)


def _problem(analysis: Analysis, about: About) -> str:
    data, moments = analysis.raw.data, analysis.raw.data.moments()
    size = f"{counted(moments.d, 'input')}, {counted(moments.m, 'target')}"
    if moments.n is not None:
        size = f"{counted(moments.n, 'sample')}, {size}"
    entries = {
        "Data": f"{about.name}, {about.preparation}: {size}",
        "Inputs": _listed(getattr(data, "inputs", ())),
        "Targets": _listed(getattr(data, "targets", ())),
        "Network": repr(analysis.flow.network),
        "Loss": repr(analysis.flow.loss),
        "Start": start_words(analysis.raw.init),
        "Whitened problem": "the same targets after X → X Σ_xx^(−1/2), from "
        + start_words(analysis.whitened.init),
    }
    return _definitions({name: text for name, text in entries.items() if text})


def _listed(names: Sequence[str], most: int = 16) -> str:
    hidden = len(names) - most
    return ", ".join(names[:most]) + (f" … and {hidden} more" if hidden > 0 else "")


def _text(text: str) -> str:
    """Escape a text and set its indices and exponents."""
    text = re.sub(r"Σ_(xx|yx|yy)", r"Σ<sub>\1</sub>", escape(text))
    return re.sub(r"\^\(([^)]*)\)", r"<sup>\1</sup>", powers(text))


def _definitions(entries: dict[str, str]) -> str:
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{_text(text)}</dd>"
        for name, text in entries.items()
    )


def _equations(flow: GradientFlow) -> str:
    parts = [_formula(equation) for equation in flow.equations]
    if len(flow.state) <= _DEEP:
        parts += [
            "<p>They induce the flow of the end-to-end matrix "
            f"{mathml(flow.end_to_end.symbol, block=False)},</p>",
            _formula(flow.end_to_end.equation),
            "<p>and descend the training objective</p>",
            _formula(sympy.Eq(sympy.Symbol("ℒ"), flow.potential, evaluate=False)),
        ]
    return "".join(parts)


def _formula(expression: Any) -> str:
    return f'<div class="formula">{mathml(expression)}</div>'


def _conserved(laws: Iterable[Law]) -> str:
    return "".join(_law(law) for law in laws) or "<p>A single layer has none.</p>"


def _law(law: Law) -> str:
    steps = "".join(
        f"<li>{_formula(step.equation)}<span>{escape(step.reason)}</span></li>"
        for step in law.proof()
    )
    about = "is constant" if law.is_conserved else f"decays at the rate {law.rate}"
    return (
        f"<h3>{escape(law.name)} {about} <small>{pill(law.status.value)} "
        f"{escape(str(law.reference))}</small></h3>{_formula(law.expr)}"
        f'<ol class="proof">{steps}</ol>'
    )


def _closed_forms(analysis: Analysis) -> str:
    columns = {
        "raw data, given start": analysis.raw.attempts,
        "whitened, given start": analysis.mixed,
        "whitened, spectral start": analysis.whitened.attempts,
    }
    entries = zip(*columns.values(), strict=True)
    answers = list(entries)
    applying = [any(isinstance(e, Solution) for e in answer) for answer in answers]
    # The most specific one is the answer; the others can be opened.
    first = applying.index(True) if any(applying) else None
    tables = "".join(
        _hypotheses(answer, list(columns), number == first)
        for number, answer in enumerate(answers)
    )
    solution = analysis.raw.solution or analysis.whitened.solution
    if solution is None:
        return tables + "<p>No catalogued closed form applies to this network.</p>"
    return tables + _solution(solution)


def _hypotheses(
    entries: Sequence[Solution | Refusal], columns: list[str], is_open: bool
) -> str:
    words = list(dict.fromkeys(h.words for entry in entries for h in entry.hypotheses))
    body = [
        [_text(word), *(_checked(entry, word) for entry in entries)] for word in words
    ]
    verdicts = [
        pill("applies" if isinstance(entry, Solution) else "does not apply")
        for entry in entries
    ]
    rows = [*body, ["<b>closed form</b>", *verdicts]]
    table = _wide(["condition", *columns], rows)
    applies = [isinstance(entry, Solution) for entry in entries]
    scope = f"applies to {sum(applies)} of {len(applies)}" if any(applies) else ""
    state = ' open="open"' if is_open else ""
    summary = (
        f"<b>{escape(entries[0].name)}</b> <small>{escape(str(entries[0].reference))}; "
        f"{scope or 'does not apply'}</small>"
    )
    return f"<details{state}><summary>{summary}</summary>{table}</details>"


def _checked(entry: Solution | Refusal, words: str) -> str:
    for hypothesis in entry.hypotheses:
        if hypothesis.words == words:
            mark = pill("holds" if hypothesis.holds else "fails")
            return f"{mark} <small>{_text(hypothesis.detail)}</small>"
    return "<small>not reached</small>"


def _solution(solution: Solution) -> str:
    steps = "".join(_derived(step) for step in solution.derivation())
    return (
        f"<p>Derivation of {escape(solution.name)}; the residual of its equation is "
        f"{mathml(solution.verify(), block=False)}:</p>"
        f'<ol class="proof">{steps}</ol>'
    )


def _derived(step: Any) -> str:
    """Set an equation, or a step that says in words what is done."""
    words = getattr(step, "words", "")
    said = f"<span>{_text(words)}</span>" if words else ""
    return f"<li>{said}{_formula(getattr(step, 'equation', step))}</li>"


def _figures(drawings: Iterable[Drawing], title: str) -> str:
    shown = (drawing for drawing in drawings if drawing.name.startswith(title))
    return "".join(
        f"<figure>{drawing.inline}<figcaption>{_text(drawing.caption)}</figcaption>"
        "</figure>"
        for drawing in shown
    )


def _left_out(reason: str) -> str:
    return f"<p>The figures are left out: {escape(reason)}</p>" if reason else ""


def _rows(study: Study) -> str:
    labels = ["claim", "route", "residual", "bound", "", "status", "source"]
    return _wide(labels, [_row(row, study) for row in study.report.rows]) + _routes(
        study
    )


def _wide(labels: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f'<div class="wide">{html_table(labels, rows)}</div>'


def _routes(study: Study) -> str:
    routes = f"Routes: {study.fast.route}"
    if study.sharp is not None:
        routes += f"; {study.sharp.digits} digits: {study.sharp.route}"
    return f"<p><small>{escape(routes)}</small></p>"


def _row(row: Row, study: Study) -> list[str]:
    return [
        escape(row.claim),
        escape(study.short_route(row.route)),
        *map(powers, row.numbers),
        pill({"ok": "holds", "FAILS": "fails"}.get(row.verdict, row.verdict)),
        escape(row.status),
        escape(row.reference),
    ]
