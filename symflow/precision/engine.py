"""What an integration in high precision needs of its arithmetic."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath

from symflow.algebra.arrays import Array
from symflow.codegen.evaluate import elementwise
from symflow.codegen.series import Arithmetic, Shape

#: Bits of an elementary function beyond those after the binary point.
FUNCTION_BITS = 64


class Engine(Arithmetic):
    """An arithmetic that can also evaluate series and measure its numbers."""

    #: Binary digits of the numbers; in fixed point, those after the point.
    bits: int
    #: Whether series are scaled to the step (0) or to the radius of convergence (1).
    lead: float = 0.0

    def begin(self, drop: float) -> None:
        """Prepare for a series whose order k needs `drop` · k fewer bits."""

    def fits(self, terms: Sequence[Any]) -> bool:
        """Say whether all coefficients are in the range of the arithmetic."""
        return True

    @abstractmethod
    def size(self, matrix: Any) -> float:
        """Return log2 of the largest entry, to within one; −inf for zero."""

    @abstractmethod
    def evaluate(self, terms: Sequence[Any], ratio: Fraction) -> Any:
        """Return Σ_k terms[k] · ratio^k."""

    @abstractmethod
    def export(self, matrix: Any, context: Any) -> Array:
        """Return the entries as `mpf` numbers of the context, exactly."""

    @abstractmethod
    def floats(self, matrix: Any) -> Array:
        """Return the entries rounded to float64."""


class ExactEngine(Engine):
    """An engine whose numbers are integers over 2^bits."""

    @abstractmethod
    def coefficients(self, series: Sequence[Sequence[Any]]) -> Any:
        """Return several matrix series times 2^bits as an `fmpz_mat`.

        It has one row per order, with the entries of all matrices one after the other.
        """

    def function(self, name: str, matrix: Any) -> Any:
        """Return an elementary function of every entry, rounded once."""
        context = mpmath.MPContext()
        context.prec = self.bits + FUNCTION_BITS
        return self.constant(elementwise(name, self.export(matrix, context)))

    @abstractmethod
    def shape(self, matrix: Any) -> Shape:
        """Return the shape of a matrix."""
