"""The flow of a problem by extrapolation in decimal numbers; nothing of symflow.

The force is summed from the moments (squared loss) or from the samples, the chain rule
is written out per network, and the equation is solved by Gragg's method with the
extrapolation of Bulirsch and Stoer.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import reduce
from math import inf
from typing import Any

import numpy as np

from adversary.problem import Matrix, Problem

#: Columns of the extrapolation, of order 2·COLUMNS, and the most steps.
COLUMNS, MOST = 12, 600
#: Digits lost to sums of rounding errors.
SPARE = 12

State = list[Any]


class Unknown(Exception):
    """The flow is out of reach of this route."""


def fraction(value: Any) -> Fraction:
    """Return a number exactly: int, Fraction, float, Decimal, mpf or SymPy rational."""
    if hasattr(value, "_mpf_"):
        sign, man, exp, _ = value._mpf_
        if not man and exp:
            raise OverflowError
        size = Fraction(int(man)) * Fraction(2) ** exp
        return -size if sign else size
    if hasattr(value, "p") and hasattr(value, "q"):
        return Fraction(int(value.p), int(value.q))
    return Fraction(value)


def decimal(value: Any) -> Decimal:
    """Return a number as a Decimal of the precision at hand."""
    exact = fraction(value)
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def decimals(rows: Any) -> Any:
    """Return an array of Decimals."""
    array = np.array(rows, dtype=object)
    return np.array([decimal(x) for x in array.ravel()], object).reshape(array.shape)


def fractions(rows: Any) -> Any:
    """Return an array of Fractions."""
    array = np.array(rows, dtype=object)
    return np.array([fraction(x) for x in array.ravel()], object).reshape(array.shape)


def moments(problem: Problem) -> tuple[Any, Any, Any]:
    """Return Σ_xx, Σ_yx and Σ_yy (None for given moments) as Fractions."""
    X, Y = fractions(problem.X), fractions(problem.Y)
    if problem.moments:
        return X, Y, None
    n = len(X)
    return X.T @ X / Fraction(n), Y.T @ X / Fraction(n), Y.T @ Y / Fraction(n)


def end_to_end(family: str, weights: State, d: int) -> Any:
    """Return W, from weights of any arithmetic."""
    if family == "dense":
        return reduce(lambda done, weight: weight @ done, weights)
    columns = [weight[:, 0] for weight in weights]
    if family == "diagonal":
        return reduce(np.multiply, columns)[None]
    if family == "signed":
        half = len(columns) // 2
        plus, minus = columns[:half], columns[half:]
        return (reduce(np.multiply, plus) - reduce(np.multiply, minus))[None]
    if family == "hadamard":
        return (columns[0] * columns[0] - columns[1] * columns[1])[None]
    total = columns[0]
    for taps in columns[1:]:
        total = _rolled(total, taps, d)
    return _padded(total, d)[None]


def _padded(taps: Any, d: int) -> Any:
    result = np.array([taps[0] * 0] * d, dtype=taps.dtype)
    result[: len(taps)] = taps
    return result


def _rolled(left: Any, right: Any, d: int) -> Any:
    """Return the circular convolution, of length d."""
    result = np.array([left[0] * 0] * d, dtype=left.dtype)
    for i, x in enumerate(left):
        for j, y in enumerate(right):
            result[(i + j) % d] = result[(i + j) % d] + x * y
    return result


def pulled(family: str, weights: State, force: Any) -> State:
    """Return θ̇ = (dW/dθ)ᵀ force, written out per network."""
    if family == "dense":
        return _pulled_dense(weights, force)
    g = force[0]
    columns = [weight[:, 0] for weight in weights]
    if family == "diagonal":
        return _pulled_products(columns, g)
    if family == "signed":
        half = len(columns) // 2
        return [
            *_pulled_products(columns[:half], g),
            *_pulled_products(columns[half:], -g),
        ]
    if family == "hadamard":
        return [(2 * g * columns[0])[:, None], (-2 * g * columns[1])[:, None]]
    return [_pulled_taps(columns, layer, g) for layer in range(len(columns))]


def _pulled_dense(weights: State, force: Any) -> State:
    return [_between(weights, layer, force) for layer in range(len(weights))]


def _between(weights: State, layer: int, force: Any) -> Any:
    slope = force
    for after in reversed(weights[layer + 1 :]):
        slope = after.T @ slope
    if layer:
        slope = slope @ reduce(lambda done, w: w @ done, weights[:layer]).T
    return slope


def _pulled_products(columns: State, g: Any) -> State:
    found = []
    for layer in range(len(columns)):
        others = columns[:layer] + columns[layer + 1 :]
        found.append(reduce(np.multiply, others, g)[:, None])
    return found


def _pulled_taps(columns: State, layer: int, g: Any) -> Any:
    d = len(g)
    others = columns[:layer] + columns[layer + 1 :]
    rest = reduce(lambda a, b: _rolled(a, b, d), others) if others else None
    rest = _padded(columns[0] * 0 + 1, d)[:1] if rest is None else rest
    slopes = [
        sum((x * g[(i + j) % d] for i, x in enumerate(rest)), g[0] * 0)
        for j in range(len(columns[layer]))
    ]
    return np.array(slopes, dtype=g.dtype)[:, None]


class Flow:
    """θ̇ = f(θ) of a problem, in the decimal precision at hand."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.d = problem.d
        self.start = [decimals(weight) for weight in problem.weights]
        self.rates = [decimal(rate) for rate in problem.rates] or [1] * len(self.start)
        if problem.loss == "squared":
            xx, yx, _ = moments(problem)
            self.xx, self.yx = decimals(xx), decimals(yx)
        else:
            self.X, self.Y = decimals(problem.X), decimals(problem.Y)

    def force(self, total: Any) -> Any:
        """Return −∂ℓ/∂W."""
        if self.problem.loss == "squared":
            return self.yx - total @ self.xx
        weight = self.Y * self._falling(self.Y * (self.X @ total.T))
        return weight.T @ self.X / Decimal(len(self.X))

    def _falling(self, margins: Any) -> Any:
        """Return −φ' of every margin."""
        plain = [(-margin).exp() for margin in margins.ravel()]
        if self.problem.loss == "logistic":
            plain = [value / (1 + value) for value in plain]
        return np.array(plain, dtype=object).reshape(margins.shape)

    def __call__(self, state: State) -> State:
        """Return the derivative of the weights."""
        force = self.force(end_to_end(self.problem.family, state, self.d))
        slopes = pulled(self.problem.family, state, force)
        return [rate * slope for rate, slope in zip(self.rates, slopes, strict=True)]


