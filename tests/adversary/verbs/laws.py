"""`conserved` and `count_conserved`: constants of the true flow, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import symflow as sf
from adversary.brackets import independent_laws
from adversary.case import Case, Fault, distance, top

#: Most parameters for which brackets are formed.
MOST = 9


def conserved(case: Case) -> Iterator[Fault]:
    """Evaluate every law along the true flow."""
    plain = case.ask(sf.conserved, case.flow) or ()
    with_data = case.ask(sf.conserved, case.flow, data=case.data) or ()
    for origin, laws in (("flow", plain), ("flow, data=data", with_data)):
        for place, law in enumerate(laws):
            call = f"law = sf.conserved({origin})[{place}]\nprint(law)"
            values = case.ask(law.value, case.path.weights)
            if values is None or law.rate != 0 or not _is_finite(values[0]):
                continue
            size = max(1.0, float(max(top(w) for w in case.path.weights)))
            for time, value in zip(case.t, values, strict=True):
                drift = distance(np.asarray(value), np.asarray(values[0]))
                if drift > 1e-20 * size ** max(2, getattr(law, "degree", 2)):
                    detail = f"{law}: drifts by {drift:.2g} until t = {time}"
                    yield Fault(f"{law.name} is not conserved", detail, call)
                    break


def count_conserved(case: Case) -> Iterator[Fault]:
    """Compare the count with the rank of brackets of our own."""
    shapes = [(len(w), len(w[0])) for w in case.problem.weights]
    found = case.ask(sf.count_conserved, case.flow.network)
    if found is None or sum(rows * columns for rows, columns in shapes) > MOST:
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


def _is_finite(value: Any) -> bool:
    """Say whether a law has a value here: a logarithm of zero has none."""
    return bool(np.all(np.isfinite(np.asarray(value, dtype=float))))
