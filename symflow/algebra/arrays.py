"""Two-dimensional arrays, float64 or exact, and their conversions.

An array is exact when every entry is an integer, a `Fraction` or a SymPy number
without floats; it is then stored as an object array of SymPy numbers and reaches
high-precision arithmetic without ever having been rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symflow.algebra.intervals import Interval
from symflow.algebra.numbers import (
    as_set,
    exact_entry,
    exceeds_float,
    is_exact,
    to_fixed,
    to_float,
    to_mpf,
)
from symflow.errors import InvalidArgument, InvalidData, ShapeMismatch, shown

Array = NDArray[Any]

#: Entries of a sparse matrix that is written out: 800 MB.
MOST_DENSE = 100_000_000


def as_array(value: Any, what: str, *, integers_exact: bool = True) -> Array:
    """Return `value` as a 2-d float64 array, or an object array of exact numbers.

    The `value` is an array, a SymPy matrix or a data frame of finite real numbers; one
    dimension is read as a column.  An array of integers alone counts as exact unless
    `integers_exact` says no.  An error names `what`, a call and its argument:
    InvalidData for what is no finite real number, ShapeMismatch for what is empty, or
    neither one- nor two-dimensional.
    """
    raw = _raw(value, what)
    if raw.ndim == 1:
        raw = raw.reshape(-1, 1)
    if raw.ndim != 2 or 0 in raw.shape:
        msg = f"{what}: needs a non-empty matrix; got an array of shape {raw.shape}"
        raise ShapeMismatch(msg)
    if raw.dtype.kind == "f" and raw.dtype.itemsize > 8:
        raw = raw.astype(object)
    if raw.dtype != object:
        return _as_floats(raw, what) if not integers_exact else _by_kind(raw, what)
    for entry in raw.flat:
        if isinstance(entry, str) or not _is_number(entry):
            msg = f"{what}: entry {shown(entry)} is not a number"
            raise InvalidData(msg)
    counts_as_exact = all(is_exact(entry) for entry in raw.flat) and (
        integers_exact or not all(isinstance(entry, int) for entry in raw.flat)
    )
    try:
        # binary numbers of more digits than floats are rational numbers, too
        if counts_as_exact or any(exceeds_float(x) or as_set(x) for x in raw.flat):
            return map_entries(exact_entry, raw)
        return _as_floats(map_entries(to_float, raw), what)
    except InvalidArgument as problem:
        msg = f"{what}: {problem}"
        raise InvalidData(msg) from None


def map_entries(function: Any, array: Array) -> Array:
    """Apply `function` to every entry; the result is an object array of that shape."""
    result = np.empty(array.shape, dtype=object)
    result.flat[:] = [function(entry) for entry in array.flat]
    return result


def end_to_end(weights: Sequence[Array]) -> Array:
    """Return W_L⋯W_1 for weights with or without a leading time axis."""
    total = weights[0]
    for weight in weights[1:]:
        total = weight @ total
    return total


def is_exact_array(array: Array) -> bool:
    """Say whether the array holds exact numbers rather than floats."""
    return array.dtype == object and all(is_exact(entry) for entry in array.flat)


def to_float_array(array: Array) -> NDArray[np.float64]:
    """Return the array rounded to float64."""
    if array.dtype == object:
        array = map_entries(to_float, array)
    return np.asarray(array, dtype=np.float64)


def to_mpf_array(array: Array, context: Any) -> Array:
    """Return the array with `mpf` entries of the mpmath `context`."""
    return map_entries(lambda entry: to_mpf(entry, context), array)


def to_fixed_array(array: Array, bits: int) -> list[int]:
    """Return round(entry·2^bits) for all entries, row by row."""
    return [to_fixed(entry, bits) for entry in array.flat]


def to_exact_array(array: Array) -> Array:
    """Return the array as exact numbers; a float is the rational that it is."""
    return map_entries(exact_entry, array)


def has_sets(array: Array) -> bool:
    """Say whether an entry stands for many numbers."""
    return array.dtype == object and any(isinstance(x, Interval) for x in array.flat)


def refuse_sets(arrays: Iterable[Array]) -> None:
    """Raise InvalidArgument if an entry stands for many numbers."""
    for array in arrays:
        if has_sets(array):
            to_float_array(array)  # names the entry


def centred(array: Array) -> Array:
    """Return the array with the middle of every set in its place."""
    if not has_sets(array):
        return array
    middle = (x.middle if isinstance(x, Interval) else x for x in array.flat)
    result = np.empty(array.shape, dtype=object)
    result.flat[:] = [exact_entry(entry) for entry in middle]
    return result


def one_kind(arrays: Iterable[Array]) -> list[Array]:
    """Return all arrays exact, if all are or one has sets; else all as float64."""
    given = list(arrays)
    if any(map(has_sets, given)):
        return [to_exact_array(array) for array in given]
    if all(map(is_exact_array, given)):
        return given
    return [to_float_array(array) for array in given]


def refuse_masks(value: Any, what: str) -> None:
    """Raise InvalidArgument for missing entries, which products would fill in."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        msg = f"{what} has masked entries, which a product would use; fill or drop them"
        raise InvalidArgument(msg)


