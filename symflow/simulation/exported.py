"""Events of an exported integrator: which it can look for, and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symflow.codegen.evaluate import evaluate
from symflow.codegen.inplace import Shape
from symflow.codegen.lower import loss_program
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow
from symflow.simulation.events import LossBelow, as_events, distinct_names
from symflow.simulation.system import Floats

#: Levels below this part of the loss of zero weights drown in the rounding of moments.
SEEN = 1e-7
#: Why a start ended before its last time, if an event is the reason.
STOPPED = 5


def watched_losses(events: Any, target: str, call: str) -> tuple[LossBelow, ...]:
    """Return events that a file can look for.

    Raises InvalidArgument for others, which are functions in Python.
    """
    found = as_events(events)
    losses = tuple(event for event in found if isinstance(event, LossBelow))
    if len(losses) < len(found) or (losses and target != "c"):
        names = ", ".join(event.name for event in found)
        msg = (
            f"{call}: events: files look for LossBelow(…) alone, and in C; got {names} "
            f"for target={target!r}. simulate(…, events=…) takes every event"
        )
        raise InvalidArgument(msg)
    return losses


def refuse_unseen(
    flow: GradientFlow,
    events: Sequence[LossBelow],
    shapes: Sequence[Shape],
    data: Sequence[Floats],
    call: str,
) -> None:
    """Raise InvalidArgument where a level is lost in the rounding of moments.

    Of samples a loss is a sum of parts that are not negative, and has no such limit.
    """
    widths = flow.network.widths
    of_samples = not flow.loss.value_symbols(widths[0], widths[-1])
    if not events or of_samples or not all(np.isfinite(a).all() for a in data):
        return  # what is not finite is refused by its name
    zeros = [np.zeros(shape) for shape in shapes[: len(flow.state)]]
    (size,) = evaluate(loss_program(flow), [*zeros, *data])
    for event in events:
        if not abs(event.level) >= SEEN * abs(float(size)):
            msg = (
                f"{call}: {event.name}: a loss that is made of moments is a difference "
                f"of numbers like {float(size):.3g}, and a level below {SEEN:g} of "
                "that is not seen. Use simulate(…, events=…), which has a root of them"
            )
            raise InvalidArgument(msg)


def statistics(
    events: Sequence[LossBelow], numbers: Floats, times: Floats, lead: Shape
) -> dict[str, Any]:
    """Return steps, the times of states and of events, from those of each start."""
    lasts = np.where(numbers[:, :1] == STOPPED, numbers[:, 3:4], times[-1])
    t = np.where(times <= lasts, times, np.nan)
    for row, last in zip(t, lasts[:, 0], strict=True):
        if last not in row:
            row[np.isnan(row).argmax()] = last
    steps, rejected = numbers.T[1:3].astype(int)
    found = {"t": t, "steps": steps, "rejected": rejected}
    found |= zip(distinct_names(events), numbers.T[4:], strict=True)
    return {key: value.reshape(lead + value.shape[1:]) for key, value in found.items()}
