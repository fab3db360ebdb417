"""The scalar maps by which diagonal networks turn a force into a coefficient.

With ξ(t) = −∫∇ℓ(β), every coefficient of a diagonal network of depth L is β_j = c_j^L
h(c_j^{L−2} ξ_j), c_j the size of its weights at the start.  In terms of x,

    product w_1∘⋯∘w_L, w_L(0) = 0:   h = x(1+x²)^{(L−1)/2},  t = ∫₀ˣ(1+y²)^{−(L−1)/2}dy,
    difference u_1∘⋯∘u_L − v_1∘⋯∘v_L:  h = 2 sinh 2t for L = 2, else with z = (L−2)t
                                       h = (1−z)^{−L/(L−2)} − (1+z)^{−L/(L−2)}.

For L = 2 the first is ½ sinh 2t, for L = 3 tan t/cos² t, for L = 4 t/(1−t²)².  H =
∫h⁻¹ is the potential; its conjugate ∫h is x²/2 for the product, and elementary for the
difference (Yun, Krishnan, Mobahi 2021; Woodworth et al. 2020; elementary forms derived
here).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any

import mpmath
import numpy as np
import sympy

from symflow.algebra.arrays import Array, map_entries, to_float_array
from symflow.claims import Identity

#: Newton steps that take 15 correct digits to any practical number of them.
REFINEMENTS, MOST_STEPS = 12, 200
#: Stands for zero in logarithms.
TINIEST = 1e-300


@dataclass(frozen=True)
class MirrorMap(ABC):
    """An odd increasing function h of the force, with its inverse and potential."""

    depth: int  #: L, at least 2.

    @property
    @abstractmethod
    def end(self) -> float:
        """The force at which h becomes infinite; infinite itself for L = 2."""

    @abstractmethod
    def value(self, t: Array) -> Array:
        """Return h(t) in float64, for |t| below `end`."""

    @abstractmethod
    def slope(self, t: Array) -> Array:
        """Return h′(t) in float64."""

    @abstractmethod
    def conjugate(self, t: Array) -> Array:
        """Return ∫₀ᵗ h in float64."""

    @abstractmethod
    def inverse(self, tau: Array, context: Any = None) -> Array:
        """Return h⁻¹(τ), in float64 or in the arithmetic of `context`."""

    @abstractmethod
    def fine(self, t: Any, context: Any) -> tuple[Any, Any, Any]:
        """Return h(t), h′(t) and ∫₀ᵗ h of one number in the arithmetic of `context`."""

    @abstractmethod
    def fine_end(self, context: Any) -> Any:
        """Return `end` in the arithmetic of `context`."""

    @abstractmethod
    def relation(self, tau: sympy.Expr, t: sympy.Expr) -> sympy.Basic:
        """Return τ = h(t) as SymPy, written out."""

    def total(self, part: sympy.Expr, span: tuple[Any, ...]) -> sympy.Expr:
        """Return Σ_j c_j² H(part_j/c_j^L) over a span (j, first, last) as SymPy."""
        c = sympy.IndexedBase("c")[span[0]]
        term = sympy.Function("H")(part / c**self.depth)
        return sympy.Sum(c**2 * term, span)

    def potential(self, tau: Array) -> Array:
        """Return H(τ) = ∫₀^τ h⁻¹ = τ·h⁻¹(τ) − ∫₀^{h⁻¹(τ)} h in float64.

        The coefficients τ are in units of c^L.
        """
        t = self.inverse(np.asarray(tau, dtype=float))
        return np.asarray(tau * t - self.conjugate(t))


@dataclass(frozen=True)
class ProductMap(MirrorMap):
    """The map of β = w_1∘⋯∘w_L from w_1 = … = w_{L−1} = c, w_L = 0; L is at least 2."""

    @property
    def end(self) -> float:
        """The integral ∫₀^∞(1+y²)^{−(L−1)/2}dy: ∞, π/2, 1, π/4, …."""
        return float(self.fine_end(mpmath.fp))

    def fine_end(self, context: Any) -> Any:
        if self.depth == 2:
            return context.inf
        even = self.depth % 2 == 0
        total = context.one if even else context.pi / 2
        for power in range(3 if even else 2, self.depth - 1, 2):
            total = total * (power - 1) / power
        return total

    def relation(self, tau: sympy.Expr, t: sympy.Expr) -> sympy.Basic:
        """Return τ = x(1+x²)^{(L−1)/2} and the integral that is t."""
        power = sympy.Rational(self.depth - 1, 2)
        x, y = sympy.symbols("x y", real=True)
        if self.depth == 2:
            return sympy.Eq(tau, sympy.sinh(2 * t) / 2, evaluate=False)
        clock = sympy.Integral((1 + y**2) ** -power, (y, 0, x))
        value = sympy.Eq(tau, x * (1 + x**2) ** power, evaluate=False)
        return sympy.And(value, sympy.Eq(t, clock, evaluate=False), evaluate=False)

    def fine(self, t: Any, context: Any) -> tuple[Any, Any, Any]:
        L, x = self.depth, self._fine_x(t, context)
        square = 1 + x * x
        slope = square ** (L - 2) * (1 + L * x * x)
        return x * context.sqrt(square) ** (L - 1), slope, x * x / 2

    def _fine_x(self, t: Any, context: Any) -> Any:
        if self.depth <= 4:
            closed = {2: context.sinh, 3: context.tan}
            closed[4] = lambda t: t / context.sqrt((1 - t) * (1 + t))
            return closed[self.depth](t)
        L, size = self.depth, abs(t)
        # t(x) is concave and below the end by less than x^{2−L}/(L−2)
        room = (L - 2) * (self.fine_end(context) - size)
        x = max(size, room ** (context.mpf(-1) / (L - 2)) / 2)
        for _ in range(MOST_STEPS):
            gap = size - self._t(np.array([x]), context)[0]
            change = gap * context.sqrt(1 + x * x) ** (L - 1)
            x = max(x + change, size)
            if abs(change) <= x * context.eps * 2**10:
                break
        return x if t >= 0 else -x

    def value(self, t: Array) -> Array:
        """Return h(t) = x(1+x²)^{(L−1)/2}."""
        x = self._x(t)
        return np.asarray(x * (1 + x * x) ** ((self.depth - 1) / 2))

    def slope(self, t: Array) -> Array:
        """Return h′(t) = (1+x²)^{L−2}(1 + Lx²)."""
        x = self._x(t)
        return np.asarray((1 + x * x) ** (self.depth - 2) * (1 + self.depth * x * x))

    def conjugate(self, t: Array) -> Array:
        """Return x²/2."""
        return np.asarray(self._x(t) ** 2 / 2)

    def inverse(self, tau: Array, context: Any = None) -> Array:
        size = np.abs(tau)
        x = self._solve(to_float_array(size))
        if context is None:
            return np.asarray(np.sign(tau) * self._t(x))
        fine = map_entries(context.mpf, x)
        power = context.mpf(self.depth - 1) / 2
        for _ in range(REFINEMENTS):
            square = 1 + fine * fine
            gap = fine * square**power - size
            fine = fine - gap / (square ** (power - 1) * (1 + self.depth * fine * fine))
        return self._t(fine, context) * map_entries(context.sign, tau)

    def _solve(self, size: Array) -> Array:
        """Return x ≥ 0 with x(1+x²)^{(L−1)/2} = size, by Newton's method for ln x."""
        with np.errstate(divide="ignore"):
            goal = np.log(size)
        start = np.minimum(goal, goal / self.depth)
        y = np.where(np.isfinite(goal), start, 0.0)
        target = np.where(np.isfinite(goal), goal, 0.0)
        for _ in range(60):
            # ln(1 + x²) without overflow; the function is convex with slope in [1, L]
            squares, part = np.logaddexp(0, 2 * y), 1 / (1 + np.exp(-2 * y))
            gap = y + (self.depth - 1) / 2 * squares - target
            y = y - gap / (1 + (self.depth - 1) * part)
        return np.where(np.isfinite(goal), np.exp(y), 0.0)

    def _t(self, x: Array, context: Any = None) -> Array:
        """Return I_{L−1}(x), by I_{k+2} = x/(k(1+x²)^{k/2}) + (k−1)/k·I_k."""
        odd = self.depth % 2 == 0
        if context is None:
            total = np.arcsinh(x) if odd else np.arctan(x)
            root = np.sqrt(1 + x * x)
        else:
            total = map_entries(context.asinh if odd else context.atan, x)
            root = map_entries(context.sqrt, 1 + x * x)
        for k in range(1 if odd else 2, self.depth - 1, 2):
            total = x / (k * root**k) + (k - 1) * total / k
        return np.asarray(total)

    def _x(self, t: Array) -> Array:
        """Return the x that belongs to t."""
        t = np.asarray(t, dtype=float)
        if self.depth == 2:
            return np.asarray(np.sinh(t))
        if self.depth == 3:
            return np.asarray(np.tan(t))
        if self.depth == 4:
            return np.asarray(t / np.sqrt(1 - t * t))
        size = np.abs(t)
        x = size
        for _ in range(MOST_STEPS):
            # t(x) is concave, so that these steps approach the solution from below
            change = (size - self._t(x)) * (1 + x * x) ** ((self.depth - 1) / 2)
            x = x + change
            if np.all(np.abs(change) <= 1e-15 * (1 + x)):
                break
        return np.sign(t) * x


