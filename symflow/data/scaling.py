"""Columns of mean zero, and of variance one, in floats or exactly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.data.table import SHOWN_COLUMNS
from symflow.errors import InvalidData


def centered(array: Array) -> Array:
    """Return columns without their means."""
    count: Any = sympy.Integer(len(array)) if array.dtype == object else len(array)
    return np.asarray(array - array.sum(axis=0) / count)


def refuse_constants(parts: Iterable[tuple[Array, tuple[str, ...]]]) -> None:
    """Raise InvalidData with all columns that cannot be given variance one."""
    constant = [
        (f"{name!r}", f"({column[0]})")
        for array, names in parts
        for name, column in zip(names, array.T, strict=True)
        if (column == column[0]).all()
    ]
    if not constant:
        return
    if len(constant) == 1:
        what, them = "column {} is constant {}".format(*constant[0]), "it"
    else:
        shown = ", ".join(map(" ".join, constant[:SHOWN_COLUMNS]))
        more = ", …" if len(constant) > SHOWN_COLUMNS else ""
        what, them = f"columns {shown}{more} are constant", "them"
    msg = (
        f"Dataset.standardized(): {what} and cannot be given variance 1. Leave {them} "
        "out, or use centered()"
    )
    raise InvalidData(msg)


def standardized(array: Array) -> Array:
    """Return columns, none of them constant, with mean zero and variance one."""
    if array.dtype != object:  # squares of 1e200 are infinite; a power of two is exact
        array = np.ldexp(array, -np.frexp(np.abs(array).max(axis=0))[1])
    moved = centered(array)
    if array.dtype != object:
        return np.asarray(moved / np.sqrt((moved**2).mean(axis=0)))
    variances = (moved**2).sum(axis=0) / sympy.Integer(len(array))
    return np.asarray(moved / np.array([sympy.sqrt(v) for v in variances]))
