"""Catalogues: the theorems that answer a question, symflow's and a reader's own."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from inspect import isabstract, isclass
from pkgutil import iter_modules
from typing import Any, TypeVar

from symflow.claims.claim import Claim, Refusal
from symflow.claims.theorem import Theorem
from symflow.errors import InvalidArgument, shown
from symflow.flow.problem import Problem

Kind = TypeVar("Kind", bound=type[Theorem])

#: What readers have registered, by question and name.
_REGISTERED: dict[tuple[str, str], type[Theorem]] = {}


def register(theorem: Kind) -> Kind:
    """Let a theorem of your own be asked with those of symflow.

    `rates` asks a `RateBound`, `implicit_bias` a `Prediction`, `solve` a `Solution` and
    `companions` any other theorem.  It is *asserted* until its `proof()` holds.

    Parameters
    ----------
    theorem : subclass of Theorem
        With its source, conditions, statement and residuals.  One of the same name
        takes the place of an earlier one.

    Returns
    -------
    type
        The theorem itself, so that this can be a decorator.

    Raises
    ------
    InvalidArgument
        If it is no theorem, or leaves something open.

    Examples
    --------
    >>> register(Theorem)
    Traceback (most recent call last):
        ...
    symflow.errors.InvalidArgument: register(theorem): Theorem leaves open residuals, \
statement
    """
    if not isclass(theorem) or not issubclass(theorem, Theorem):
        msg = f"register(theorem): needs a subclass of Theorem; got {shown(theorem)}"
        raise InvalidArgument(msg)
    if isabstract(theorem):
        missing = ", ".join(sorted(theorem.__abstractmethods__))
        msg = f"register(theorem): {theorem.__name__} leaves open {missing}"
        raise InvalidArgument(msg)
    _REGISTERED[theorem.question, theorem.__name__] = theorem
    return theorem


def theorems_of(package: str, question: str) -> tuple[type[Theorem], ...]:
    """Return the theorems that the modules of a package state, file by file.

    A theorem is listed by being there: the classes that have a source, and from which
    no other theorem derives.
    """
    room = import_module(package)
    names = sorted(found.name for found in iter_modules(room.__path__, f"{package}."))
    stated = [
        kind
        for name in names
        for kind in vars(import_module(name)).values()
        if isclass(kind) and issubclass(kind, Theorem) and kind.__module__ == name
    ]
    bases = {base for kind in stated for base in kind.__bases__}
    return tuple(
        kind
        for kind in stated
        if kind not in bases and hasattr(kind, "source") and kind.question == question
    )


def registered(question: str = "") -> tuple[type[Theorem], ...]:
    """Return the theorems of readers that answer a question, or all of them."""
    asked = _REGISTERED.items()
    return tuple(made for (what, _), made in asked if question in ("", what))


def answers(
    question: str, catalogue: Iterable[Any], problem: Problem
) -> tuple[Any, ...]:
    """Return what every theorem says of a problem: itself or a refusal.

    Those of the catalogue are asked first, then readers' that answer the same question:
    ``"rates"``, ``"limits"``, ``"solutions"`` or ``"companions"``.
    """
    asked = (*catalogue, *registered(question))
    return tuple(theorem.attempt(problem) for theorem in asked)


def nearest_misses(found: Iterable[Any]) -> list[Refusal]:
    """Return those answers that are refusals, those with most conditions met first."""
    refusals = [answer for answer in found if isinstance(answer, Refusal)]
    return sorted(refusals, key=lambda r: -sum(h.holds for h in r.hypotheses))


def holding(found: Iterable[Any]) -> list[Claim]:
    """Return those answers that are claims, in the order in which they were given."""
    return [answer for answer in found if not isinstance(answer, Refusal)]
