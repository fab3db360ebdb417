"""What an integration method is: it yields steps, and a step knows its inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from symflow.errors import InvalidArgument
from symflow.simulation.system import Floats, System

#: A step that covers this part of what is left covers all of it, so that no sliver
#: remains that is too short for a step.
WHOLE = 1 - 1e-9


class Step(ABC):
    """One accepted step of a method, from `t` to `end`."""

    t: float
    end: float

    @property
    @abstractmethod
    def state(self) -> Floats:
        """The state at the end of the step."""

    @abstractmethod
    def at(self, time: float) -> Floats:
        """Return the state at a time within the step, in new memory."""


class Method(ABC):
    """A way to integrate y' = f(y) in float64."""

    rtol: float

    @abstractmethod
    def steps(
        self, system: System, end: float, stats: dict[str, Any]
    ) -> Iterator[Step]:
        """Yield steps from t = 0 until `end` is covered.

        Parameters
        ----------
        system : System
            The right-hand side and the start.
        end : float
            Last time.
        stats : dict
            Receives counts of what was done.

        Raises
        ------
        IntegrationFailed
            If the step size becomes too small, with the time that was reached.
        """


def check_tolerances(call: str, **tolerances: float) -> None:
    """Refuse tolerances that are not between 0 and 1.

    Parameters
    ----------
    call : str
        Whose tolerances these are.
    **tolerances : float
        By name.

    Raises
    ------
    InvalidArgument
        Naming the first that is out of range.

    Examples
    --------
    >>> check_tolerances("Radau", rtol=0)
    Traceback (most recent call last):
        ...
    symflow.errors.InvalidArgument: Radau(rtol=…): needs a number between 0 and 1; got 0
    """
    for name, value in tolerances.items():
        if not 0 < value < 1:
            msg = f"{call}({name}=…): needs a number between 0 and 1; got {value!r}"
            raise InvalidArgument(msg)


def stuck(time: float, end: float) -> str:
    """Return the message for a step size that became too small.

    Parameters
    ----------
    time : float
        What was reached.
    end : float
        What was asked for.

    Examples
    --------
    >>> stuck(0.5, 2.0)[-37:]
    'The flow was followed to t = 0.5 of 2'
    """
    return (
        "simulate: the step size became too small to go on. The flow was followed to "
        f"t = {time:g} of {end:g}"
    )
