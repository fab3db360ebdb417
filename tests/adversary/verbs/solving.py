"""`solve`: values, weights and limits of every closed form that is offered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import symflow as sf
from adversary.case import TRUSTED, USELESS, Case, Fault, top, wrong

#: What float64 may lose in a closed form, relative to the sizes on the path.
FLOATS = 1e-6
#: Digits asked of a closed form.
ASKED = (15, 30, 50)
#: Formulas that SymPy has been asked about, which takes a second.
VERIFIED: set[tuple[str, int]] = set()


def solve(case: Case) -> Iterator[Fault]:
    """Hold every closed form against the true flow."""
    for place, solution in enumerate(case.ask(sf.solve, *case.given, all=True) or ()):
        call = f"sol = sf.solve(flow, data, init, all=True)[{place}]"
        kind = solution.name, len(case.problem.weights)
        if kind not in VERIFIED and solution.verify() != 0:
            yield Fault(
                f"{solution.name}.verify is not 0", str(solution.verify()), call
            )
        VERIFIED.add(kind)
        yield from _values(case, solution, call)
        yield from _digits(case, solution, call)
        yield from _weights(case, solution, call)
        yield from _limit(case, solution, call)


def slack_of(case: Case, claim: Any) -> list[float]:
    """Return the claim's own slack at the times, at most what makes it useless."""
    found = case.ask(claim.slack, case.path)
    if found is None:
        return [0.0] * len(case.t)
    return [min(USELESS, float(slack)) for slack in found]


def _sizes(case: Case) -> list[float]:
    """Return the size of W at every time, never far below that of the whole path."""
    sizes = [float(top(W)) for W in case.products]
    return [max(size, 1e-3 * max(sizes)) for size in sizes]


def _values(case: Case, solution: Any, call: str) -> Iterator[Fault]:
    """Compare W(t) in float64."""
    found = case.ask(solution.end_to_end, np.array([float(t) for t in case.t]))
    if found is None:
        return
    rows = zip(
        found, case.products, slack_of(case, solution), _sizes(case), strict=True
    )
    for index, (W, true, slack, size) in enumerate(rows):
        allowed = (slack + FLOATS) * max(size, 1e-12)
        line = f"{call}\nprint(sol.end_to_end(float(t[{index}])))"
        yield from wrong(f"{solution.name}.end_to_end", W, true, allowed, line)


def _digits(case: Case, solution: Any, call: str) -> Iterator[Fault]:
    """Compare W(t) to 15, 30 and 50 digits."""
    slacks, sizes = slack_of(case, solution), _sizes(case)
    for index, time in enumerate(case.t):
        for digits in ASKED:
            W = case.ask(solution.precise, time, digits=digits)
            if W is None:
                continue
            true = case.products[index]
            own = max(10.0 ** (3 - digits), slacks[index]) * sizes[index]
            largest = max(1.0, float(max(top(w) for w in case.states[index])))
            noise = TRUSTED * largest ** len(case.states[index])
            line = f"{call}\nprint(sol.precise(t[{index}], digits={digits}))"
            kind = f"{solution.name}.precise"
            yield from wrong(kind, W, true, own + noise, line)


def _weights(case: Case, solution: Any, call: str) -> Iterator[Fault]:
    """Compare every weight, where the closed form determines them."""
    found = case.ask(solution.weights, np.array([float(t) for t in case.t]))
    if found is None:
        return
    for index, slack in enumerate(slack_of(case, solution)):
        true = case.states[index]
        size = max(float(top(w)) for w in (*case.states[0], *true)) or 1e-12
        for layer, weight in enumerate(found):
            line = f"{call}\nprint(sol.weights(float(t[{index}]))[{layer}])"
            kind, allowed = f"{solution.name}.weights", (slack + FLOATS) * size
            yield from wrong(kind, weight[index], true[layer], allowed, line)


def _limit(case: Case, solution: Any, call: str) -> Iterator[Fault]:
    """Compare the limit, where it is known."""
    found = case.ask(lambda: solution.limit)
    # What holds up to rounding says nothing of t = ∞ where rounding errors grow.
    if found is None or case.limit is None or solution.defect > 0:
        return
    true, error = case.limit
    size = max(float(top(true)), float(top(case.products[0])), 1e-12)
    line = f"{call}\nprint(sol.limit)"
    yield from wrong(f"{solution.name}.limit", found, true, 1e-6 * size + error, line)
