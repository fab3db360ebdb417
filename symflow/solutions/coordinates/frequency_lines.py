"""One frequency of a deep circular network: a straight line and the time along it.

With e^{−s} the part of the way that is left, β̂ = σ/λ + (β̂(0) − σ/λ)e^{−s} and
t = ∫ ds/(λL|β̂|^{2−2/L}); see `deep_filters`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.threads import cached_property
from symflow.solutions.time.power_series import deep_strengths
from symflow.solutions.time.quadrature import Clock

#: The angle between β̂(0) and −σ, in roundings, below which a ray faces away.
AWAY = 1e10


@dataclass(frozen=True, eq=False)
class Ray:
    """One frequency: λ, σ, and the transforms a_l of the filters at the start.

    The `filters` are the a_l(0), alike in modulus; all are mpmath numbers.
    """

    lam: Any
    sigma: Any
    filters: tuple[Any, ...]

    @property
    def ops(self) -> Any:
        """The mpmath context of the numbers."""
        return self.lam.context

    def at(self, ops: Any) -> Self:
        """Return the same ray in another mpmath context."""
        filters = tuple(map(ops.mpc, self.filters))
        return replace(
            self, lam=ops.mpf(self.lam), sigma=ops.mpc(self.sigma), filters=filters
        )

    @property
    def depth(self) -> int:
        """The number L of filters."""
        return len(self.filters)

    @cached_property
    def start(self) -> Any:
        """β̂(0)."""
        return self.ops.fprod(self.filters)

    @cached_property
    def goal(self) -> Any:
        """σ/λ."""
        return self.sigma / self.lam

    @cached_property
    def ratio(self) -> Any:
        """β̂(0)λ/σ: its modulus is the size of the start, its phase that to turn by."""
        return self.start / self.goal

    @property
    def moves(self) -> bool:
        """Whether β̂ goes to σ/λ: it does not from zero, nor from the far side."""
        if not self.lam or not self.sigma or not self.start:
            return False
        turn = abs(self.ops.arg(-self.ratio))
        there = abs(self.ratio - 1) <= AWAY * self.ops.eps
        return bool(turn > AWAY * self.ops.eps and not there)

    @property
    def small(self) -> bool:
        """Whether the start is nearer to zero than the goal."""
        return bool(abs(self.ratio) < 1)

    @cached_property
    def miss(self) -> float:
        """The imaginary part of the y at which β̂ would vanish."""
        inner = 1 - self.ratio
        if self.small:
            inner = 1 - self.ratio / abs(self.ratio)
        return abs(float(self.ops.arg(inner))) if self.ops.re(inner) > 0 else 3.0

    @cached_property
    def clock(self) -> Clock:
        """The time as an integral over y."""
        settled = 2 + abs(float(self.ops.log(abs(self.ratio))))
        width = min(0.5, 1.5 * self.miss)
        return Clock(self._density, width, settled, self.rate)

    def _density(self, ops: Any, end: Any) -> Any:
        fine = self.at(ops)
        power, scale = 2 - ops.mpf(2) / self.depth, fine.lam * self.depth

        def g(y: Any) -> Any:
            value, rate = fine.place(y)
            return rate / (scale * abs(value) ** power)

        return g

    def place(self, y: Any) -> tuple[Any, Any]:
        """Return β̂ and ds/dy at y, in the arithmetic of the ray.

        A small start, ε = |β̂(0)λ/σ| < 1, takes e^s = 1 + ε(e^y − 1); others s = y.
        """
        ops = self.ops
        if y == ops.inf:
            return self.goal, ops.one
        if not self.small:
            left = ops.exp(-y)
            return self.start * left - self.goal * ops.expm1(-y), ops.one
        grown = abs(self.ratio) * ops.expm1(y)
        value = (self.start + self.goal * grown) / (1 + grown)
        return value, abs(self.ratio) * ops.exp(y) / (1 + grown)

    def value(self, time: Any) -> Any:
        """Return β̂(t), in the arithmetic of the ray."""
        if not self.moves:
            return self._fading([time])[0]
        return self.place(self.clock.at(time, self.ops))[0]

    @property
    def rate(self) -> Any:
        """The rate λL|σ/λ|^{2−2/L} in the end."""
        power = 2 - self.ops.mpf(2) / self.depth
        return self.lam * self.depth * abs(self.goal) ** power

    @property
    def end(self) -> Any:
        """β̂ as t → ∞."""
        if self.moves:
            return self.goal
        return self.start if self._rests else self.ops.zero

    @property
    def _rests(self) -> bool:
        """Whether β̂ is at rest: nothing to learn from, nowhere to start, or there."""
        there = bool(self.lam and self.sigma) and (
            abs(self.ratio - 1) <= AWAY * self.ops.eps
        )
        return there or not self.start or not self.lam

    def _fading(self, times: list[Any]) -> list[Any]:
        """Return β̂ at rising times where it rests, or goes straight to zero."""
        if self._rests:
            return [self.start for _ in times]
        size, away = abs(self.start), -abs(self.sigma)
        known = (self.ops, self.depth, times, away, self.lam, size)
        return [self.start * (w / size) for w in deep_strengths(*known)]

    def floats(self, times: Array) -> Array:
        """Return β̂ in float64, complex, for times of any shape."""
        if not self.moves:
            rising, places = np.unique(times, return_inverse=True)
            values = self._fading([self.ops.mpf(t) for t in rising.tolist()])
            return np.array([complex(x) for x in values])[places.reshape(times.shape)]
        y = self.clock.floats(times)
        start, goal, size = complex(self.start), complex(self.goal), abs(self.ratio)
        if not self.small:
            return np.asarray(start * np.exp(-y) - goal * np.expm1(-y))
        grown = float(size) * np.expm1(np.minimum(y, 700.0))
        return np.asarray(start / (1 + grown) + goal * (grown / (1 + grown)))
