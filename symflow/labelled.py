"""Trajectories as tables and as labelled arrays, for pandas and xarray."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.errors import InvalidArgument, imported


class SeveralArrays:
    """What holds several arrays and is none: NumPy is told what to write instead."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        """Raise InvalidArgument."""
        msg = (
            f"np.asarray({type(self).__name__}): holds several arrays. Write "
            ".end_to_end, .loss, .weights[0] or .t for one of them"
        )
        raise InvalidArgument(msg)


class Tabulated(SeveralArrays):
    """One trajectory, or many, as a table and as labelled arrays."""

    #: What counts the trajectories, where there are many.
    _number: ClassVar[str | None] = None

    @property
    def _columns(self) -> dict[str, Any]:
        """Further columns, one value per trajectory."""
        return {}

    @property
    def _attributes(self) -> dict[str, Any]:
        """Facts for ``.attrs``."""
        return {}

    def to_frame(self) -> Any:
        """Return a pandas table with a row per time, and per start or run.

        Returns
        -------
        pandas.DataFrame
            Columns ``start`` or ``run`` where there are many, ``t``, ``loss`` and
            ``mode_1`` …, the singular values of W, in float64; of a sweep ``error``.

        Raises
        ------
        NotInstalled
            Without pandas.
        """
        pandas = imported("pandas", "to_frame()")
        paths: Any = self
        loss, times = to_float_array(paths.loss), to_float_array(paths.t)
        count = loss.size // len(times)
        found: dict[str, Any] = {}
        if self._number is not None:
            found[self._number] = np.repeat(np.arange(count), len(times))
        found |= {"t": np.tile(times, count), "loss": loss.ravel()}
        modes = paths.singular_values.reshape(loss.size, -1)
        for mode, values in enumerate(modes.T, start=1):
            found[f"mode_{mode}"] = values
        for name, values in self._columns.items():
            found[name] = np.repeat(np.asarray(values), len(times))
        return pandas.DataFrame(found)

    def to_xarray(self) -> Any:
        """Return labelled arrays over t, and start or run, in float64.

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
        paths: Any = self
        many = () if self._number is None else (self._number,)
        lead, arrays = (*many, "t"), {}
        for symbol, weight in zip(paths.flow.state, paths.weights, strict=True):
            sides = (f"{symbol.name}_row", f"{symbol.name}_column")
            arrays[symbol.name] = ((*lead, *sides), to_float_array(weight))
        total = to_float_array(paths.end_to_end)
        arrays["end_to_end"] = ((*lead, "output", "input"), total)
        arrays["loss"] = (lead, to_float_array(paths.loss))
        arrays["singular_values"] = ((*lead, "mode"), paths.singular_values)
        coordinates: dict[str, Any] = {"t": to_float_array(paths.t)}
        for number in many:
            coordinates[number] = np.arange(len(total))
        facts = {"flow": repr(paths.flow).splitlines()[0], **self._attributes}
        return xarray.Dataset(arrays, coords=coordinates, attrs=facts)
