"""Rules that draw at random: from their seed, the same weights at every precision."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from symflow.algebra.arrays import Array, lifted
from symflow.algebra.numbers import to_float, to_mpf
from symflow.inits.init import (
    HasWidths,
    Init,
    context_for,
    integer_widths,
    positive_number,
)
from symflow.inits.orthonormal import nearest_frame, random_frame
from symflow.inits.seeds import generator_of, seed_of


@dataclass(frozen=True)
class Draws:
    """A float64 generator, or None, whose draws are lifted to the arithmetic asked."""

    generator: Any
    context: Any

    def frame(self, rows: int, columns: int) -> Array:
        """Return Haar random orthonormal columns; unit vectors without a generator."""
        if self.generator is None:
            return self.lifted(np.eye(rows, columns))
        drawn = random_frame(self.generator, rows, columns)
        return nearest_frame(drawn, self.context)

    def strengths(self, count: int, scale: Any) -> Array:
        """Return numbers that are uniform between scale/2 and 3·scale/2."""
        drawn = self.lifted(self.generator.uniform(0.5, 1.5, count))
        return np.asarray(drawn * self.number(scale))

    def number(self, value: Any) -> Any:
        """Return a number, as it was given, in this arithmetic."""
        return to_float(value) if self.context is None else to_mpf(value, self.context)

    def lifted(self, array: Array) -> Array:
        """Return an array in this arithmetic."""
        return lifted(array, self.context)


class DrawnInit(Init):
    """A rule with a scale and a seed; a subclass makes weights of draws.

    The fields up to `scale` stand first in its call, and the others have names there.
    """

    call: ClassVar[str]
    #: Whether it needs randomness, and takes fresh entropy where it has no seed.
    is_random: ClassVar[bool] = True
    scale: Any
    seed: int | None

    def __post_init__(self) -> None:
        positive_number(self.scale, f"{self._name}(scale=…)")
        if self.is_random or self.seed is not None:
            object.__setattr__(self, "seed", seed_of(self.seed, self.call))

    @property
    def _name(self) -> str:
        return self.call.removesuffix("(…)")

    def __repr__(self) -> str:
        written, named = [], False
        for field in fields(self):  # type: ignore[arg-type]
            name, value = field.name, getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = value.ravel().tolist()
            if value is not None:
                label = "rng=" if name == "seed" else f"{name}=" * named
                written.append(f"{label}{value}")
            named |= name == "scale"
        return f"{self._name}({', '.join(written)})"

    def draw(
        self,
        network: HasWidths,
        data: Any = None,
        rng: Any = None,
        *,
        digits: int | None = None,
    ) -> tuple[Array, ...]:
        """Return the weights, the same for the same network and seed."""
        sizes = self._sizes(network, data)
        context = context_for(digits, self.call)
        source = self.seed if rng is None else rng
        generator = None if source is None else generator_of(source, self.call)
        return tuple(self._weights(sizes, Draws(generator, context), data))

    def _sizes(self, network: HasWidths, data: Any) -> tuple[int, ...]:
        """Return the widths, once they are known to suit the rule."""
        return integer_widths(network, self.call)

    @abstractmethod
    def _weights(
        self, widths: tuple[int, ...], draws: Draws, data: Any
    ) -> Sequence[Array]:
        """Return the weights (W_1, …, W_L)."""
