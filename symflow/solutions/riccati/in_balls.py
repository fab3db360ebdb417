"""A closed form in Arb balls: a matrix that is proven to lie within its radii."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.balls import (
    ALONE,
    FINE_BITS,
    as_matrix,
    from_ball_matrix,
    in_bits,
    midpoint,
    to_arb,
    to_arb_array,
    workbits,
)
from symflow.algebra.numbers import to_float
from symflow.errors import PrecisionLost, ShapeMismatch
from symflow.solutions.any_precision import context_of

#: Bits beyond which a late time is refused: the exponentials e^{±ft} then differ by so
#: much that their sum costs more than the integration.
MOST_BITS = 60_000


@dataclass(frozen=True, eq=False)
class EnclosedMatrix:
    """W(t) in balls, from the closed form; made by ``solution.enclose``."""

    t: Any  #: The time, exact.
    #: Shape (outputs, inputs): balls that contain the entries of W(t).
    end_to_end: Array
    gram: Array  #: Shape (n, n): balls that contain the entries of P(t) = Q(t)Q(t)ᵀ.
    digits: int  #: Decimal digits that were asked for.

    @property
    @in_bits(FINE_BITS)
    def radius(self) -> float:
        """A bound on the error of every entry of W(t) against the midpoint."""
        return float(max(float(ball.rad().upper()) for ball in self.end_to_end.flat))

    @property
    def midpoint(self) -> Array:
        """The middle of the balls around W(t), as mpf numbers."""
        context = context_of(self.digits + 20)
        return map_entries(lambda ball: midpoint(ball, context), self.end_to_end)

    def contains(self, value: Any) -> bool:
        """Say whether a matrix, taken exactly, lies in the balls around W(t).

        Parameters
        ----------
        value : array_like, shape (outputs, inputs)
            Floats, mpf or exact numbers.
        """
        given = np.asarray(value, dtype=object)
        if given.shape != self.end_to_end.shape:
            msg = (
                f"contains(value): W has the shape {self.end_to_end.shape}; got "
                f"{given.shape}"
            )
            raise ShapeMismatch(msg)
        with ALONE, workbits(8 * self.digits + 400):
            pairs = zip(self.end_to_end.flat, to_arb_array(given).flat, strict=True)
            return all(bool(ball.contains(number)) for ball, number in pairs)

    def __repr__(self) -> str:
        return (
            f"W({to_float(self.t):g}) in {self.end_to_end.shape} balls of radius ≤ "
            f"{self.radius:.1e}, proven in Arb from the closed form"
        )


def enclosed_gram(
    force: Array, kappa: Any, start: Array, time: Any, digits: int
) -> Array:
    """Return P(t) = e^{Ft}Q₀(I + κQ₀ᵀ(∫e^{2Fs})Q₀)⁻¹Q₀ᵀe^{Ft} in balls.

    F and Q₀ are exact numbers; radii are at most 10^−digits of the largest entry.
    Raises PrecisionLost if that takes more than `MOST_BITS` bits.
    """
    size = float(np.linalg.norm(map_entries(to_float, force).astype(float), 2))
    bits = int(3.33 * digits + 64 + 6 * size * abs(to_float(time)))
    while bits <= MOST_BITS:
        with ALONE, workbits(bits):
            found = _gram(force, kappa, start, to_arb(time))
            if found is not None and _is_sharp(found, digits):
                return found
        bits = 2 * bits
    msg = (
        f"enclose(t={to_float(time):g}): the exponentials of ‖F‖t = "
        f"{size * abs(to_float(time)):.3g} need more than {MOST_BITS} bits. Ask for an "
        "earlier time, or for precise(t)"
    )
    raise PrecisionLost(msg)


def _gram(force: Array, kappa: Any, start: Array, time: Any) -> Array | None:
    n, hidden = start.shape
    rate, first = as_matrix(to_arb_array(force) * time), as_matrix(to_arb_array(start))
    block = np.full((2 * n, 2 * n), arb(0), dtype=object)
    block[:n, :n] = 2 * to_arb_array(force) * time
    block[range(n), range(n, 2 * n)] = time
    # the upper right block of this exponential is ∫₀ᵗ e^{2Fs}ds
    mass = from_ball_matrix(as_matrix(block).exp())[:n, n:]
    grown = from_ball_matrix(rate.exp() * first)
    inside = to_arb_array(start).T @ mass @ to_arb_array(start)
    bracket = as_matrix(to_arb(kappa) * inside + np.eye(hidden, dtype=int))
    try:
        solved = from_ball_matrix(bracket.solve(as_matrix(grown.T)))
    except ZeroDivisionError:
        return None
    return np.asarray(grown @ solved)


def _is_sharp(balls: Array, digits: int) -> bool:
    largest = max(float(abs(ball).upper()) for ball in balls.flat)
    allowed = arb(largest) * arb(10) ** -digits
    return all(bool(ball.rad() <= allowed) for ball in balls.flat)
