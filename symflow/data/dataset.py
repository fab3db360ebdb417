"""Samples: rows of X are inputs and rows of Y are targets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.arrays import (
    Array,
    centred,
    has_sets,
    refuse_sets,
    to_float_array,
)
from symflow.algebra.balls import gram_of_sets
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.threads import cached_property
from symflow.data.exact import exact_gram
from symflow.data.frames import (
    MISSING,
    as_names,
    column_names,
    column_rows,
    completed,
    of_one_kind,
    read_frame,
    stacked,
)
from symflow.data.moments import Moments, counted, moments_of
from symflow.data.scaling import centered, refuse_constants, standardized
from symflow.data.table import input_names, read_table, target_names
from symflow.data.whitening import unwhitened, whitening
from symflow.errors import InvalidData, ShapeMismatch, one_of

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
        x, y = of_one_kind(X, Y)
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
        object.__setattr__(self, "inputs", column_names(X, x, inputs, "inputs"))
        object.__setattr__(self, "targets", column_names(Y, y, targets, "targets"))

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        target: str | Iterable[str],
        drop: str | Iterable[str] = (),
        missing: str = "refuse",
    ) -> Dataset:
        r"""Read samples from a comma separated file with a header line.

        Parameters
        ----------
        path : str or os.PathLike
            The file; read through gzip where the name ends with ``.gz``.
        target : str or iterable of str
            The target columns; all others are inputs.
        drop : str or iterable of str
            Columns that are neither, and are not read.
        missing : {"refuse", "drop", "mean"}
            What to do where a cell is empty, or says NA or NaN; as in `from_frame`.

        Returns
        -------
        Dataset
            Of float64 numbers, with the column names of the file.

        Raises
        ------
        InvalidData
            If the file cannot be read, a column is not in it, no input column is left,
            there are fewer than two rows, or a cell is not a finite number.
        InvalidArgument
            If no target is named, or one is named twice.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "dose.csv")
        ...     _ = path.write_text("id,dose,age,effect\na,1,30,2\nb,,40,3.5\n")
        ...     data = Dataset.from_csv(path, "effect", drop="id", missing="mean")
        >>> data.inputs, data.X.tolist()
        (('dose', 'age'), [[1.0, 30.0], [1.0, 40.0]])
        """
        call = "Dataset.from_csv(path, target)"
        targets = target_names(target, call)
        left_out = as_names(drop, "drop", call)
        gaps = one_of(missing, MISSING, f"{call}: missing") != "refuse"
        names, values = read_table(path, call, left_out, gaps=gaps)
        inputs = input_names(names, targets, None, left_out, call)
        columns = dict(zip(names, values.T, strict=True))
        used = {name: columns[name] for name in (*inputs, *targets)}
        data = cls._of_columns(used, inputs, targets, missing, call)
        if data.n < 2:
            msg = f"{call}: needs at least 2 usable rows below the header; got {data.n}"
            raise InvalidData(msg)
        return data

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        target: str | Iterable[str],
        inputs: Iterable[str] | None = None,
        drop: str | Iterable[str] = (),
        missing: str = "refuse",
    ) -> Dataset:
        """Take samples from the columns of a data frame, of pandas or alike.

        Parameters
        ----------
        frame : pandas.DataFrame
            Rows are samples; only the columns that are used are read.
        target : str or iterable of str
            The target columns.
        inputs : iterable of str, optional
            The input columns, in this order; by default all that are left.
        drop : str or iterable of str
            Columns that are neither.
        missing : {"refuse", "drop", "mean"}
            What to do where a number is missing: raise, leave out the row, or take the
            mean of the input's column.  Targets are never filled.

        Returns
        -------
        Dataset
            With the names of the columns; truth values are 0 and 1.

        Raises
        ------
        InvalidData
            If a column is not there or is there twice, holds no numbers, or has gaps
            that may not be filled; all such columns are named.
        InvalidArgument
            If this is no data frame, or `missing` none of the three.

        Examples
        --------
        >>> import pandas
        >>> frame = pandas.DataFrame(
        ...     {"id": ["a", "b"], "dose": [1.0, None], "effect": [2.0, 3.5]}
        ... )
        >>> data = Dataset.from_frame(frame, "effect", drop="id", missing="mean")
        >>> data.inputs, data.X.tolist()
        (('dose',), [[1.0], [1.0]])
        """
        call = "Dataset.from_frame(frame, target)"
        targets = target_names(as_names(target, "target", call), call)
        wanted = None if inputs is None else as_names(inputs, "inputs", call)
        left_out = as_names(drop, "drop", call)
        columns, names = read_frame(frame, targets, wanted, left_out, call)
        return cls._of_columns(columns, names, targets, missing, call)

    @classmethod
    def _of_columns(
        cls,
        columns: dict[str, Array],
        inputs: tuple[str, ...],
        targets: tuple[str, ...],
        missing: str,
        call: str,
    ) -> Dataset:
        full = completed(columns, inputs, missing, call)
        parts = stacked(full, inputs), stacked(full, targets)
        return cls(*parts, inputs=inputs, targets=targets)

    @property
    def n(self) -> int:
        """Number of samples.

        Examples
        --------
        >>> Dataset([1.0, 3.0, 4.0], [2.0, 6.0, 8.0]).n
        3
        """
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
        refuse_sets([self.X, self.Y])
        return self._with(centered(self.X), centered(self.Y))

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
        refuse_sets([self.X, self.Y])
        refuse_constants([(self.X, self.inputs), (self.Y, self.targets)])
        return self._with(standardized(self.X), standardized(self.Y))

    def whitened(self) -> Dataset:
        """Return the data with inputs Tx for which Σ_xx = I; T is triangular.

        Every input is replaced by what those before it do not explain.  Rational
        samples become exact ones with square roots.  `centered` first, where Σ_xx is to
        be the covariance.

        Raises
        ------
        InvalidData
            If Σ_xx is singular, naming the columns that depend on others, or if exact
            samples are not rational.

        Examples
        --------
        >>> data = Dataset([[2.0, 1.0], [-2.0, 1.0]], [1.0, 3.0]).whitened()
        >>> data.moments().sigma_xx.round(12).diagonal().tolist()
        [1.0, 1.0]
        >>> data.unwhiten([[3.0, 1.0]]).round(12).tolist()
        [[1.5, 1.0]]
        """
        refuse_sets([self.X, self.Y])
        x, T = whitening(self.X, self.inputs)
        result = self._with(x, self.Y)
        result.__dict__["_whitening"] = T
        return result

    def unwhiten(self, W: Any) -> Array:
        """Return W in the coordinates that the inputs had before `whitened`: WT.

        W(Tx) = (WT)x, so that what was learned here predicts from the inputs as they
        were.

        Parameters
        ----------
        W : array_like, shape (…, m, d)
            End-to-end matrices of any kind of number, for example ``run.end_to_end``.

        Raises
        ------
        InvalidArgument
            If these samples were not made by `whitened`.
        ShapeMismatch
            If W does not have a column per input.

        Examples
        --------
        >>> data = Dataset([[2.0], [-2.0]], [1.0, 3.0]).whitened()
        >>> data.unwhiten([[3.0]]).tolist()
        [[1.5]]
        """
        return unwhitened(W, self.__dict__.get("_whitening"))

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
        x, y = self.X, self.Y
        if has_sets(x) or has_sets(y):
            pairs = {"xx": (x, x), "yx": (y, x), "yy": (y, y)}
            grams = {f"sigma_{k}": gram_of_sets(*p, self.n) for k, p in pairs.items()}
            return moments_of(grams, self.n)
        count: Any = sympy.Integer(self.n) if self.exact else self.n
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
        rows = column_rows("X", self.inputs, to_float_array(centred(self.X)))
        rows += column_rows("Y", self.targets, to_float_array(centred(self.Y)))
        header = ("", "column", "mean", "std", "smallest", "largest")
        return Sheet(f"Dataset of {size}, {kind}", rows=tuple(rows), header=header)
