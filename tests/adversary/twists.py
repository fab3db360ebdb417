"""Claims with one part changed by a factor 1 + 10^−k, constants also by its inverse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np

import symflow as sf

#: Constants that are no part of a statement.
UNSAID = ("defect",)

Mutation = Callable[[Any, float], Any]


def scaled(value: Any, k: float) -> Any:
    """Return the value times 1 + 10^−k, in its own arithmetic."""
    if k != int(k):
        return value * (1 + 10.0**-k)
    if k < 0:
        return value * (1 + 10 ** -int(k))
    floats = isinstance(value, (float, np.ndarray)) and np.asarray(value).dtype == float
    return value * (1 + 10.0**-k) if floats else value * (10**k + 1) / 10**k


def shrunk(value: float, k: float) -> float:
    """Return the value over 1 + 10^−k."""
    return value / (1 + 10.0**-k)


def twisted(claim: Any, **changes: Callable[[Any], Any]) -> Any:
    """Return a claim of a subclass whose methods are changed."""
    kind = type(claim)
    body = {name: change(_found(kind, name)) for name, change in changes.items()}
    mutant = object.__new__(type(kind.__name__, (kind,), body))
    for field in fields(claim):
        object.__setattr__(mutant, field.name, getattr(claim, field.name))
    return mutant


def _found(kind: type, name: str) -> Any:
    for base in kind.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    raise AttributeError(name)


def _times(k: float) -> Callable[[Any], Any]:
    """Return the change of a method, or of a property, by a factor."""

    def change(old: Any) -> Any:
        if isinstance(old, property):
            return property(lambda self: scaled(old.fget(self), k))
        if isinstance(old, cached_property):
            return property(lambda self: scaled(old.func(self), k))
        return lambda self, *given, **named: scaled(old(self, *given, **named), k)

    return change


def mutations(claim: Any) -> Iterator[tuple[str, Mutation]]:
    """Yield what can be changed of a claim, and how; a part may come twice."""
    if isinstance(claim, sf.Solution):
        yield "W(t)", lambda c, k: twisted(c, _end_to_end=_times(k), _precise=_times(k))
    if isinstance(claim, sf.Bound):
        yield "smaller side", lambda c, k: twisted(c, sides=_larger(k))
    elif hasattr(claim, "value") and hasattr(claim, "flow"):
        yield "law", lambda c, k: twisted(c, value=_with_part(k))
    if _limit(claim) is not None:
        names = [n for n in ("limit", "exact_limit") if hasattr(type(claim), n)]
        yield "limit", lambda c, k: twisted(c, **{name: _times(k) for name in names})
    for field in fields(claim):
        name = field.name
        if isinstance(getattr(claim, name), float) and name not in UNSAID:
            for change in (scaled, shrunk):
                yield (
                    name,
                    lambda c, k, name=name, change=change: replace(
                        c, **{name: change(getattr(c, name), k)}
                    ),
                )


def _limit(claim: Any) -> Any:
    try:
        return getattr(claim, "limit", None)
    except sf.SymflowError:
        return None


def _larger(k: float) -> Callable[[Any], Any]:
    """Return the change of √smaller after the start, where both sides may be equal."""

    def change(old: Any) -> Any:
        def sides(self: Any, path: Any) -> tuple[Any, Any]:
            smaller, larger = old(self, path)
            changed = smaller.copy()
            changed[1:] = scaled(scaled(smaller[1:], k), k)
            return changed, larger

        return sides

    return change


def _with_part(k: float) -> Callable[[Any], Any]:
    """Return the change of a law by 10^−k ‖W_1‖², which is not conserved."""

    def change(old: Any) -> Any:
        def value(self: Any, weights: Any, *velocities: Any) -> Any:
            first = np.asarray(weights[0])
            part = np.asarray((first * first).sum(axis=(-2, -1)))
            found = np.asarray(old(self, weights, *velocities))
            part = part.reshape(part.shape + (1,) * (found.ndim - part.ndim))
            return found + (part / 10**k if k >= 0 else part * 10 ** -int(k))

        return value

    return change
