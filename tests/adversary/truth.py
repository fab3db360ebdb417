"""The derivative and the loss of a problem in plain numbers; nothing of symflow.

The force is summed from the moments (squared loss) or from the samples, and the chain
rule is written out per network.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from adversary.problem import Problem

State = list[Any]


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
        self.decay = decimal(problem.decay)
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
        parts = zip(self.rates, slopes, state, strict=True)
        return [rate * (slope - self.decay * w) for rate, slope, w in parts]


def product(problem: Problem, state: State) -> Any:
    """Return W of the weights."""
    return end_to_end(problem.family, state, problem.d)


def loss_of(problem: Problem, total: Any) -> Decimal:
    """Return the loss of W, summed over samples; of moments without ½ tr Σ_yy."""
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
