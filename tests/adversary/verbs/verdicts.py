"""`validate` and `certify`: right claims pass, wrong ones do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import symflow as sf
from adversary.case import USELESS, Case, Fault, distance, is_firm, top

#: Lines that the snippets need besides those of the problem.
NEEDED = "given = flow, data, init"


def claims_of(case: Case) -> list[tuple[str, Any]]:
    """Return all claims about the problem, with the lines that make them."""
    rooms: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("sf.conserved(flow)", lambda: sf.conserved(case.flow)),
        (
            "sf.solve(flow, data, init, all=True)",
            lambda: sf.solve(*case.given, all=True),
        ),
        ("sf.rates(flow, data, init)", lambda: sf.rates(*case.given)),
        ("sf.companions(flow, data, init)", lambda: sf.companions(*case.given)),
    )
    found = []
    for call, make in rooms:
        # Errors that are not symflow's own belong to the verb that raises them.
        with suppress(Exception):
            found += [(f"claim = {call}[{k}]", c) for k, c in enumerate(make())]
    return found


def validate(case: Case) -> Iterator[Fault]:
    """Look for false claims that pass, and for proved ones that are contradicted."""
    run = case.ask(sf.simulate, *case.given, case.t)
    if run is None:
        return
    for call, claim in claims_of(case):
        lines = f"{NEEDED}\n{call}"
        made = "run = sf.simulate(flow, data, init, t)"
        yield from _rows(case, claim, run, f"{lines}\n{made}")
        made = "run = sf.precise(flow, data, init, t, digits=24)"
        yield from _rows(case, claim, case.path, f"{lines}\n{made}")


def _rows(case: Case, claim: Any, run: Any, lines: str) -> Iterator[Fault]:
    report = case.ask(sf.validate, [claim], run)
    where = "float64" if run.context is None else "digits"
    for row in report.rows if report is not None else ():
        line = f"{lines}\nprint(sf.validate([claim], run))"
        told = f"residual {float(row.residual):.2g}, bound {float(row.bound):.2g}"
        if row.ok and float(row.bound) >= USELESS and "not c" not in row.status:
            yield Fault(f"{claim.name} is ok within a useless bound", told, line)
        beyond = USELESS > float(row.bound) < float(row.residual)
        if beyond and is_firm(claim):
            yield Fault(
                f"{claim.status.value} {claim.name} is contradicted, {where}",
                told,
                line,
            )
        if row.ok and isinstance(claim, sf.Solution) and _is_wrong(case, claim):
            yield Fault(f"a false {claim.name} is ok", told, line)


def _is_wrong(case: Case, solution: Any) -> bool:
    """Say whether a closed form is off by more than a percent at one of the times."""
    for time, true in zip(case.t, case.products, strict=True):
        W = case.ask(solution.precise, time, digits=30)
        if W is not None and distance(W, true) > 1e-2 * max(float(top(true)), 1e-9):
            return True
    return False


def certify(case: Case) -> Iterator[Fault]:
    """Look for proved claims that are refuted, and for false ones that pass."""
    ball = case.ask(sf.enclose, *case.given, case.t, digits=15)
    if ball is None:
        return
    for call, claim in claims_of(case):
        certificate = case.ask(sf.certify, claim, ball)
        if certificate is None:
            continue
        line = f"{NEEDED}\n{call}\nprint(sf.certify(claim, *given, t, digits=15))"
        status = certificate.status
        if status is sf.Status.REFUTED and is_firm(claim):
            detail = f"gap {certificate.gap:.2g}: {claim.statement}"
            yield Fault(f"{claim.status.value} {claim.name} is refuted", detail, line)
        passed = status is sf.Status.ENCLOSED and certificate.radius < 1e-3
        if passed and isinstance(claim, sf.Solution) and _is_wrong(case, claim):
            detail = f"radius {certificate.radius:.2g}"
            yield Fault(f"a false {claim.name} is enclosed", detail, line)
