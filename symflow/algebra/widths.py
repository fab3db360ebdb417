"""Widths: integers, or symbols that stand for any positive integer."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
import sympy

from symflow.algebra.symbols import parameter
from symflow.errors import InvalidArgument, ShapeMismatch, shown

Width = Any  # int or sympy.Symbol

#: Largest width and largest number of layers; beyond, memory and recursion end.
LARGEST_WIDTH, MOST_LAYERS = 10**9, 150


def as_width(value: Any, call: str) -> Width:
    """Return a width as an `int` or as a positive integer symbol.

    That is a positive integer, or a name.  Raises InvalidArgument, which names `call`,
    if the value is neither.
    """
    spans = isinstance(value, (bool, np.timedelta64))
    if isinstance(value, (Integral, sympy.Integer)) and not spans:
        if int(value) > LARGEST_WIDTH:
            msg = f"{call[:80]}…: a width may be at most {LARGEST_WIDTH}"
            raise InvalidArgument(msg)
        if int(value) >= 1:
            return int(value)
    elif name := parameter(value, call):
        return sympy.Symbol(name.name, integer=True, positive=True)
    msg = (
        f"{call}: a width has to be a positive integer or a name; got {shown(value)}. "
        "Give for example LinearNetwork(10, 5, 1) or LinearNetwork('d', 'h', 'm')"
    )
    raise InvalidArgument(msg)


def solve_widths(
    declared: Iterable[tuple[str, tuple[Width, Width], tuple[int, int]]],
) -> dict[sympy.Symbol, int]:
    """Return the integer of every symbolic width, from the shapes of actual arrays.

    Each array has what to call it, the shape it should have, in integers and symbols,
    and the shape that it has.  Raises ShapeMismatch if an integer differs, or a symbol
    would have two values.
    """
    sizes: dict[sympy.Symbol, int] = {}
    origin: dict[sympy.Symbol, str] = {}
    for what, expected, actual in declared:
        for width, size in zip(expected, actual, strict=True):
            known = sizes.get(width, width)
            if isinstance(known, sympy.Mul):  # the size of a matrix as one column
                known = known.xreplace(sizes)
                known = size if known.free_symbols else known
            if isinstance(known, sympy.Symbol):
                sizes[width], origin[width] = size, what
            elif int(known) != size:
                source = (
                    f" ({width} = {known} by {origin[width]})"
                    if width in origin
                    else ""
                )
                rows, columns = (sizes.get(w, w) for w in expected)
                msg = (
                    f"{what} has shape {actual[0]}×{actual[1]} where "
                    f"{rows}×{columns} is needed{source}"
                )
                raise ShapeMismatch(msg)
    return sizes


def check_depth(count: int, call: str) -> None:
    """Raise `InvalidArgument` for more layers than formulas can be written for."""
    if count > MOST_LAYERS:
        msg = f"{call}: a network may have at most {MOST_LAYERS} layers; got {count}"
        raise InvalidArgument(msg)
