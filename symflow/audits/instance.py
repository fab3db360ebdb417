"""Claims about one data set and start: limits, directions, rates, jumps, numbers."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from sympy.matrices.expressions.matexpr import MatrixElement

from symflow.algebra.arrays import is_exact_array, to_float_array
from symflow.algebra.balls import ALONE, to_arb, to_arb_array, workbits
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.reading import read_expression
from symflow.algebra.text import inline
from symflow.algebra.values import Values, scalar_value
from symflow.audits.case import Case, Table, array_in, check_keys, number_in, text_of
from symflow.audits.latex import from_latex
from symflow.audits.ledger import Asked, Outcome
from symflow.bias import implicit_bias, saddle_to_saddle
from symflow.bias.max_margin import Direction
from symflow.claims import Claim, Status
from symflow.claims.finding import FLOAT_LIMIT
from symflow.convergence import LossBound, rates
from symflow.errors import HypothesisFailed, InvalidArgument, PrecisionLost
from symflow.flow import GradientFlow
from symflow.flow.problem import bind
from symflow.precision import Enclosure, enclose
from symflow.validation import certify, claim as asserted

#: Digits of enclosures, times at which a rate is certified, and up to which c·t.
DIGITS, TIMES, LONG = 20, 8, 4

#: Decimals as they are printed, of at most a hundred digits.
_DECIMAL = re.compile(r"[+-]?\d{1,50}(?:\.(\d{1,50}))?")

#: By how much what is known in float64 has to differ to be false for certain.
CERTAINLY = 1e-6

_FIRM = (Status.PROVED, Status.VERIFIED)


def limit(case: Case, table: Table) -> Asked:
    """Ask whether W(t) goes to the matrix `value`."""
    check_keys(table, ("kind", "value"), "limit")
    value = array_in(table.get("value"), "limit, value")
    said = asserted(case.flow, limit=value)

    def settled() -> Outcome:
        try:
            return _certified(said, enclose(*_instance(case), sympy.oo, digits=DIGITS))
        except (HypothesisFailed, PrecisionLost):
            found = implicit_bias(*_instance(case))
        if isinstance(found, Direction):
            msg = "the loss has no minimizer, and W(t) only a direction"
            raise HypothesisFailed(msg)
        off = np.abs(found.limit - to_float_array(value)).max()
        return _predicted(found, float(off / (np.abs(found.limit).max() or 1.0)))

    return f"W(t) goes to {_shown(value.tolist())}", settled


def direction(case: Case, table: Table) -> Asked:
    """Ask whether W(t)/‖W(t)‖ goes to the matrix `value`, scaled to unit norm."""
    check_keys(table, ("kind", "value"), "direction")
    value = array_in(table.get("value"), "direction, value")
    asserted(case.flow, limit=value)  # refuses another shape
    if not np.any(value != 0):
        msg = "direction, value: needs a direction, and not zero"
        raise InvalidArgument(msg)

    def settled() -> Outcome:
        found = implicit_bias(*_instance(case))
        if not isinstance(found, Direction):
            msg = "W(t) has a limit, not only a direction: claim that"
            raise HypothesisFailed(msg)
        if not found.is_determined:
            msg = "missing: a theorem that says which stationary direction it is"
            raise HypothesisFailed(msg)
        return _predicted(found, found.angle(value))

    return f"W(t)/‖W(t)‖ goes along {_shown(value.tolist())}", settled


def _instance(case: Case) -> tuple[GradientFlow, Any, Any]:
    flow, data, start = case.given("data", "start")
    return flow, data, start


def _predicted(found: Any, gap: float) -> Outcome:
    """Compare with the limit that a theorem predicts in float64."""
    goal = np.array2string(found.limit, precision=9, separator=", ")
    why = f"{found.name} ({found.reference}), {found.status.value}: {goal}"
    if gap <= FLOAT_LIMIT and found.status in _FIRM:
        return Status.VERIFIED, f"to 9 digits, by {why}"
    if gap > CERTAINLY and found.status is Status.PROVED:
        return Status.REFUTED, f"off by {gap:.2g}, by {why}"
    return Status.UNDECIDED, f"missing: a firmer prediction than {why}"


def rate(case: Case, table: Table) -> Asked:
    """Ask whether ℒ − ℒ* falls at least at the rate `number`.

    Where no theorem gives it, it is certified `until` a time, by default four over the
    rate.
    """
    check_keys(table, ("kind", "number", "until"), "rate")
    number = number_in(table.get("number"), "rate, number")
    said: Any = asserted(case.flow, rate=number)
    late = number_in(table.get("until", str(LONG / (number or 1))), "rate, until")

    def settled() -> Outcome:
        problem = _instance(case)
        false = said.refuted_at(bind(*problem))
        if false is not None:
            return Status.REFUTED, f"at the start: {false}"
        for bound in rates(*problem):
            firm = isinstance(bound, LossBound) and bound.status in _FIRM
            if firm and bound.rate >= number:
                words = f"{bound.name} ({bound.reference}) gives the rate {bound.rate}"
                rounded = bound.status is Status.VERIFIED
                return bound.status, words + ", up to rounding" * rounded
        times = [late * Fraction(k, TIMES) for k in range(1, TIMES + 1)]
        status, words, ball = _certified(said, enclose(*problem, times, digits=DIGITS))
        return status, f"{words}; at other times nothing is proven", ball

    return f"ℒ(t) − ℒ* ≤ (ℒ(0) − ℒ*)e^(−{number}·t)", settled


def _certified(said: Claim, ball: Enclosure) -> Outcome:
    found = certify(said, ball)
    return found.status, found.proof[0], ball if found.ok else None


def jumps(case: Case, table: Table) -> Asked:
    """Ask when a vanishing start jumps from saddle to saddle, and between which.

    The claim has the `times` t̂, the `supports` after each jump (lists of coefficients,
    counted from 1), or both; `positive` is as for `saddle_to_saddle`.
    """
    check_keys(table, ("kind", "times", "supports", "positive"), "jumps")
    said = {key: table[key] for key in ("times", "supports") if key in table}
    if not said or not all(isinstance(value, list) for value in said.values()):
        msg = "jumps: needs times such as [1, 2], or supports such as [[1], [1, 2]]"
        raise InvalidArgument(msg)
    positive, sets = table.get("positive", False), said.get("supports", [])
    whole = all(isinstance(s, list) and all(type(j) is int for j in s) for s in sets)
    if not whole or not isinstance(positive, bool):
        msg = "jumps: needs lists of whole numbers as supports, and positive as a truth"
        raise InvalidArgument(msg)
    if "supports" in said:
        said["supports"] = [sorted({*support}) for support in sets]
    if "times" in said:
        said["times"] = [number_in(time, "jumps, times") for time in said["times"]]

    def settled() -> Outcome:
        flow, data = case.given("data")
        path = saddle_to_saddle(flow, data, positive=positive)
        if not is_exact_array(path.sigma_xx):
            msg = "jumps are compared exactly: give rational data"
            raise HypothesisFailed(msg)
        supports = [[j + 1 for j in support] for support in path.supports[1:]]
        found = {"times": list(path.jumps), "supports": supports}
        good = all(found[key] == value for key, value in said.items())
        words = f"in fractions ({path.reference}): {_shown(found)}"
        return Status.VERIFIED if good else Status.REFUTED, words

    return f"a vanishing start jumps: {_shown(said)}", settled


def numbers(case: Case, table: Table) -> Asked:
    """Ask whether a quantity rounds to the digits that are printed.

    The claim has `text`, a scalar in the weights, W and the data; `time`, a number or
    "oo" (without weights); and `printed`, a decimal.
    """
    check_keys(table, ("kind", "text", "time", "printed"), "numbers")
    printed, when = text_of(table, "printed", "numbers"), table.get("time")
    match = _DECIMAL.fullmatch(printed)
    if match is None:
        msg = f'numbers, printed: needs a decimal such as "0.250"; got {printed[:60]!r}'
        raise InvalidArgument(msg)
    value, half = Fraction(printed), Fraction(1, 2 * 10 ** len(match[1] or ""))
    time: Any = sympy.oo if when == "oo" else number_in(when, "numbers, time")
    flow = case.flow
    whole = sympy.MatrixSymbol("W", *flow.network.end_to_end_node.shape)
    weights = () if when == "oo" else flow.state
    symbols = {s.name: s for s in (whole, *flow.data, *weights)}
    read = read_expression(from_latex(text_of(table, "text", "numbers")), symbols)
    if getattr(read, "shape", ()):
        msg = "numbers, text: needs a scalar, such as W[0, 0]"
        raise InvalidArgument(msg)

    def settled() -> Outcome:
        ball = enclose(*_instance(case), time, digits=DIGITS)
        with ALONE, workbits(ball.context.prec + 64):
            data = map(to_arb_array, ball.problem.arguments)
            leaves = {whole: ball.product_balls(-1)}
            leaves |= dict(zip(flow.state, ball.weight_balls(-1), strict=True))
            leaves |= dict(zip(flow.data, data, strict=True))
            found = _value(read, Values(leaves))
            off = abs(found - to_arb(value))
            shown = f"it is {found.str(12, radius=False)}"
            if off <= to_arb(half):
                return Status.ENCLOSED, f"it rounds to these digits: {shown}", ball
            if off > to_arb(half):
                return Status.REFUTED, shown
        return Status.UNDECIDED, f"missing: digits; {shown}"

    return f"{inline(read)} rounds to {printed} at t = {time}", settled


def _value(read: sympy.Expr, values: Values) -> Any:
    """Return a scalar of entries and traces of matrices in balls."""
    try:
        known = {
            entry: values.of(from_sympy(entry.parent))[int(entry.i), int(entry.j)]
            for entry in read.atoms(MatrixElement)
        }
    except (IndexError, TypeError):
        msg = f"{inline(read)} has an entry that is not there"
        raise InvalidArgument(msg) from None
    for trace in read.atoms(sympy.Trace):
        known[trace] = values.of(from_sympy(trace)).item()
    return scalar_value(read, known, to_arb)


def _shown(value: Any) -> str:
    """Return lists of numbers as people write them."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    listed = isinstance(value, list)
    return f"[{', '.join(map(_shown, value))}]" if listed else str(value)
