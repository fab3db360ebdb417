"""Balanced weights of rank one: W(0) = s u vᵀ, the start of a one-neuron layer.

A balanced network with a layer of one neuron has layers of rank one and equal size,
W_l = s^{1/L} r_l r_{l−1}ᵀ with unit vectors r_0 = v, …, r_L = u; in wider networks the
same weights are the balanced ones of least rank (Eftekhari 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, as_array
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.inits.drawn import DrawnInit, Draws
from symflow.inits.init import product_form


@dataclass(frozen=True, repr=False, eq=False)
class RankOneInit(DrawnInit):
    """Balanced weights of rank one; made by `rank_one_init`."""

    call = "rank_one_init(…)"
    tags = frozenset({"balanced", "rank-one"})
    scale: Any
    left: Array | None
    right: Array | None
    seed: int

    def _weights(
        self, widths: tuple[int, ...], draws: Draws, data: Any
    ) -> tuple[Array, ...]:
        # every vector is drawn, so that giving one does not change the others
        frames = [
            draws.frame(width, 1) if width > 1 else draws.lifted(np.ones((1, 1)))
            for width in widths
        ]
        for place, given, what in ((0, self.right, "right"), (-1, self.left, "left")):
            if given is not None:
                frames[place] = _unit(given, widths[place], what, draws)
        return product_form(frames, draws.number(self.scale))


def rank_one_init(
    scale: Any = 1.0, *, left: Any = None, right: Any = None, rng: Any = None
) -> RankOneInit:
    """Start balanced with layers of rank one, W(0) = scale^L u vᵀ.

    Directions that are not given are uniform on their spheres.  With a hidden layer of
    one neuron every balanced start is of this form.

    Parameters
    ----------
    scale : float, Fraction or SymPy number
        Singular value of every layer, positive.
    left : array_like, shape (outputs,), keyword-only, optional
        Direction of u, of any length but zero.
    right : array_like, shape (inputs,), keyword-only, optional
        Direction of v, of any length but zero.
    rng : None, int or numpy.random.Generator, keyword-only
        Fixes the draw; None takes fresh entropy, shown in the repr.

    Returns
    -------
    RankOneInit
        The rule; it draws the same weights each time for the same network.

    Raises
    ------
    InvalidArgument
        If the scale is not positive, or a direction is zero.
    InvalidData
        If a direction has entries that are not finite real numbers.

    References
    ----------
    A. Eftekhari, "Training linear neural networks: non-local convergence and
    complexity results", ICML 2020.

    Examples
    --------
    >>> rank_one_init(0.1, right=[1, 0], rng=3)
    rank_one_init(0.1, right=[1, 0], rng=3)
    """
    u, v = _direction(left, "left"), _direction(right, "right")
    return RankOneInit(scale, u, v, rng)


def _direction(given: Any, name: str) -> Array | None:
    """Return a direction as a column of floats or of exact numbers."""
    if given is None:
        return None
    column = as_array(given, f"rank_one_init({name}=…)")
    column = column.T if len(column) == 1 else column
    if column.shape[1] != 1:
        msg = f"rank_one_init({name}=…): needs a vector; got shape {column.shape}"
        raise ShapeMismatch(msg)
    if not any(entry != 0 for entry in column.flat):
        msg = f"rank_one_init({name}=…): the zero vector has no direction"
        raise InvalidArgument(msg)
    return column


def _unit(column: Array, size: int, name: str, draws: Draws) -> Array:
    if len(column) != size:
        msg = (
            f"rank_one_init({name}=…): the network needs a vector of length {size}; "
            f"got {len(column)}"
        )
        raise ShapeMismatch(msg)
    entries = [draws.number(entry) for entry in column.flat]
    length = sum(entry * entry for entry in entries) ** 0.5
    return np.array([entry / length for entry in entries]).reshape(-1, 1)
