"""Reading what is held against a ball: W, all weights, or plain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, unflatten
from symflow.errors import InvalidArgument, ShapeMismatch, shown

Shape = tuple[int, ...]


def as_point(
    value: Any, shapes: Sequence[Shape], total: Shape
) -> tuple[list[Array], bool]:
    """Return the matrices of a value, and whether they are W instead of the weights.

    A matrix alone is W; in a sequence it is one of the weights, if there is more than
    one.  What has one dimension is a column, or a row where W is one, or holds the
    entries of all weights, one after the other.

    Raises ShapeMismatch if it is neither, InvalidArgument if it is no array at all.
    """
    array = None if _is_scalar(value) else as_objects(value)
    if array is not None and array.ndim == 1 and 1 in total:
        array = array.reshape(total) if array.size == np.prod(total) else array
    if array is not None and array.shape == total:
        return [array], True
    count = sum(map(prod, shapes))
    if array is not None and array.shape in ((count,), (count, 1)):
        return list(unflatten(array.ravel(), shapes)), False
    parts = [as_objects(part) for part in _listed(value)]
    weights = [part if part is None else _column(part) for part in parts]
    if len(weights) == 1 < len(shapes) and _shape(weights[0]) == total:
        return [part for part in weights if part is not None], True
    if len(shapes) == 1 and _shape(array) == shapes[0]:
        return [part for part in (array,) if part is not None], False
    if [_shape(part) for part in weights] != [*shapes]:
        msg = (
            f"enclosure.contains(value): needs an end-to-end matrix of shape {total}, "
            f"or {len(shapes)} weights of shapes {[*shapes]}, at the time of index=; "
            f"got {_got(array, parts)}"
        )
        raise ShapeMismatch(msg)
    return [part for part in weights if part is not None], False


def _listed(value: Any) -> list[Any]:
    """Return the members of a sequence that is not empty, or refuse."""
    whole = _native(value)
    many = isinstance(whole, Iterable) and getattr(whole, "ndim", None) != 0
    many &= not isinstance(whole, str | range | Mapping)
    parts = list(whole) if many else []
    if not parts:
        given = shown(value).partition("\n")[0]
        hint = ". Give its .midpoints" if hasattr(value, "midpoints") else ""
        msg = (
            "enclosure.contains(value): needs an end-to-end matrix or all weights; "
            f"got {given}{hint}"
        )
        raise InvalidArgument(msg)
    return parts


def as_objects(value: Any) -> Array | None:
    """Return an array of numbers as it was given, None where rows are ragged."""
    whole = _native(value)
    if not isinstance(whole, np.ndarray | list | tuple):
        return np.array(whole, dtype=object).reshape(1) if _is_scalar(whole) else None
    try:
        array = np.array(whole, dtype=object)
    except (ValueError, RuntimeError):  # or nested too deeply
        return None
    ragged = any(isinstance(entry, list | tuple | np.ndarray) for entry in array.flat)
    return None if ragged else array


def _native(value: Any) -> Any:
    """Return matrices of SymPy and mpmath as lists, and data frames as arrays."""
    if hasattr(value, "to_numpy"):
        return value.to_numpy()
    foreign = hasattr(value, "tolist") and not isinstance(
        value, np.ndarray | np.generic
    )
    return value.tolist() if foreign else value


def _is_scalar(value: Any) -> bool:
    # a matrix of SymPy has entries, and yet is no Iterable
    known = _native(value)
    return not isinstance(known, str | Iterable) and not getattr(known, "shape", None)


def _column(array: Array) -> Array:
    return array.reshape(-1, 1) if array.ndim < 2 else array


def _shape(array: Array | None) -> Shape | None:
    return None if array is None else array.shape


def _got(array: Array | None, parts: Sequence[Array | None]) -> str:
    if array is not None and array.ndim < 3:
        return f"shape {array.shape}"
    return f"shapes {[_shape(part) for part in parts]}"
