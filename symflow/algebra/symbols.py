"""The symbols of a linear network's flow, created in one place.

SymPy compares symbols by name *and* shape, so two symbols that were created apart
can look alike and differ; every weight and every data matrix of symflow comes from
the functions below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unicodedata import normalize

import sympy

from symflow.errors import InvalidArgument

#: Characters that a name may have.
LONGEST_NAME = 100


class SymmetricMatrixSymbol(sympy.MatrixSymbol):  # type: ignore[misc]
    """A matrix symbol that equals its transpose."""

    def _eval_transpose(self) -> SymmetricMatrixSymbol:
        return self

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> sympy.Expr:
        row, column = sympy.sympify(i), sympy.sympify(j)
        if row.is_Integer and column.is_Integer and row > column:
            row, column = column, row
        return super()._entry(row, column, **kwargs)


class DiagonalMatrixSymbol(SymmetricMatrixSymbol):
    """A matrix symbol that stands for any diagonal matrix."""

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> sympy.Expr:
        entry = super()._entry(i, j, **kwargs)
        return entry if sympy.sympify(i) == sympy.sympify(j) else sympy.S.Zero


class CirculantMatrixSymbol(SymmetricMatrixSymbol):
    """A matrix symbol that stands for any symmetric circulant matrix."""

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> sympy.Expr:
        shift = (sympy.sympify(j) - sympy.sympify(i)) % self.shape[0]
        return super()._entry(0, sympy.Min(shift, self.shape[0] - shift), **kwargs)


class SampleCount(sympy.Symbol):  # type: ignore[misc]
    """The number of samples; differs from a width of the same name."""

    def __new__(cls, name: str) -> SampleCount:
        """Return the positive integer symbol of that name."""
        symbol: SampleCount = super().__new__(cls, name, integer=True, positive=True)
        return symbol

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.name,), {}


def checked_name(name: Any, call: str) -> str:
    """Return a name that may stand in formulas and in generated code.

    That is a Python identifier; those that begin with ``_`` belong to generated code.
    An error names `call`.  Raises InvalidArgument if it is something else.
    """
    fine = isinstance(name, str) and name.isidentifier() and name[0] != "_"
    # Python reads an identifier in this normal form, and would see another name
    if fine and len(name) <= LONGEST_NAME and normalize("NFKC", name) == name:
        return str(name)
    msg = (
        f"{call}: a name has to be made of letters, digits and underscores, begin with "
        f"a letter and have at most {LONGEST_NAME} characters; got {str(name)[:200]!r}"
    )
    raise InvalidArgument(msg)


def parameter(value: Any, call: str, **assumptions: bool) -> sympy.Symbol | None:
    """Return the symbol that a name or a symbol stands for, None for a number.

    A text counts as a name if it is an identifier.  The `assumptions` are those of a
    symbol that is made here; an error names `call`.  Raises InvalidArgument if the name
    may not stand in generated code.
    """
    if isinstance(value, sympy.Symbol):
        checked_name(value.name, call)
        return value
    if isinstance(value, str) and value.isidentifier():
        return sympy.Symbol(checked_name(value, call), **assumptions)
    return None


def sample_count(symbols: Sequence[sympy.MatrixSymbol]) -> SampleCount | None:
    """Return the number of samples in the shapes of data matrices, if there is one."""
    sizes = (size for symbol in symbols for size in symbol.shape)
    return next((size for size in sizes if isinstance(size, SampleCount)), None)


def weight(layer: int, rows: Any, columns: Any) -> sympy.MatrixSymbol:
    """Return the weight symbol of a layer, W1 for the first."""
    return sympy.MatrixSymbol(f"W{layer}", rows, columns)


def entry_symbol(symbol: sympy.MatrixSymbol, row: int, column: int) -> sympy.Symbol:
    """Return the scalar symbol of one entry, named from zero like ``W1_0_2``."""
    if isinstance(symbol, SymmetricMatrixSymbol) and row > column:
        row, column = column, row
    return sympy.Symbol(f"{symbol.name}_{row}_{column}", real=True)
