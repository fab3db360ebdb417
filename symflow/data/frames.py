"""Samples in tables of named columns, as pandas and Polars have them.

Neither is imported: a table has ``columns``, and a column has ``to_numpy()``.  Every
column that cannot be used is named, all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from symflow.algebra.arrays import (
    Array,
    as_array,
    has_sets,
    is_exact_array,
    one_kind,
    to_float_array,
)
from symflow.data.table import SHOWN_COLUMNS, input_names, listed
from symflow.errors import InvalidArgument, InvalidData, ShapeMismatch, one_of, shown

MISSING = ("refuse", "drop", "mean")

#: Names of columns that are looked at.
MOST_NAMES = 1_000_000


def read_frame(
    frame: Any,
    targets: Sequence[str],
    inputs: Sequence[str] | None,
    drop: Sequence[str],
    call: str,
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the columns that are used by name, and the names of the inputs.

    Raises InvalidData if a column is not there, is there twice, or holds no numbers.
    """
    if not hasattr(frame, "columns"):
        msg = (
            f"{call}: needs a data frame; got {type(frame).__name__}. Use Dataset(X, Y)"
        )
        raise InvalidArgument(msg)
    labels = list(frame.columns)
    names = [str(label) for label in labels]
    left = [name for name in names if name not in {*targets, *drop}]
    chosen = dict.fromkeys((*(left if inputs is None else inputs), *targets))
    twice = [name for name in chosen if names.count(name) > 1]
    if twice:
        msg = f"{call}: there are two columns {listed(twice)}. Give each its own name"
        raise InvalidData(msg)
    taken = input_names(names, targets, inputs, drop, call)
    used = (*taken, *targets)
    places = dict(zip(names, labels, strict=True))
    return numeric({n: frame[places[n]].to_numpy() for n in used}, call), taken


def numeric(columns: dict[str, Array], call: str) -> dict[str, Array]:
    """Return columns of numbers, NaN for what is missing, or name those that fail."""
    wrong, found = [], {}
    for name, column in columns.items():
        array = np.asarray(column)
        if array.dtype == object:
            array = np.array([_cell(entry) for entry in array], dtype=object)
        numbers = array.dtype.kind in "fiubO"
        bad = [entry for entry in array if not (numbers and _is_number(entry))]
        if bad:
            wrong.append(f"{name!r} ({bad[0]})")
        found[name] = array.astype(int) if array.dtype.kind == "b" else array
    if wrong:
        first = ", ".join(wrong[:SHOWN_COLUMNS])
        msg = (
            f"{call}: no finite numbers in column {first}. Drop such columns, or "
            "write numbers for what they say"
        )
        raise InvalidData(msg)
    return found


def completed(
    columns: dict[str, Array], inputs: Sequence[str], missing: str, call: str
) -> dict[str, Array]:
    """Return columns without gaps: refused, or rows left out, or means of inputs."""
    one_of(missing, MISSING, f"{call}: missing")
    gaps = {name: np.array([x != x for x in c]) for name, c in columns.items()}
    holes = {name: int(gap.sum()) for name, gap in gaps.items() if gap.any()}
    if missing == "drop":
        kept = ~np.any([*gaps.values()], axis=0)
        if not kept.any():
            msg = f"{call}: no row is complete; numbers are missing, {_counted(holes)}"
            raise InvalidData(msg)
        return {name: column[kept] for name, column in columns.items()}
    refused = {
        name: count
        for name, count in holes.items()
        if missing == "refuse" or name not in inputs or gaps[name].all()
    }
    if refused:
        msg = (
            f"{call}: numbers are missing, {_counted(refused)}. missing='drop' of "
            "from_csv and from_frame leaves out such rows, 'mean' fills inputs"
        )
        raise InvalidData(msg)
    for name in holes:
        known = columns[name][~gaps[name]]
        columns[name] = columns[name].copy()
        columns[name][gaps[name]] = known.sum() / len(known)
    return columns


