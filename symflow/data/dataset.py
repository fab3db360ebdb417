"""Samples: rows of X are inputs and rows of Y are targets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, as_array, is_exact_array, to_float_array
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.threads import cached_property
from symflow.data.exact import exact_gram
from symflow.data.moments import Moments, counted, moments_of
from symflow.data.table import read_table
from symflow.errors import InvalidArgument, InvalidData, ShapeMismatch

_SHOWN_COLUMNS = 12

#: Inputs and targets whose moments are formed: 1 GiB for Σ.
MOST_COLUMNS = 11_000


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Dataset(Displayed):
    """Inputs X and targets Y, one sample per row.

    Numbers are float64, also where integers are given; they are exact if X or Y is of
    fractions or SymPy numbers and neither has a float.  The arrays are read-only.

    Parameters
    ----------
    X : array_like or pandas.DataFrame, shape (n, d)
        Inputs; one dimension is read as a column.
    Y : array_like, pandas.DataFrame or pandas.Series, shape (n, m)
        Targets; one dimension is read as a column.
    inputs, targets : iterable of str, keyword-only, optional
        Column names; by default those of a data frame, else x1, … and y1, ….

    Raises
    ------
    InvalidData
        If an entry is not a finite real number.
    ShapeMismatch
        If X and Y have different numbers of rows, or names do not fit the columns.

    Examples
    --------
    >>> data = Dataset([[1.0, 0.0], [0.0, 2.0]], [1.0, 3.0])
    >>> data.moments().sigma_yx.tolist()
    [[0.5, 3.0]]
    """

    X: Array
    Y: Array
    inputs: tuple[str, ...]
    targets: tuple[str, ...]

    def __init__(
        self,
        X: Any,
        Y: Any,
        *,
        inputs: Iterable[str] | None = None,
        targets: Iterable[str] | None = None,
    ) -> None:
        x, y = _one_kind(X, Y)
        if len(x) != len(y):
            msg = (
                "Dataset(X, Y): needs one row per sample in both; got "
                f"{len(x)} rows of X and {len(y)} rows of Y"
            )
            raise ShapeMismatch(msg)
        for array in (x, y):
            array.flags.writeable = False
        object.__setattr__(self, "X", x)
        object.__setattr__(self, "Y", y)
        object.__setattr__(self, "inputs", _names(X, x, inputs, "inputs"))
        object.__setattr__(self, "targets", _names(Y, y, targets, "targets"))

    @classmethod
    def from_csv(
        cls, path: str | os.PathLike[str], target: str | Iterable[str]
    ) -> Dataset:
        r"""Read samples from a comma separated file with a header line.

        Parameters
        ----------
        path : str or os.PathLike
            The file; read through gzip where the name ends with ``.gz``.
        target : str or iterable of str
            The target columns; all others are inputs.

        Returns
        -------
        Dataset
            Of float64 numbers, with the column names of the file.

        Raises
        ------
        InvalidData
            If the file cannot be read, a target column is not in it, no input column
            is left, there are fewer than two rows, or a cell is not a finite number.
        InvalidArgument
            If no target is named, or one is named twice.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "dose.csv")
        ...     _ = path.write_text("dose,age,effect\n1,30,2\n2,40,3.5\n")
        ...     data = Dataset.from_csv(path, target="effect")
        >>> data.inputs, data.Y.tolist()
        (('dose', 'age'), [[2.0], [3.5]])
        """
        call = "Dataset.from_csv(path, target)"
        targets = _targets(target, call)
        names, values = read_table(path, call)
        inputs = _inputs(names, targets, call)
        if len(values) < 2:
            msg = f"{call}: needs at least 2 rows below the header; got {len(values)}"
            raise InvalidData(msg)
        columns = {name: position for position, name in enumerate(names)}
        return cls(
            values[:, [columns[name] for name in inputs]],
            values[:, [columns[name] for name in targets]],
            inputs=inputs,
            targets=targets,
        )

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.X.shape[0])

    @property
    def d(self) -> int:
        """Number of inputs."""
        return int(self.X.shape[1])

    @property
    def m(self) -> int:
        """Number of targets."""
        return int(self.Y.shape[1])

    @property
    def exact(self) -> bool:
        """Whether the samples are exact numbers."""
        return self.X.dtype == object

    def centered(self) -> Dataset:
        """Return the data with the mean of every column subtracted.

        Examples
        --------
        >>> Dataset([1.0, 3.0], [2.0, 2.0]).centered().X.tolist()
        [[-1.0], [1.0]]
        """
        return self._with(_centered(self.X), _centered(self.Y))

    def standardized(self) -> Dataset:
        """Return the data with mean zero and variance one in every column.

        The variance is that of the population (divided by n), so that the diagonals
        of Σ_xx and Σ_yy are 1.

        Raises
        ------
        InvalidData
            If a column is constant.

        Examples
        --------
        >>> Dataset([1.0, 3.0], [2.0, 6.0]).standardized().Y.tolist()
        [[-1.0], [1.0]]
        """
        return self._with(
            _standardized(self.X, self.inputs), _standardized(self.Y, self.targets)
        )

    def moments(self) -> Moments:
        """Return Σ_xx = XᵀX/n, Σ_yx = YᵀX/n and Σ_yy = YᵀY/n.

        Examples
        --------
        >>> Dataset([1.0, 3.0], [2.0, 6.0]).moments().sigma_yy.tolist()
        [[20.0]]
        """
        return self._moments

    @cached_property
    def _moments(self) -> Moments:
        if self.d + self.m > MOST_COLUMNS:
            msg = (
                f"Dataset.moments(): {self.d} inputs and {self.m} targets are more "
                f"than the {MOST_COLUMNS} columns whose moments fit into memory"
            )
            raise InvalidData(msg)
        count: Any = sympy.Integer(self.n) if self.exact else self.n
        x, y = self.X, self.Y
        parts = {"xx": x.T @ x / count, "yx": y.T @ x / count, "yy": y.T @ y / count}
        if not self.exact:
            for name in ("xx", "yy"):
                parts[name] = (parts[name] + parts[name].T) / 2
        return moments_of({f"sigma_{k}": part for k, part in parts.items()}, self.n)

    @cached_property
    def exactly(self) -> Dataset:
        """The same samples, whose moments are formed without rounding.

        Examples
        --------
        >>> Dataset([0.5, 1.0, 1.0], [1.0, 2.0, 2.0]).exactly.moments().sigma_xx[0, 0]
        3/4
        """
        if self.exact:
            return self
        x, y = self.X, self.Y
        pairs = {"sigma_xx": (x, x), "sigma_yx": (y, x), "sigma_yy": (y, y)}
        parts = {name: exact_gram(*pair, self.n) for name, pair in pairs.items()}
        twin = self._with(x, y)
        twin.__dict__["_moments"] = moments_of(parts, self.n)
        return twin

    def _with(self, x: Array, y: Array) -> Dataset:
        return Dataset(x, y, inputs=self.inputs, targets=self.targets)

    def _sheet(self) -> Sheet:
        kind = "exact numbers" if self.exact else "float64"
        size = (
            f"{counted(self.n, 'sample')}, {counted(self.d, 'input')}, "
            f"{counted(self.m, 'target')}"
        )
        rows = _column_rows("X", self.inputs, to_float_array(self.X))
        rows += _column_rows("Y", self.targets, to_float_array(self.Y))
        header = ("", "column", "mean", "std", "smallest", "largest")
        return Sheet(f"Dataset of {size}, {kind}", rows=tuple(rows), header=header)


def _one_kind(X: Any, Y: Any) -> tuple[Array, Array]:
    """Return both arrays, exact if one is exact and the other has no floats."""
    arrays = [
        as_array(value, f"Dataset({name}=…)", integers_exact=False)
        for value, name in ((X, "X"), (Y, "Y"))
    ]
    if any(is_exact_array(array) for array in arrays):
        arrays = [as_array(value, "Dataset(X, Y)") for value in (X, Y)]
        if not all(is_exact_array(array) for array in arrays):
            arrays = [to_float_array(array) for array in arrays]
    return arrays[0], arrays[1]


def _names(
    given: Any, array: Array, names: Iterable[str] | None, kind: str
) -> tuple[str, ...]:
    if names is None:
        names = _frame_names(given)
    if names is None:
        return tuple(
            f"{'x' if kind == 'inputs' else 'y'}{i + 1}" for i in range(array.shape[1])
        )
    result = (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    if len(result) != array.shape[1]:
        msg = (
            f"Dataset({kind}=…): needs one name per column; got {len(result)} names "
            f"for {array.shape[1]} columns"
        )
        raise ShapeMismatch(msg)
    return result


def _frame_names(given: Any) -> Iterable[str] | None:
    """Return the column names of a data frame or a named series, without pandas."""
    if hasattr(given, "columns"):
        return [str(name) for name in given.columns]
    if hasattr(given, "to_numpy") and getattr(given, "name", None) is not None:
        return [str(given.name)]
    return None


def _targets(target: str | Iterable[str], call: str) -> tuple[str, ...]:
    many = isinstance(target, Iterable) and not isinstance(target, str | np.ndarray)
    targets: tuple[Any, ...] = tuple(target) if many else (target,)
    if not all(isinstance(name, str) for name in targets):
        msg = f"{call}: target needs names of columns; got {target!r}"
        raise InvalidArgument(msg)
    if not targets or len(set(targets)) < len(targets):
        msg = (
            f"{call}: target needs the name of at least one column, each once; got "
            f"{list(targets)!r}"
        )
        raise InvalidArgument(msg)
    return targets


def _inputs(
    names: tuple[str, ...], targets: tuple[str, ...], call: str
) -> tuple[str, ...]:
    listed = ", ".join(repr(name) for name in names[:_SHOWN_COLUMNS])
    listed += ", …" if len(names) > _SHOWN_COLUMNS else ""
    for name in targets:
        if name not in names:
            msg = f"{call}: there is no column {name!r}; the columns are {listed}"
            raise InvalidData(msg)
    chosen = frozenset(targets)
    inputs = tuple(name for name in names if name not in chosen)
    if not inputs:
        msg = (
            f"{call}: all columns ({listed}) are targets and none is left as an "
            "input. Name fewer targets"
        )
        raise InvalidData(msg)
    return inputs


def _centered(array: Array) -> Array:
    count: Any = sympy.Integer(len(array)) if array.dtype == object else len(array)
    return np.asarray(array - array.sum(axis=0) / count)


def _standardized(array: Array, names: tuple[str, ...]) -> Array:
    for column, name in enumerate(names):
        if (array[:, column] == array[0, column]).all():
            msg = (
                f"Dataset.standardized(): column {name!r} is constant "
                f"({array[0, column]}) and cannot be given variance 1. Leave it out, "
                "or use centered()"
            )
            raise InvalidData(msg)
    if array.dtype != object:  # squares of 1e200 are infinite; a power of two is exact
        array = np.ldexp(array, -np.frexp(np.abs(array).max(axis=0))[1])
    centered = _centered(array)
    if array.dtype != object:
        return np.asarray(centered / np.sqrt((centered**2).mean(axis=0)))
    variances = (centered**2).sum(axis=0) / sympy.Integer(len(array))
    return np.asarray(centered / np.array([sympy.sqrt(v) for v in variances]))


def _column_rows(
    letter: str, names: tuple[str, ...], array: Array
) -> list[tuple[str, ...]]:
    shown = names[:_SHOWN_COLUMNS]
    rows = []
    for name, column in zip(shown, array.T, strict=False):
        numbers = (column.mean(), column.std(), column.min(), column.max())
        rows.append((letter, name, *(f"{number:.4g}" for number in numbers)))
    hidden = len(names) - len(shown)
    more = (letter, f"… and {hidden} more columns", "", "", "", "")
    return rows + ([more] if hidden else [])
