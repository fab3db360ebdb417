"""Weights aligned with the singular vectors of Σ_yx, every mode of equal strength.

With Σ_yx = U S Vᵀ the start W_l = a R_l R_{l−1}ᵀ, R_0 = V, R_L = U, has the end-to-end
matrix a^L U Vᵀ on its modes and is balanced.  For whitened input, and whenever V also
diagonalizes Σ_xx, the modes then evolve apart (Saxe, McClelland, Ganguli 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.inits.init import (
    HasWidths,
    Init,
    context_for,
    integer_widths,
    lifted,
    number,
    positive,
    product_form,
)
from symflow.inits.orthonormal import nearest_frame, random_frame
from symflow.inits.seeds import generator_of, seed_of
from symflow.inits.singular import singular_frames

_CALL = "spectral_init(…)"


@dataclass(frozen=True, repr=False)
class SpectralInit(Init):
    """Weights aligned with the data; made by `spectral_init`."""

    scale: Any
    seed: int | None

    @property
    def tags(self) -> frozenset[str]:
        """Every draw is aligned with the data, and balanced."""
        return frozenset({"balanced", "spectral"})

    def draw(
        self,
        network: HasWidths,
        data: Any = None,
        rng: Any = None,
        *,
        digits: int | None = None,
    ) -> tuple[Array, ...]:
        """Return weights whose modes are those of `data`.

        Raises
        ------
        InvalidArgument
            If there are no data.
        ShapeMismatch
            If the network does not have the inputs and outputs of the data.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> moments = SimpleNamespace(sigma_xx=np.eye(2), sigma_yx=np.diag([3.0, 1.0]))
        >>> data = SimpleNamespace(moments=lambda: moments)
        >>> network = SimpleNamespace(widths=(2, 2, 2), depth=2)
        >>> W1, W2 = spectral_init(0.5).draw(network, data)
        >>> (W2 @ W1).tolist()
        [[0.25, 0.0], [0.0, 0.25]]
        """
        widths = integer_widths(network, _CALL)
        context = context_for(digits, _CALL)
        moments = _moments(data, widths)
        rank = min(widths)
        ends = singular_frames(moments.sigma_yx, digits, metric=moments.sigma_xx)
        source = self.seed if rng is None else rng
        generator = None if source is None else generator_of(source, _CALL)
        hidden = [
            np.eye(width, rank)
            if generator is None
            else random_frame(generator, width, rank)
            for width in widths[1:-1]
        ]
        frames = [
            lifted(ends.right[:, :rank], context),
            *(nearest_frame(frame, context) for frame in hidden),
            lifted(ends.left[:, :rank], context),
        ]
        return product_form(frames, number(self.scale, context))

    def __repr__(self) -> str:
        rotation = "" if self.seed is None else f", rng={self.seed}"
        return f"spectral_init({self.scale}{rotation})"


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
    checked = positive(scale, "spectral_init(scale=…)")
    return SpectralInit(checked, None if rng is None else seed_of(rng, _CALL))


def _moments(data: Any, widths: tuple[int, ...]) -> Any:
    if not hasattr(data, "moments"):
        msg = (
            f"{_CALL}: the singular vectors are those of the data; got "
            f"data={data!r}. Give a Dataset or Moments"
        )
        raise InvalidArgument(msg)
    moments = data.moments()
    m, d = moments.sigma_yx.shape
    if (d, m) != (widths[0], widths[-1]):
        msg = (
            f"{_CALL}: the data have {d} inputs and {m} targets, and the network has "
            f"{widths[0]} inputs and {widths[-1]} outputs; these have to agree"
        )
        raise ShapeMismatch(msg)
    return moments
