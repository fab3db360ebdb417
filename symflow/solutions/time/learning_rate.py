"""Learning-rate schedules: the same trajectory, run through at another speed.

Where one rate η(t) ≥ 0 multiplies the gradients of all layers, θ̇ = −η(t)∇ℒ(θ), the
chain rule gives θ(t) = θ_flow(T(t)) with T(t) = ∫₀ᵗ η: every closed form of the flow is
one for every schedule with an elementary integral.  Rates that differ between layers
are not of this kind; they change the path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import exact, formula
from symflow.algebra.threads import cached_property, evaluated
from symflow.errors import InvalidArgument, SymflowError, shown
from symflow.flow.times import float_times

#: The time of a schedule.
TIME = sympy.Symbol("t", nonnegative=True)

#: Where the sign of a rate is looked at, besides what SymPy can say.
GRID = (0, *(sympy.Rational(3, 7) * 10**k for k in range(-4, 9)))


class KnownPath(Protocol):
    """What a schedule asks of a closed form."""

    @property
    def name(self) -> str: ...
    @property
    def limit(self) -> Array: ...
    def verify(self) -> sympy.Expr: ...
    def end_to_end(self, t: Any) -> Array: ...
    def weights(self, t: Any) -> tuple[Array, ...]: ...
    def precise(self, t: Any, *, digits: int = 50) -> Array: ...


@dataclass(frozen=True, eq=False)
class Scheduled:
    """A closed form under a learning-rate schedule; made by `scheduled`."""

    solution: KnownPath  #: The closed form at rate one.
    rate: sympy.Expr  #: η(t), in the symbol t.
    clock: sympy.Expr  #: T(t) = ∫₀ᵗ η.

    @property
    def statement(self) -> sympy.Eq:
        """W(t) = W_flow(T(t))."""
        flow, here = sympy.Function("W_flow"), sympy.Function("W")
        return sympy.Eq(here(TIME), flow(self.clock), evaluate=False)

    def verify(self) -> sympy.Expr:
        """Return (Ṫ − η)² + T(0)², exactly zero, and what the solution has to prove."""
        slope = sympy.simplify(self.clock.diff(TIME) - self.rate)
        begin = sympy.simplify(self.clock.subs(TIME, 0))
        return slope**2 + begin**2 + self.solution.verify()

    @cached_property
    def _compiled(self) -> Any:
        return sympy.lambdify(TIME, self.clock, "numpy")

    def flow_time(self, t: Any) -> Array:
        """Return T(t) in float64, shape of t."""
        times = float_times(t)
        return np.asarray(self._compiled(times) + 0 * times, dtype=float)

    def end_to_end(self, t: Any) -> Array:
        """Return W(t) in float64, shape (…, outputs, inputs) for t of shape (…)."""
        return self.solution.end_to_end(self.flow_time(t))

    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return W_1(t), …, W_L(t) in float64."""
        return self.solution.weights(self.flow_time(t))

    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) at one time as mpf numbers, correct to `digits` digits.

        Parameters
        ----------
        t : number
            The time; a float is taken as the rational that it is.
        digits : int, keyword-only
            Correct decimal digits, relative to the largest entry.
        """
        return self.solution.precise(self.clock.subs(TIME, exact(t)), digits=digits)

    @property
    def limit(self) -> Array:
        """W as t → ∞: where the flow is at time ∫₀^∞ η, if that is finite."""
        late = self.clock
        if isinstance(late, sympy.Piecewise):  # the last step never ends
            late = late.args[-1].expr
        last = sympy.limit(late, TIME, sympy.oo)
        if last == sympy.oo:
            return self.solution.limit
        return self.solution.end_to_end(float(last))

    def __repr__(self) -> str:
        return f"{self.solution.name} at the rate {self.rate}: T(t) = {self.clock}"


def scheduled(solution: KnownPath, rate: Any) -> Scheduled:
    """Return a closed form under a learning-rate schedule, its values at T(t) = ∫₀ᵗ η.

    η is an expression in the symbol t, or the steps (t_k, η_k) of a piecewise constant
    schedule, the first at t = 0.  Raises InvalidArgument if the rate is negative
    somewhere, has another symbol, or no elementary integral.
    """
    if isinstance(rate, (list, tuple)):
        eta, clock = _steps(rate)
    else:
        eta = _expression(rate)
        inner = sympy.Symbol("s", nonnegative=True)
        clock = sympy.integrate(eta.subs(TIME, inner), (inner, 0, TIME))
    _check_sign(eta, rate)
    if clock.has(sympy.Integral):
        msg = f"scheduled(rate=…): {eta} has no elementary integral that SymPy finds"
        raise InvalidArgument(msg)
    return Scheduled(solution, eta, clock)


def _expression(rate: Any) -> sympy.Expr:
    """Return the rate in the symbol `TIME`, whatever the assumptions of its own t."""
    try:
        eta = formula(rate, "scheduled(rate=…)")
        (symbol,) = eta.free_symbols or (TIME,)
    except (SymflowError, ValueError):
        msg = f"scheduled(rate=…): needs an expression in t alone; got {shown(rate)}"
        raise InvalidArgument(msg) from None
    if symbol.name != "t":
        msg = f"scheduled(rate=…): the symbol of time is t; got {shown(rate)}"
        raise InvalidArgument(msg)
    return eta.subs(symbol, TIME)


def _steps(pairs: Sequence[Any]) -> tuple[sympy.Expr, sympy.Expr]:
    """Return a piecewise constant rate from its steps (t_k, η_k), and its integral."""
    try:
        steps = [(exact(begin), exact(height)) for begin, height in pairs]
    except (SymflowError, TypeError, ValueError):
        steps = []
    starts = [begin for begin, _ in steps]
    if not steps or starts[0] != 0 or starts != sorted(set(starts)):
        msg = (
            "scheduled(rate=…): needs steps (t_k, η_k) with 0 = t_0 < t_1 < …; got "
            f"{shown(pairs)}"
        )
        raise InvalidArgument(msg)
    rates, clocks, passed = [], [], sympy.S.Zero
    for (begin, height), end in zip(steps, [*starts[1:], sympy.oo], strict=True):
        before = sympy.true if end == sympy.oo else end > TIME
        rates.append((height, before))
        clocks.append((passed + height * (TIME - begin), before))
        passed += height * (end - begin) if end != sympy.oo else 0
    return sympy.Piecewise(*rates), sympy.Piecewise(*clocks)


def _check_sign(eta: sympy.Expr, given: Any) -> None:
    if eta.is_nonnegative:
        return
    seen = [evaluated(eta.subs(TIME, time), 15) for time in GRID]
    if not all(value.is_real and value >= 0 for value in seen):
        msg = (
            f"scheduled(rate=…): a rate is 0 or more at every time; got {shown(given)}"
        )
        raise InvalidArgument(msg)
