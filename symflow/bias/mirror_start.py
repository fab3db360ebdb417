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

All of these keep away from saddles: the sum k_j of the products of the other factors
squared, by which ρ̇_j = −k_j(S∇ℓ)_j, stays at least c_j^{2L−2}, so that the loss falls
exponentially to its infimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.numbers import WIDE, as_fraction, to_float
from symflow.bias.minimizers import is_drawn
from symflow.bias.mirror import DifferenceMap, MirrorMap, ProductMap
from symflow.claims import Hypothesis, positive, vanishing
from symflow.flow.coordinates import Coordinates, coordinates
from symflow.flow.problem import CHECK_DIGITS, Problem

#: Digits of a potential at the least, and of those for one decade of a ratio.
LEAST_DIGITS, PER_DECADE = 50, 2


@dataclass(frozen=True, eq=False)
class MirrorStart:
    """The sizes c_j and the coefficients ρ_j(0) of a start.

    They are the `sizes` and `first`, shape (p,); `mirror` is h, with the depth L.
    """

    mirror: MirrorMap
    sizes: Array
    first: Array


def mirror_start(found: Coordinates) -> MirrorStart:
    """Return sizes and coefficients of a start, in the arithmetic of its numbers.

    The start is one that `mirrored` accepts.
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


def fine_start(problem: Problem, size: Any) -> tuple[Coordinates, MirrorStart, Any]:
    """Return coordinates, start and arithmetic with the digits that a potential needs.

    The `size` is that of the coefficients to come; a force near the end of its range
    needs digits for the ratio of it to c^L.
    """
    digits = LEAST_DIGITS
    for _ in range(2):
        known = coordinates(problem.at(digits), digits)
        assert known is not None
        found = known
        start, context = mirror_start(found), mpmath.MPContext()
        top = max(abs(size), *map(abs, start.first))
        least = min(start.sizes) ** start.mirror.depth
        ratio = max(1, top / least, top, 1 / least)
        decades = int(WIDE.log10(ratio)) + 1
        digits = max(digits, LEAST_DIGITS + PER_DECADE * decades)
    context.dps = digits
    return found, start, context


def mirrored(problem: Problem, found: Coordinates) -> tuple[Hypothesis, ...]:
    """Say whether a start has one of the forms of the module, at every coordinate.

    `found` has its coordinates in float64, for the kind and the depth.
    """
    amplitudes, given_exactly = _amplitudes(problem, found)
    columns = zip(*amplitudes, strict=True)
    rows = [_measure(found.kind, found.depth, column) for column in columns]
    gap, room = max(row[0] for row in rows), min(row[1] for row in rows)
    detail = f"smallest {to_float(room):.2g} relative"
    room = room if given_exactly else to_float(room)
    grows = positive(_grows(found), room, 1, detail)
    if found.depth == 2 and found.kind != "product":
        return (grows,)
    words = "all u_l of a coordinate start equal, all v_l too"
    if found.kind == "product":
        words = "equal sizes in all layers but one"
    # fractions may be rounded themselves, to `CHECK_DIGITS` digits
    rough = found.transform is not None or is_drawn(problem)
    gap = to_float(gap) if rough else gap
    equal = vanishing(words, gap, "difference", given_exactly=given_exactly)
    return equal, grows


def _grows(found: Coordinates) -> str:
    """Return what keeps every coordinate away from zero, in words."""
    if found.kind == "product":
        return "that one starts smaller, at every coordinate"
    if found.depth == 2:
        return "a coordinate can grow to either side: AB > 0"
    return "all u_l and v_l are positive"


def _measure(kind: str, depth: int, column: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return by how much factors that are to be equal differ, and what is to be > 0.

    Each relative to what it is a difference of.
    """
    if kind == "product":
        low, *others = sorted(map(abs, column))
        top = others[-1] or 1
        return (top - others[0]) / top, (others[0] - low) / top
    if kind == "squares":
        return 0, int(all(column))
    if depth == 2:
        u, v, x, y = column
        rise = max(_share(u, v), _share(x, -y))
        return 0, min(rise, max(_share(u, -v), _share(x, y)))
    halves = column[:depth], column[depth:]
    gaps = [(max(h) - min(h)) / (max(map(abs, h)) or 1) for h in halves]
    return max(gaps), int(min(column) > 0)


def _share(left: Any, right: Any) -> Any:
    """Return |left + right| relative to the two."""
    return abs(left + right) / (abs(left) + abs(right) or 1)


def _amplitudes(problem: Problem, found: Coordinates) -> tuple[tuple[Array, ...], bool]:
    """Return the amplitudes in fractions, and whether they are exact."""
    if found.transform is None and problem.is_small:
        weights = tuple(weight.ravel() for weight in problem.sharp.weights)
        exact = problem.given_exactly and not is_drawn(problem)
    else:
        fine = coordinates(problem.at(CHECK_DIGITS), CHECK_DIGITS)
        assert fine is not None
        weights, exact = fine.amplitudes, False
    return tuple(map_entries(as_fraction, weight) for weight in weights), exact


def _split(amplitudes: tuple[Array, ...]) -> tuple[Array, Array]:
    """Return the square of the smallest weight and of the others, per coordinate."""
    columns = zip(*amplitudes, strict=True)
    ordered: list[Any] = [sorted(abs(w) for w in column) for column in columns]
    pairs = [(sizes[0] ** 2, sizes[-1] ** 2) for sizes in ordered]
    low, high = (np.array(part) for part in zip(*pairs, strict=True))
    return low, high
