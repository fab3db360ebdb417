"""A matrix of FLINT integers in fixed point."""

from __future__ import annotations

from typing import Any

from flint import fmpz_mat

from symflow.codegen.series import Shape


class FixedMatrix:
    """Integers row by row, to be divided by 2^bits."""

    __slots__ = ("entries", "shape")

    def __init__(self, entries: list[Any], shape: Shape) -> None:
        self.entries, self.shape = entries, shape

    def rows(self) -> list[list[Any]]:
        """Return the rows as lists."""
        width = self.shape[1]
        return [
            self.entries[at : at + width] for at in range(0, len(self.entries), width)
        ]

    def columns(self) -> list[list[Any]]:
        """Return the columns as lists."""
        return [self.entries[at :: self.shape[1]] for at in range(self.shape[1])]

    @property
    def flint(self) -> Any:
        """The entries as a FLINT matrix."""
        return fmpz_mat(*self.shape, self.entries)
