"""The course of one coordinate of a deep diagonal network, from any generic start.

Every coordinate moves along one curve in weight space, whatever the data: the imbalance
of its weights is conserved.  With a variable v on the curve, β(v) monotone and
dξ = e(v)dv, the flow is ξ̇ = σ − λβ, so that t = ∫ e dv/(σ − λβ(v)).

    Pivot       one weight p is smallest in size: p = m sinh v, the others are
                ±√(p² + c_l) with c_l > 0, m² = min c_l; p may pass zero.
    Balanced    all weights have the size e^v.
    Difference  u_l = a, v_l = b > 0, k = L − 2: with C = a^{−k} + b^{−k},
                a^{−k}/C → 1/(1 + e^{2v}), b^{−k}/C → 1/(1 + e^{−2v}).

β(v) = σ/λ has one solution v∞, a simple zero.  In the variable y with
|v∞ − v| = ln(1 + e^{−y}) the time integrates a smooth function (see `time.quadrature`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Self

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.threads import cached_property
from symflow.solutions.any_precision import context_of
from symflow.solutions.time.quadrature import Clock

#: Newton steps for the limit, from a side where they cannot overshoot.
STEPS = 400

#: A start nearer to the limit than so many roundings is the limit.
NEAR = 1e5

#: Beyond this e^{gap} is not a float.
LONG = 600.0


@dataclass(frozen=True, eq=False)
class Course(ABC):
    """One coordinate: its data, its weights at the start, and its time.

    `sigma` and `lam` are σ and λ > 0, the `start` has the weights at t = 0 in the order
    that the course asks for, and the depth L is at least 3.
    """

    sigma: Any
    lam: Any
    start: tuple[Any, ...]
    depth: int

    @property
    def ops(self) -> Any:
        """The mpmath context of the numbers."""
        return self.sigma.context

    def at(self, ops: Any) -> Self:
        """Return the same course in another mpmath context."""
        start = tuple(map(ops.mpf, self.start))
        return replace(
            self, sigma=ops.mpf(self.sigma), lam=ops.mpf(self.lam), start=start
        )

    @cached_property
    def sign(self) -> int:
        """1 where β increases with v, else −1."""
        return 1

    @property
    def goal(self) -> Any:
        """The limit of |β|, with a sign: negative where v falls below zero."""
        return self.sign * self.sigma / self.lam

    @property
    @abstractmethod
    def origin(self) -> Any:
        """The value of v at t = 0."""

    @abstractmethod
    def height(self, v: Any, ops: Any) -> Any:
        """Return sign·β at v, increasing; `ops` is the context or NumPy."""

    @abstractmethod
    def rise(self, v: Any) -> Any:
        """Return the derivative of the height."""

    @abstractmethod
    def slope(self, v: Any) -> Any:
        """Return e(v) = |dξ/dv|."""

    def both(self, v: Any) -> tuple[Any, Any]:
        """Return slope and height, together where that is cheaper."""
        return self.slope(v), self.height(v, self.ops)

    @abstractmethod
    def above(self, size: Any) -> Any:
        """Return a v at which the height is at least `size` > 0."""

    @abstractmethod
    def weights(self, v: Any, ops: Any) -> tuple[Any, ...]:
        """Return the weights at v, in the order of the start."""

    @cached_property
    def end(self) -> Any:
        """v∞, by Newton's method on a convex function; odd in the goal."""
        size = abs(self.goal)
        if not size:
            return self.ops.zero
        v = self.above(size)
        for _ in range(STEPS):
            step = (self.height(v, self.ops) - size) / self.rise(v)
            v = v - step
            if abs(step) <= 4 * self.ops.eps * abs(v):
                break
        return v if self.goal > 0 else -v

    @cached_property
    def gap(self) -> Any:
        """How far v has to go."""
        return abs(self.end - self.origin)

    @property
    def side(self) -> int:
        """The direction in which v moves."""
        return 1 if self.end > self.origin else -1

    @property
    def resting(self) -> bool:
        """Whether the start is the limit, up to rounding."""
        return bool(self.gap <= NEAR * self.ops.eps * (1 + abs(self.end)))

    @cached_property
    def clock(self) -> Clock:
        """The time as an integral over y − y(0)."""
        settled = 2 + float(self.ops.log(self.ops.expm1(self.gap)))
        width = min(0.5, 1.5 / self.depth)
        return Clock(self._density, width, settled, self.rate)

    def _density(self, ops: Any, end: Any) -> Any:
        # near the limit σ − λβ cancels: as many digits as y leaves behind
        fine = self.at(context_of(ops.dps + int((end - self.gap) / 2.3) + 5))
        exp, log1p, side = fine.ops.exp, fine.ops.log1p, fine.side
        scale = 1 / fine.ops.expm1(fine.gap)

        def g(y: Any) -> Any:
            decayed = exp(-y) / scale
            v = fine.end - side * log1p(decayed)
            slope, height = fine.both(v)
            force = abs(fine.sign * fine.sigma - fine.lam * height)
            return ops.mpf(slope * decayed / (1 + decayed) / force)

        return g

    def place(self, time: Any) -> Any:
        """Return v(t), one time, in the arithmetic of the course."""
        ops = self.ops
        if self.resting or not time:
            return self.origin
        y = self.clock.at(time, ops)
        if y == ops.inf:
            return self.end
        decay = ops.expm1(self.gap)
        moved = ops.log1p(-decay * ops.expm1(-y) / (1 + decay * ops.exp(-y)))
        return self.origin + self.side * moved

    @property
    def rate(self) -> Any:
        """The rate at which the limit is approached in the end."""
        return self.lam * self.rise(self.end) / self.slope(self.end)

    def places(self, times: Array) -> Array:
        """Return v(t) in float64, for times of any shape."""
        origin = float(self.origin)
        if self.resting:
            return np.full(times.shape, origin)
        y, gap = self.clock.floats(times), float(self.gap)
        if gap > LONG:
            with np.errstate(over="ignore"):
                return np.asarray(
                    float(self.end) - self.side * np.logaddexp(0, gap - y)
                )
        decay = np.expm1(gap)
        moved = np.log1p(decay * -np.expm1(-y) / (1 + decay * np.exp(-y)))
        return np.asarray(origin + self.side * moved)


