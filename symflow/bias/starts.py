"""Where a separable network starts, in the terms of its mirror map.

With coordinates ρ_j (`flow/coordinates.py`) and ξ = −∫S∇ℓ,

    ρ_j = c_j^L h(s_j + c_j^{L−2}ξ_j),     s_j = h⁻¹(ρ_j(0)/c_j^L),

at all times, from any start of one of the forms

    w_1∘⋯∘w_L, all of one size e_j but a smaller w_p:  c² = e² − w_p²,
    depth 2, u∘u − v∘v or u₁∘u₂ − v₁∘v₂, any weights:  c⁴ = AB,
    depth L, u_l = a and v_l = b:                      c^{2−L} = (a^{2−L} + b^{2−L})/2,

where A, B = ((u₁ ± u₂)² + (v₁ ∓ v₂)²)/4, or u² and v².  For u₁ = v₁ and u₂ = v₂, with
the scale α² = u₁u₂ and the shape s = (u₁ − u₂)/(u₁ + u₂) of Azulay et al. (2021), this
is 2c² = u₁² + u₂² = 2α²(1 + s²)/(1 − s²).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.mirror import DifferenceMap, MirrorMap, ProductMap
from symflow.claims import TOLERANCE, Hypothesis
from symflow.flow.coordinates import Coordinates


@dataclass(frozen=True, eq=False)
class MirrorStart:
    """The sizes c_j and the coefficients ρ_j(0) of a start.

    Parameters
    ----------
    mirror : MirrorMap
        h, with the depth L.
    sizes, first : arrays, shape (p,)
        c_j and ρ_j(0).
    """

    mirror: MirrorMap
    sizes: Array
    first: Array


def mirror_start(found: Coordinates) -> MirrorStart:
    """Return sizes and coefficients of a start, in the arithmetic of its numbers.

    Parameters
    ----------
    found : Coordinates
        Of a start that `mirrored` accepts.

    Examples
    --------
    >>> e, p, one = np.array([5.0]), np.array([-3.0]), np.ones((1, 1))
    >>> start = mirror_start(Coordinates("product", 2, (e, p), one[0], one))
    >>> start.sizes.tolist(), start.first.tolist()
    ([4.0], [-15.0])
    """
    amplitudes, depth = found.amplitudes, found.depth
    if found.kind == "product":
        sizes, first = _split(amplitudes), np.prod(np.stack(amplitudes), axis=0)
        return MirrorStart(ProductMap(depth), (sizes[1] - sizes[0]) ** 0.5, first)
    if found.kind == "squares":
        u, v = amplitudes
        return MirrorStart(DifferenceMap(2), abs(u * v) ** 0.5, (u - v) * (u + v))
    one = amplitudes[0] * 0 + 1
    if depth == 2:
        (u, v), (x, y) = amplitudes[:2], amplitudes[2:]
        rise = ((u + v) ** 2 + (x - y) ** 2) / 4
        fall = ((u - v) ** 2 + (x + y) ** 2) / 4
        return MirrorStart(DifferenceMap(2), (rise * fall) ** (one / 4), u * v - x * y)
    a, b, k = amplitudes[0], amplitudes[depth], depth - 2
    sizes = ((a**-k + b**-k) / 2) ** (-one / k)
    return MirrorStart(DifferenceMap(depth), sizes, a**depth - b**depth)


def mirrored(found: Coordinates) -> Hypothesis:
    """Say whether a start has one of the forms of the module."""
    columns = np.stack([to_float_array(a) for a in found.amplitudes])
    scale = float(np.max(np.abs(columns))) or 1.0
    if found.kind == "product":
        words = "equal sizes in all layers but one, which starts smaller"
        ordered = np.sort(np.abs(columns), axis=0)
        gap = float(np.max(ordered[-1] - ordered[1]))
        room = float(np.min(ordered[1] - ordered[0]))
    elif found.depth == 2:
        words = "a coordinate can grow to either side: AB > 0"
        gap, room = 0.0, float(np.min(mirror_start(found).sizes))
    else:
        words = "all u_l of a coordinate start equal and positive, all v_l too"
        half = found.depth
        halves = columns[:half] - columns[0], columns[half:] - columns[half]
        gap = float(max(np.max(np.abs(part)) for part in halves))
        room = float(np.min(columns))
    detail = f"off by {gap / scale:.2g} relative, smallest {room:.2g}"
    return Hypothesis(words, gap <= TOLERANCE * scale and room > 0, detail, gap / scale)


def _split(amplitudes: tuple[Array, ...]) -> tuple[Array, Array]:
    """Return the square of the smallest weight and of the others, per coordinate."""
    columns = zip(*amplitudes, strict=True)
    ordered: list[Any] = [sorted(abs(w) for w in column) for column in columns]
    pairs = [(sizes[0] ** 2, sizes[-1] ** 2) for sizes in ordered]
    low, high = (np.array(part) for part in zip(*pairs, strict=True))
    return low, high
