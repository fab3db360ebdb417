"""Has the flow converged?  A small derivative alone says no: plateaus have it, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.simulation.system import Floats, System

#: Sizes up to which the whole Jacobian is formed.
DENSE = 400
#: A growth rate of this part of the largest curvature is rounding.
STILL = 1e-6


@dataclass
class SteadyState:
    """Decides that a state is stationary and that nothing near it grows.

    The derivative has to be small against the weights, and the Jacobian of the flow
    (minus the Hessian of the loss) may not have an eigenvalue that is positive beyond
    rounding, so that the plateau at a saddle does not count.
    """

    system: System  # what is integrated
    rtol: float  # bound of |f| relative to |weights| times the largest curvature
    growth: float = np.nan
    rate: float = np.nan

    def holds(self, state: Floats) -> bool:
        """Say whether the flow has converged at `state`."""
        size = float(np.max(np.abs(state)))
        self.rate = float(np.max(np.abs(self.system.rhs(0.0, state))))
        if (
            not np.isfinite(self.rate)
            or self.rate > self.rtol * max(size, 1e-300) * 1e3
        ):
            return False
        form = self.system.jacobian(state) if self.system.size <= DENSE else None
        if form is not None and not self._may_hold(form, size):
            return False
        self.growth, curvature = self._spectrum(state, form)
        if curvature == 0:
            return False
        small = self.rate <= self.rtol * size * curvature
        return bool(small and self.growth <= STILL * curvature)

    def _may_hold(self, form: Floats, size: float) -> bool:
        """Say whether eigenvalues have to be looked at: a norm bounds the largest.

        While the flow moves, or leaves a saddle, this is the whole test: a Cholesky
        decomposition is a tenth of the work.
        """
        bound = 2**0.5 * float(np.linalg.norm(form))
        if not self.rate <= self.rtol * size * bound:
            return False
        try:
            np.linalg.cholesky(STILL * bound * np.eye(len(form)) - form)
        except np.linalg.LinAlgError:
            return False
        return True

    def _spectrum(self, state: Floats, form: Floats | None) -> tuple[float, float]:
        """Return the largest eigenvalue of the Jacobian and the largest modulus."""
        if form is not None:
            values = np.linalg.eigvalsh(form)
            return float(values[-1]), float(np.max(np.abs(values)))
        return self._iterated(state)

    def _iterated(self, state: Floats) -> tuple[float, float]:
        from scipy.sparse.linalg import LinearOperator, eigsh

        operator: Any = LinearOperator(
            (self.system.size, self.system.size),
            matvec=lambda vector: self.system.along(state, np.ravel(vector)),
            dtype=float,
        )
        start = np.random.default_rng(0).standard_normal(self.system.size)
        lowest, highest = eigsh(
            operator, k=2, which="BE", return_eigenvectors=False, v0=start, tol=1e-4
        )
        return float(highest), float(max(abs(lowest), abs(highest)))

    def verdict(self, time: float) -> str:
        """Return the words for the statistics."""
        return (
            f"stationary at t = {time:.6g}: |rate| = {self.rate:.1e}, "
            f"largest growth rate {self.growth:.1e}"
        )
