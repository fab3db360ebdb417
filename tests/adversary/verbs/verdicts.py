"""`validate` and `certify`: right claims pass, wrong ones do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import symflow as sf
from adversary.case import USELESS, Case, Fault, distance, top
from symflow.convergence import companions


def claims_of(case: Case) -> list[tuple[str, Any]]:
    """Return all claims about the problem, with the lines that make them."""
    found: list[tuple[str, Any]] = []
    for place, law in enumerate(case.ask(sf.conserved, case.flow) or ()):
        found.append((f"claim = sf.conserved(flow)[{place}]", law))
    for place, sol in enumerate(case.ask(sf.solve, *case.given, all=True) or ()):
        found.append((f"claim = sf.solve(flow, data, init, all=True)[{place}]", sol))
    for place, rate in enumerate(case.ask(sf.rates, *case.given) or ()):
        found.append((f"claim = sf.rates(flow, data, init)[{place}]", rate))
    line = "from symflow.convergence import companions\nclaim = companions(flow, data, init)"
    for place, claim in enumerate(case.ask(companions, *case.given) or ()):
        found.append((f"{line}[{place}]", claim))
    return found


def validate(case: Case) -> Iterator[Fault]:
    """Look for false claims that pass, and for proved ones that are contradicted."""
    run = case.ask(sf.simulate, *case.given, case.t)
    for call, claim in claims_of(case) if run is not None else ():
        report = case.ask(sf.validate, [claim], run)
        if report is None:
            continue
        line = f"{call}\nrun = sf.simulate(flow, data, init, t)\nprint(sf.validate([claim], run))"
        for row in report.rows:
            told = f"residual {float(row.residual):.2g}, bound {float(row.bound):.2g}"
            if row.ok and float(row.bound) >= USELESS and "not c" not in row.status:
                yield Fault(f"{claim.name} is ok within a useless bound", told, line)
            if not row.ok and claim.status is sf.Status.PROVED:
                yield Fault(f"proved {claim.name} is contradicted", told, line)
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
    """Look for proved claims that an enclosure refutes, and for false ones that pass."""
    ball = case.ask(sf.enclose, *case.given, case.t, digits=15)
    if ball is None:
        return
    for call, claim in claims_of(case):
        certificate = case.ask(sf.certify, claim, ball)
        if certificate is None:
            continue
        line = f"{call}\nprint(sf.certify(claim, flow, data, init, t, digits=15))"
        status = certificate.status
        if status is sf.Status.REFUTED and claim.status is sf.Status.PROVED:
            detail = f"gap {certificate.gap:.2g}: {claim.statement}"
            yield Fault(f"proved {claim.name} is refuted", detail, line)
        if status is sf.Status.ENCLOSED and isinstance(claim, sf.Solution):
            if certificate.radius < 1e-3 and _is_wrong(case, claim):
                detail = f"radius {certificate.radius:.2g}"
                yield Fault(f"a false {claim.name} is enclosed", detail, line)
