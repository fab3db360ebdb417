"""Gauss–Legendre collocation: keeps every quadratic invariant to rounding error.

With the s nodes c_i of Gauss quadrature on [0, 1] and a_ij = ∫_0^{c_i} ℓ_j, the stages
Y_i = y + h Σ_j a_ij f(Y_j) give y₁ = y + h Σ_i b_i f(Y_i), of order 2s.  Because
b_i a_ij + b_j a_ji = b_i b_j, a quadratic form that the flow conserves is conserved by
each step, whatever its length (Cooper 1987).  The imbalance of two layers is such a
form.  SciPy has no such method.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.numbers import whole
from symflow.errors import IntegrationFailed, InvalidArgument
from symflow.simulation.methods import (
    FINER,
    IntegratorStep,
    Method,
    absolute,
    next_step,
    own_tolerances,
)
from symflow.simulation.system import Floats, System

#: Iterations after which a step is taken to be too long for its stages to converge.
ITERATIONS = 60
#: Relative change of a stage that counts as none.
SETTLED = 4 * np.finfo(float).eps


@dataclass(frozen=True)
class GaussLegendre(Method):
    """Structure-preserving method of even order, for flows that are not stiff.

    Every value that it returns is the end of a step from a stored state, so that the
    quadratic invariants hold at the asked times, too.

    Parameters
    ----------
    order : int
        2, 4, …, 20: twice the number of stages.
    rtol : float
        Relative tolerance per step.
    atol : float, optional
        Absolute tolerance per step; by default a thousandth of `rtol` times the
        largest weight of the start, so that small starts keep their digits.

    Raises
    ------
    InvalidArgument
        If the order is odd or out of range, or a tolerance is not between 0 and 1.

    References
    ----------
    G. J. Cooper, Stability of Runge–Kutta methods for trajectory problems, IMA Journal
    of Numerical Analysis 7, 1987.

    Examples
    --------
    >>> GaussLegendre(order=4).nodes.round(4).tolist()
    [0.2113, 0.7887]
    """

    order: int = 12
    rtol: float = 1e-10
    atol: float | None = None

    def __post_init__(self) -> None:
        call = "GaussLegendre(order=…)"
        if whole(self.order, call, 2, 20) % 2:
            msg = f"{call}: needs an even order, twice the stages; got {self.order}"
            raise InvalidArgument(msg)
        own_tolerances(self)

    @property
    def nodes(self) -> Floats:
        """The stages' places in the step [0, 1]."""
        points, _ = np.polynomial.legendre.leggauss(self.order // 2)
        return np.asarray((points + 1) / 2)

    def refined(self) -> Method:
        """Return a hundredth of the tolerances, at a higher order."""
        atol = None if self.atol is None else FINER * self.atol
        rtol = max(FINER * self.rtol, SETTLED)
        return GaussLegendre(min(self.order + 4, 20), rtol, atol)

    def steps(
        self, system: System, end: float, stats: dict[str, Any]
    ) -> Iterator[IntegratorStep]:
        """Yield steps; the error is inferred from an embedded rule of lower order."""
        solver = Collocation(system, self.order // 2)
        time, state = 0.0, system.start.copy()
        size = _first_size(solver, state, end)
        stats.update(steps=0, rejected=0)
        while time < end:
            size, reached = next_step(time, size, end)
            change = solver.solve(state, size)
            error = np.inf if change is None else self._error(solver, state, size)
            stats["evaluations"] = solver.evaluations
            if change is None or not error < 1:
                stats["rejected"] += 1
                size *= (
                    max(0.2, 0.9 * error ** (-1 / self.order))
                    if change is not None
                    else 0.4
                )
                continue
            stats["steps"] += 1
            after = solver.apply(state, change)
            yield _GaussStep(time, reached, after, state, solver)
            time, state = reached, after
            # Stages converge like a power of h‖J‖: longer steps cost more iterations.
            limit = 1.0 if solver.count > ITERATIONS // 3 else 2.0
            size *= min(limit, 0.9 * max(error, 1e-16) ** (-1 / self.order))

    def _error(self, solver: Collocation, state: Floats, size: float) -> float:
        """Return the error of order 2s in units of the tolerance.

        The embedded rule is of order s only; the terms of the series of an analytic
        flow fall geometrically, so that its error to the power 2s/(s + 1) is of the
        size of the step's own.
        """
        scale = absolute(self) + self.rtol * max(1e-300, float(np.max(np.abs(state))))
        low = solver.embedded_error(size) / float(np.max(np.abs(state)) or 1.0)
        high: float = low ** (self.order / (self.order // 2 + 1))
        return high * float(np.max(np.abs(state)) or 1.0) / scale


class Collocation:
    """The tableau and the memory of one integration."""

    def __init__(self, system: System, count: int) -> None:
        self.system = system
        self.nodes, self.weights, self.table = _tableau(count)
        self._points = np.empty((count, system.size))
        self._rates = np.empty((count, system.size))
        self._run = system.bind(self._points, self._rates)
        self._single = system.rhs
        self._embedded = _embedded(self.nodes)
        self._residue = np.zeros(system.size)
        self.evaluations = self.count = 0

    def __reduce__(self) -> Any:
        return Collocation, (self.system, len(self.nodes))

    def solve(self, state: Floats, size: float) -> Floats | None:
        """Return y₁ − y by fixed-point iteration, or None if it does not settle."""
        self._points[:] = state
        self._first = self._single(0.0, state)
        self._points += size * self.nodes[:, None] * self._first
        last = np.inf
        for self.count in range(1, ITERATIONS + 1):
            self._run()
            self.evaluations += len(self.nodes)
            fresh = state + size * (self.table @ self._rates)
            change = float(np.max(np.abs(fresh - self._points)))
            self._points[:] = fresh
            if not np.isfinite(change) or (self.count > 5 and change > 2 * last):
                return None
            # Once the change is rounding error it stops falling.
            if change <= SETTLED * float(np.max(np.abs(fresh))) or (
                change >= last and last < 1e-13 * float(np.max(np.abs(fresh)))
            ):
                self._run()
                return np.asarray(size * (self.weights @ self._rates))
            last = change
        return None

    def apply(self, state: Floats, change: Floats) -> Floats:
        """Return y + change, carrying the rounding error to the next step."""
        corrected = change + self._residue
        after = state + corrected
        self._residue = corrected - (after - state)
        return np.asarray(after)

    def embedded_error(self, size: float) -> float:
        """Return the largest difference to the embedded rule of order s."""
        stages = np.vstack([self._first, self._rates])
        return float(np.max(np.abs(size * (self._embedded @ stages))))


@dataclass(frozen=True, eq=False)
class _GaussStep(IntegratorStep):
    before: Floats
    solver: Collocation

    def at(self, time: float) -> Floats:
        if time in (self.t, self.end):
            return (self.before if time == self.t else self.state).copy()
        change = self.solver.solve(self.before, time - self.t)
        if change is None:
            msg = f"simulate: the stages of GaussLegendre do not settle at t = {time:g}"
            raise IntegrationFailed(msg)
        return self.before + change


def _tableau(count: int) -> tuple[Floats, Floats, Floats]:
    points, weights = np.polynomial.legendre.leggauss(count)
    nodes = (points + 1) / 2
    # ∫_0^{c_i} ℓ_j by a quadrature that is exact for the degree s − 1 of ℓ_j.
    inner = nodes[:, None] * nodes[None, :]
    basis = np.stack([_lagrange(nodes, j, inner) for j in range(count)], axis=-1)
    table = np.einsum("i,k,ikj->ij", nodes, weights / 2, basis)
    return nodes, weights / 2, table


def _lagrange(nodes: Floats, index: int, x: Floats) -> Floats:
    others = np.delete(nodes, index)
    ratios = (x[..., None] - others) / (nodes[index] - others)
    return np.asarray(np.prod(ratios, axis=-1))


def _embedded(nodes: Floats) -> Floats:
    """Return the row e of an estimate h Σ e_i f_i with e_0 at the start of the step."""
    first = -0.1
    powers = np.vander(nodes, increasing=True).T
    target = np.zeros(len(nodes))
    target[0] = -first
    rest = np.linalg.solve(powers, target)
    return np.concatenate([[first], rest])


def _first_size(solver: Collocation, state: Floats, end: float) -> float:
    rate = solver._single(0.0, state)
    top = float(np.max(np.abs(rate)))
    return min(
        end, 0.01 * max(1e-6, float(np.max(np.abs(state)))) / top if top else end
    )
