"""The flow entry by entry: scalar polynomial ODEs at integer widths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from symflow.algebra.display import Displayed, Sheet, marked
from symflow.algebra.entries import at_sizes, entrywise, explicit
from symflow.algebra.widths import as_width, solve_widths
from symflow.errors import InvalidArgument, ShapeMismatch, UnknownName, shown


@dataclass(frozen=True, repr=False)
class Entries(Displayed, Mapping[sympy.Symbol, sympy.Expr]):
    """Scalar ODEs, as a mapping from each weight entry to its time derivative."""

    state: tuple[sympy.Symbol, ...]  #: Entries of W1 row by row, then of W2, ….
    rhs: tuple[sympy.Expr, ...]  #: Their time derivatives.
    #: Weights and data, written out in these scalars.
    matrices: dict[sympy.MatrixSymbol, sympy.Matrix] = field(compare=False)

    def __getitem__(self, symbol: sympy.Symbol) -> sympy.Expr:
        found = dict(zip(self.state, self.rhs, strict=True))
        if symbol not in found:
            msg = f"entries[{symbol!r}]: no such entry; they are {self.state}"
            raise UnknownName(msg)
        return found[symbol]

    def __iter__(self) -> Iterator[sympy.Symbol]:
        return iter(self.state)

    def __len__(self) -> int:
        return len(self.state)

    def _sheet(self) -> Sheet:
        pairs = zip(self.state, self.rhs, strict=True)
        rows = tuple((marked(symbol), marked(rate)) for symbol, rate in pairs)
        title = f"{len(rows)} scalar equations"
        return Sheet(title, rows=rows, header=("entry", "its derivative"), whole=".rhs")


def entries(
    declared: Sequence[Any],
    state: Sequence[sympy.MatrixSymbol],
    rhs: Sequence[sympy.MatrixExpr],
    widths: Sequence[int] | None,
) -> Entries:
    """Write matrix ODEs out entry by entry; see `GradientFlow.entries`."""
    sizes = _sizes(declared, list(declared) if widths is None else widths)
    found = {symbol for rate in rhs for symbol in rate.atoms(sympy.MatrixSymbol)}
    symbols = [*state, *sorted(found - {*state}, key=str)]
    matrices = {symbol: explicit(at_sizes(symbol, sizes)) for symbol in symbols}
    values = [entrywise(at_sizes(expression, sizes)) for expression in rhs]
    return Entries(
        tuple(entry for symbol in state for entry in matrices[symbol]),
        tuple(entry for matrix in values for entry in matrix),
        matrices,
    )


def _sizes(declared: Sequence[Any], widths: Sequence[int]) -> dict[sympy.Symbol, int]:
    if not isinstance(widths, (list, tuple)):
        got = shown(widths)
        msg = f"entries(widths): needs integers, one per width {declared}; got {got}"
        raise InvalidArgument(msg)
    given = [as_width(width, f"entries({shown(tuple(widths))})") for width in widths]
    if not all(isinstance(width, int) for width in given):
        msg = (
            f"entries({shown(widths)}): every width has to be an integer here; give "
            "them, for example entries((3, 2, 1)), or specialise the flow: "
            "flow.at(d=3, h=2, m=1).entries()"
        )
        raise InvalidArgument(msg)
    if len(given) != len(declared):
        msg = (
            f"entries({shown(tuple(widths))}): the network has {len(declared)} widths "
            f"{tuple(declared)}; got {len(given)}"
        )
        raise ShapeMismatch(msg)
    pairs = zip(declared, given, strict=True)
    return solve_widths(
        (f"entries(widths): width {number}", (expected, 1), (int(actual), 1))
        for number, (expected, actual) in enumerate(pairs, start=1)
    )
