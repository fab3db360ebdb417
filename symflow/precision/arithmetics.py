"""The arithmetics of `precise`, as values to choose from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from symflow.precision.engine import Engine

#: Limbs win over FLINT integers from this inner dimension on, …
LIMB_WORK = 2
#: … and up to this many bits.
LIMB_BITS = 900


@dataclass(frozen=True)
class Need:
    """What an engine is made for."""

    bits: int  # places after the binary point
    order: int  # order of the series
    inner: int  # longest inner dimension of a matrix product
    magnitude: float  # log2 of the largest number


class HighPrecision(ABC):
    """A choice of arithmetic: makes the engine of a given number of bits."""

    @property
    @abstractmethod
    def route(self) -> str:
        """How a trajectory names this route."""

    @abstractmethod
    def engine(self, need: Need) -> Engine:
        """Return the arithmetic for a `need`."""


@dataclass(frozen=True)
class Flint(HighPrecision):
    """Fixed point over FLINT integers: the fast route, and the default.

    Examples
    --------
    >>> Flint().route
    'Taylor series in fixed point (FLINT)'
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> run = sf.precise(*problem, 1, digits=20, arithmetic=Flint())
    >>> print(run.end_to_end[-1].item())
    1.77272044708376806510295525
    """

    @property
    def route(self) -> str:
        return "Taylor series in fixed point (FLINT)"

    def engine(self, need: Need) -> Engine:
        """Return fixed-point matrices for a `need`: limbs, or FLINT integers."""
        if need.inner >= LIMB_WORK and need.bits <= LIMB_BITS:
            from symflow.precision.limb_format import Format
            from symflow.precision.limbs import LimbPoint

            terms = (need.order + 1) * need.inner
            return LimbPoint(Format.choose(need.bits, terms, need.magnitude))
        from symflow.precision.fixed import FixedPoint

        return FixedPoint(need.bits)


@dataclass(frozen=True)
class Mpmath(HighPrecision):
    """Floating point by mpmath: slow and simple, to check the other route.

    Examples
    --------
    >>> Mpmath().route
    'Taylor series in floating point (mpmath)'
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> run = sf.precise(*problem, 1, digits=20, arithmetic=Mpmath())
    >>> print(run.end_to_end[-1].item())
    1.77272044708376806510295526
    """

    @property
    def route(self) -> str:
        return "Taylor series in floating point (mpmath)"

    def engine(self, need: Need) -> Engine:
        """Return object arrays of mpf numbers for a `need`."""
        from symflow.precision.floating import FloatingPoint

        return FloatingPoint(need.bits)