def stacked(columns: dict[str, Array], names: Sequence[str]) -> Array:
    """Return columns as a matrix, whose integers stay exact beside fractions."""
    chosen = [columns[name] for name in names]
    if any(column.dtype == object for column in chosen):
        chosen = [column.astype(object) for column in chosen]
    return np.column_stack(chosen)


def checked(frame: Any, call: str) -> Any:
    """Return the entries of a data frame that has no gap; anything else as it is."""
    names = [str(label) for label in getattr(frame, "columns", ())]
    if not names or len(set(names)) < len(names):
        return frame
    columns, _ = read_frame(frame, (), names, (), call)
    return stacked(completed(columns, names, "refuse", call), names)


def of_one_kind(X: Any, Y: Any) -> tuple[Array, Array]:
    """Return both arrays, exact if one is exact and the other has no floats."""
    given = [
        checked(value, f"Dataset({name}=…)") for value, name in ((X, "X"), (Y, "Y"))
    ]
    arrays = [
        as_array(value, f"Dataset({name}=…)", integers_exact=False)
        for value, name in zip(given, "XY", strict=True)
    ]
    if any(map(has_sets, arrays)):
        arrays = one_kind(arrays)
    elif any(is_exact_array(array) for array in arrays):
        arrays = [as_array(value, "Dataset(X, Y)") for value in given]
        if not all(is_exact_array(array) for array in arrays):
            arrays = [to_float_array(array) for array in arrays]
    return arrays[0], arrays[1]


def column_rows(
    letter: str, names: tuple[str, ...], array: Array
) -> list[tuple[str, ...]]:
    """Return a line for every column that a display shows: its mean, std and range."""
    shown = names[:SHOWN_COLUMNS]
    rows = []
    for name, column in zip(shown, array.T, strict=False):
        mean, spread = column.mean(), column.std()
        rounded = mean if abs(mean) > 1e-13 * spread else 0.0  # it was subtracted
        numbers = (rounded, spread, column.min(), column.max())
        rows.append((letter, name, *(f"{number:.4g}" for number in numbers)))
    hidden = len(names) - len(shown)
    more = (letter, f"… and {hidden} more columns", "", "", "", "")
    return rows + ([more] if hidden else [])


def column_names(
    given: Any, array: Array, names: Iterable[str] | None, kind: str
) -> tuple[str, ...]:
    """Return the names of the columns: those given, those of a frame, or x1, x2, ….

    Raises ShapeMismatch if there is not one per column.
    """
    if names is None:
        names = _frame_names(given)
    if names is None:
        return tuple(
            f"{'x' if kind == 'inputs' else 'y'}{i + 1}" for i in range(array.shape[1])
        )
    result = _listed(names, f"Dataset({kind}=…)", "names of columns")
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


def as_names(given: Any, what: str, call: str) -> tuple[str, ...]:
    """Return names of columns, each once; one name may stand alone."""
    names = _listed(given, call, f"names of columns as {what}")
    if len(set(names)) < len(names):
        msg = f"{call}: {what} needs each column once; got {list(names)}"
        raise InvalidArgument(msg)
    return names


def _listed(given: Any, call: str, needs: str) -> tuple[str, ...]:
    try:
        if isinstance(given, str | int):
            return (str(given),)
        return tuple(map(str, islice(given, MOST_NAMES)))
    except (TypeError, ValueError):  # np.ma.masked only looks as if it had entries
        msg = f"{call}: needs {needs}; got {shown(given)}"
        raise InvalidArgument(msg) from None


def _cell(value: Any) -> Any:
    """Return NaN for what is missing: pandas and Python have several words for it."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return np.nan
    return int(value) if isinstance(value, bool) else value


def _is_number(value: Any) -> bool:
    """Say whether this is a finite number or missing."""
    if isinstance(value, str | bytes | complex) or not hasattr(value, "__float__"):
        return False
    return abs(float(value)) != np.inf


def _counted(holes: dict[str, int]) -> str:
    shown = [f"{count} of {name!r}" for name, count in holes.items()][:SHOWN_COLUMNS]
    return ", ".join(shown) + (", …" if len(holes) > SHOWN_COLUMNS else "")
