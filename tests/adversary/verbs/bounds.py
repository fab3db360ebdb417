"""`rates` and the companions: proved statements on the true flow, and of fractions."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import localcontext
from typing import Any

import numpy as np
import sympy

import symflow as sf
from adversary.case import Case, Fault, is_firm, top, wrong
from adversary.draws import as_fractions
from adversary.exact import least_squares
from adversary.truth import decimals, end_to_end, loss_of

#: A residual up to this, relative, is the precision of the true path.
NOISE = 1e-18


def rates(case: Case) -> Iterator[Fault]:
    """Hold every exponential bound against the true flow."""
    found = case.ask(sf.rates, *case.given)
    if found is None:
        return
    for place, claim in enumerate(found):
        call = f"claim = sf.rates(flow, data, init)[{place}]"
        yield from proved_statement(case, claim, call)
        yield from _printed(claim, call)
        if getattr(claim, "quantity", "") == "ℒ − ℒ*":
            yield from _decay(case, claim, call)
    yield from _of_fractions(case, sf.rates, found)


def _of_fractions(case: Case, verb: Any, found: Any) -> Iterator[Fault]:
    """What is proved of floats is proved of the same numbers as fractions."""
    if case.problem.exact:
        return
    twin = as_fractions(case.problem).stated()
    answer = case.ask(verb, twin["flow"], twin["data"], twin["init"])
    proved = {claim.name for claim in answer or () if claim.status.value == "proved"}
    for claim in found:
        if claim.status.value == "proved" and claim.name not in proved:
            kind = f"{claim.name} is proved of floats, not of the same fractions"
            call = f"sf.{verb.__name__}(flow, data, init)"
            line = f"print([(c.name, c.status) for c in {call}])"
            yield Fault(kind, str(claim.statement), line)


def proved_statement(case: Case, claim: Any, call: str) -> Iterator[Fault]:
    """Say whether a claim fails on the true flow."""
    if not is_firm(claim):
        return
    residuals = case.ask(claim.residuals, case.whole_path)
    slack = case.ask(claim.slack, case.whole_path)
    if residuals is None or slack is None:
        return
    rows = zip(case.whole_path.t, residuals, slack, _visible(case, claim), strict=True)
    for time, residual, spare, visible in rows:
        if visible and not float(residual) <= float(spare) + NOISE:
            detail = f"{claim.statement}: off by {float(residual):.2g} at t = {time}"
            kind = f"{claim.status.value} {claim.name} fails on the true flow"
            yield Fault(kind, detail, f"{call}\nprint(claim, claim.hypotheses)")


def _visible(case: Case, claim: Any) -> list[bool]:
    """Say where √smaller is above the rounding of the path: 0 ≤ 0 is no violation."""
    path = case.whole_path
    if not isinstance(claim, sf.Bound):
        return [True] * len(path.t)
    size = float(max(top(w) for w in path.weights)) + float(top(case.problem.Y))
    smaller, _ = claim.sides(path)
    return [float(value) > (NOISE * size) ** 2 for value in smaller]


def _printed(claim: Any, call: str) -> Iterator[Fault]:
    """The slowest printed rate is not above the proved one.

    Where a bound has a term −e^{−at}, its rate is printed as the proof has it.
    """
    rate = getattr(claim, "rate", None)
    if rate is None:
        return
    t = sympy.Symbol("t", nonnegative=True)
    slopes = [-node.args[0].coeff(t) for node in claim.statement.atoms(sympy.exp)]
    slope = min((slope for slope in slopes if slope.is_Float), default=None)
    if slope is not None and slope > sympy.Float(rate, 30):
        detail = f"prints {slope}, proves {rate!r}"
        yield Fault("the printed rate is above the proved", detail, call)


def _decay(case: Case, claim: Any, call: str) -> Iterator[Fault]:
    """ℒ(t) − ℒ* ≤ e^{−ct}(ℒ(0) − ℒ*) and ≤ claim.bound(t), with losses of our own."""
    least = _least(case)
    if least is None:
        return
    with localcontext() as context:
        context.prec = 60
        start = loss_of(case.problem, _start(case)) - least
        scale = abs(loss_of(case.problem, _start(case))) + abs(least)
        noise = scale * decimals([1e-24])[0]
        for time, W in zip(case.t, case.products, strict=True):
            excess = loss_of(case.problem, decimals(W)) - least
            fallen = start * (-decimals([claim.rate])[0] * decimals([time])[0]).exp()
            stated = decimals([float(claim.bound(float(time)))])[0]
            for name, bound in (("rate", fallen), ("bound(t)", stated)):
                if excess > bound * (1 + decimals([1e-9])[0]) + noise:
                    told = f"excess {excess:.6g} > {bound:.6g} at t = {time}"
                    line = f"{call}\nprint(claim.rate, claim.hypotheses)"
                    yield Fault(f"{claim.name}.{name} is violated", told, line)


def _start(case: Case) -> Any:
    weights = [decimals(weight) for weight in case.problem.weights]
    return end_to_end(case.problem.family, weights, case.problem.d)


def _least(case: Case) -> Any:
    """Return ℒ*, by exact elimination on the normal equations."""
    with localcontext() as context:
        context.prec = 60
        W = least_squares(case.problem)
        return None if W is None else loss_of(case.problem, decimals(W))


def companions(case: Case) -> Iterator[Fault]:
    """Hold all other claims about speed and limit against the true flow."""
    found = case.ask(sf.companions, *case.given) or ()
    yield from _of_fractions(case, sf.companions, found)
    for place, claim in enumerate(found):
        call = f"claim = sf.companions(flow, data, init)[{place}]"
        yield from proved_statement(case, claim, call)
        predicted = case.ask(lambda claim=claim: getattr(claim, "limit", None))
        if predicted is None or case.limit is None or np.ndim(predicted) != 2:
            continue
        if np.shape(predicted) != np.shape(case.products[0]):
            continue
        true, error = case.limit
        size = max(float(top(true)), float(top(case.products[0])))
        kind = f"{claim.name}.limit, {claim.status.value}"
        line = f"{call}\nprint(claim.limit, claim.status, claim.hypotheses)"
        yield from wrong(kind, predicted, true, 1e-6 * size + error, line)
