"""Audits: the claims of a paper, from a file of data, settled one by one."""

from __future__ import annotations

import os
from collections.abc import Callable

from symflow.audits.case import Case, Table, read_case, text_of
from symflow.audits.general import count, equation, law
from symflow.audits.instance import direction, jumps, limit, numbers, rate
from symflow.audits.ledger import Asked, Audit as Audit, Outcome, Settled as Settled
from symflow.claims import Status
from symflow.errors import (
    HypothesisFailed,
    Interrupted,
    InvalidArgument,
    SymflowError,
    one_of,
)
from symflow.files import as_path

#: What reads each kind of claim.
KINDS: dict[str, Callable[[Case, Table], Asked]] = {
    kind.__name__: kind
    for kind in (law, equation, count, limit, direction, rate, jumps, numbers)
}


def audit(path: str | os.PathLike[str]) -> Audit:
    """Settle the claims of a file, one by one.

    Parameters
    ----------
    path : str or path
        TOML.  A number is an integer, a decimal or a text such as "1/3", and exact;
        formulas are read and never run, in SymPy's syntax or in LaTeX::

            title = "…"                        # loss = "squared", l2 = 0
            start = [[[1, 0]], [["1/2"]]]      # one matrix per weight
            [model]                            # or network = "diagonal 4 2 signed"
            widths = [2, 1, 1]                 # or formula = "B*A", shapes = "A=… B=…"
            [data]                             # or inputs and targets, or name of a
            sigma_xx = [[1, 0], [0, 1]]        # bundled set, or file and target (CSV)
            sigma_yx = [[1, 1]]
            [[claim]]
            kind = "law"                       # text is conserved, for all data
            text = "W2.T*W2 - W1*W1.T"

        The other kinds are ``equation``, with text in the weights, Wdot1 …, W, Wdot,
        F and the data, or of a mode, "wdot = 2*w*(sigma - lambda*w)"; ``count`` of
        laws, with number; ``limit`` and ``direction``, with value; ``rate`` above the
        least loss of all matrices W, with number (and until); ``jumps``, with times,
        supports (and positive); ``numbers``, with text, time and printed, as in
        "0.250".

    Returns
    -------
    Audit
        A ledger with `.lines`, `.refuted`, `.ok`, `.to_json()`, `.to_html()` and
        `.certificates(folder)`.  Verdicts are proved, enclosed, verified, refuted (with
        numbers), undecided (with what is missing) and out of scope.

    Raises
    ------
    InvalidArgument
        If the file cannot be read, or something in it makes no sense.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp(), "claims.toml")
    >>> _ = file.write_text('''
    ... title = "Imbalance"
    ... [model]
    ... widths = ["d", "h", "m"]
    ... [[claim]]
    ... kind = "law"
    ... text = "W2.T*W2 - W1*W1.T"
    ... [[claim]]
    ... kind = "law"
    ... text = "W2.T*W2 + W1*W1.T"
    ... ''')
    >>> ledger = audit(file)
    >>> [line.verdict.value for line in ledger.lines], ledger.ok
    (['proved', 'refuted'], False)
    >>> len(ledger.lines), len(ledger.refuted)
    (2, 1)
    """
    call = f"audit({str(as_path(path, 'audit(path)'))!r})"
    case = read_case(path, call)
    problem = f"gradient flow of {case.flow.loss!r} on {case.flow.network!r}"
    lines = [
        _settled(case, one, f"{call}: claim {k}")
        for k, one in enumerate(case.claims, 1)
    ]
    return Audit(case.title, problem, tuple(lines), case.sha256)


def _settled(case: Case, table: Table, where: str) -> Settled:
    try:
        kind = one_of(text_of(table, "kind", "it"), KINDS, "kind")
        reading, settle = KINDS[kind](case, table)
    except InvalidArgument as problem:
        msg = f"{where}: {problem}"
        raise InvalidArgument(msg) from None
    return Settled(kind, reading, *_outcome(settle))


def _outcome(settle: Callable[[], Outcome]) -> Outcome:
    """Settle a claim; what symflow refuses is no error of the file."""
    try:
        return settle()
    except Interrupted:
        raise
    except SymflowError as problem:
        missing = str(problem).startswith("missing: ")
        outside = isinstance(problem, HypothesisFailed | InvalidArgument)
        verdict = Status.OUT_OF_SCOPE if outside else Status.UNDECIDED
        reason = str(problem).partition("\n")[0]
        return Status.UNDECIDED if missing else verdict, reason