@dataclass(frozen=True)
class DifferenceMap(MirrorMap):
    """The map of β = u_1∘⋯∘u_L − v_1∘⋯∘v_L from u_l = v_l = c; L is at least 2."""

    @property
    def end(self) -> float:
        """1/(L − 2)."""
        return np.inf if self.depth == 2 else 1 / (self.depth - 2)

    def fine_end(self, context: Any) -> Any:
        L = self.depth
        return context.inf if L == 2 else context.one / (L - 2)

    def relation(self, tau: sympy.Expr, t: sympy.Expr) -> sympy.Basic:
        if self.depth == 2:
            return sympy.Eq(tau, 2 * sympy.sinh(2 * t), evaluate=False)
        z, power = (self.depth - 2) * t, -sympy.Rational(self.depth, self.depth - 2)
        return sympy.Eq(tau, (1 - z) ** power - (1 + z) ** power, evaluate=False)

    def fine(self, t: Any, context: Any) -> tuple[Any, Any, Any]:
        L = self.depth
        if L == 2:
            sinh, cosh = context.sinh(2 * t), context.cosh(2 * t)
            return 2 * sinh, 4 * cosh, 2 * context.sinh(t) ** 2
        low, high, root = 1 - (L - 2) * t, 1 + (L - 2) * t, context.mpf(-2) / (L - 2)
        down, up = low**root, high**root
        slope = L * (down / low**2 + up / high**2)
        return down / low - up / high, slope, (down + up - 2) / 2

    @property
    def _power(self) -> float:
        return self.depth / (self.depth - 2)

    def value(self, t: Array) -> Array:
        if self.depth == 2:
            return np.asarray(2 * np.sinh(2 * np.asarray(t)))
        z, power = (self.depth - 2) * np.asarray(t), self._power
        size = 2 * np.sinh(power * np.arctanh(z))
        return np.asarray(size * ((1 - z) * (1 + z)) ** (-power / 2))

    def slope(self, t: Array) -> Array:
        if self.depth == 2:
            return np.asarray(4 * np.cosh(2 * np.asarray(t)))
        z, power = (self.depth - 2) * np.asarray(t), -self._power - 1
        return np.asarray(self.depth * ((1 - z) ** power + (1 + z) ** power))

    def conjugate(self, t: Array) -> Array:
        if self.depth == 2:
            return np.asarray(2 * np.sinh(np.asarray(t)) ** 2)
        z, power = (self.depth - 2) * np.asarray(t), -2 / (self.depth - 2)
        log, half = power / 2 * np.log1p(-z * z), power / 2 * np.arctanh(z)
        return np.asarray(np.expm1(log) + 2 * np.exp(log) * np.sinh(half) ** 2)

    def inverse(self, tau: Array, context: Any = None) -> Array:
        if self.depth == 2:
            if context is None:
                return np.asarray(np.arcsinh(np.asarray(tau) / 2) / 2)
            return map_entries(lambda x: context.asinh(x / 2) / 2, tau)
        if context is None:
            logs = np.log(np.maximum(np.abs(tau), TINIEST))
            z = np.tanh(self._solve(np.asarray(logs)))
            return np.asarray(
                np.where(tau == 0, 0, np.sign(tau) * z / (self.depth - 2))
            )
        return map_entries(partial(self._fine_inverse, context), tau)

    def _solve(self, goal: Array) -> Array:
        """Return u = artanh z with 2 cosh(u)^a sinh(au) = e^goal, a = L/(L−2).

        By Newton's method for ln u, in which the logarithm of the left side is convex.
        """
        a = self._power
        y = np.minimum(goal - np.log(2 * a), np.log1p(np.maximum(goal, 0.0)))
        for _ in range(60):
            u = np.exp(y)
            # ln sinh(au) = au + ln(1 − e^{−2au}) − ln 2, and ln cosh likewise
            rest = -np.expm1(-2 * a * u)
            left = 2 * a * u - a * np.log(2) + a * np.log1p(np.exp(-2 * u))
            gap = left + np.log(rest) - goal
            y = y - gap / (a * u * (np.tanh(u) + (2 - rest) / rest))
        return np.asarray(np.exp(y))

    def _fine_inverse(self, context: Any, tau: Any) -> Any:
        size, a = abs(tau), context.mpf(self.depth) / (self.depth - 2)
        if size == 0:
            return context.zero
        u = context.mpf(float(self._solve(np.array(float(context.log(size))))))
        for _ in range(REFINEMENTS):
            power, sinh = 2 * context.cosh(u) ** a, context.sinh(a * u)
            slope = a * power * (context.tanh(u) * sinh + context.cosh(a * u))
            u = u - (power * sinh - size) / slope
        return context.tanh(u) / (self.depth - 2) * context.sign(tau)


