"""Audits: the claims of a paper, from a file of data, settled one by one."""

from __future__ import annotations

import os
from collections.abc import Callable

from symflow.audits.case import Case, Table, read_case, text_of
from symflow.audits.general import count, law
from symflow.audits.ledger import Audit, Settled
from symflow.errors import InvalidArgument
from symflow.files import as_path

#: What settles each kind of claim.
KINDS: dict[str, Callable[[Case, Table], Settled]] = {
    "law": law,
    "count": count,
}


def audit(path: str | os.PathLike[str]) -> Audit:
    """Settle the claims of a file, one by one.

    Parameters
    ----------
    path : str or path
        TOML, with ``[model]`` and entries ``[[claim]]``.

    Returns
    -------
    Audit
        A ledger with `.lines`, `.refuted`, `.ok`, `.to_json()` and `.to_html()`.

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
        kind = text_of(table, "kind", "it")
        if kind not in KINDS:
            msg = f"kind = {kind[:60]!r}: needs one of {', '.join(KINDS)}"
            raise InvalidArgument(msg)
        return KINDS[kind](case, table)
    except InvalidArgument as problem:
        msg = f"{where}: {problem}"
        raise InvalidArgument(msg) from None


__all__ = ["Audit", "Settled", "audit"]