def unflatten(states: Array, shapes: Iterable[tuple[int, ...]]) -> tuple[Array, ...]:
    """Cut vectors of all entries, shape (…, size), into arrays of shapes (…, *shape).

    They are views where NumPy can make them.
    """
    pieces, first = [], 0
    for shape in shapes:
        last = first + prod(shape)
        pieces.append(states[..., first:last].reshape(*states.shape[:-1], *shape))
        first = last
    return tuple(pieces)


def _raw(value: Any, what: str) -> Array:
    if isinstance(value, sympy.MatrixBase):
        return np.array(value.tolist(), dtype=object)
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    refuse_masks(value, what)
    value = _dense(value, what)
    try:
        array = np.asarray(value)
    except ValueError as problem:
        msg = f"{what}: needs rows of equal length; {problem}"
        raise ShapeMismatch(msg) from None
    except (TypeError, RuntimeError, MemoryError) as problem:  # of devices, say
        reason = f"{problem}".partition("\n")[0]
        msg = f"{what}: {type(value).__name__} cannot be read as an array: {reason}"
        raise InvalidData(msg) from None
    # bfloat16 and its kin are foreign types to NumPy
    foreign = array.dtype.kind == "V" and "float" in array.dtype.name
    return array.astype(np.float64) if foreign else array


def _dense(value: Any, what: str) -> Any:
    """Return a tensor without its gradient, and a sparse matrix with its zeros."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # NumPy has no bfloat16, and every float of fewer bits is a float64
        return value.double() if "float" in str(value.dtype) else value
    if hasattr(value, "toarray"):
        if np.prod([float(size) for size in value.shape]) > MOST_DENSE:
            msg = (
                f"{what}: a sparse matrix of shape {value.shape} has more entries than "
                f"the {MOST_DENSE} that are written out"
            )
            raise InvalidData(msg)
        return value.toarray()
    return value


def _by_kind(raw: Array, what: str) -> Array:
    if np.issubdtype(raw.dtype, np.integer):
        return map_entries(lambda entry: sympy.Integer(int(entry)), raw)
    return _as_floats(raw, what)


def _as_floats(raw: Array, what: str) -> NDArray[np.float64]:
    if raw.dtype.kind not in "fiubO":
        entry = raw.flat[0]
        kind = "a complex number" if raw.dtype.kind == "c" else "not a number"
        msg = f"{what}: entry {entry.item()!r} is {kind}"
        raise InvalidData(msg)
    floats = np.array(raw, dtype=np.float64)
    bad = np.argwhere(~np.isfinite(floats))
    if len(bad):
        row, column = (int(index) for index in bad[0])
        msg = (
            f"{what}: the entry in row {row}, column {column} is "
            f"{floats[row, column]}; every entry has to be finite"
        )
        raise InvalidData(msg)
    return floats


def _is_number(entry: Any) -> bool:
    if isinstance(entry, sympy.Expr):
        return bool(entry.is_number)
    return hasattr(entry, "__float__") or isinstance(entry, Interval)


def lifted(array: Array, context: Any) -> Array:
    """Return an array in the arithmetic of `context`; in float64 where that is None."""
    return to_float_array(array) if context is None else to_mpf_array(array, context)


def waves(group: tuple[int, ...], context: Any) -> Array:
    """Return the matrix of the discrete Fourier transform of a shape, rows k."""
    total = np.array([[context.mpc(1)]], dtype=object)
    for size in group:
        roots = [context.expjpi(context.mpf(-2 * k) / size) for k in range(size)]
        table = [[roots[j * k % size] for k in range(size)] for j in range(size)]
        total = np.asarray(np.kron(total, np.array(table, dtype=object)))
    return total


def to_spectrum(signal: Array, group: tuple[int, ...]) -> Array:
    """Return the transform of float64 signals of a shape, along the last axis."""
    shaped = signal.reshape(*signal.shape[:-1], *group)
    found = np.fft.fftn(shaped, axes=range(-len(group), 0))
    return np.asarray(found.reshape(signal.shape))


def from_spectrum(spectrum: Array, group: tuple[int, ...]) -> Array:
    """Return the real signals of a shape that have a transform, along the last axis."""
    return np.asarray(to_spectrum(spectrum.conj(), group).real / spectrum.shape[-1])
