"""A stiff method: SciPy's Radau IIA of order 5, with the Jacobian of the program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.errors import IntegrationFailed, InvalidArgument
from symflow.simulation.methods import (
    FINER,
    DenseStep,
    IntegratorStep,
    Method,
    absolute,
    own_tolerances,
    stuck,
)
from symflow.simulation.system import System

#: The smallest relative tolerance that SciPy accepts.
FINEST = 1e-13
#: Weights beyond which their Jacobian is refused.
LARGEST = 10_000


@dataclass(frozen=True)
class Radau(Method):
    """Implicit Runge–Kutta method of order 5 for stiff flows.

    The curvature of the loss makes a flow stiff: an explicit method needs steps below
    about 6 over the largest eigenvalue of the Hessian, this one does not.  The
    Jacobian is exact, differentiated from the program.

    Parameters
    ----------
    rtol : float
        Relative tolerance per step.
    atol : float, optional
        Absolute tolerance per step; by default a thousandth of `rtol` times the
        largest weight of the start, so that small starts keep their digits.

    Raises
    ------
    InvalidArgument
        If a tolerance is not between 0 and 1.

    Examples
    --------
    >>> Radau(rtol=1e-6).rtol
    1e-06
    """

    rtol: float = 1e-9
    atol: float | None = None

    def __post_init__(self) -> None:
        own_tolerances(self)

    def refined(self) -> Method:
        """Return a hundredth of the tolerances, as far as SciPy takes them."""
        atol = None if self.atol is None else FINER * self.atol
        return Radau(max(FINER * self.rtol, FINEST), atol)

    def steps(
        self, system: System, end: float, stats: dict[str, Any]
    ) -> Iterator[IntegratorStep]:
        """Yield the steps of `scipy.integrate.Radau`."""
        if system.size > LARGEST:
            msg = (
                f"simulate(method=Radau): the Jacobian of {system.size} weights takes "
                f"{8e-9 * system.size**2:.0f} GB, several times over. Radau is for at "
                f"most {LARGEST} weights; take an explicit method"
            )
            raise InvalidArgument(msg)
        from scipy.integrate import Radau as Solver

        solver = Solver(
            system.rhs,
            0.0,
            system.start,
            end,
            rtol=self.rtol,
            atol=absolute(self),
            jac=lambda _time, state: system.jacobian(state),
        )
        solver.lu = _factors
        stats["steps"] = 0
        while solver.status == "running":
            _advance(solver, end)
            stats.update(evaluations=int(solver.nfev), jacobians=int(solver.njev))
            if solver.status == "failed":
                raise IntegrationFailed(stuck(solver.t, end))
            stats["steps"] += 1
            yield DenseStep(
                float(solver.t_old), float(solver.t), solver.y, solver.dense_output()
            )


def _advance(solver: Any, end: float) -> None:
    """Take a step."""
    try:
        solver.step()
    except ValueError:  # a step so short that its inverse overflows
        raise IntegrationFailed(stuck(solver.t, end)) from None


def _factors(matrix: Any) -> tuple[Any, Any]:
    """Return LU factors; one that is singular to rounding only makes a step shorter."""
    # SciPy's function would warn of it, and threads share the filters of warnings
    from scipy.linalg import get_lapack_funcs

    (getrf,) = get_lapack_funcs(("getrf",), (matrix,))
    factors, pivots, _ = getrf(np.asarray_chkfinite(matrix), overwrite_a=True)
    return factors, pivots
