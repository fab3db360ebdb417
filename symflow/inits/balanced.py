"""Random balanced weights: W_{l+1}ᵀW_{l+1} = W_lW_lᵀ for every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symflow.algebra.arrays import Array
from symflow.inits.drawn import DrawnInit, Draws
from symflow.inits.init import product_form


@dataclass(frozen=True, repr=False)
class BalancedInit(DrawnInit):
    """Random balanced weights; made by `balanced_init`."""

    call = "balanced_init(…)"
    tags = frozenset({"balanced"})
    scale: Any
    seed: int

    def _weights(
        self, widths: tuple[int, ...], draws: Draws, data: Any
    ) -> tuple[Array, ...]:
        rank = min(widths)
        frames = [draws.frame(width, rank) for width in widths]
        return product_form(frames, draws.strengths(rank, self.scale))


def balanced_init(scale: Any = 1.0, *, rng: Any = None) -> BalancedInit:
    """Draw W_l = R_l diag(s) R_{l−1}ᵀ with random frames R_l and strengths s.

    The frames are Haar-distributed with r orthonormal columns, r the smallest width,
    and the r strengths are uniform between scale/2 and 3·scale/2, so that
    W_{l+1}ᵀW_{l+1} = W_lW_lᵀ for any depth and widths.

    Parameters
    ----------
    scale : float, Fraction or SymPy number
        Size of the nonzero singular values of every layer, positive.
    rng : None, int or numpy.random.Generator, keyword-only
        Fixes the draw; None takes fresh entropy, shown in the repr.

    Returns
    -------
    BalancedInit
        The rule; it draws the same weights each time for the same network.

    Raises
    ------
    InvalidArgument
        If the scale is not positive.

    References
    ----------
    S. Arora, N. Cohen, E. Hazan, "On the optimization of deep networks: implicit
    acceleration by overparameterization", ICML 2018.

    Examples
    --------
    >>> balanced_init(0.1, rng=3)
    balanced_init(0.1, rng=3)
    """
    return BalancedInit(scale, rng)
