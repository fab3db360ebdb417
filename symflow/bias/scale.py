"""How small or large a start makes a network rich or lazy, with all constants.

For β = u∘u − v∘v from u = v = α the limit minimizes Σ α²q(β_j/α²), q(z) = 2 − √(4+z²) +
z arsinh(z/2), among the interpolants (Woodworth et al. 2020).  Let β* have the least
ℓ₁ norm S among them, and β° the least ℓ₂ norm.

Rich.  |z| ln|z| − |z| ≤ q(z) ≤ |z| ln(1 + |z|), and Σ|β_j| ln|β_j| ≥ ‖β‖₁ ln(‖β‖₁/d),
so that comparing the limit with β* gives, where the denominator is positive,

    ‖β‖₁ / S ≤ ln(1 + S/α²) / (ln(S/(dα²)) − 1).

Lazy.  q(z) ≤ z²/4, and q(z) ≥ z²/(2√(4 + z̄²)) up to z̄ ≥ ‖β‖₂/α²; comparing with β°,

    ‖β‖₂² / ‖β°‖₂² ≤ k + √(1 + k²),      k = ‖β°‖₂²/(8α⁴).

The first needs an α exponentially small in 1/ε for a part ε, the second one only an α
of the order (‖β°‖₂²/ε)^{1/4}.
"""

from __future__ import annotations

import numpy as np

from symflow.errors import InvalidArgument
from symflow.inits.init import positive_number

#: Bounds are rounded up by this part; the largest logarithm of a float.
ROUNDED_UP, LARGEST_LOG, LOWEST_LOG = 1e-13, 709.0, -300 * np.log(10)


def rich_excess(alpha: float, least: float, size: int) -> float:
    """Return the bound on ‖β‖₁/S, infinite where it says nothing.

    `least` is S, and `size` the number d of inputs.  Raises InvalidArgument if a number
    is not positive: with S = 0 nothing is to be learned.
    """
    _check("rich_excess", alpha=alpha, least=least, size=size)
    log = np.log(least) - 2 * np.log(alpha)
    below = log - np.log(size) - 1
    bound = np.logaddexp(0.0, log) / below if below > 0 else np.inf
    return float(bound * (1 + ROUNDED_UP))


def lazy_excess(alpha: float, least: float) -> float:
    """Return the bound on ‖β‖₂²/‖β°‖₂².

    `least` is ‖β°‖₂.  Raises InvalidArgument if a number is not positive.
    """
    _check("lazy_excess", alpha=alpha, least=least)
    log = 2 * np.log(least) - np.log(8) - 4 * np.log(alpha)
    k = np.exp(log) if log < LARGEST_LOG else np.inf
    return float((k + np.hypot(1, k)) * (1 + ROUNDED_UP))


def rich_scale(least: float, size: int, excess: float) -> float:
    """Return a scale α from which ‖β‖₁ ≤ (1 + ε)S.

    `least` is S, `size` is d, and `excess` is ε; every smaller scale will do as well.
    Raises InvalidArgument if a number is not positive, or ε so small that the scale
    leaves the floats.
    """
    from scipy.optimize import brentq

    _check("rich_scale", excess=excess, least=least, size=size)

    def above(log: float) -> float:
        return rich_excess(float(np.exp(log)), least, size) - 1 - excess

    high = float(np.log(least) - np.log(size) - 1) / 2 - 1e-9
    low = LOWEST_LOG
    if low >= high or above(low) > 0:
        msg = f"rich_scale(excess={excess}): the scale is below 1e-300"
        raise InvalidArgument(msg)
    if above(high) <= 0:
        return float(np.exp(high))
    return float(np.exp(brentq(lambda x: min(above(x), 1e9), low, high) - 1e-9))


def lazy_scale(least: float, excess: float) -> float:
    """Return the scale α from which ‖β‖₂² ≤ (1 + ε)‖β°‖₂².

    `least` is ‖β°‖₂, and `excess` is ε; every larger scale will do as well.  Raises
    InvalidArgument if a number is not positive.
    """
    _check("lazy_scale", excess=excess, least=least)
    k = (2 * excess + excess**2) / (2 * (1 + excess))
    scale = np.sqrt(least) / (8 * k) ** 0.25
    return float(scale * (1 + ROUNDED_UP))


def _check(call: str, **numbers: float) -> None:
    for name, number in numbers.items():
        positive_number(number, f"{call}({name}=…)")
