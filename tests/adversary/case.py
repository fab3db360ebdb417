"""A problem stated to symflow, beside its true flow; and what is found to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import localcontext
from fractions import Fraction
from functools import cached_property
from typing import Any

import mpmath
import numpy as np

import symflow as sf
from adversary.integration import flow_at
from adversary.limits import limit
from adversary.problem import Problem
from adversary.truth import decimals, fraction, product
from symflow.flow.problem import bind

#: Digits of the true flow, and what of them is trusted.
DIGITS, TRUSTED = 30, 1e-25
#: An answer that is off by more than this part is wrong whatever its slack.
USELESS = 0.1


#: What a claim that is only measured, or expected, need not hold to.
LOOSE = (sf.Status.MEASURED, sf.Status.HEURISTIC, sf.Status.UNDECIDED)


def is_firm(claim: Any) -> bool:
    """Say whether a claim is asserted without reserve, so that it may not fail."""
    return claim.status not in LOOSE and all(h.holds for h in claim.hypotheses)


@dataclass(frozen=True)
class Fault:
    """What is wrong with an answer.

    Parameters
    ----------
    kind : str
        What is wrong, in words without numbers: two faults of one kind are one.
    detail : str
        Answer and truth.
    call : str
        Lines that show it after `Problem.code`.
    """

    kind: str
    detail: str
    call: str = ""


class Case:
    """A problem stated to symflow, and what is true of it."""

    def __init__(self, problem: Problem, digits: int = DIGITS) -> None:
        self.problem, self.digits = problem, digits
        names = problem.stated()
        self.flow, self.data, self.init = (names[k] for k in ("flow", "data", "init"))
        self.t: list[Fraction] = names["t"]
        self.refusals: list[str] = []

    @property
    def given(self) -> tuple[Any, Any, Any]:
        """Flow, data and start."""
        return self.flow, self.data, self.init

    def ask(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Return the answer, or None where symflow refuses in its own words."""
        try:
            return call(*arguments, **named)
        except sf.SymflowError as refusal:
            self.refusals.append(str(refusal))
            return None

    @cached_property
    def states(self) -> list[Any]:
        """The true weights at the times, as arrays of Decimals."""
        return list(flow_at(self.problem, self.t, digits=self.digits))

    @cached_property
    def products(self) -> list[Any]:
        """The true W at the times, as arrays of Fractions."""
        with localcontext() as context:
            context.prec = self.digits + 10
            return [to_fractions(product(self.problem, s)) for s in self.states]

    @cached_property
    def limit(self) -> tuple[Any, float] | None:
        """The true limit and its error, where it is known."""
        return limit(self.problem)

    @cached_property
    def path(self) -> sf.Trajectory:
        """The true flow in the form that claims are held against."""
        return self._path(self.t, self.states)

    @cached_property
    def whole_path(self) -> sf.Trajectory:
        """The same from the start on: a claim about a flow speaks of t = 0."""
        if self.t[0] == 0:
            return self.path
        with localcontext() as context:
            context.prec = self.digits + 12
            start = [decimals(weight) for weight in self.problem.weights]
        return self._path([Fraction(0), *self.t], [start, *self.states])

    def _path(self, times: list[Fraction], states: list[Any]) -> sf.Trajectory:
        context = mpmath.MPContext()
        context.dps = DIGITS
        weights = tuple(
            np.stack([lifted(state[layer], context) for state in states])
            for layer in range(len(self.problem.weights))
        )
        bound = bind(*self.given, digits=DIGITS)
        error = float(max(top(w) for w in weights)) * TRUSTED or TRUSTED
        return sf.Trajectory(
            bound,
            np.array(times, dtype=object),
            weights,
            "decimals",
            DIGITS - 6,
            error,
            {},
            context,
        )


def lifted(array: Any, context: Any) -> Any:
    """Return Decimals in an mpmath context."""
    values = [context.mpf(str(x)) for x in np.ravel(array)]
    return np.array(values, dtype=object).reshape(np.shape(array))


def to_fractions(array: Any) -> Any:
    """Return the entries exactly."""
    values = [fraction(x) for x in np.ravel(array)]
    return np.array(values, dtype=object).reshape(np.shape(array))


def top(array: Any) -> Any:
    """Return the largest size of an entry."""
    return max((abs(x) for x in np.ravel(array)), default=0)


def distance(found: Any, true: Any) -> float:
    """Return max|found − true|, infinite where the answer is no number."""
    try:
        gaps = to_fractions(found) - to_fractions(true)
    except (OverflowError, ValueError):
        return float("inf")
    return float(top(gaps))


def shown(array: Any) -> str:
    """Write a matrix to six digits."""
    return str(np.vectorize(lambda x: float(f"{float(x):.6g}"))(array).tolist())


def wrong(
    kind: str, found: Any, true: Any, allowed: float, call: str = ""
) -> Sequence[Fault]:
    """Return a fault where an answer is farther from the truth than allowed."""
    gap = distance(found, true)
    if gap <= allowed:
        return ()
    detail = f"{shown(found)}, true {shown(true)}: off by {gap:.2g} (> {allowed:.1g})"
    return (Fault(kind, detail, call),)
