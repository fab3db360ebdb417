"""Oja's flow x′ = Hx − (xᵀHx)x of H = [[0, Zᵀ], [Z, 0]], in the eigenvectors of H.

It is a linear flow divided by its length, x = e^{Hτ}x₀/‖e^{Hτ}x₀‖.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.flow.problem import Problem
from symflow.solutions.any_precision import context_of
from symflow.solutions.modes.eigenvectors import symmetric_eigen


@dataclass(frozen=True, eq=False)
class Spread:
    """The start in the eigenvectors of H, at one precision.

    The `rates` are the eigenvalues f_j, falling, the `parts` the components c_j ≠ 0 of
    x₀ along their vectors, shape (r,), which are the columns of `vectors`; `strength`
    is s₀ and `kappa` κ.
    """

    rates: Array
    parts: Array
    vectors: Array
    strength: Any
    kappa: Any


def spread_of(problem: Problem, digits: int, *, fine: bool = True) -> Spread:
    """Return the start of a problem in the eigenvectors of H, to `digits` digits."""
    context = context_of(digits + 10)
    target = to_mpf_array(problem.arguments[1], context)
    kappa = to_mpf_array(problem.arguments[0], context).trace() / target.shape[1]
    outputs, inputs = target.shape
    force = np.zeros((inputs + outputs,) * 2, dtype=int) + context.mpf(0)
    force[inputs:, :inputs], force[:inputs, inputs:] = target, target.T
    eigen = symmetric_eigen(force, digits, fine=fine)
    u, v, strength = rank_one_parts(
        tuple(to_mpf_array(weight, context) for weight in problem.weights)
    )
    vectors = to_mpf_array(eigen.vectors, context)
    parts = vectors.T @ (np.concatenate([v, u]) / context.sqrt(2))
    noise = context.mpf(10) ** (5 - digits)
    used = [j for j, part in enumerate(parts) if abs(part) > noise]
    rates = to_mpf_array(eigen.values, context)[used]
    return Spread(rates, parts[used], vectors[:, used], strength, kappa)


def oja_turned(xp: Any, tau: Any, rates: Any, parts: Any, lead: Any) -> Any:
    """Return e^{(H − lead)τ}x₀ divided by its length, and that length.

    The `rates` are the eigenvalues of H, the `parts` x₀ along their vectors, shape
    (r,), and τ has any shape.
    """
    # by the largest rate first: a length that underflows has no direction
    turned = parts * xp.exp((rates - rates[0]) * tau[..., None])
    size = xp.sqrt(xp.sum(turned * turned, axis=-1))
    return turned / size[..., None], size * xp.exp((rates[0] - lead) * tau)


def oja_level(xp: Any, times: Any, pull: Any, rates: Any, parts: Any, lead: Any) -> Any:
    """Return e^{−2ft}(1 + pull ∫₀ᵗ n²), f = max(rates[0], 0): all terms positive."""
    t, speed = times[..., None], abs(rates)
    safe = xp.where(speed > 0, 2 * speed, 1.0)
    grown = xp.where(speed > 0, -xp.expm1(-2 * speed * t) / safe, t)
    ahead = xp.where(rates > 0, rates, 0.0) - lead
    mass = parts * parts * grown * xp.exp(2 * ahead * t)
    return xp.exp(-2 * lead * times) + pull * xp.sum(mass, axis=-1)


def rank_one_parts(weights: tuple[Array, ...]) -> tuple[Array, Array, Any]:
    """Return u, v and s with W_L⋯W_1 = s u vᵀ, from the outer layers' largest lines."""
    rows = weights[0][np.argmax(to_float_array((weights[0] ** 2).sum(axis=1)))]
    v = rows / (rows * rows).sum() ** 0.5
    moved = v
    for weight in weights:
        moved = weight @ moved
    strength = (moved * moved).sum() ** 0.5
    return moved / strength, v, strength


def oja_level_mpf(context: Any, time: Any, spread: Spread) -> Any:
    """Return what `oja_level` does at one time, in an mpmath context."""
    lead = max(spread.rates[0], 0)
    mass = sum(
        part * part * (context.expm1(2 * rate * time) / (2 * rate) if rate else time)
        for rate, part in zip(spread.rates, spread.parts, strict=True)
    )
    pull = 2 * spread.kappa * spread.strength
    return context.exp(-2 * lead * time) * (1 + pull * mass)
