"""Whitening: the triangular T for which the inputs Tx have the second moment I.

T is the inverse of the Cholesky factor of Σ_xx, TΣ_xxTᵀ = I: every input is replaced by
what those before it do not explain, scaled to one (Gram and Schmidt).  From rational
samples its rows are rational up to one square root each, so that exact data stay exact;
float samples are not squared, for T comes from X = QR.
"""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import Any, NoReturn

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import as_fraction
from symflow.errors import InvalidArgument, InvalidData, ShapeMismatch, shown

CALL = "Dataset.whitened()"

#: A column whose part of its own is smaller, relative, in units of max(n, d)·2⁻⁵², is a
#: combination of others up to rounding.
SLACK = 8


def whitening(X: Array, names: tuple[str, ...]) -> tuple[Array, Array]:
    """Return the whitened samples XTᵀ, and T.

    Raises InvalidData if columns depend on each other, or are irrational and exact.
    """
    count, width = X.shape
    if count < width:
        msg = (
            f"{CALL}: {count} samples of {width} inputs cannot have Σ_xx = I, whose "
            "rank they do not reach. Give more samples or fewer inputs"
        )
        raise InvalidData(msg)
    return (_exactly if X.dtype == object else _in_floats)(X, names)


def _in_floats(X: Array, names: tuple[str, ...]) -> tuple[Array, Array]:
    zero = [n for n, column in zip(names, X.T, strict=True) if not np.any(column)]
    if zero:
        _refuse(zero)
    count = len(X)
    # a power of two is exact, and squares of 1e200 would be infinite
    powers = np.frexp(np.abs(X).max(axis=0))[1]
    scaled = np.ldexp(X, -powers)
    norms = np.linalg.norm(scaled, axis=0)
    scaled /= norms
    Q, R = np.linalg.qr(scaled)
    least = SLACK * max(X.shape) * np.finfo(float).eps
    own = np.abs(np.diag(R))
    spread = np.linalg.svd(R, compute_uv=False)
    if spread[-1] <= least * spread[0]:
        close = own <= max(least, 2 * own.min())
        _refuse([name for name, bad in zip(names, close, strict=True) if bad])
    signs = np.sign(np.diag(R))
    T = np.linalg.solve((signs[:, None] * R).T, np.eye(len(R))) * sqrt(count)
    T = np.ldexp(np.tril(T) / norms, -powers)
    return np.asarray(Q * signs * sqrt(count)), T


def _exactly(X: Array, names: tuple[str, ...]) -> tuple[Array, Array]:
    numbers = [as_fraction(entry) for entry in X.flat]
    if None in numbers:
        msg = (
            f"{CALL}: exact samples have to be rational; {X.flat[numbers.index(None)]} "
            "is not. Give floats, or whiten before you standardize"
        )
        raise InvalidData(msg)
    columns = np.array(numbers, dtype=object).reshape(X.shape).T
    own: list[Array] = []
    rows: list[Array] = []
    for place, column in enumerate(columns):
        rest = column.copy()
        row = np.array([Fraction(int(k == place)) for k in range(len(columns))])
        for other, known in zip(own, rows, strict=True):
            share = column @ other / (other @ other)
            rest, row = rest - share * other, row - share * known
        own.append(rest)
        rows.append(row)
        if not np.any(rest):
            _refuse([names[place]])
    sizes = [sympy.sqrt(sympy.Rational(len(X)) / _rational(o @ o)) for o in own]

    def scaled(parts: list[Array]) -> Array:
        found = [
            [_rational(x) * s for x in p] for p, s in zip(parts, sizes, strict=True)
        ]
        return np.array(found, dtype=object)

    return scaled(own).T, scaled(rows)


def _rational(value: Any) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)


def _refuse(names: list[str]) -> NoReturn:
    listed = ", ".join(map(repr, names))
    msg = (
        f"{CALL}: Σ_xx is singular; of column {listed} nothing is left without those "
        "before it. Leave it out"
    )
    if len(names) > 1:
        msg = msg.replace("of column", "of columns").replace("it.", "them.")
        msg = msg.replace("Leave it out", "Leave them out")
    raise InvalidData(msg)


def unwhitened(W: Any, T: Array | None) -> Array:
    """Return WT: what W does to whitened inputs Tx, as a map of the inputs x.

    Entries are float64, exact or `mpf`, over any leading dimensions.

    Raises InvalidArgument without T, ShapeMismatch where the columns do not fit.
    """
    call = "Dataset.unwhiten(W)"
    if T is None:
        msg = (
            f"{call}: these samples were not made by whitened(), here. Keep its result"
        )
        raise InvalidArgument(msg)
    try:
        array = np.asarray(W.tolist() if hasattr(W, "tolist") else W)
        array = np.asarray(array + 0)  # fails where the entries are no numbers
    except (TypeError, ValueError) as problem:
        msg = f"{call}: needs an array of real numbers; {problem}"
        raise InvalidArgument(msg) from None
    except MemoryError:
        msg = f"{call}: {shown(W)} does not fit into memory"
        raise InvalidArgument(msg) from None
    if array.ndim < 2 or array.shape[-1] != len(T):
        msg = f"{call}: needs {len(T)} columns, one per input; got shape {array.shape}"
        raise ShapeMismatch(msg)
    if array.dtype != object:
        return np.asarray(array @ to_float_array(T))
    context = getattr(array.flat[0], "context", None)
    return np.asarray(array @ (T if context is None else to_mpf_array(T, context)))
