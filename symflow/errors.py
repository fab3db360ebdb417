"""Every error that symflow raises on purpose.

A message says which call, which argument, what came, why that is a problem, and
what to do.  All derive from `SymflowError`, so that a caller (the command line
included) can tell bad input from a bug.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, TypeVar

Value = TypeVar("Value")

#: What `expect` takes for a truth value: those of Python and of NumPy, by name.
FLAG = frozenset({"bool", "bool_"})


class SymflowError(Exception):
    """Base class of everything symflow raises on purpose."""


class InvalidArgument(SymflowError, ValueError):
    """An argument has a value that makes no sense for the call.

    The message is one line: of an object whose text has several, the first is named.
    """

    def __init__(self, message: str = "") -> None:
        first, *rest = message.splitlines() or [""]
        advice = rest[-1].partition(". ")[2] if rest else ""
        shown = f"{first} …. {advice}" if advice else f"{first} …"
        super().__init__(shown if rest else message)


class ShapeMismatch(InvalidArgument):
    """Two shapes that have to agree do not."""


class UnknownName(InvalidArgument, KeyError):
    """A key that is not there; the message lists those that are."""

    # a KeyError would show its message in quotes
    __str__ = Exception.__str__


class InvalidData(InvalidArgument):
    """Data that cannot be used: NaN, non-numeric columns, a missing target …."""


class NotDifferentiable(InvalidArgument):
    """An expression is outside the grammar of `symflow.gradient`."""


class OutputError(SymflowError, OSError):
    """A file or a directory cannot be written."""


class NoClosedForm(SymflowError):
    """No catalogued closed form applies; the message lists what failed, per entry."""


class HypothesisFailed(SymflowError):
    """A theorem was asked for by name and its hypotheses do not hold."""


class PrecisionLost(SymflowError, ArithmeticError):
    """The digits that were asked for could not be reached."""


class IntegrationFailed(SymflowError, ArithmeticError):
    """A numerical integrator stopped before the last time point."""


class Interrupted(SymflowError, KeyboardInterrupt):
    """A long integration was stopped by hand; `partial` is the trajectory so far.

    Hand the exception to ``precise(…, resume=…)`` to go on from there.
    """

    def __init__(self, message: str, partial: Any, checkpoint: Any) -> None:
        super().__init__(message)
        self.partial = partial
        self.checkpoint = checkpoint


class WorkerLost(SymflowError, RuntimeError):
    """Workers of a sweep ended before their runs did, again and again."""


class NotInstalled(SymflowError, ImportError):
    """A peer library or a compiler that was asked for is not there."""


class ValidationFailed(SymflowError, AssertionError):
    """At least one row of a validation report is out of its bound."""


def imported(name: str, call: str, extra: str = "") -> Any:
    """Return the optional library `name` that `call` needs.

    Raises NotInstalled without it, with the command that installs it, or the `extra`
    of symflow that brings it.
    """
    try:
        return import_module(name)
    except ImportError:
        source = f'"symflow[{extra}]"' if extra else name
        msg = f"{call}: needs {name}, which is not installed. Do pip install {source}"
        raise NotInstalled(msg) from None


def expect(value: Value, kinds: Any, call: str, needs: str) -> Value:
    """Return an argument that is of a kind; the one gate for those that are no numbers.

    Parameters
    ----------
    value : object
        What was given.
    kinds : type, union of types, str, or `FLAG`
        What `isinstance` takes, or the name of what an instance has to have.
    call : str
        Call and argument to name.
    needs : str
        What has to come, in words.

    Raises
    ------
    InvalidArgument
        If it is of no such kind.
    """
    if isinstance(kinds, str):
        fits = hasattr(value, kinds) and not isinstance(value, type)
    else:
        named = kinds is FLAG
        fits = type(value).__name__ in FLAG if named else isinstance(value, kinds)
    if fits:
        return value
    msg = f"{call}: needs {needs}; got {shown(value)}"
    raise InvalidArgument(msg)


def one_of(value: Any, known: Iterable[str], call: str) -> str:
    """Return a word that is among those known; InvalidArgument for anything else."""
    if isinstance(value, str) and value in known:
        return value
    msg = f"{call}: needs one of {', '.join(known)}; got {shown(value)}"
    raise InvalidArgument(msg)


def shown(value: object) -> str:
    """Return the repr of anything, cut short; integers may have too many digits."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever somebody's class does
        text = f"{type(value).__name__} that cannot be written out"
    return text if len(text) <= 200 else f"{text[:200]}…"
