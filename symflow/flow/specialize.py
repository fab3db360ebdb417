"""A flow with numbers in place of its symbols: widths, weight decays, rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import sympy

from symflow.algebra.entries import at_sizes
from symflow.algebra.numbers import coefficient
from symflow.algebra.widths import as_width
from symflow.errors import InvalidArgument
from symflow.networks import Network

Flow = TypeVar("Flow")

CALL = "flow.at(…)"


def specialized(flow: Flow, values: Mapping[Any, Any]) -> Flow:
    """Return a flow with other values for its symbols; see `GradientFlow.at`.

    The `values` are by symbol or name.  Raises InvalidArgument if there is no such
    symbol, or the value makes no sense for it.
    """
    read: Any = flow
    widths = {w for p in read.state for size in p.shape for w in size.free_symbols}
    symbols = {symbol.name: symbol for symbol in (*widths, *read.parameters)}
    given: dict[sympy.Symbol, Any] = {}
    for key, value in values.items():
        symbol = symbols.get(str(key))
        if symbol is None:
            known = ", ".join(sorted(symbols)) or "no symbols"
            msg = f"{CALL}: this flow has {known}; got a value for {key!s}"
            raise InvalidArgument(msg)
        call = f"flow.at({key}=…)"
        read = as_width if symbol in widths else coefficient
        given[symbol] = read(value, call)
    made: Flow = _replaced(flow, given)
    return made


def _replaced(part: Any, values: dict[sympy.Symbol, Any]) -> Any:
    """Return a part of a flow, made again with values in it."""
    if isinstance(part, tuple):
        return tuple(_replaced(each, values) for each in part)
    if isinstance(part, sympy.Basic):
        found = at_sizes(part, values)
        return int(found) if part in values and found.is_Integer else found
    if isinstance(part, Network):
        return Network(*_replaced(part.layers, values), names=part.names)
    if is_dataclass(part) and not isinstance(part, type):
        given = {f.name: getattr(part, f.name) for f in fields(part) if f.init}
        return replace(part, **{k: _replaced(v, values) for k, v in given.items()})
    return part
