"""Where a flow ends: exactly for modes that fall apart, else at a minimizer."""

from __future__ import annotations

from decimal import localcontext
from fractions import Fraction
from typing import Any

import numpy as np

from adversary.integration import Unknown, flow_at
from adversary.problem import Problem
from adversary.truth import Flow, decimals, product

#: The force, relative to the target, below which a flow has arrived.
ARRIVED = 1e-12
#: When one looks, and the most steps.
DOUBLED, STEPS = (8, 16, 32, 64, 128), 200


def limit_of_mode(starts: tuple[Fraction, ...], target: Fraction) -> Fraction:
    """Return the limit of ∏a_l where ȧ_l = (s − ∏a)∏_{k≠l} a_k.

    The product rises or falls to s unless it has to pass 0, where it stays if several
    factors reach 0 together: those of the least size, as a_l² − a_k² is conserved.
    """
    total = Fraction(1)
    for start in starts:
        total *= start
    sizes = sorted(abs(start) for start in starts)
    stuck = len(sizes) > 1 and sizes[0] == sizes[1]
    return Fraction(0) if total * target <= 0 and stuck else target


def limit(problem: Problem) -> tuple[Any, float] | None:
    """Return W(∞) and by how much it may be off, or None where it is unknown."""
    if problem.loss != "squared" or problem.decay:
        return None
    if problem.modes and not problem.rates:
        U, V, modes = problem.modes
        ends = [limit_of_mode(starts, target) for starts, target in modes]
        return np.asarray(U @ np.diag(np.array(ends, object)) @ V.T), 0.0
    try:
        return _arrival(problem)
    except Unknown:
        return None


def _arrival(problem: Problem) -> tuple[Any, float] | None:
    """Follow the flow until the force vanishes, so that the end is no saddle."""
    size = max((abs(float(y)) for row in problem.Y for y in row), default=0.0) or 1.0
    before: Any = None
    for state in flow_at(problem, DOUBLED, digits=20, most=STEPS):
        with localcontext() as context:
            context.prec = 40
            here = product(problem, state)
            force = float(np.max(np.abs(Flow(problem).force(here))))
        if force <= ARRIVED * size and before is not None:
            return here, 10 * float(np.max(np.abs(here - before)))
        before = here
    return None


def passes(problem: Problem, total: Any, near: float) -> bool:
    """Say whether the flow is seen that near to W, as to a saddle where it ends."""
    try:
        states = list(flow_at(problem, DOUBLED, digits=20, most=STEPS))
    except Unknown:
        return False
    gaps = (product(problem, state) - decimals(total) for state in states)
    return min(float(np.max(np.abs(gap))) for gap in gaps) <= near


def least_squares_gap(problem: Problem, total: Any) -> float:
    """Return max|Σ_yx − WΣ_xx|: zero exactly for the minimizers of the squared loss."""
    with localcontext() as context:
        context.prec = 60
        return float(np.max(np.abs(Flow(problem).force(decimals(total)))))
