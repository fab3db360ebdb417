"""Claims about a model with every data set and start: laws, and how many there are."""

from __future__ import annotations

from symflow.algebra.reading import read_expression
from symflow.algebra.text import inline
from symflow.audits.case import Case, Table, check_keys, number_in, text_of
from symflow.audits.ledger import Settled
from symflow.claims import Status
from symflow.conservation import count_conserved
from symflow.errors import InvalidArgument
from symflow.validation import claim as asserted


def law(case: Case, table: Table) -> Settled:
    """Settle that an expression in the weights is conserved, whatever the data.

    The table has a `text`.
    """
    check_keys(table, ("kind", "text"), "law")
    names = {symbol.name: symbol for symbol in case.flow.state}
    read = read_expression(text_of(table, "text", "law"), names)
    said = asserted(case.flow, conserved=read)
    verdict = said.verdict
    if verdict is Status.PROVED:
        reason = "; ".join(map(str, said.proof()))
    elif verdict is Status.REFUTED:
        reason = str(said.counterexample)
    else:
        reason = "missing: neither a proof in words nor weights at which it moves"
    reading = f"{inline(read)} is conserved, for every data set and start"
    return Settled("law", reading, verdict, reason)


def count(case: Case, table: Table) -> Settled:
    """Settle how many independent laws hold for every loss and data set.

    The widths are integers, and the table has a `number`.
    """
    check_keys(table, ("kind", "number"), "count")
    number = number_in(table.get("number"), "count, number")
    if number.denominator != 1 or number < 0:
        msg = f"count: needs a whole number; got {number}"
        raise InvalidArgument(msg)
    found = count_conserved(case.flow.network)
    reading = f"there are {number} independent laws, for every loss and data set"
    least, most = found.known, found.independent
    if not least <= number <= most:
        between = f"{least}" if least == most else f"between {least} and {most}"
        reason = f"proven by ranks modulo a prime: there are {between}"
        return Settled("count", reading, Status.REFUTED, reason)
    if found.complete:
        reason = f"{least} laws are known, and the Lie algebra leaves no room for more"
        return Settled("count", reading, Status.PROVED, reason)
    reason = f"missing: {least} laws are known, and at most {most} are possible"
    return Settled("count", reading, Status.UNDECIDED, reason)
