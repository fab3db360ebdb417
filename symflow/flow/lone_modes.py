"""Modes that move alone: singular pairs of a target that the layers carry over.

A singular pair (u, v) of the target moves alone where Σ_xx v ∥ v and the layers carry v
to u: r_0 = v, r_l = W_l r_{l−1} and W_lᵀr_l ∥ r_{l−1}, up to r_L ∥ u.  The amplitudes
a_l of W_l on it then obey ȧ_l = (σ − λ∏a)∏_{k≠l}a_k − l2 a_l, whatever else there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, lifted

#: Digits and inputs in which modes of fractions are computed, and what is zero of them.
DIGITS, MOST_DIGITS, MOST_INPUTS, SEEN = 60, 600, 16, 1e-25


@dataclass(frozen=True, eq=False)
class LoneMode:
    """A singular pair of a target that moves alone; made by `lone_modes`."""

    left: Array  #: The unit vector u.
    right: Array  #: The unit vector v.
    target: Any  #: The singular value, above zero.
    lam: Any  #: λ = vᵀΣ_xx v.
    amplitudes: tuple[Any, ...]  #: The a_l at the start; ∏a has the sign of uᵀW(0)v.


def lone_modes(
    given: tuple[Array, ...], context: Any, allowed: float
) -> list[LoneMode | None]:
    """Return the modes of a target, and None for each that does not move alone.

    `given` are the target, Σ_xx and W_1, …, W_L: fractions for an mpmath `context`, or
    floats where that is None; what is `allowed`, relative, counts as zero.
    """
    arrays = [lifted(array, context) for array in given]
    axes = _axes(*(arrays if context is None else given), context=context)
    floor = allowed * _norm(arrays[0].ravel())
    seen = [v for v in axes.T if _norm(arrays[0] @ v) > floor]
    return [_mode(v, arrays, allowed) for v in seen]


def digits_for(weights: tuple[Array, ...]) -> int:
    """Return digits enough for a mode as small as the fractions are long, per layer."""
    whole = [Fraction(x) for w in weights for x in w.flat]
    sizes = [len(f"{x.numerator}{x.denominator}") for x in whole]
    return min(DIGITS + (len(weights) + 1) * max(sizes), MOST_DIGITS)


def _axes(best: Array, sigma_xx: Array, *weights: Array, context: Any) -> Array:
    """Return orthonormal columns that hold every mode that moves alone.

    Such a v is an eigenvector of all the matrices that are added up, in proportions
    that make eigenvalues of different modes differ.
    """
    partial = list(accumulate(weights, lambda done, weight: weight @ done))
    cross = best.T @ partial[-1]
    parts = [sigma_xx, cross + cross.T, *(part.T @ part for part in (best, *partial))]
    total = lifted(sigma_xx * 0, context)
    # of fractions, and rounded last: what is zero beside a tiny part stays zero
    for number, part in enumerate(lifted(part, context) for part in parts):
        top = max(abs(entry) for entry in part.flat)
        if top:
            total = total + part / top / (number + 2) ** 0.5
    if context is None:
        return np.asarray(np.linalg.eigh(total)[1])
    vectors = context.eigsy(context.matrix(total.tolist()))[1]
    return np.array(vectors.tolist(), dtype=object).reshape(total.shape)


def _mode(v: Array, arrays: list[Array], allowed: float) -> LoneMode | None:
    """Return the mode of the target along v, if it moves alone."""
    best, sigma_xx, *weights = arrays
    u = best @ v
    strength = _norm(u)
    u, pushed = u / strength, sigma_xx @ v
    if not (_parallel(pushed, v, allowed) and _parallel(best.T @ u, v, allowed)):
        return None
    amplitudes = _amplitudes(weights, v, u, allowed)
    if amplitudes is None:
        return None
    return LoneMode(u, v, strength, v @ pushed, tuple(amplitudes))


def _amplitudes(
    weights: list[Array], v: Array, u: Array, allowed: float
) -> list[Any] | None:
    """Return the a_l of a mode, zeros included; None if it does not move alone."""
    forward = _follow(weights, v, allowed)
    if forward is None:
        return None
    ahead, end = forward
    if len(ahead) == len(weights):
        sign = end @ u
        aligned = abs(abs(sign) - 1) <= allowed
        return [*ahead[:-1], ahead[-1] * sign] if aligned else None
    backward = _follow([weight.T for weight in weights[::-1]], u, allowed)
    if backward is None:
        return None
    behind = backward[0][::-1]
    # from both ends up to a zero: the same one, or two with layers at rest between
    zeros = len(weights) - len(ahead) - len(behind)
    return [*ahead, *[v[0] * 0] * zeros, *behind] if zeros > 0 else None


def _follow(
    weights: list[Array], start: Array, allowed: float
) -> tuple[list[Any], Array] | None:
    """Return the sizes |W_l r| of the unit vectors r on the way, up to the first zero.

    None where some W_lᵀW_l r is not along r: then the mode does not move alone.
    """
    sizes: list[Any] = []
    for weight in weights:
        after = weight @ start
        size = _norm(after)
        if size <= allowed * _norm(weight.ravel()):
            break
        if not _parallel(weight.T @ after, start, allowed):
            return None
        sizes.append(size)
        start = after / size
    return sizes, start


def _parallel(image: Array, unit: Array, allowed: float) -> bool:
    """Say whether a vector is along a unit vector, or zero."""
    size = _norm(image)
    return size == 0 or bool(
        _norm(image - unit * (unit @ image)) <= allowed * max(size, 1e-300)
    )


def _norm(vector: Array) -> Any:
    return (vector @ vector) ** 0.5
