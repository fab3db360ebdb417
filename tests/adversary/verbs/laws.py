"""`conserved` and `count_conserved`: constants of the true flow, and how many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import localcontext
from typing import Any

import numpy as np

import symflow as sf
from adversary.brackets import independent_laws
from adversary.case import Case, Fault, distance, to_fractions, top
from adversary.truth import decimals, fraction

#: Most parameters for which brackets are formed, or polynomials are searched.
MOST = 9

#: How laws are asked for: the text of the arguments, and the call.
ORIGINS: tuple[tuple[str, Callable[[Case], Any]], ...] = (
    ("flow", lambda case: sf.conserved(case.flow)),
    ("flow, data=data", lambda case: sf.conserved(case.flow, data=case.data)),
    (
        "flow, search=sf.PolynomialSearch(2)",
        lambda case: (
            sf.conserved(case.flow, search=sf.PolynomialSearch(2))
            if _parameters(case) <= MOST
            else ()
        ),
    ),
)


def _parameters(case: Case) -> int:
    return sum(len(w) * len(w[0]) for w in case.problem.weights)


def conserved(case: Case) -> Iterator[Fault]:
    """Evaluate every law along the true flow: Q(t) = e^{−rt}Q(0)."""
    for origin, make in ORIGINS:
        for place, law in enumerate(case.ask(make, case) or ()):
            call = f"law = sf.conserved({origin})[{place}]\nprint(law)"
            values = case.ask(law.value, case.whole_path.weights)
            # The logarithm of a weight that is zero has no value.
            if values is not None and _is_finite(values[0]):
                yield from _kept(case, law, values, call)


def _kept(case: Case, law: Any, values: Any, call: str) -> Iterator[Fault]:
    size = max(1.0, float(max(top(w) for w in case.whole_path.weights)))
    slow = min([1.0, *(float(rate) for rate in case.problem.rates)])
    allowed = 1e-20 * size ** max(2, getattr(law, "degree", 2)) / slow
    rate = fraction(getattr(law, "rate", 0))
    for time, value in zip(case.whole_path.t, values, strict=True):
        with localcontext() as context:
            context.prec = 40
            factor = fraction((-decimals([rate * time])[0]).exp())
        expected = factor * to_fractions(np.asarray(values[0]))
        drift = distance(np.asarray(value), expected)
        if drift > allowed:
            detail = f"{law}: off by {drift:.2g} at t = {time}"
            yield Fault(f"{law.name} does not hold", detail, call)
            break


def _is_finite(value: Any) -> bool:
    return bool(np.all(np.isfinite(np.asarray(value, dtype=float))))


def count_conserved(case: Case) -> Iterator[Fault]:
    """Compare the count with the rank of brackets of our own."""
    shapes = [(len(w), len(w[0])) for w in case.problem.weights]
    found = case.ask(sf.count_conserved, case.flow.network)
    if found is None or _parameters(case) > MOST:
        return
    true = independent_laws(case.problem.family, shapes, case.problem.d)
    if true is None:
        return
    call = "print(sf.count_conserved(flow.network))"
    if found.settled and found.independent != true:
        detail = f"independent = {found.independent}, by brackets {true}"
        yield Fault("independent", detail, call)
    if found.known > true:
        yield Fault("known", f"known = {found.known} of {true}", call)
