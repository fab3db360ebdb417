"""Independent Gaussian weights."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.errors import InvalidArgument, shown
from symflow.inits.drawn import DrawnInit, Draws
from symflow.inits.init import (
    HasWidths,
    integer_widths,
    number_of,
    parameter_shapes,
)


@dataclass(frozen=True, repr=False)
class GaussianInit(DrawnInit):
    """Independent Gaussian weights; made by `gaussian_init`."""

    call = "gaussian_init(…)"
    tags = frozenset()
    scale: Any
    width_exponent: Any
    seed: int

    def _sizes(self, network: HasWidths, data: Any) -> Any:
        """Return the widths and the shapes of the parameters, of any architecture."""
        shapes = parameter_shapes(network)
        if not all(isinstance(size, Integral) for shape in shapes for size in shape):
            integer_widths(network, self.call)  # says what is missing
        return network.widths, shapes

    def _weights(self, sizes: Any, draws: Draws, data: Any) -> list[Array]:
        widths, shapes = sizes
        shrunk = max(widths[1:-1], default=1) ** (-to_float(self.width_exponent))
        deviation = to_float(self.scale) * shrunk
        # float64 numbers, as they stand at any digits
        return [
            draws.lifted(deviation * draws.generator.standard_normal(shape))
            for shape in shapes
        ]


def gaussian_init(
    scale: Any = 1.0, *, width_exponent: Any = 0.0, rng: Any = None
) -> GaussianInit:
    """Draw all weights independently from N(0, (scale·h^(−width_exponent))²).

    Parameters
    ----------
    scale : float, Fraction or SymPy number
        Standard deviation, positive.
    width_exponent : float, Fraction or SymPy number, keyword-only
        How the deviation falls with h, the largest hidden width (1 where there is no
        hidden layer): 1/2 keeps the end-to-end matrix of two layers of one size as the
        network gets wider.  One h serves all layers.
    rng : None, int or numpy.random.Generator, keyword-only
        Fixes the draw; None takes fresh entropy, shown in the repr.

    Returns
    -------
    GaussianInit
        The rule; it draws the same weights each time for the same network.

    Raises
    ------
    InvalidArgument
        If the scale is not positive, or the exponent not a number.

    Examples
    --------
    >>> gaussian_init(0.5, width_exponent=0.5, rng=1)
    gaussian_init(0.5, width_exponent=0.5, rng=1)
    """
    if number_of(width_exponent) is None:
        got = shown(width_exponent)
        msg = f"gaussian_init(width_exponent=…): needs a number; got {got}"
        raise InvalidArgument(msg)
    return GaussianInit(scale, width_exponent, rng)