@dataclass(frozen=True, eq=False)
class Pivot(Course):
    """A product of weights of which the first is smallest in size."""

    @cached_property
    def sign(self) -> int:
        """The sign of the product of the other weights."""
        return prod(1 if w > 0 else -1 for w in self.start[1:])

    @cached_property
    def _units(self) -> tuple[Any, ...]:
        """m, and the c_l in units of m²."""
        pivot, *others = self.start
        gaps = [(w - pivot) * (w + pivot) for w in others]
        least = min(gaps)
        return least**0.5, *(gap / least for gap in gaps)

    @cached_property
    def _floats(self) -> tuple[float, ...]:
        return tuple(map(float, self._units))

    @cached_property
    def origin(self) -> Any:
        """The inverse hyperbolic sine of p/m."""
        return self.ops.asinh(self.start[0] / self._units[0])

    def _sizes(self, v: Any, ops: Any) -> tuple[Any, list[Any]]:
        """Return p and the sizes of the other weights."""
        scale, *units = self._floats if ops is np else self._units
        x = ops.sinh(v)
        return scale * x, [scale * ops.sqrt(x * x + unit) for unit in units]

    def height(self, v: Any, ops: Any) -> Any:
        """Return p Π√(p² + c_l)."""
        pivot, others = self._sizes(v, ops)
        return pivot * prod(others)

    def rise(self, v: Any) -> Any:
        pivot, others = self._sizes(v, self.ops)
        parts = 1 + sum(pivot * pivot / (w * w) for w in others)
        return self._units[0] * self.ops.cosh(v) * prod(others) * parts

    def slope(self, v: Any) -> Any:
        """Return dp/dv over the product of the other weights."""
        return self._units[0] * self.ops.cosh(v) / prod(self._sizes(v, self.ops)[1])

    def both(self, v: Any) -> tuple[Any, Any]:
        """Return slope and height from one exponential."""
        scale, *units = self._units
        grown = self.ops.exp(v)
        x, root = (grown - 1 / grown) / 2, (grown + 1 / grown) / 2
        if abs(x) < 1:
            x = self.ops.sinh(v)
        inner = prod(x * x + unit for unit in units)
        others = scale ** (self.depth - 1) * self.ops.sqrt(inner)
        return scale * root / others, scale * x * others

    def above(self, size: Any) -> Any:
        """Return the smaller of two bounds on v."""
        scale, *units = self._units
        flat = prod((scale * self.ops.sqrt(unit) for unit in units), start=scale)
        high = self.ops.root(size, self.depth) / scale
        return self.ops.asinh(min(size / flat, high))

    def weights(self, v: Any, ops: Any) -> tuple[Any, ...]:
        """Return p and the ±√(p² + c_l)."""
        pivot, others = self._sizes(v, ops)
        pairs = zip(self.start[1:], others, strict=True)
        return pivot, *(w if first > 0 else -w for first, w in pairs)


