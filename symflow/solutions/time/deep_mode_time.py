"""The deep mode equation in a clock without units, and its inverse.

With α = 1 − 2/L, x = λw/|σ| and T = L|σ|(|σ|/λ)^α t the equation
ẇ = L w^{2−2/L}(σ − λw) reads dx/dT = x^{2−2/L}(±1 − x).  Its antiderivatives are

    rising,  0 < x < 1:   T = [−x^{−α}/α + B(2/L, x)],
    falling, x > 1:       T = [B(2 − 2/L, 1/x)],
    fading,  σ < 0:       T = [x^{−α}/α + A(2/L, x)],

with B(κ, x) = ∫₀ˣ v^{κ−1}/(1−v) dv and A(κ, x) = ∫₀ˣ v^{κ−1}/(1+v) dv.  The unknown is
y = ln(x/(1−x)) (for 1/x likewise) or y = −ln x, in which T is increasing and smooth;
Newton's method is kept inside a bracket.
"""

from __future__ import annotations

from typing import Any, NamedTuple

#: Newton steps; from the left of a concave function they cannot leave the bracket.
MOST_STEPS = 400


class Branch(NamedTuple):
    """Whether x rises to 1, falls to 1 or fades to 0; L; an mpmath context."""

    kind: str
    depth: int
    ops: Any
    eps: Any


def clock(branch: Branch, y: Any) -> tuple[Any, Any]:
    """Return T(y) up to a constant, and dT/dy."""
    ops, two = branch.ops, _ratio(branch, 2)
    alpha = 1 - two
    if branch.kind == "fading":
        power = ops.exp(alpha * y)
        below = _logistic(ops, y)
        return power / alpha + _softened(branch, two, -y), power * below
    inside, rest = _logistic(ops, y), _logistic(ops, -y)
    log = -ops.log1p(ops.exp(-y)) if y > 0 else y - ops.log1p(ops.exp(y))
    if branch.kind == "falling":
        kappa = 2 - two
        slope = ops.exp(kappa * log)
        return _rising(branch, kappa, inside, rest, log, y), slope
    power = ops.exp(-alpha * log)
    return -power / alpha + _rising(branch, two, inside, rest, log, y), power


def invert(branch: Branch, target: Any, low: Any, high: Any) -> Any:
    """Return y with T(y) = target, T increasing, T(low) ≤ target."""
    y = low
    for _ in range(MOST_STEPS):
        value, slope = clock(branch, y)
        low, high = (y, high) if value <= target else (low, y)
        step = (target - value) / slope
        following = y + step
        if not low <= following <= high:
            following = (low + high) / 2
        if abs(following - y) <= branch.eps * (1 + abs(y)):
            return following
        y = following
    return y


def _ratio(branch: Branch, number: int) -> Any:
    return (branch.eps * 0 + number) / branch.depth


def _logistic(ops: Any, y: Any) -> Any:
    """Return 1/(1 + e^{−y}) without overflow."""
    if y < 0:
        grown = ops.exp(y)
        return grown / (1 + grown)
    return 1 / (1 + ops.exp(-y))


def _rising(branch: Branch, kappa: Any, x: Any, e: Any, log: Any, y: Any) -> Any:
    """Return B(κ, x) with e = 1 − x, by a series in the smaller of the two."""
    if y < 0:
        return branch.ops.exp(kappa * log) * _series(branch, kappa, x)
    ops, total, term, k = branch.ops, 0 * e, 1 + 0 * e, 1
    while abs(term) > branch.eps:
        term = term * (k - kappa) / k * e
        total += term / k
        k += 1
    log_e = -y - ops.log1p(ops.exp(-y))
    return -log_e - ops.digamma(kappa) - ops.euler - total


def _series(branch: Branch, kappa: Any, x: Any) -> Any:
    """Return Σ x^k/(κ + k), for |x| < 1."""
    total, power, k = 0 * x, 1 + 0 * x, 0
    while abs(power) > branch.eps:
        total += power / (kappa + k)
        power = power * x
        k += 1
    return total


def _softened(branch: Branch, kappa: Any, log: Any) -> Any:
    """Return A(κ, x) for ln x = log, 0 < κ < 1."""
    ops, half = branch.ops, _ratio(branch, branch.depth) / 2
    if log > 1:
        inner = ops.exp(-log)
        tail = ops.exp((kappa - 1) * log) * _series(branch, 1 - kappa, -inner)
        return ops.pi / ops.sin(ops.pi * kappa) - tail
    if log < -1:
        return ops.exp(kappa * log) * _series(branch, kappa, -ops.exp(log))
    # ∫₀ˣ v^{κ−1}/(1+v) dv = p^κ Σ (κ)_k/k! p^k/(κ+k) with p = x/(1+x)
    p = _logistic(ops, log)
    total, term, k = 0 * half, 1 + 0 * half, 0
    while abs(term) > branch.eps:
        total += term / (kappa + k)
        term = term * (kappa + k) / (k + 1) * p
        k += 1
    return ops.exp(kappa * ops.log(p)) * total
