"""`compile`: kernels of flows and of closed forms, also where arrays are shared."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import localcontext
from typing import Any

import numpy as np

import symflow as sf
from adversary.case import Case, Fault, top, wrong
from adversary.truth import Flow
from adversary.verbs.solving import FLOATS, slack_of

#: The start as arrays.
ARRAYS = "import numpy as np\nw = [np.array(x, float) for x in init]"


def compiled(case: Case) -> Iterator[Fault]:
    """Compare right-hand side, `into` with shared arrays, and closed forms."""
    kernel = case.ask(sf.compile, case.flow, case.data)
    if kernel is not None:
        yield from _right_side(case, kernel)
    solution = case.ask(sf.solve, *case.given)
    if solution is not None:
        yield from _closed_form(case, solution)


def _right_side(case: Case, kernel: Any) -> Iterator[Fault]:
    with localcontext() as context:
        context.prec = 40
        true = Flow(case.problem)(Flow(case.problem).start)
    weights = [np.array(w, dtype=float) for w in case.problem.weights]
    size = max(1.0, *(float(top(w)) for w in weights)) ** (2 * len(weights))
    data = [float(top(case.problem.X)), float(top(case.problem.Y)), 1.0]
    # an exponential magnifies rounding of its argument, and may be of any size
    slopes = max(float(top(slope)) for slope in true)
    allowed = 1e-11 * max(data) * max(size * max(data), slopes)
    call = f"{ARRAYS}\nkern = sf.compile(flow, data)"
    found = case.ask(kernel, *weights)
    for slope, said in zip(true, found or (), strict=False):
        yield from wrong(
            "right-hand side", said, slope, allowed, f"{call}\nprint(kern(*w))"
        )
    twice = case.ask(kernel, *(np.stack([w, w]) for w in weights))
    for slope, said in zip(true, twice or (), strict=False):
        line = f"{call}\nprint(kern(*(np.stack([x, x]) for x in w)))"
        yield from wrong("batch", said[1], slope, allowed, line)
    out = [np.ascontiguousarray(w.copy()) for w in weights]
    if case.ask(lambda: (kernel.into(out, *out), 1)) is not None:
        for slope, said in zip(true, out, strict=True):
            line = f"{call}\nkern.into(w, *w)\nprint(w)"
            yield from wrong("into with out = arguments", said, slope, allowed, line)


def _closed_form(case: Case, solution: Any) -> Iterator[Fault]:
    kernel = case.ask(sf.compile, solution)
    if kernel is None:
        return
    found = case.ask(kernel, np.array([float(t) for t in case.t]))
    if found is None:
        return
    size = max(float(top(W)) for W in case.products)
    slacks = slack_of(case, solution)
    for index, true in enumerate(case.products):
        allowed = (slacks[index] + FLOATS) * max(size, 1e-12)
        line = f"kern = sf.compile(sf.solve(flow, data, init))\nprint(kern(t[{index}]))"
        yield from wrong(f"code of {solution.name}", found[index], true, allowed, line)