@dataclass(frozen=True, eq=False)
class Balanced(Course):
    """A product of weights of one size, on the side of its target."""

    @cached_property
    def sign(self) -> int:
        """The sign of the product of the weights."""
        return prod(1 if w > 0 else -1 for w in self.start)

    @cached_property
    def origin(self) -> Any:
        """The logarithm of the size."""
        return self.ops.log(abs(self.start[0]))

    @cached_property
    def end(self) -> Any:
        """The logarithm of the size at the limit."""
        return self.ops.log(self.goal) / self.depth

    def height(self, v: Any, ops: Any) -> Any:
        """Return e^{Lv}."""
        return ops.exp(self.depth * v)

    def rise(self, v: Any) -> Any:
        """Return L e^{Lv}."""
        return self.depth * self.height(v, self.ops)

    def slope(self, v: Any) -> Any:
        """Return e^{(2−L)v}."""
        return self.ops.exp((2 - self.depth) * v)

    def above(self, size: Any) -> Any:
        """Return the solution."""
        return self.ops.log(size) / self.depth

    def weights(self, v: Any, ops: Any) -> tuple[Any, ...]:
        """Return ±e^v."""
        size = ops.exp(v)
        return tuple(size if first > 0 else -size for first in self.start)


@dataclass(frozen=True, eq=False)
class Difference(Course):
    """a^L − b^L with the start (a, b), both positive."""

    @cached_property
    def _unit(self) -> Any:
        """C^{−1/k}."""
        k = self.depth - 2
        a, b = self.start
        return (a**-k + b**-k) ** (-self.ops.one / k)

    @cached_property
    def origin(self) -> Any:
        """Half the logarithm of b^{−k}/a^{−k}."""
        a, b = self.start
        return self.ops.log(a / b) * (self.depth - 2) / 2

    def _power(self, ops: Any) -> Any:
        number = float if ops is np else ops.mpf
        return number(self.depth) / (self.depth - 2)

    def height(self, v: Any, ops: Any) -> Any:
        """Return a^L − b^L = 2C^{−q}(2 cosh v)^q sinh qv with q = L/k."""
        power = self._power(ops)
        unit = float(self._unit) if ops is np else self._unit
        return 2 * unit**self.depth * (2 * ops.cosh(v)) ** power * ops.sinh(power * v)

    def rise(self, v: Any) -> Any:
        ops, power = self.ops, self._power(self.ops)
        inner = ops.cosh(power * v) + ops.tanh(v) * ops.sinh(power * v)
        outer = 2 * self._unit**self.depth * (2 * ops.cosh(v)) ** power
        return outer * power * inner

    def slope(self, v: Any) -> Any:
        """Return C/(2k) sech² v."""
        k = self.depth - 2
        return self._unit**-k / (2 * k * self.ops.cosh(v) ** 2)

    def above(self, size: Any) -> Any:
        """Return v with a^L ≥ size + 2^q C^{−q}, where b^L is smaller."""
        power = self._power(self.ops)
        high = (size / self._unit**self.depth + 2**power) ** (1 / power)
        return self.ops.log(high - 1) / 2

    def weights(self, v: Any, ops: Any) -> tuple[Any, ...]:
        """Return a and b."""
        unit = float(self._unit) if ops is np else self._unit
        inverse = self._power(ops) / self.depth
        return tuple(unit * (1 + ops.exp(x)) ** inverse for x in (2 * v, -2 * v))
