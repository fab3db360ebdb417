"""Events: times at which a function of the weights changes sign."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from symflow.algebra.numbers import whole
from symflow.codegen import end_to_end_program, evaluate
from symflow.codegen.objective import Objective
from symflow.errors import FLAG, InvalidArgument, expect, shown
from symflow.flow.problem import Problem

#: Gives an event's function at (time, weights) for one problem.
Watch = Callable[[float, Any], float]


class Event(ABC):
    """Something that happens when a number changes sign along the flow.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.LossBelow(0.01).name
    'loss below 0.01'
    """

    terminal: bool

    @property
    @abstractmethod
    def name(self) -> str:
        """What the statistics of a trajectory call it."""

    @abstractmethod
    def watch(self, problem: Problem) -> Watch:
        """Return the function whose sign is watched.

        Parameters
        ----------
        problem : Problem
            With weights and data in float64.
        """


@dataclass(frozen=True)
class LossBelow(Event):
    """The training loss falls below a level.

    The default method of `simulate` takes a tolerance that the level asks for; another
    one needs an `rtol` well below √level.

    Parameters
    ----------
    level : float
        Of the objective, weight decay included.
    terminal : bool
        Whether the integration stops there.

    Raises
    ------
    InvalidArgument
        If the level is not a finite number.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> data = sf.Moments([[1]], [[2]], [[4]])
    >>> start = [[[0.1]], [[0.1]]]
    >>> run = sf.simulate(flow, data, start, [9], events=[LossBelow(1e-3)])
    >>> [round(time, 4) for time in run.stats["loss below 0.001"]]
    [2.2678]
    """

    level: float
    terminal: bool = False

    def __post_init__(self) -> None:
        _check("LossBelow", self.level, self.terminal)

    @property
    def name(self) -> str:
        return f"loss below {_short(self.level)}"

    def watch(self, problem: Problem) -> Watch:
        """Return loss − level.

        Raises
        ------
        InvalidArgument
            If the data leave the constant of the loss unknown.
        """
        objective = Objective(problem)
        if objective.missing:
            msg = (
                f"LossBelow({self.level:g}): needs the value of the loss, and without "
                f"{objective.missing[0].lower()} it is known up to a constant. "
                "Give Moments(…, sigma_yy=…)"
            )
            raise InvalidArgument(msg)

        def excess(_time: float, weights: Any) -> float:
            return float(objective(weights)) - self.level

        return excess


@dataclass(frozen=True)
class ModeCrosses(Event):
    """A singular value of the end-to-end matrix crosses a level.

    Parameters
    ----------
    mode : int
        Which singular value, the largest being 1.
    level : float
        The strength.
    terminal : bool
        Whether the integration stops there.

    Raises
    ------
    InvalidArgument
        If the mode is no integer from 1 on, or the level not a finite number.

    Examples
    --------
    >>> ModeCrosses(1, 0.5).name
    'mode 1 crosses 0.5'
    """

    mode: int
    level: float
    terminal: bool = False

    def __post_init__(self) -> None:
        _check("ModeCrosses", self.level, self.terminal)
        whole(self.mode, "ModeCrosses(mode=…)")

    @property
    def name(self) -> str:
        return f"mode {self.mode} crosses {_short(self.level)}"

    def watch(self, problem: Problem) -> Watch:
        """Return strength − level.

        Raises
        ------
        InvalidArgument
            If the end-to-end matrix has fewer modes.
        """
        count = min(problem.widths[0], problem.widths[-1])
        if self.mode > count:
            msg = (
                f"ModeCrosses(mode={self.mode}): the end-to-end matrix has {count} "
                "singular values"
            )
            raise InvalidArgument(msg)
        program = end_to_end_program(problem.flow)

        def excess(_time: float, weights: Any) -> float:
            (matrix,) = evaluate(program, list(weights))
            values = np.linalg.svd(matrix, compute_uv=False)
            return float(values[self.mode - 1]) - self.level

        return excess


@dataclass(frozen=True)
class _UserEvent(Event):
    function: Watch
    label: str
    terminal: bool = False

    @property
    def name(self) -> str:
        return self.label

    def watch(self, problem: Problem) -> Watch:
        def value(time: float, weights: Any) -> float:
            found = self.function(time, weights)
            try:
                return float(np.asarray(found, dtype=float).item())
            except (TypeError, ValueError):
                msg = f"simulate(events=…): {self.label} has to return a number; got "
                raise InvalidArgument(msg + repr(found)) from None

        return value


def distinct_names(events: Sequence[Event]) -> list[str]:
    """Return the names of events, numbered where several have the same."""
    names: list[str] = []
    for event in events:
        name, number = event.name, 2
        while name in names:
            name, number = f"{event.name} ({number})", number + 1
        names.append(name)
    return names


def _short(level: float) -> str:
    """Return a level in six digits if these are all, else in full."""
    text = f"{level:g}"
    return text if float(text) == level else repr(float(level))


def _check(call: str, level: Any, terminal: Any) -> None:
    expect(terminal, FLAG, f"{call}(terminal=…)", "True or False")
    number = isinstance(level, Real) and not isinstance(level, bool | np.timedelta64)
    if not number or not abs(level) <= float(np.finfo(float).max):
        msg = f"{call}(level=…): needs a finite number; got {shown(level)}"
        raise InvalidArgument(msg)


def as_events(events: Any) -> tuple[Event, ...]:
    """Return events; a function g(t, weights) becomes one, of its own name.

    A callable stops the integration if it has an attribute ``terminal = True``.

    Raises InvalidArgument if an entry is neither.
    """
    found: list[Event] = []
    if events is None or isinstance(events, Event) or callable(events):
        events = () if events is None else (events,)
    elif not isinstance(events, Iterable) or getattr(events, "ndim", 1) == 0:
        events = (events,)  # to be refused by its value
    for event in events:
        if isinstance(event, Event):
            found.append(event)
        elif callable(event):
            name = getattr(event, "__name__", type(event).__name__)
            stops = bool(getattr(event, "terminal", False))
            found.append(_UserEvent(event, f"event {name}", stops))
        else:
            msg = (
                "simulate(events=…): needs events such as LossBelow(1e-3), or "
                f"functions g(t, weights); got {shown(event)}"
            )
            raise InvalidArgument(msg)
    return tuple(found)
