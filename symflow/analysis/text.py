"""An analysis in a terminal: sections of at most a hundred columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import shorten

from symflow.algebra.display import aligned
from symflow.algebra.numbers import to_float
from symflow.algebra.text import inline
from symflow.algebra.typeset import latex
from symflow.analysis.analysis import Analysis
from symflow.analysis.study import Study
from symflow.claims import Claim
from symflow.claims.catalogue import nearest_misses
from symflow.conservation import Law
from symflow.flow import GradientFlow
from symflow.solutions import Refusal, Solution
from symflow.trajectory import Trajectory
from symflow.validation import Row

#: Columns for a failed hypothesis.
_ROOM = 60

#: Room for the status of a check; the page has it in full.
_STATUS = 29

#: Singular values that fit on a line.
_MODES = 6


def equations_text(flow: GradientFlow) -> str:
    """Return the equations of a flow, its end-to-end flow and its objective."""
    lines = [f"  {inline(equation)}" for equation in flow.equations]
    induced = inline(flow.end_to_end.rhs)
    lines.append(f"  Ẇ  = {induced}    (W = {inline(flow.end_to_end.matrix)})")
    lines.append(f"  ℒ  = {inline(flow.potential)}")
    return "\n".join(lines)


def latex_text(flow: GradientFlow) -> str:
    """Return the same as `equations_text` in LaTeX."""
    induced = flow.end_to_end.equation
    lines = [f"{latex(e.lhs)} &= {latex(e.rhs)}" for e in (*flow.equations, induced)]
    lines.append(f"\\mathcal{{L}} &= {latex(flow.potential)}")
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def laws_text(laws: Iterable[Law]) -> str:
    """Return the conserved quantities with their proofs."""
    return "\n".join(_law(law) for law in laws) or "  a single layer has none"


def _law(law: Law) -> str:
    steps = [
        f"    {number}. {step}" for number, step in enumerate(law.proof(), start=1)
    ]
    source = f"    {law.status.value}; {law.reference}"
    return "\n".join([f"  {law.name}: {law}", source, *steps])


def attempts_text(answers: Iterable[Solution | Refusal]) -> str:
    """Return the most specific closed form in full, and why others do not apply."""
    given = list(answers)
    found = [answer for answer in given if isinstance(answer, Solution)]
    lines = [_solved(found[0])] if found else ["No catalogued closed form applies."]
    if len(found) > 1:
        lines.append(f"Applies too: {', '.join(answer.name for answer in found[1:])}")
    return "\n".join([*lines, refusals_text(given)]).rstrip()


def refusals_text(answers: Iterable[Claim | Refusal]) -> str:
    """Return what keeps those that do not apply from it, nearest misses first."""
    lines = []
    for answer in nearest_misses(answers):
        failed = " · ".join(str(h) for h in answer.hypotheses if not h.holds)
        lines.append(f"  {answer.name:<18}{failed}")
    return "\n".join(["Does not apply:" for _ in lines[:1]] + lines)


def _solved(solution: Solution) -> str:
    steps = [
        f"    {number}. {step}"
        for number, step in enumerate(solution.derivation(), start=1)
    ]
    proof = f"  residual of the flow: {solution.verify()}; derivation:"
    return "\n".join([repr(solution), proof, *steps, ""])


def trajectory_text(path: Trajectory) -> str:
    """Return loss and singular values of W at every time, as a table."""
    modes = path.singular_values[:, :_MODES]
    names = [f"s{number}" for number in range(1, modes.shape[1] + 1)]
    lines = [["t", "loss", *names]]
    for time, loss, values in zip(path.t, path.loss, modes, strict=True):
        numbers = (to_float(time), to_float(loss), *values.tolist())
        lines.append([f"{number:.6g}" for number in numbers])
    return "\n".join([*aligned(lines), "", repr(path)])


def summary(analysis: Analysis) -> str:
    """Return closed forms, coverage, validation and verdict as text."""
    return "\n".join(
        [
            "Closed forms: hypotheses as measured",
            *_closed_forms(analysis),
            "",
            "Trajectories",
            *(line for study in analysis.studies for line in _runs(study, analysis)),
            "",
            validation_text(analysis),
        ]
    )


def validation_text(analysis: Analysis) -> str:
    """Return the rows of the validation, then the verdict."""
    lines = [["claim", "route", "residual", "bound", "", "status"]]
    for study in analysis.studies:
        lines += [[study.title, *[""] * 5]]
        lines += [_row(row, study) for row in study.report.rows]
    return "\n".join(["Validation", *aligned(lines), "", analysis.verdict])


def _closed_forms(analysis: Analysis) -> Iterator[str]:
    columns = analysis.attempts
    for entries in zip(*columns.values(), strict=True):
        yield f"  {entries[0].name} ({entries[0].reference})"
        answers = [_answer(entry) for entry in entries]
        if len(answers) > 1 == len(set(answers)):
            yield f"    {'all three':<26}{answers[0]}"
            continue
        for title, answer in zip(columns, answers, strict=True):
            yield f"    {title:<26}{answer}"


def _answer(entry: Solution | Refusal) -> str:
    """Say that all hypotheses hold, or name the first that fails and how many more."""
    failed = [hypothesis for hypothesis in entry.hypotheses if not hypothesis.holds]
    if not failed:
        return f"applies: all {len(entry.hypotheses)} hypotheses hold"
    more = f" (+{len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{shorten(str(failed[0]), _ROOM, placeholder=' …')}{more}"


def _runs(study: Study, analysis: Analysis) -> Iterator[str]:
    name = f"{study.title:<9}"
    yield f"  {name} float64     {study.convergence}"
    yield f"  {name} {f'{analysis.digits} digits':<11} {study.covered}"


def _row(row: Row, study: Study) -> list[str]:
    said = shorten(row.status, _STATUS, placeholder=" …")
    claim = f"  {row.claim.replace('common times', 'times')}"
    verdict = row.verdict if row.ok or row.failed else "–"  # the status says why
    return [claim, study.short_route(row.route), *row.numbers, verdict, said]
