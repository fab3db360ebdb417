"""What an initialization rule is, and what every rule checks before it draws.

A rule gives one point: its float64 weights are the rounding of its weights at any
number of digits, so that a float run and a high-precision run start together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from numbers import Integral
from typing import Any, Protocol

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import (
    MOST_DIGITS,
    context_of,
    exact,
    whole,
)
from symflow.algebra.products import matmul
from symflow.errors import InvalidArgument, SymflowError, expect, shown

#: Decimal digits that weights carry beyond those asked for.
GUARD_DIGITS = 10

#: Weights that are drawn at most: 1 GiB of float64.
MOST_WEIGHTS = 1 << 27


class HasWidths(Protocol):
    """What a rule needs to know of a network."""

    @property
    def widths(self) -> tuple[Any, ...]:
        """Sizes from the input to the output."""

    @property
    def depth(self) -> int:
        """Number of weight layers."""


class Init(ABC):
    """An initialization rule: gives the weights of a network at t = 0.

    Examples
    --------
    >>> import symflow as sf
    >>> (W1,) = sf.gaussian_init(0.1, rng=0).draw(sf.LinearNetwork(2, 1))
    >>> W1.round(4).tolist()
    [[0.0126, -0.0132]]
    """

    @property
    @abstractmethod
    def tags(self) -> frozenset[str]:
        """Structure that every draw has: "balanced", "spectral"."""

    @abstractmethod
    def draw(
        self,
        network: HasWidths,
        data: Any = None,
        rng: Any = None,
        *,
        digits: int | None = None,
    ) -> tuple[Array, ...]:
        """Return the weights (W_1, …, W_L).

        Parameters
        ----------
        network : Network
            Anything with integer `widths` and a `depth`.
        data : Dataset or Moments, optional
            Needed by the rules that depend on the data.
        rng : int or numpy.random.Generator, optional
            Replaces the randomness that the rule was made with.
        digits : int, keyword-only, optional
            Decimal digits; without it the weights are float64.

        Returns
        -------
        tuple of ndarray
            W_l of shape (d_l, d_{l−1}): float64, or objects, mpmath numbers with a few
            digits more than asked.

        Raises
        ------
        InvalidArgument
            If the widths are symbols, or the network is not made of dense layers.

        Examples
        --------
        >>> import symflow as sf
        >>> W1, W2 = sf.gaussian_init(1, rng=0).draw(sf.LinearNetwork(3, 2, 1))
        >>> W2.shape, round(W1[0, 0], 4)
        ((1, 2), np.float64(0.1257))
        """


def integer_widths(network: HasWidths, call: str) -> tuple[int, ...]:
    """Return the widths of a network of dense layers, which have to be integers.

    Raises InvalidArgument that names the `call`, if a width is a symbol or a parameter
    no dense matrix.
    """
    expect(network, "widths", call, "a network")
    widths = tuple(network.widths)
    if not all(isinstance(width, Integral) for width in widths):
        listed = ", ".join(str(width) for width in widths)
        msg = (
            f"{call}: an initialization rule needs integer widths; got ({listed}). "
            "Give the network its sizes, for example LinearNetwork(10, 5, 1)"
        )
        raise InvalidArgument(msg)
    if parameter_shapes(network) != dense_shapes(widths):
        msg = (
            f"{call}: this rule draws the matrices of dense layers, and the "
            "parameters of this network are others. Give the weights as arrays"
        )
        raise InvalidArgument(msg)
    return tuple(int(width) for width in widths)


def dense_shapes(widths: tuple[Any, ...]) -> tuple[tuple[Any, Any], ...]:
    """Return the shapes of the matrices between layers of these widths."""
    return tuple((after, before) for before, after in pairwise(widths))


def parameter_shapes(network: HasWidths) -> tuple[tuple[Any, Any], ...]:
    """Return the shapes of a network's parameters, integers where they are known."""
    parameters = getattr(network, "parameters", None)
    if parameters is None:
        return dense_shapes(tuple(network.widths))
    shapes = tuple((_plain(p.shape[0]), _plain(p.shape[1])) for p in parameters)
    sizes = [s[0] * s[1] for s in shapes if all(isinstance(k, int) for k in s)]
    if sum(sizes) > MOST_WEIGHTS:
        msg = (
            f"init: the weights of this network are {sum(sizes)} numbers; at most "
            f"{MOST_WEIGHTS} are drawn. Take smaller widths"
        )
        raise InvalidArgument(msg)
    return shapes


def _plain(size: Any) -> Any:
    return int(size) if getattr(size, "is_Integer", False) else size


def number_of(value: Any) -> Any:
    """Return a number exactly, None for what is no finite real number."""
    try:
        return exact(value)
    except (SymflowError, TypeError, ValueError):
        return None


def positive_number(value: Any, call: str) -> Any:
    """Return a positive finite number as it was given; errors name the `call`."""
    known = None if isinstance(value, (str, bool)) else number_of(value)
    if known is None or not known > 0:
        msg = f"{call}: needs a positive number; got {shown(value)}"
        raise InvalidArgument(msg)
    return value


def context_for(digits: Any, call: str) -> Any:
    """Return a local mpmath context with guard digits, or None for float64."""
    if digits is None:
        return None
    digits = whole(digits, f"{call}: digits", most=MOST_DIGITS)
    return context_of(int(digits) + GUARD_DIGITS)


def product_form(frames: list[Array], strengths: Any) -> tuple[Array, ...]:
    """Return the weights W_l = R_l diag(s) R_{l−1}ᵀ for the frames R_0, …, R_L.

    Neighbouring layers then share a frame and the strengths, which is why such weights
    are balanced: W_{l+1}ᵀW_{l+1} = R_l diag(s²) R_lᵀ = W_lW_lᵀ.
    """
    return tuple(
        matmul(after * strengths, before.T) for before, after in pairwise(frames)
    )
