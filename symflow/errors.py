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
    """Base class of everything symflow raises on purpose.

    Examples
    --------
    >>> import symflow as sf
    >>> try:
    ...     sf.Dataset([[1, 2]], [1, 2, 3])
    ... except sf.SymflowError as error:
    ...     print(str(error)[-31:])
    got 1 rows of X and 3 rows of Y
    """


class InvalidArgument(SymflowError, ValueError):
    """An argument has a value that makes no sense for the call.

    The message is one line: of an object whose text has several, the first is named.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.LinearNetwork(2, 0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.InvalidArgument: Dense(2, 0): a width has to be a positive ...
    """

    def __init__(self, message: str = "") -> None:
        first, *rest = message.splitlines() or [""]
        advice = rest[-1].partition(". ")[2] if rest else ""
        shown = f"{first} …. {advice}" if advice else f"{first} …"
        super().__init__(shown if rest else message)


class ShapeMismatch(InvalidArgument):
    """Two shapes that have to agree do not.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.Dataset([[1, 2]], [1, 2, 3])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.ShapeMismatch: ...; got 1 rows of X and 3 rows of Y
    """


class UnknownName(InvalidArgument, KeyError):
    """A key that is not there; the message lists those that are.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[1]], [[1]]], [0, 1])
    >>> run["W3"]  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.UnknownName: ...: not a weight; its weights are ['W1', 'W2']
    """

    # a KeyError would show its message in quotes
    __str__ = Exception.__str__


class InvalidData(InvalidArgument):
    """Data that cannot be used: NaN, non-numeric columns, a missing target ….

    Examples
    --------
    >>> import symflow as sf
    >>> sf.Dataset([[1.0, float("nan")]], [1.0])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.InvalidData: Dataset(X=…): the entry in row 0, column 1 is nan; ...
    """


class NotDifferentiable(InvalidArgument):
    """An expression is outside the grammar of `symflow.gradient`.

    Examples
    --------
    >>> import symflow as sf
    >>> from sympy import MatrixSymbol, Rational, trace
    >>> W = MatrixSymbol("W", 2, 2)
    >>> sf.gradient(trace(W ** Rational(1, 2)), W)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.NotDifferentiable: ... grammar: W**(1/2)...
    """


class OutputError(SymflowError, OSError):
    """A file or a directory cannot be written.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.write_checker("/no1/check.py")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.OutputError: write_checker(path='/no1/check.py'): cannot write ...
    """


class NoClosedForm(SymflowError):
    """No catalogued closed form applies; the message lists what failed, per entry.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(l2=0.5))
    >>> try:
    ...     sf.solve(flow, sf.whitened([[2]]), [[[1]], [[2]]])
    ... except sf.NoClosedForm as error:
    ...     print(str(error).splitlines()[1][-63:])
    balanced initialization: fails, ‖W₂ᵀW₂ − W₁W₁ᵀ‖ = 0.75 relative
    """


class HypothesisFailed(SymflowError):
    """A theorem was asked for by name and its hypotheses do not hold.

    Examples
    --------
    >>> import symflow as sf
    >>> deep = sf.gradient_flow(sf.LinearNetwork(2, 1, 1, 1), sf.SquaredLoss())
    >>> start = sf.gaussian_init(1, rng=0)
    >>> sf.regime(deep, sf.whitened([[1, 0]]), start)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.HypothesisFailed: ...: fails, LinearNetwork(2, 1, 1, 1)
    """


class PrecisionLost(SymflowError, ArithmeticError):
    """The digits that were asked for could not be reached.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> wide = [[[sf.interval(0, 9)]], [[1]]]
    >>> sf.enclose(flow, sf.whitened([[2]]), wide, 5)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.PrecisionLost: enclose: the error cannot be bounded within one ...
    >>> sf.enclose(flow, sf.whitened([[2]]), [[[1]], [[1]]], 5).digits
    50
    """


class IntegrationFailed(SymflowError, ArithmeticError):
    """A numerical integrator stopped before the last time point.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    >>> sf.precise(flow, sf.whitened([[2]]), [[[1]]], [1e30])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.IntegrationFailed: precise and enclose: t = 1e+30 is about ...
    """


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
    """At least one row of a validation report is out of its bound.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[1]]], [0, 50])
    >>> false = sf.validate([sf.claim(flow, limit=[[3]])], run)
    >>> false.raise_if_failed()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    symflow.errors.ValidationFailed: 1 of 2 checks failed:
    ...
    """


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
