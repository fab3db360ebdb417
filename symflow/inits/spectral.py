"""Weights aligned with the singular vectors of Σ_yx, every mode of equal strength.

With Σ_yx = U S Vᵀ the start W_l = a R_l R_{l−1}ᵀ, R_0 = V, R_L = U, has the end-to-end
matrix a^L U Vᵀ on its modes and is balanced.  For whitened input, and whenever V also
diagonalizes Σ_xx, the modes then evolve apart (Saxe, McClelland, Ganguli 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symflow.algebra.arrays import Array
from symflow.errors import ShapeMismatch, expect
from symflow.inits.drawn import DrawnInit, Draws
from symflow.inits.init import (
    GUARD_DIGITS,
    HasWidths,
    integer_widths,
    product_form,
)
from symflow.inits.singular import singular_frames


@dataclass(frozen=True, repr=False)
class SpectralInit(DrawnInit):
    """Weights aligned with the data; made by `spectral_init`."""

    call = "spectral_init(…)"
    tags = frozenset({"balanced", "spectral"})
    is_random = False  # without a seed the frames of hidden layers are unit vectors
    scale: Any
    seed: int | None

    def _sizes(self, network: HasWidths, data: Any) -> tuple[int, ...]:
        widths = integer_widths(network, self.call)
        self._check(data, widths)
        return widths

    def _weights(
        self, widths: tuple[int, ...], draws: Draws, data: Any
    ) -> tuple[Array, ...]:
        moments, rank = data.moments(), min(widths)
        digits = None if draws.context is None else draws.context.dps - GUARD_DIGITS
        ends = singular_frames(moments.sigma_yx, digits, metric=moments.sigma_xx)
        frames = [
            draws.lifted(ends.right[:, :rank]),
            *(draws.frame(width, rank) for width in widths[1:-1]),
            draws.lifted(ends.left[:, :rank]),
        ]
        return product_form(frames, draws.number(self.scale))

    def _check(self, data: Any, widths: tuple[int, ...]) -> None:
        needs = "a Dataset or Moments, whose singular vectors are those of the data"
        expect(data, "moments", self.call, needs)
        m, d = data.moments().sigma_yx.shape
        if (d, m) != (widths[0], widths[-1]):
            msg = (
                f"{self.call}: the data have {d} inputs and {m} targets, and the "
                f"network has {widths[0]} inputs and {widths[-1]} outputs; these have "
                "to agree"
            )
            raise ShapeMismatch(msg)


def spectral_init(scale: Any, *, rng: Any = None) -> SpectralInit:
    """Align the weights with the singular vectors of Σ_yx, with equal strengths.

    Each of the r modes (r the smallest width) starts with the strength scale^L.  Where
    singular values of Σ_yx repeat, the vectors are chosen to diagonalize Σ_xx too.

    Parameters
    ----------
    scale : float, Fraction or SymPy number
        Singular value of every layer, positive.
    rng : None, int or numpy.random.Generator, keyword-only
        Rotates the hidden layers at random; without it their frames are the first
        unit vectors.

    Returns
    -------
    SpectralInit
        The rule.

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
    >>> spectral_init(0.1, rng=5)
    spectral_init(0.1, rng=5)
    """
    return SpectralInit(scale, rng)