def flow_at(
    problem: Problem, times: Any, digits: int = 40, most: int = MOST
) -> Iterator[State]:
    """Yield the weights at the times as Decimals, good to about `digits` digits.

    Raises
    ------
    Unknown
        If the flow is too stiff or leaves all bounds.
    """
    context = Context(prec=digits + SPARE, Emax=10**9, Emin=-(10**9))
    with localcontext(context):
        flow = Flow(problem)
    state, now, step, budget = flow.start, Fraction(0), Decimal("0.1"), most
    for time in times:
        span = fraction(time) - now
        with localcontext(context):
            state, step, budget = _advance(flow, state, span, step, digits, budget)
        now = fraction(time)
        yield state


def _advance(
    flow: Flow, state: State, span: Fraction, step: Any, digits: int, budget: int
) -> tuple[State, Any, int]:
    left, allowed = decimal(span), Decimal(10) ** -digits
    while left > 0:
        budget -= 1
        if budget < 0:
            raise Unknown("too many steps")
        trial = min(step, left)
        new, error = _extrapolated(flow, state, trial)
        size = max(1, _top(new)) if error is not None else 1
        part = float(error / (allowed * size)) if error is not None else inf
        grow = 3.0 if part == 0 else 0.9 * part ** (-1 / (2 * COLUMNS - 1))
        if part <= 1:
            state, left = new, left - trial
        step = trial * Decimal(min(3.0, max(0.2, grow)))
    return state, max(step, Decimal("1e-9")), budget


def _top(state: State) -> Any:
    return max(abs(x) for weight in state for x in weight.flat)


def _extrapolated(flow: Flow, state: State, step: Any) -> tuple[Any, Any]:
    """Return the state after a step, and the difference of the last two columns."""
    previous: list[State] = []
    for row in range(COLUMNS):
        count = 2 * (row + 1)
        current = [_midpoint(flow, state, step / count, count)]
        if _top(current[0]) > 10**12:
            return None, None
        for k in range(1, row + 1):
            ratio = Decimal((row + 1) ** 2) / Decimal((row + 1 - k) ** 2) - 1
            current.append(
                [
                    a + (a - b) / ratio
                    for a, b in zip(current[k - 1], previous[k - 1], strict=True)
                ]
            )
        previous = current
    error = _top([a - b for a, b in zip(previous[-1], previous[-2], strict=True)])
    return previous[-1], error


def _midpoint(flow: Flow, state: State, h: Any, count: int) -> State:
    before = state
    here = [w + h * k for w, k in zip(state, flow(state), strict=True)]
    for _ in range(count - 1):
        slopes = flow(here)
        after = [w + 2 * h * k for w, k in zip(before, slopes, strict=True)]
        before, here = here, after
    slopes = flow(here)
    return [
        (a + b + h * k) / 2 for a, b, k in zip(here, before, slopes, strict=True)
    ]


def product(problem: Problem, state: State) -> Any:
    """Return W of the weights."""
    return end_to_end(problem.family, state, problem.d)


def loss_of(problem: Problem, total: Any) -> Decimal:
    """Return the loss of W, summed over the samples (½‖·‖² without Σ_yy: no ½tr Σ_yy)."""
    with localcontext(Context(prec=200)):
        if problem.loss == "squared" and problem.moments:
            xx, yx, _ = moments(problem)
            xx, yx = decimals(xx), decimals(yx)
            return np.trace(total @ xx @ total.T) / 2 - np.trace(total @ yx.T)
        X, Y = decimals(problem.X), decimals(problem.Y)
        out = X @ total.T
        if problem.loss == "squared":
            return sum(x * x for x in (Y - out).flat) / 2 / len(X)
        margins = [(-m).exp() for m in (Y * out).flat]
        if problem.loss == "logistic":
            margins = [(1 + m).ln() for m in margins]
        return sum(margins) / len(X)


def as_matrix(rows: Any) -> Matrix:
    """Return an array as nested tuples."""
    return tuple(tuple(row) for row in np.asarray(rows, dtype=object))
