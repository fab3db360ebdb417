"""Entries of the atlas about how small or large a start is rich or lazy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias import DifferenceMap, least_potential
from symflow.bias.scale import lazy_scale, rich_scale
from symflow.claims.bibliography import WOODWORTH_2020
from symflow.gallery.entry import CeilingEntry

#: Parts ε of the least norm, and the inputs of the random regressions.
PARTS, INPUTS, INSTANCES = (0.5, 0.1, 0.03), 6, 20


def _regressions() -> Iterator[tuple[Array, Array]]:
    generator = np.random.default_rng(8)
    for _ in range(INSTANCES):
        X = generator.standard_normal((3, INPUTS))
        yield X, generator.standard_normal(3)


def least_l1(X: Array, y: Array) -> float:
    """Return the least ℓ₁ norm of an interpolant, by linear programming.

    `X`, shape (n, d): Samples.
    `y`, shape (n,): Targets.

    Examples
    --------
    >>> least_l1(np.array([[1.0, 2.0]]), np.array([1.0]))
    0.5
    """
    from scipy.optimize import linprog

    both = np.hstack([X, -X])
    return float(linprog(np.ones(both.shape[1]), A_eq=both, b_eq=y).fun)


def _limit(alpha: float, X: Array, y: Array) -> Array:
    return least_potential(DifferenceMap(2), np.full(INPUTS, alpha), X, y)


def _rich() -> list[float]:
    """Return the largest excess of the ℓ₁ norm over all regressions, per ε."""
    found = []
    for part in PARTS:
        excess = []
        for X, y in _regressions():
            least = least_l1(X, y)
            beta = _limit(rich_scale(least, INPUTS, part), X, y)
            excess.append(float(np.sum(np.abs(beta))) / least - 1)
        found.append(max(excess))
    return found


def _lazy() -> list[float]:
    """Return the largest excess of the squared ℓ₂ norm over all regressions, per ε."""
    found = []
    for part in PARTS:
        excess = []
        for X, y in _regressions():
            least = float(np.linalg.norm(np.linalg.lstsq(X, y)[0]))
            beta = _limit(lazy_scale(least, part), X, y)
            excess.append(float(np.sum(beta**2)) / least**2 - 1)
        found.append(max(excess))
    return found


SCALE = (
    CeilingEntry(
        "woodworth-rich",
        "‖β‖₁/least − 1 ≤ ε from the scale α(ε), ε = 0.5, 0.1, 0.03",
        WOODWORTH_2020,
        ("β = u∘u − v∘v, u = v = α", "20 random regressions, 3 samples, 6 inputs"),
        lambda: PARTS,
        _rich,
        0.01,
    ),
    CeilingEntry(
        "woodworth-lazy",
        "‖β‖₂²/least − 1 ≤ ε from the scale α(ε), ε = 0.5, 0.1, 0.03",
        WOODWORTH_2020,
        ("β = u∘u − v∘v, u = v = α", "20 random regressions, 3 samples, 6 inputs"),
        lambda: PARTS,
        _lazy,
        1e-3,
    ),
)
