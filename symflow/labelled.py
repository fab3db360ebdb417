"""Trajectories as tables and as labelled arrays, for pandas and xarray."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.errors import InvalidArgument, NotInstalled
from symflow.flow import GradientFlow


class SeveralArrays:
    """What holds several arrays and is none: NumPy is told what to write instead."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        """Raise InvalidArgument."""
        msg = (
            f"np.asarray({type(self).__name__}): holds several arrays. Write "
            ".end_to_end, .loss, .weights[0] or .t for one of them"
        )
        raise InvalidArgument(msg)


class Paths(Protocol):
    """One trajectory, or many of one flow at the same times."""

    @property
    def flow(self) -> GradientFlow:
        """The flow."""

    @property
    def t(self) -> Array:
        """The times."""

    @property
    def weights(self) -> tuple[Array, ...]:
        """For each layer, shape (…, times, rows, columns)."""

    @property
    def end_to_end(self) -> Array:
        """W(t), shape (…, times, outputs, inputs)."""

    @property
    def loss(self) -> Array:
        """The objective, shape (…, times)."""

    @property
    def singular_values(self) -> Array:
        """Singular values of W(t), shape (…, times, modes)."""


def frame(paths: Paths, number: str | None = None, **columns: Any) -> Any:
    """Return a pandas table with a row per time, and per trajectory if there are many.

    Parameters
    ----------
    paths : Paths
        What to tabulate; numbers of any precision become float64.
    number : str, optional
        The column that counts the trajectories, where there are many.
    **columns : sequence
        Further columns, one value per trajectory.

    Returns
    -------
    pandas.DataFrame
        Columns `number`, ``t``, ``loss``, ``mode_1`` …, and the further ones.

    Raises
    ------
    NotInstalled
        Without pandas.
    """
    pandas = imported("pandas", "to_frame()")
    loss, times = to_float_array(paths.loss), to_float_array(paths.t)
    count = loss.size // len(times)
    found: dict[str, Any] = {}
    if number is not None:
        found[number] = np.repeat(np.arange(count), len(times))
    found |= {"t": np.tile(times, count), "loss": loss.ravel()}
    modes = paths.singular_values.reshape(loss.size, -1)
    for mode, values in enumerate(modes.T, start=1):
        found[f"mode_{mode}"] = values
    for name, values in columns.items():
        found[name] = np.repeat(np.asarray(values), len(times))
    return pandas.DataFrame(found)


def dataset(paths: Paths, number: str | None = None, **attributes: Any) -> Any:
    """Return labelled arrays over the times, and the trajectories if there are many.

    Parameters
    ----------
    paths : Paths
        What to label; numbers of any precision become float64.
    number : str, optional
        The dimension of the trajectories, where there are many.
    **attributes : object
        Facts for ``.attrs``.

    Returns
    -------
    xarray.Dataset
        The weights, ``end_to_end``, ``loss`` and ``singular_values``.

    Raises
    ------
    NotInstalled
        Without xarray.
    """
    xarray = imported("xarray", "to_xarray()")
    lead = ("t",) if number is None else (number, "t")
    arrays: dict[str, Any] = {}
    for symbol, weight in zip(paths.flow.state, paths.weights, strict=True):
        sides = (f"{symbol.name}_row", f"{symbol.name}_column")
        arrays[symbol.name] = ((*lead, *sides), to_float_array(weight))
    total = to_float_array(paths.end_to_end)
    arrays["end_to_end"] = ((*lead, "output", "input"), total)
    arrays["loss"] = (lead, to_float_array(paths.loss))
    arrays["singular_values"] = ((*lead, "mode"), paths.singular_values)
    coordinates: dict[str, Any] = {"t": to_float_array(paths.t)}
    if number is not None:
        coordinates[number] = np.arange(len(total))
    facts = {"flow": repr(paths.flow).splitlines()[0], **attributes}
    return xarray.Dataset(arrays, coords=coordinates, attrs=facts)


def imported(name: str, call: str, extra: str = "") -> Any:
    """Return an optional library.

    Parameters
    ----------
    name : str
        The library.
    call : str
        What needs it.
    extra : str
        The extra of symflow that brings it.

    Raises
    ------
    NotInstalled
        Without it, with the command that installs it.
    """
    try:
        return import_module(name)
    except ImportError:
        source = f"'symflow[{extra}]'" if extra else name
        msg = f"{call}: needs {name}, which is not installed. Do pip install {source}"
        raise NotInstalled(msg) from None
