"""The symbols of a linear network's flow, created in one place.

SymPy compares symbols by name *and* shape, so two symbols that were created apart
can look alike and differ; every weight and every data matrix of symflow comes from
the functions below.
"""

from __future__ import annotations

from typing import Any

import sympy


class SymmetricMatrixSymbol(sympy.MatrixSymbol):  # type: ignore[misc]
    """A matrix symbol that equals its transpose.

    Examples
    --------
    >>> S = SymmetricMatrixSymbol("S", 2, 2)
    >>> S.T == S, S[1, 0]
    (True, S[0, 1])
    """

    def _eval_transpose(self) -> SymmetricMatrixSymbol:
        return self

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> sympy.Expr:
        row, column = sympy.sympify(i), sympy.sympify(j)
        if row.is_Integer and column.is_Integer and row > column:
            row, column = column, row
        return super()._entry(row, column, **kwargs)


def weight(layer: int, rows: Any, columns: Any) -> sympy.MatrixSymbol:
    """Return the weight symbol of a layer, W1 for the first.

    Examples
    --------
    >>> weight(2, 3, 4).shape
    (3, 4)
    """
    return sympy.MatrixSymbol(f"W{layer}", rows, columns)


def entry_symbol(symbol: sympy.MatrixSymbol, row: int, column: int) -> sympy.Symbol:
    """Return the scalar symbol of one entry, named from zero like ``W1_0_2``.

    Examples
    --------
    >>> entry_symbol(weight(1, 2, 3), 0, 2)
    W1_0_2
    """
    if isinstance(symbol, SymmetricMatrixSymbol) and row > column:
        row, column = column, row
    return sympy.Symbol(f"{symbol.name}_{row}_{column}", real=True)
