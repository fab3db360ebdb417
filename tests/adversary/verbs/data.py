"""`Dataset` and `Moments`: what they hold, and moments that no samples have."""

from __future__ import annotations

from collections.abc import Iterator

from adversary.case import Case, Fault, wrong
from adversary.exact import least_squares
from adversary.truth import moments


def data(case: Case) -> Iterator[Fault]:
    """Compare the moments; Σ_yx outside the range of Σ_xx has no smallest loss."""
    if case.problem.loss != "squared":
        return
    true_xx, true_yx, _ = moments(case.problem)
    found = case.ask(case.data.moments)
    if found is None:
        return
    size = max(float(max(abs(x) for x in true_xx.flat)), 1e-300)
    yield from wrong("Σ_xx", found.sigma_xx, true_xx, 1e-14 * size, "print(data)")
    size = max(float(max(abs(x) for x in true_yx.flat)), 1e-12 * size)
    yield from wrong("Σ_yx", found.sigma_yx, true_yx, 1e-13 * size, "print(data)")
    if case.problem.exact and least_squares(case.problem) is None:
        detail = "Σ_yx is outside the range of Σ_xx: the loss is unbounded below"
        yield Fault("moments that no samples have", detail, "print(data)")
