"""What compiled code takes: real numbers, and memory that does not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, refuse_masks, to_float_array
from symflow.errors import InvalidArgument, ShapeMismatch, shown


def floats(value: Any, what: str) -> Array:
    """Return real numbers as a float64 array, in the memory they have if they can.

    `what` is the call and argument, for the error message.

    Raises InvalidArgument if an entry is complex, masked or no number, or for more
    numbers than fit into memory.
    """
    refuse_masks(value, what)
    try:
        array = np.asarray(value)
        if array.dtype.kind == "c":
            msg = "complex numbers, and the code is for real ones"
            raise InvalidArgument(msg)
        if array.dtype.kind not in "fiubO":
            msg = f"entries of type {array.dtype}"
            raise InvalidArgument(msg)
        return array if array.dtype == np.float64 else to_float_array(array)
    except ValueError as problem:  # NumPy's, of ragged rows, and symflow's
        msg = f"{what} has to be an array of real numbers; got {problem}"
        raise InvalidArgument(msg) from None
    except MemoryError:
        msg = f"{what}: {shown(value)} does not fit into memory"
        raise InvalidArgument(msg) from None


def refuse_unwritable(
    out: Sequence[Any], shapes: Sequence[tuple[int, ...]], call: str
) -> None:
    """Raise ShapeMismatch for arrays that results cannot be written into."""
    given = [getattr(array, "shape", None) for array in out]
    if given != list(shapes):
        listed = ", ".join(map(str, given))
        msg = f"{call}: the arrays in out have the shapes {listed}; needs {shapes}"
        raise ShapeMismatch(msg)
    for array in out:
        plain = isinstance(array, np.ndarray) and array.dtype == np.float64
        masked = isinstance(array, np.ma.MaskedArray)
        if masked or not (plain and array.flags.c_contiguous and array.flags.writeable):
            msg = f"{call}: needs writable contiguous float64 arrays for out"
            raise ShapeMismatch(msg)


def refuse_overlap(out: Sequence[Array], others: Sequence[Any], call: str) -> None:
    """Raise InvalidArgument where a result would overwrite what is still read."""
    for number, result in enumerate(out):
        for other in (*out[:number], *others):
            near = isinstance(other, np.ndarray) and np.may_share_memory(result, other)
            if near and np.shares_memory(result, other):
                msg = (
                    f"{call}: array {number} of out shares memory with another array "
                    "of the call, which would be overwritten while it is read. Give "
                    "arrays of their own"
                )
                raise InvalidArgument(msg)
