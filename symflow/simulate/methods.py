"""Integration methods in float64."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.errors import IntegrationFailed, InvalidArgument

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """The result of an integration: states at the times, dense output, statistics."""

    states: Floats
    interpolant: Callable[[float], Floats]
    stats: dict[str, Any]


class Method(ABC):
    """A way to integrate y' = f(t, y) in float64."""

    rtol: float

    @abstractmethod
    def integrate(
        self, rhs: Callable[[float, Floats], Floats], start: Floats, times: Floats
    ) -> Path:
        """Integrate from `start` at t = 0 and return the states at `times`."""


@dataclass(frozen=True)
class DOP853(Method):
    """SciPy's explicit Runge–Kutta method of order 8 with dense output.

    Parameters
    ----------
    rtol : float
        Relative tolerance per step.
    atol : float
        Absolute tolerance per step, in units of the weights.

    Raises
    ------
    InvalidArgument
        If a tolerance is not positive.

    Examples
    --------
    >>> DOP853().rtol
    1e-10
    """

    rtol: float = 1e-10
    atol: float = 1e-13

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            if not 0 < value < 1:
                msg = f"DOP853({name}=…): needs a number between 0 and 1; got {value!r}"
                raise InvalidArgument(msg)

    def integrate(
        self, rhs: Callable[[float, Floats], Floats], start: Floats, times: Floats
    ) -> Path:
        """Integrate with `scipy.integrate.solve_ivp`.

        Raises
        ------
        IntegrationFailed
            If the step size becomes too small, with the time that was reached.
        """
        from scipy.integrate import solve_ivp

        if times[-1] == 0:
            return Path(start[None, :], lambda _: start, {"steps": 0, "evaluations": 0})
        solution = solve_ivp(
            rhs,
            (0.0, float(times[-1])),
            start,
            method="DOP853",
            dense_output=True,
            rtol=self.rtol,
            atol=self.atol,
        )
        if not solution.success:
            msg = (
                f"simulate: {solution.message} The flow was followed to "
                f"t = {solution.t[-1]:g} of {times[-1]:g}"
            )
            raise IntegrationFailed(msg)
        stats = {"steps": len(solution.t) - 1, "evaluations": int(solution.nfev)}
        return Path(solution.sol(times).T, solution.sol, stats)
