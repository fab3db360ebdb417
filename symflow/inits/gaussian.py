"""Independent Gaussian weights."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import exact, to_float
from symflow.errors import InvalidArgument, SymflowError
from symflow.inits.init import (
    HasWidths,
    Init,
    context_for,
    integer_widths,
    lifted,
    parameter_shapes,
    positive,
)
from symflow.inits.seeds import generator_of, seed_of

_CALL = "gaussian_init(…)"


@dataclass(frozen=True, repr=False)
class GaussianInit(Init):
    """Independent Gaussian weights; made by `gaussian_init`."""

    scale: Any
    width_exponent: Any
    seed: int

    @property
    def tags(self) -> frozenset[str]:
        """Nothing holds for every draw."""
        return frozenset()

    def draw(
        self,
        network: HasWidths,
        data: Any = None,
        rng: Any = None,
        *,
        digits: int | None = None,
    ) -> tuple[Array, ...]:
        """Return the weights; float64 numbers, as they stand at any `digits`.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> network = SimpleNamespace(widths=(3, 2, 1), depth=2)
        >>> [W.shape for W in gaussian_init(0.1, rng=0).draw(network)]
        [(2, 3), (1, 2)]
        """
        shapes = _integer_shapes(network)
        widths = network.widths
        context = context_for(digits, _CALL)
        generator = generator_of(self.seed if rng is None else rng, _CALL)
        deviation = to_float(self.scale) * max(widths[1:-1], default=1) ** (
            -to_float(self.width_exponent)
        )
        return tuple(
            lifted(deviation * generator.standard_normal(shape), context)
            for shape in shapes
        )

    def __repr__(self) -> str:
        exponent = f"width_exponent={self.width_exponent}"
        return f"gaussian_init({self.scale}, {exponent}, rng={self.seed})"


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
    try:
        exact(width_exponent)
    except (SymflowError, TypeError, ValueError):
        msg = f"gaussian_init(width_exponent=…): needs a number; got {width_exponent!r}"
        raise InvalidArgument(msg) from None
    checked = positive(scale, "gaussian_init(scale=…)")
    return GaussianInit(checked, width_exponent, seed_of(rng, _CALL))


def _integer_shapes(network: HasWidths) -> tuple[tuple[int, int], ...]:
    shapes = parameter_shapes(network)
    if not all(isinstance(size, Integral) for shape in shapes for size in shape):
        integer_widths(network, _CALL)  # says what is missing
    return shapes
