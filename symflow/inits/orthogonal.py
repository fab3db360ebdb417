"""Random orthogonal weights: every layer a multiple of an isometry.

In a network of equal widths such weights are balanced, and their end-to-end matrix is
scale^L times an orthogonal matrix, whatever the depth L (Saxe, McClelland, Ganguli
2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from symflow.algebra.arrays import Array
from symflow.inits.drawn import DrawnInit, Draws


@dataclass(frozen=True, repr=False)
class OrthogonalInit(DrawnInit):
    """Random orthogonal weights; made by `orthogonal_init`."""

    call = "orthogonal_init(…)"
    tags = frozenset({"orthogonal"})  # balanced where the widths are equal
    scale: Any
    seed: int

    def _weights(self, widths: tuple[int, ...], draws: Draws, data: Any) -> list[Array]:
        scale, weights = draws.number(self.scale), []
        for before, after in pairwise(widths):
            frame = draws.frame(max(before, after), min(before, after))
            weights.append(scale * (frame if after >= before else frame.T))
        return weights


def orthogonal_init(scale: Any = 1.0, *, rng: Any = None) -> OrthogonalInit:
    """Draw every layer as scale times a Haar random isometry.

    W_l has orthogonal columns of length `scale` where it widens and orthogonal rows
    where it narrows; both signs of the determinant of a square layer occur.

    Parameters
    ----------
    scale : float, Fraction or SymPy number
        Singular value of every layer, positive.
    rng : None, int or numpy.random.Generator, keyword-only
        Fixes the draw; None takes fresh entropy, shown in the repr.

    Returns
    -------
    OrthogonalInit
        The rule; it draws the same weights each time for the same network.

    Raises
    ------
    InvalidArgument
        If the scale is not positive.

    References
    ----------
    A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear
    dynamics of learning in deep linear neural networks", ICLR 2014.

    Examples
    --------
    >>> orthogonal_init(0.1, rng=3)
    orthogonal_init(0.1, rng=3)
    """
    return OrthogonalInit(scale, rng)
