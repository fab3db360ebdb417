"""Verbs that derive, solve and survey; heavy imports wait until a verb needs them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symflow.analysis import Analysis, Study
    from symflow.audits import Audit
    from symflow.cli.problem import StatedProblem
    from symflow.flow import GradientFlow
    from symflow.gallery import Atlas


def analyze(options: argparse.Namespace) -> int:
    """Print the main job's findings and write its report."""
    from symflow.analysis import About, prepare_folder, write_report
    from symflow.analysis.analysis import check_precision
    from symflow.analysis.record import record, to_json
    from symflow.analysis.text import summary
    from symflow.analysis.write import write_unfinished
    from symflow.cli.problem import problem_of

    check_precision(options.digits, options.budget)
    problem = problem_of(options)
    folder = prepare_folder(options.out)
    if not options.json:
        print(problem.headline)
        _print_derivation(problem.flow)
    about = About(problem.name, problem.preparation, options.command)
    studies: list[Study] = []

    def keep(*more: Study) -> None:  # so that Ctrl-C leaves behind what is known
        studies.extend(more)
        options.kept[:] = write_unfinished(
            problem.flow, folder, about=about, studies=studies, digits=options.digits
        )

    keep()
    analysis = _run(options, problem, keep)
    if not options.json:
        print(summary(analysis))
    files = write_report(analysis, folder, about=about)
    if options.json:
        print(to_json(record(analysis, about)))
    else:
        print(f"{len(files)} files in {folder}, {files[0].name} first")
    return _exit_code(options, analysis, files)


def validate(options: argparse.Namespace) -> int:
    """Print the checks of the main job alone."""
    from symflow.analysis.analysis import check_precision
    from symflow.analysis.text import validation_text
    from symflow.cli.problem import problem_of

    check_precision(options.digits, options.budget)
    analysis = _run(options, problem_of(options))
    print(analysis.report.to_json() if options.json else validation_text(analysis))
    return _exit_code(options, analysis, [])


def _exit_code(
    options: argparse.Namespace, analysis: Analysis, files: Sequence[Path]
) -> int:
    if analysis.interrupted:
        options.kept[:] = files
        raise KeyboardInterrupt
    return 0 if analysis.ok else 1


def _run(
    options: argparse.Namespace,
    problem: StatedProblem,
    keep: Callable[[Study], None] | None = None,
) -> Analysis:
    from symflow.analysis import analyze
    from symflow.cli.output import reporter

    with reporter(options) as progress:
        return analyze(
            problem.flow,
            problem.data,
            problem.init,
            digits=options.digits,
            budget=options.budget,
            progress=progress,
            keep=keep,
        )


def _print_derivation(flow: GradientFlow) -> None:
    from symflow.analysis.text import equations_text, laws_text
    from symflow.conservation import conserved

    print(f"\nEquations\n{equations_text(flow)}")
    print(f"\nConserved quantities, with proof\n{laws_text(conserved(flow))}\n")


def derive(options: argparse.Namespace) -> int:
    """Print the equations."""
    from symflow.analysis.record import derivation_record, to_json
    from symflow.analysis.text import equations_text, latex_text
    from symflow.cli.model import flow_of

    flow = flow_of(options)
    if options.latex:
        print(latex_text(flow))
        return 0
    if options.json:
        print(to_json(derivation_record(flow)))
        return 0
    print(f"Gradient flow of {flow.loss!r} on {flow.network!r}")
    print(equations_text(flow))
    return 0


def conserved(options: argparse.Namespace) -> int:
    """Print the conserved quantities and their proofs."""
    from symflow.analysis.record import law_record, to_json
    from symflow.analysis.text import laws_text
    from symflow.cli.model import flow_of
    from symflow.conservation import conserved as search

    laws = search(flow_of(options))
    print(
        to_json([law_record(law) for law in laws]) if options.json else laws_text(laws)
    )
    return 0


def solve(options: argparse.Namespace) -> int:
    """Print the closed forms that apply, or why none does."""
    from symflow.analysis.record import attempt_record, to_json
    from symflow.analysis.text import attempts_text
    from symflow.cli.problem import problem_of
    from symflow.solutions import Solution, attempts

    problem = problem_of(options)
    answers = attempts(problem.flow, problem.data, problem.init)
    if options.json:
        print(to_json([attempt_record(answer) for answer in answers]))
    else:
        print(f"{problem.headline}\n\n{attempts_text(answers)}")
    return 0 if any(isinstance(answer, Solution) for answer in answers) else 1


def atlas(options: argparse.Namespace) -> int:
    """Print the atlas, and write it where that is asked for."""
    from symflow.analysis import prepare_folder
    from symflow.cli.output import reporter
    from symflow.gallery import atlas as survey

    if options.list:
        return _list_coverage(options)
    folder = None if options.out is None else prepare_folder(options.out)
    with reporter(options) as progress:
        table = survey(
            options.only,
            digits=options.digits,
            progress=lambda fraction: progress("atlas", fraction),
        )
    if folder is not None:
        _write_pages(folder / "atlas", table)
    print(table.to_json() if options.json else table)
    return 0 if table.ok else 1


def audit(options: argparse.Namespace) -> int:
    """Print what becomes of the claims of a file; exit code 1 if one is refuted."""
    from symflow.analysis import prepare_folder
    from symflow.audits import audit as settle

    folder = None if options.out is None else prepare_folder(options.out)
    ledger = settle(options.file)
    if folder is not None:
        _write_pages(folder / "audit", ledger)
        ledger.certificates(folder)
    print(ledger.to_json() if options.json else ledger)
    return 0 if ledger.ok else 1


def _write_pages(stem: Path, table: Atlas | Audit) -> None:
    """Write a table as HTML and as JSON."""
    from symflow.files import write_text

    for ending, text in ((".html", table.to_html()), (".json", table.to_json())):
        file = stem.with_suffix(ending)
        write_text(file, text, f"{stem.name}: {file.name}")


def _list_coverage(options: argparse.Namespace) -> int:
    from symflow.analysis.record import to_json
    from symflow.gallery import coverage

    table = coverage()
    if options.json:
        print(to_json([*table.to_records(), *table.papers.to_records()]))
    else:
        print(table.to_markdown() if options.markdown else f"{table}\n\n{table.papers}")
    return 0


def env(options: argparse.Namespace) -> int:
    """Print versions."""
    from symflow.analysis.environment import environment
    from symflow.analysis.record import to_json

    found = environment()
    lines = (f"{name:<14}{value}" for name, value in found.items())
    print(to_json(found) if options.json else "\n".join(lines))
    return 0
