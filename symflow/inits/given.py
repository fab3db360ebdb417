"""Weights that are given as arrays, exact or float."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

from symflow.algebra.arrays import Array, as_array, to_float_array, to_mpf_array
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.inits.init import (
    HasWidths,
    Init,
    context_for,
    dense_shapes,
    parameter_shapes,
)

_CALL = "init=(W_1, …, W_L)"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class GivenInit(Init):
    """The weights W_1, …, W_L themselves.

    Raises
    ------
    InvalidArgument
        If this is not a sequence of matrices.
    """

    #: One matrix per layer; a layer of integers, fractions and SymPy numbers stays
    #: exact and is rounded only to the digits that are asked for.
    weights: tuple[Array, ...]
    tags = frozenset()  # nothing is declared of them; it is checked where it matters

    def __init__(self, weights: Any) -> None:
        if not isinstance(weights, (list, tuple)) or not weights:
            msg = (
                f"{_CALL}: needs an initialization rule or a list or tuple with one "
                f"matrix per layer; got {type(weights).__name__}"
            )
            raise InvalidArgument(msg)
        arrays = tuple(
            as_array(weight, f"{_CALL}: W_{layer}")
            for layer, weight in enumerate(weights, start=1)
        )
        for array in arrays:
            array.flags.writeable = False
        object.__setattr__(self, "weights", arrays)

    def draw(
        self,
        network: HasWidths,
        data: Any = None,
        rng: Any = None,
        *,
        digits: int | None = None,
    ) -> tuple[Array, ...]:
        """Return the weights; symbolic widths of the network take any size."""
        self.check_network(network)
        context = context_for(digits, _CALL)
        if context is None:
            return tuple(to_float_array(weight).copy() for weight in self.weights)
        return tuple(to_mpf_array(weight, context) for weight in self.weights)

    def __repr__(self) -> str:
        sizes = ", ".join("×".join(map(str, weight.shape)) for weight in self.weights)
        return f"GivenInit({sizes})"

    def check_network(self, network: HasWidths) -> None:
        """Refuse a network that these weights do not fit, or among themselves."""
        widths = tuple(network.widths)
        if len(self.weights) != network.depth:
            msg = (
                f"{_CALL}: needs one matrix per layer of the network "
                f"({network.depth}); got {len(self.weights)}"
            )
            raise InvalidArgument(msg)
        for layer, shape in enumerate(parameter_shapes(network), start=1):
            given = self.weights[layer - 1].shape
            for width, size in zip(shape, given, strict=True):
                if isinstance(width, Integral) and width != size:
                    msg = (
                        f"{_CALL}: W_{layer} has to be {shape[0]}×{shape[1]} for this "
                        f"network; got {given[0]}×{given[1]}"
                    )
                    raise ShapeMismatch(msg)
        if parameter_shapes(network) == dense_shapes(widths):
            _check_chain(self.weights)


class RoundedInit(GivenInit):
    """Weights that are known to some digits only, even if these are exact numbers."""


def as_init(init: Any) -> Init:
    """Return `init` as a rule: itself, or given weights.

    Raises InvalidArgument if it is neither.
    """
    return init if isinstance(init, Init) else GivenInit(init)


def _check_chain(arrays: tuple[Array, ...]) -> None:
    for layer, (before, after) in enumerate(pairwise(arrays), start=1):
        if after.shape[1] != before.shape[0]:
            msg = (
                f"{_CALL}: W_{layer + 1} has {after.shape[1]} columns and "
                f"W_{layer} has {before.shape[0]} rows; these have to agree"
            )
            raise ShapeMismatch(msg)
