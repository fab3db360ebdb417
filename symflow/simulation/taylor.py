"""Taylor series in float64 as a method: the longest steps, to rounding error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from symflow.algebra.numbers import whole
from symflow.codegen.float_series import ORDER, FloatStep, float_steps
from symflow.simulation.methods import (
    FINER,
    DenseStep,
    IntegratorStep,
    Method,
    own_tolerances,
)
from symflow.simulation.system import Floats, System

#: Half a unit in the last place: no series is worth more.
FINEST = 1e-16


#: Largest order; the work of a step grows with its square.
MOST_ORDER = 1_000


@dataclass(frozen=True)
class Taylor(Method):
    """Taylor series of high order, for tolerances down to rounding error.

    Parameters
    ----------
    rtol : float
        Size of the last terms kept, relative to the largest weight.
    order : int
        Order of the series, at least 8.

    Raises
    ------
    InvalidArgument
        If the tolerance is not between 0 and 1, or the order below 8.

    Examples
    --------
    >>> Taylor().rtol
    1e-15
    """

    is_general: ClassVar[bool] = False

    rtol: float = 1e-15
    order: int = ORDER

    def __post_init__(self) -> None:
        own_tolerances(self)
        whole(self.order, "Taylor(order=…)", 8, MOST_ORDER)

    def refined(self) -> Method:
        """Return a smaller tolerance, and a higher order for other rounding errors."""
        return Taylor(max(FINER * self.rtol, FINEST), self.order + 6)

    def steps(
        self, system: System, end: float, stats: dict[str, Any]
    ) -> Iterator[IntegratorStep]:
        """Yield the steps of the series."""
        stats.update(steps=0, order=self.order)
        for step in float_steps(system.problem, end, self.rtol, self.order):
            stats["steps"] += 1
            # The last step ends at `end` itself, not at a rounded sum.
            reached = min(step.t + step.h, end)
            inside = partial(_state, step)
            yield DenseStep(step.t, reached, inside(reached), inside)


def _state(series: FloatStep, time: float) -> Floats:
    return np.concatenate([weight.ravel() for weight in series.at(time)])
