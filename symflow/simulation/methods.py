"""What an integration method is: it yields steps, and a step knows its inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, TypeVar

import numpy as np

from symflow.errors import IntegrationFailed, InvalidArgument, shown
from symflow.simulation.system import Floats, System

#: A step that covers this part of what is left covers all of it, so that no sliver
#: remains that is too short for a step.
WHOLE = 1 - 1e-9

#: The absolute tolerance is this part of the relative one, at the size of the start.
PART = 1e-3

#: A flow that takes more steps is stiff, or rests where it should be left alone.
MOST_STEPS = 300_000

#: That it does is said after so many, where what is left is out of all proportion.
TELLING, ENDLESS = 10_000, 100 * MOST_STEPS

#: How much smaller the tolerances of a run are that measures the error of another.
FINER = 1e-2

AnyMethod = TypeVar("AnyMethod", bound="Method")


@dataclass(frozen=True, eq=False)
class IntegratorStep(ABC):
    """One accepted step of a method, from `t` to `end`."""

    t: float
    end: float
    state: Floats  #: At the end of the step.

    @abstractmethod
    def at(self, time: float) -> Floats:
        """Return the state at a time within the step, in new memory."""


@dataclass(frozen=True, eq=False)
class DenseStep(IntegratorStep):
    """A step whose inside is a function of time."""

    inside: Callable[[float], Floats]

    def at(self, time: float) -> Floats:
        return self.inside(time)


class Method(ABC):
    """A way to integrate y' = f(y) in float64."""

    rtol: float

    #: Whether it integrates any form of a system, by its right-hand side alone.
    is_general: ClassVar[bool] = True

    @abstractmethod
    def refined(self) -> Method:
        """Return a method that is accurate enough to measure the error of this one."""

    @abstractmethod
    def steps(
        self, system: System, end: float, stats: dict[str, Any]
    ) -> Iterator[IntegratorStep]:
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


def fitted(method: AnyMethod, start: Floats) -> AnyMethod:
    """Return the method with an absolute tolerance that suits the size of a start.

    A tolerance that is set is kept.  Of many starts, as rows, the smallest decides.
    """
    if getattr(method, "atol", 0) is not None:
        return method
    size = float(np.min(np.max(np.abs(start), axis=-1)))
    atol = min(PART * method.rtol * (size or 1.0), PART)
    return replace(method, atol=atol)  # type: ignore[type-var]


def absolute(method: Any) -> float:
    """Return the absolute tolerance of a method; `PART` of `rtol` where none is set."""
    return float(PART * method.rtol if method.atol is None else method.atol)


def check_tolerances(call: str, **tolerances: float | None) -> None:
    """Refuse tolerances that are not between 0 and 1.

    None is decided later.

    Raises InvalidArgument, naming the first that is out of range.
    """
    for name, value in tolerances.items():
        if value is not None and not (isinstance(value, Real) and 0 < value < 1):
            msg = (
                f"{call}({name}=…): needs a number between 0 and 1; got {shown(value)}"
            )
            raise InvalidArgument(msg)


def own_tolerances(method: Any) -> None:
    """Check the tolerances of a method and make floats of them, as arrays are of these.

    Raises InvalidArgument, naming the first that is out of range.
    """
    own = {n: getattr(method, n) for n in ("rtol", "atol") if hasattr(method, n)}
    check_tolerances(type(method).__name__, **own)
    for name, value in own.items():
        if value is not None:
            object.__setattr__(method, name, float(value))


def next_step(time: float, size: float, end: float) -> tuple[float, float]:
    """Return the length of a step to try and where it ends, at the latest at `end`.

    Raises IntegrationFailed if it would be so short that it leads nowhere.
    """
    last = size >= (end - time) * WHOLE
    size = end - time if last else size
    if size <= 10 * np.spacing(time) or not size > 0:
        raise IntegrationFailed(stuck(time, end))
    return size, end if last else time + size


def stuck(time: float, end: float) -> str:
    """Return the message for a step size that became too small."""
    return (
        "simulate: the step size became too small to go on. The flow was followed to "
        f"t = {time:g} of {end:g}"
    )
