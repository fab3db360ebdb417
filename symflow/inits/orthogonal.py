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
from symflow.inits.init import (
    HasWidths,
    Init,
    context_for,
    integer_widths,
    number,
    positive,
)
from symflow.inits.orthonormal import nearest_frame, random_frame
from symflow.inits.seeds import generator_of, seed_of

_CALL = "orthogonal_init(…)"


@dataclass(frozen=True, repr=False)
class OrthogonalInit(Init):
    """Random orthogonal weights; made by `orthogonal_init`."""

    scale: Any
    seed: int

    @property
    def tags(self) -> frozenset[str]:
        """Every layer is orthogonal; balanced only where the widths are equal."""
        return frozenset({"orthogonal"})

    def draw(
        self,
        network: HasWidths,
        data: Any = None,
        rng: Any = None,
        *,
        digits: int | None = None,
    ) -> tuple[Array, ...]:
        """Return weights with orthogonal rows or columns, whichever are fewer.

        Examples
        --------
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> network = SimpleNamespace(widths=(3, 2, 2), depth=2)
        >>> W1, W2 = orthogonal_init(0.5, rng=0).draw(network)
        >>> bool(abs(W1 @ W1.T - np.eye(2) / 4).max() < 1e-15)
        True
        """
        widths = integer_widths(network, _CALL)
        context = context_for(digits, _CALL)
        generator = generator_of(self.seed if rng is None else rng, _CALL)
        scale = number(self.scale, context)
        weights = []
        for before, after in pairwise(widths):
            long, short = max(before, after), min(before, after)
            frame = nearest_frame(random_frame(generator, long, short), context)
            weights.append(scale * (frame if after >= before else frame.T))
        return tuple(weights)

    def __repr__(self) -> str:
        return f"orthogonal_init({self.scale}, rng={self.seed})"


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
    checked = positive(scale, "orthogonal_init(scale=…)")
    return OrthogonalInit(checked, seed_of(rng, _CALL))
