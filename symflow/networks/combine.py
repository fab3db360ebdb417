"""Two models as one: side by side, or one after the other."""

from __future__ import annotations

from typing import Any, NamedTuple

import sympy

from symflow.errors import InvalidArgument, NotDifferentiable, ShapeMismatch, expect
from symflow.networks.model import MatrixModel, Model
from symflow.networks.network import COMBINATIONS, AbstractNetwork, Network


def parallel(first: AbstractNetwork, second: AbstractNetwork) -> Network | MatrixModel:
    """Return the sum of two models of the same inputs and outputs."""
    other = _apart(first, second, "net_a + net_b")
    ends = [(model.widths[0], model.widths[-1]) for model in (first, second)]
    if ends[0] != ends[1]:
        msg = (
            f"net_a + net_b: net_a has {ends[0][0]} inputs and {ends[0][1]} outputs, "
            f"but net_b has {ends[1][0]} and {ends[1][1]}"
        )
        raise ShapeMismatch(msg)
    return _combined(
        first.end_to_end + other.end_to_end, (first, other), "net_a + net_b"
    )


def composed(second: AbstractNetwork, first: AbstractNetwork) -> Network | MatrixModel:
    """Return the model that applies `first`, then `second`."""
    call = "net_b @ net_a"
    other = _apart(first, second, call)
    if second.widths[0] != first.widths[-1]:
        msg = (
            f"{call}: net_a has {first.widths[-1]} outputs, but net_b takes "
            f"{second.widths[0]} inputs"
        )
        raise ShapeMismatch(msg)
    if (
        isinstance(first, Network)
        and isinstance(second, Network)
        and first.names + second.names == ()
    ):
        return Network(*first.layers, *second.layers)
    return _combined(other.end_to_end * first.end_to_end, (first, other), call)


class _Renamed(NamedTuple):
    """A model under other names."""

    end_to_end: Any
    parameters: tuple[Any, ...]
    constants: dict[Any, Any]


def _combined(
    expr: Any, models: tuple[AbstractNetwork, _Renamed], call: str
) -> Network | MatrixModel:
    first, second = models
    try:
        return Model(
            expr,
            (*first.parameters, *second.parameters),
            {**first.constants, **second.constants},
        )
    except NotDifferentiable as problem:
        msg = f"{call}: these models cannot be combined: {problem}"
        raise InvalidArgument(msg) from None


def _apart(first: AbstractNetwork, second: AbstractNetwork, call: str) -> _Renamed:
    """Return `second` under names that are free; constants may be the same ones."""
    for model in (first, second):
        expect(model, AbstractNetwork, call, "two networks")
    values = {s: first.constants.get(s) for s in (*first.unknown, *first.constants)}
    taken = {s.name for s in (*first.parameters, *values)}
    meaning: dict[Any, Any] = {}
    for symbol in (*second.parameters, *second.constants, *second.unknown):
        value = second.constants.get(symbol)
        shared = symbol in values and symbol not in second.parameters
        if not (shared and values[symbol] == value):
            name = _free_name(symbol.name, taken)
            meaning[symbol] = sympy.MatrixSymbol(name, *symbol.shape)
            taken.add(name)
    return _Renamed(
        second.end_to_end.xreplace(meaning),
        tuple(meaning[symbol] for symbol in second.parameters),
        {meaning.get(s, s): value for s, value in second.constants.items()},
    )


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken: W1 becomes W3 where W1 and W2 are."""
    stem, number = name.rstrip("0123456789"), 1
    while name in taken:
        name, number = f"{stem}{number}", number + 1
    return name


COMBINATIONS.update({"+": parallel, "@": composed})
