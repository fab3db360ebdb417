"""Linear measurements of a matrix: y_k = ⟨A_k, W⟩, or single entries of W."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NoReturn

import numpy as np

from symflow.algebra.arrays import (
    Array,
    as_array,
    one_kind,
    to_exact_array,
    to_float_array,
)
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.numbers import whole
from symflow.algebra.threads import cached_property
from symflow.data.moments import counted
from symflow.errors import InvalidArgument, ShapeMismatch, shown

_CALL = "Measurements(A, y)"
_ENTRIES = "Measurements.entries(entries, shape)"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Measurements(Displayed):
    """Measurements y_k = ⟨A_k, W⟩ of an unknown matrix W, for `MeasurementLoss`.

    Numbers are exact if all are integers, fractions or SymPy numbers, and float64
    otherwise.

    Parameters
    ----------
    A : array_like, shape (k, m, d)
        The matrices A_k, outputs × inputs.
    y : array_like, shape (k,)
        What was measured.

    Raises
    ------
    ShapeMismatch
        If shapes do not fit together, or there are no measurements.
    InvalidData
        If an entry is not a finite real number.

    Examples
    --------
    >>> import symflow as sf
    >>> data = sf.Measurements([[[1, 0], [0, 1]], [[0, 1], [0, 0]]], [3, 1])
    >>> data.shape, data.y.tolist()
    ((2, 2), [3, 1])
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.MeasurementLoss())
    >>> run = sf.simulate(flow, data, sf.gaussian_init(0.5, rng=0), [0, 50])
    >>> run.end_to_end[-1].trace().round(6).item()
    3.0
    """

    A: Array
    y: Array

    def __init__(self, A: Any, y: Any) -> None:
        matrices = _matrices(A)
        values = as_array(y, f"{_CALL}: y")
        if values.shape != (len(matrices), 1):
            msg = (
                f"{_CALL}: needs one number in y for each of the {len(matrices)} "
                f"matrices of A; got an array of shape {np.shape(y)}"
            )
            raise ShapeMismatch(msg)
        parts = one_kind([*matrices, values])
        _fill(self, np.stack(parts[:-1]), parts[-1][:, 0])

    @classmethod
    def entries(cls, entries: Mapping[Any, Any], shape: Any) -> Measurements:
        """Return the measurements of single entries, as for matrix completion.

        Parameters
        ----------
        entries : mapping
            The numbers that are known, by (row, column), counted from 0.
        shape : tuple of int
            Rows and columns (m, d) of the whole matrix.

        Raises
        ------
        InvalidArgument
            If a place is outside the matrix, or an argument of another kind.

        Examples
        --------
        >>> data = Measurements.entries({(0, 1): 5, (1, 0): 2}, shape=(2, 2))
        >>> data.A[0].tolist(), data.y.tolist()
        ([[0, 1], [0, 0]], [5, 2])
        """
        if not isinstance(entries, Mapping) or not entries:
            msg = f"{_ENTRIES}: needs a mapping {{(i, j): value}}; got {shown(entries)}"
            raise InvalidArgument(msg)
        size = _size(shape, len(entries))
        matrices = []
        for place in entries:
            _check_place(place, size)
            matrix = np.zeros(size, dtype=int)
            matrix[place] = 1
            matrices.append(matrix)
        return cls(matrices, list(entries.values()))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the measured matrix."""
        return int(self.A.shape[1]), int(self.A.shape[2])

    @property
    def k(self) -> int:
        """Number of measurements."""
        return len(self.y)

    @property
    def d(self) -> int:
        """Number of inputs."""
        return self.shape[1]

    @property
    def m(self) -> int:
        """Number of outputs."""
        return self.shape[0]

    @property
    def rows(self) -> Array:
        """The entries of every A_k, row by row, as one row each."""
        return self.A.reshape(self.k, -1)

    @property
    def exact(self) -> bool:
        """Whether the numbers are exact."""
        return self.A.dtype == object

    @cached_property
    def exactly(self) -> Measurements:
        """The same measurements, floats as the rational numbers that they are.

        Examples
        --------
        >>> Measurements([[[1.0]]], [0.5]).exactly.y
        array([1/2], dtype=object)
        """
        if self.exact:
            return self
        twin = object.__new__(Measurements)
        _fill(twin, to_exact_array(self.A), to_exact_array(self.y))
        return twin

    def moments(self) -> NoReturn:
        """Refuse: measurements have no samples, and so no second moments.

        Raises
        ------
        InvalidArgument
            Always.
        """
        msg = (
            "Measurements.moments(): measurements of a matrix are no samples, and have "
            "no second moments. Use them with MeasurementLoss()"
        )
        raise InvalidArgument(msg)

    def _sheet(self) -> Sheet:
        kind = "exact numbers" if self.exact else "float64"
        rank = np.linalg.matrix_rank(to_float_array(self.rows))
        rows = {
            "matrix": f"{self.m} × {self.d}",
            "independent": f"{rank} of {self.m * self.d}",
        }
        title = f"{counted(self.k, 'measurement')} of a matrix, {kind}"
        return Sheet(title, rows=tuple(rows.items()))


def _fill(data: Measurements, A: Array, y: Array) -> None:
    for array in (A, y):
        array.flags.writeable = False
    object.__setattr__(data, "A", A)
    object.__setattr__(data, "y", y)


def _matrices(A: Any) -> list[Array]:
    known = isinstance(A, list | tuple) or (isinstance(A, np.ndarray) and A.ndim > 0)
    given = list(A) if known else []
    listed = [as_array(part, f"{_CALL}: A[{k}]") for k, part in enumerate(given)]
    shapes = {part.shape for part in listed}
    if len(shapes) != 1 or any(np.ndim(part) < 2 for part in given):
        found = ", ".join(f"{rows}×{columns}" for rows, columns in sorted(shapes))
        msg = (
            f"{_CALL}: A has to be a sequence of matrices of one shape, an array of "
            f"shape (k, m, d); got {found or shown(A)}"
        )
        raise ShapeMismatch(msg)
    return listed


def _size(shape: Any, count: int) -> tuple[int, int]:
    listed = list(shape) if isinstance(shape, list | tuple) else []
    if len(listed) != 2 or not all(_is_count(size) and size > 0 for size in listed):
        msg = f"{_ENTRIES}: shape needs two positive integers; got {shown(shape)}"
        raise InvalidArgument(msg)
    rows, columns = map(int, listed)
    whole(count * rows * columns, f"{_ENTRIES}: entries of all matrices", 1, 10**7)
    return rows, columns


def _check_place(place: Any, size: tuple[int, int]) -> None:
    fits = isinstance(place, tuple) and len(place) == 2 and all(map(_is_count, place))
    if not fits or not all(0 <= p < n for p, n in zip(place, size, strict=True)):
        msg = (
            f"{_ENTRIES}: {shown(place)} is no place (row, column) of a "
            f"{size[0]}×{size[1]} matrix, counted from 0"
        )
        raise InvalidArgument(msg)


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
