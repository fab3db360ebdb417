"""Claims about a model with every data set and start: laws, their number, equations."""

from __future__ import annotations

import re
from typing import Any

import sympy

from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.nodes import Leaf, Node, substitute, subtract
from symflow.algebra.reading import read_expression
from symflow.algebra.text import inline
from symflow.audits.case import Case, Table, check_keys, number_in, text_of
from symflow.audits.latex import from_latex
from symflow.audits.ledger import Asked, Outcome
from symflow.claims import Status
from symflow.conservation import Law, count_conserved
from symflow.conservation.proof import slope
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow, dotted
from symflow.validation import claim as asserted
from symflow.validation.vanishing import Vanishing

#: How an equation of a singular mode begins.
_MODE = re.compile(r"\s*wdot\s*=([^=]+)")

#: Letters of the equation of a mode; ``lambda`` is a word of Python.
_LETTERS = {name: sympy.Symbol(name) for name in ("w", "sigma", "lam", "delta")}


def law(case: Case, table: Table) -> Asked:
    """Ask whether an expression in the weights is conserved, whatever the data.

    The table has a `text`.
    """
    check_keys(table, ("kind", "text"), "law")
    names = {symbol.name: symbol for symbol in case.flow.state}
    read = read_expression(from_latex(text_of(table, "text", "law")), names)
    said = asserted(case.flow, conserved=read)
    reading = f"{inline(read)} is conserved, for every data set and start"
    return reading, lambda: _decided(said)


def equation(case: Case, table: Table) -> Asked:
    """Ask whether an equation holds at every point of every trajectory.

    Its `text` has two sides in the weights, their derivatives Wdot1, …, the data, and
    W, Wdot and F, the end-to-end matrix, its derivative and −∂ℓ/∂W; or is ``wdot = …``
    of a singular mode, in w, sigma, lam and delta.
    """
    check_keys(table, ("kind", "text"), "equation")
    text = from_latex(text_of(table, "text", "equation"))
    mode = _MODE.fullmatch(re.sub(r"\blambda\b", "lam", text))
    if mode is not None:
        letters = _LETTERS | {s.name: s for s in case.flow.parameters}
        said: Any = asserted(case.flow, mode_ode=read_expression(mode[1], letters))
        reading = f"{inline(said.statement)} for singular values w of W"
        return reading, lambda: _decided(said)
    sides = text.split("=")
    if len(sides) != 2:
        msg = f"equation: needs one sign of equality; got {text[:60]!r}"
        raise InvalidArgument(msg)
    meaning = _meaning(case.flow)
    symbols = {s.name: s for s in (*_moving(case.flow), *meaning)}
    left, right = (read_expression(side, symbols) for side in sides)
    gap = substitute(subtract(from_sympy(left), from_sympy(right)), meaning)
    zero = Vanishing(case.flow, gap, "the sides differ by")
    reading = f"{inline(left)} = {inline(right)}, for every data set and start"
    return reading, lambda: _decided(zero)


def _moving(flow: GradientFlow) -> tuple[sympy.MatrixSymbol, ...]:
    return (*flow.data, *map(dotted, flow.state), *flow.state)


def _meaning(flow: GradientFlow) -> dict[sympy.MatrixSymbol, Node]:
    """Return W, Wdot and F, where no weight has that name."""
    node, taken = flow.network.end_to_end_node, {s.name for s in _moving(flow)}
    speeds = {symbol: Leaf(dotted(symbol)) for symbol in flow.state}
    known = {"W": node, "Wdot": slope(node, speeds), "F": flow.force}
    return {
        sympy.MatrixSymbol(name, *body.shape): body
        for name, body in known.items()
        if name not in taken
    }


def _decided(said: Any) -> Outcome:
    verdict = said.verdict
    if verdict is Status.PROVED:
        evidence = said if isinstance(said, Law) else None
        return (verdict, "; ".join(map(str, said.proof())), evidence)
    if verdict is Status.REFUTED:
        return (verdict, str(said.counterexample))
    missing = "missing: neither a proof in words nor numbers that contradict it"
    return (verdict, missing)


def count(case: Case, table: Table) -> Asked:
    """Ask how many independent laws hold for every loss and data set.

    The widths are integers, and the table has a `number`.
    """
    check_keys(table, ("kind", "number"), "count")
    number = number_in(table.get("number"), "count, number")
    if number.denominator != 1 or number < 0:
        msg = f"count: needs a whole number; got {number}"
        raise InvalidArgument(msg)
    reading = f"there are {number} independent laws, for every loss and data set"

    def settled() -> Outcome:
        found = count_conserved(case.flow.network)
        least, most = found.known, found.independent
        if not least <= number <= most:
            between = f"{least}" if least == most else f"between {least} and {most}"
            reason = f"proven by ranks modulo a prime: there are {between}"
            return (Status.REFUTED, reason)
        if found.complete:
            reason = f"{least} are known, and the Lie algebra leaves no room for more"
            return (Status.PROVED, reason)
        reason = f"missing: {least} laws are known, and at most {most} are possible"
        return (Status.UNDECIDED, reason)

    return reading, settled
