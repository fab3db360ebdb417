"""Functions that generated code calls, for any array namespace `xp`.

They are ordinary functions of array-API operations, batched over leading dimensions;
stand-alone modules contain the text of those that they use, which is why annotations
are only `Any` and built-in types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def sigmoid(xp: Any, z: Any) -> Any:
    """Return 1/(1 + exp(-z)) without overflow or cancellation."""
    size = abs(z)
    return xp.exp((z - size) / 2) / (1 + xp.exp(-size))


def softplus(xp: Any, z: Any) -> Any:
    """Return log(1 + exp(z)) without overflow or cancellation."""
    size = abs(z)
    return xp.log1p(xp.exp(-size)) + (z + size) / 2


def softmax(xp: Any, z: Any) -> Any:
    """Return exp(z) divided by the sum of all its entries, without overflow."""
    powers = xp.exp(z - xp.max(z, axis=(-2, -1), keepdims=True))
    return powers / xp.sum(powers, axis=(-2, -1), keepdims=True)


def diag(xp: Any, column: Any) -> Any:
    """Return the diagonal matrix of a column."""
    return column * xp.eye(column.shape[-2], dtype=column.dtype)


def diagonal(xp: Any, matrix: Any) -> Any:
    """Return the diagonal of a matrix as a column."""
    eye = xp.eye(matrix.shape[-1], dtype=matrix.dtype)
    return xp.sum(matrix * eye, axis=-1, keepdims=True)


def circulant(xp: Any, column: Any, order: int | None = None) -> Any:
    """Return the circulant matrix whose first row is the column, then zeros."""
    order = column.shape[-2] if order is None else order
    shifts = (xp.arange(order)[None, :] - xp.arange(order)[:, None]) % order
    inside = shifts < column.shape[-2]
    places = shifts * xp.asarray(inside, dtype=shifts.dtype)
    entries = xp.take(column[..., 0], xp.reshape(places, (-1,)), axis=-1)
    matrix = xp.reshape(entries, (*column.shape[:-2], order, order))
    return matrix * xp.asarray(inside, dtype=column.dtype)


def circulant_sums(xp: Any, matrix: Any, count: int | None = None) -> Any:
    """Return the sums over the first `count` cyclic diagonals as a column."""
    order, lead = matrix.shape[-1], matrix.shape[:-2]
    count = order if count is None else count
    rows = xp.arange(order)[None, :]
    places = rows * order + (rows + xp.arange(count)[:, None]) % order
    flat = xp.reshape(matrix, (*lead, order * order))
    entries = xp.take(flat, xp.reshape(places, (-1,)), axis=-1)
    return xp.sum(xp.reshape(entries, (*lead, count, order)), axis=-1, keepdims=True)


def pad(xp: Any, column: Any, rows: int) -> Any:
    """Return a column with zeros below."""
    shape = (*column.shape[:-2], rows - column.shape[-2], 1)
    return xp.concat([column, xp.zeros(shape, dtype=column.dtype)], axis=-2)


def vec(xp: Any, matrix: Any) -> Any:
    """Return the entries of a matrix as a column, row by row."""
    return xp.reshape(matrix, (*matrix.shape[:-2], -1, 1))


def unvec(xp: Any, column: Any, rows: int) -> Any:
    """Return the matrix whose entries, row by row, are a column."""
    return xp.reshape(column, (*column.shape[:-2], rows, -1))


def kron(xp: Any, left: Any, right: Any) -> Any:
    """Return the Kronecker product of two columns."""
    outer = left * xp.reshape(right, (*right.shape[:-2], 1, right.shape[-2]))
    return xp.reshape(outer, (*outer.shape[:-2], -1, 1))


#: The functions of this file by the operation that they carry out.
PRELUDE: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        sigmoid,
        softplus,
        softmax,
        diag,
        diagonal,
        circulant,
        circulant_sums,
        pad,
        vec,
        unvec,
        kron,
    )
}


def namespace(array: Any) -> Any:
    """Return the array namespace of an array: numpy, jax.numpy, torch, …."""
    import sys

    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    return sys.modules[type(array).__module__.partition(".")[0]]
