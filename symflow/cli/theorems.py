"""Verbs that ask theorems of a problem: rates, bias and certify."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symflow.claims import Claim
    from symflow.cli.problem import StatedProblem


def rates(options: argparse.Namespace) -> int:
    """Print the bounds on the speed of convergence; exit code 1 if none applies."""
    from symflow.analysis.record import attempt_record, to_json
    from symflow.cli.problem import problem_of
    from symflow.convergence import rates as search

    problem = problem_of(options)
    found = search(problem.flow, problem.data, problem.init)
    if options.json:
        entries = (*found, *found.refusals)
        print(to_json([attempt_record(entry) for entry in entries]))
    else:
        print(f"{problem.headline}\n\n{found!r}")
    return 0 if found else 1


def bias(options: argparse.Namespace) -> int:
    """Print which minimizer is picked, or why nothing says so; then exit code 1."""
    import numpy as np

    from symflow.analysis.record import attempt_record, to_json
    from symflow.analysis.text import refusals_text
    from symflow.bias import Prediction, attempts
    from symflow.claims.catalogue import holding
    from symflow.cli.problem import problem_of

    problem = problem_of(options)
    answers = attempts(problem.flow, problem.data, problem.init)
    found = [claim for claim in holding(answers) if isinstance(claim, Prediction)]
    if options.json:
        print(to_json([attempt_record(answer) for answer in answers]))
        return 0 if found else 1
    print(f"{problem.headline}\n")
    for claim in found[:1]:
        limit = np.array2string(claim.limit, precision=6, prefix="  W(∞) = ")
        print(f"{claim!r}\n  W(∞) = {limit}\n")
    if not found:
        print(f"No prediction of the limit applies.\n{refusals_text(answers)}")
    return 0 if found else 1


def certify(options: argparse.Namespace) -> int:
    """Print what balls prove of every claim; exit code 1 if one is refuted."""
    from symflow.analysis.record import certificate_record, to_json
    from symflow.cli.output import check_free, reporter
    from symflow.cli.problem import problem_of, times_of
    from symflow.io import save
    from symflow.precision import enclose
    from symflow.validation import certify as decide

    problem, times = problem_of(options), times_of(options)
    if options.out:
        check_free(options.out, options, ".json", ".npz")
    claims = list(_claims(problem))
    with reporter(options) as progress:
        ball = enclose(
            problem.flow,
            problem.data,
            problem.init,
            times,
            digits=options.digits,
            progress=lambda fraction: progress("enclose", fraction),
        )
        found = decide(claims, ball) if claims else []
    if options.json:
        print(to_json([certificate_record(certificate) for certificate in found]))
    else:
        print(f"{problem.headline}\n\n{_verdicts(found)}")
    if options.out:
        file = save(ball, options.out)
        print(file) if not options.json else None
    return 1 if any(one.status.name == "REFUTED" for one in found) else 0


def _claims(problem: StatedProblem) -> Iterator[Claim]:
    """Yield what is asserted at finite times: laws, a closed form, and rates."""
    from symflow.claims.catalogue import holding
    from symflow.conservation import conserved
    from symflow.convergence import rates as search
    from symflow.solutions import attempts

    given = problem.flow, problem.data, problem.init
    yield from conserved(problem.flow)
    yield from holding(attempts(*given))[:1]
    if problem.flow.loss.l2 == 0:
        yield from search(*given)


def _verdicts(found: Iterable[Any]) -> str:
    from symflow.algebra.display import aligned

    rows = []
    for one in found:
        head, said, *_ = repr(one).splitlines()
        name, _, verdict = head.partition(": ")
        rows.append((name, verdict, said.strip()))
    return "\n".join(aligned(rows)) or "  nothing is claimed of this flow"
