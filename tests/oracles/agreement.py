"""A table of the catalogue: what is proved, and to how many digits it was checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

import symflow as sf
from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.claims import relative_size
from symflow.gallery.trajectories import solution_of
from symflow.solutions import SOLUTIONS, Solution
from symflow.solutions.any_precision import context_of
from symflow.solutions.modes.joint_modes import lifted

#: Times of every size, for float64.
LONG = (0.0, 1e-6, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e5, 1e8)

#: Maps flow, data, init and times to W at these times.
Oracle = Callable[[Any, Any, Any, Any], Array]


@dataclass(frozen=True)
class AgreementRow:
    """One solution, held against an independent integration."""

    #: `name`, `reference`: What, and where it comes from.
    name: str
    reference: str
    proof: str  #: ``"0"`` where the residual vanishes exactly.
    digits: int  #: Digits to which W(t) agrees with the integration at every time.
    #: Digits to which float64 values agree with the formula at `digits` digits, at
    #: times of every size up to `reach`.
    float_digits: int
    times: tuple[float, float]  #: The first and the last time of the integration.
    reach: float = 1e8  #: The last time at which float64 values were tested.


def table(
    solutions: Iterable[Solution], times: Sequence[Any], *, digits: int
) -> tuple[AgreementRow, ...]:
    """Hold solutions against `precise`, which shares none of their formulas."""

    def oracle(flow: Any, data: Any, init: Any, times: Any) -> Any:
        return sf.precise(flow, data, init, times, digits=digits + 5).end_to_end

    return tuple(_entry(sol, times, oracle, digits) for sol in solutions)


def _entry(
    solution: Solution, times: Sequence[Any], oracle: Oracle, digits: int
) -> AgreementRow:
    problem, context = solution.problem, context_of(digits + 10)
    given = problem.given
    assert given is not None
    path = oracle(problem.flow, given.data, given.init, times)
    truth = [lifted(matrix, context) for matrix in path]
    exact = [lifted(solution.precise(t, digits=digits), context) for t in times]
    ends = to_float(times[0]), to_float(times[-1])
    floats = [solution.end_to_end(time) for time in LONG]
    rounded = [to_float_array(solution.precise(time, digits=25)) for time in LONG]
    return AgreementRow(
        solution.name,
        str(solution.reference),
        str(solution.verify()),
        _digits(exact, truth, digits),
        _digits(floats, rounded, 16),
        ends,
        LONG[-1],
    )


def _digits(values: Sequence[Array], truth: Sequence[Array], most: int) -> int:
    pairs = zip(values, truth, strict=True)
    gap = max(relative_size(value - true, true) for value, true in pairs)
    if gap == 0:
        return most
    logarithm = -math.log10(gap) if to_float(gap) > 0 else float(most)
    return min(most, int(logarithm))


def catalogue() -> str:
    """Return the table of all closed forms on their reference instances."""
    solutions = [solution_of(entry.__name__) for entry in SOLUTIONS]
    return as_markdown(table(solutions, [sympy.Rational(1, 10), 1, 4], digits=40))


def as_markdown(entries: Iterable[AgreementRow]) -> str:
    """Return the table as Markdown."""
    head = (
        "| solution | reference | residual | digits against integration "
        "| float64 digits |"
    )
    lines = [
        f"| {e.name} | {e.reference} | {e.proof} | {e.digits} (t = {e.times[0]:g} … "
        f"{e.times[1]:g}) | {e.float_digits} (t ≤ {e.reach:g}) |"
        for e in entries
    ]
    return "\n".join([head, "|---|---|---|---|---|", *lines])
