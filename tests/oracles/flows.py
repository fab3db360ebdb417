"""Many flows at once: fixed-step Runge–Kutta on stacks of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

State = list[Any]


def runge_kutta(
    rhs: Callable[[State], State], start: State, step: float, steps: int
) -> list[State]:
    """Return the states at 0, step, …, steps·step by the classical method."""
    states, state = [start], start
    for _ in range(steps):
        k1 = rhs(state)
        k2 = rhs(_moved(state, k1, step / 2))
        k3 = rhs(_moved(state, k2, step / 2))
        k4 = rhs(_moved(state, k3, step))
        state = [
            x + step / 6 * (a + 2 * b + 2 * c + d)
            for x, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)
        ]
        states.append(state)
    return states


def _moved(state: Sequence[Any], slope: Sequence[Any], step: float) -> State:
    return [x + step * k for x, k in zip(state, slope, strict=True)]


def operator_smallest(weights: Sequence[Any]) -> Any:
    """Return λ_min of F ↦ Σ_l B_lB_lᵀ F A_lᵀA_l as an explicit Kronecker matrix."""
    d, m = weights[0].shape[-1], weights[-1].shape[-2]
    total = np.zeros((m * d, m * d))
    for layer in range(len(weights)):
        before, after = np.eye(d), np.eye(m)
        for weight in weights[:layer]:
            before = weight @ before
        for weight in reversed(weights[layer + 1 :]):
            after = after @ weight
        total += np.kron(after @ after.T, before.T @ before)
    return np.linalg.eigvalsh(total)[0]