def mirror_proof() -> tuple[Identity, ...]:
    """Return that the maps solve the flow of a coordinate under a force ξ̇.

    Each layer is the function of ξ whose derivative is the product of the others.
    """
    xi, x, c, e = sympy.symbols("xi x c e", positive=True)
    L = sympy.Symbol("L", positive=True)
    # product: w_l = c√(1+x²), w_L = cx, where c^{L−2}dξ = dx/(1+x²)^{(L−1)/2}
    speed = c ** (L - 2) * (1 + x**2) ** ((L - 1) / 2)
    large = c * sympy.sqrt(1 + x**2)
    last = sympy.diff(c * x, x) * speed - large ** (L - 1)
    other = sympy.diff(large, x) * speed - large ** (L - 2) * c * x
    # two factors: (u, v) and (x, y) turn hyperbolically
    plus, minus = e * sympy.exp(xi), c * sympy.exp(-xi)
    u, v = (plus + minus) / 2, (plus - minus) / 2
    # three or more: u = c w^{−1/(L−2)} with w = 1 − (L−2)c^{L−2}ξ, v with + and −ξ
    k, w = sympy.symbols("k w", positive=True)  # k = L − 2
    up = c * w ** (-1 / k)
    more = sympy.diff(up, w) * (-k * c**k) - up ** (k + 1)
    return (
        Identity("the smaller layer moves by the product of the others", last),
        Identity("each larger layer moves by the product of the others", other),
        Identity("two factors: u̇ = ξ̇v", sympy.diff(u, xi) - v),
        Identity("two factors: v̇ = ξ̇u", sympy.diff(v, xi) - u),
        Identity("more: u̇ = ξ̇u^{L−1}, and v̇ = −ξ̇v^{L−1}", more),
    )
