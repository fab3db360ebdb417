"""Matrices of mpmath floating-point numbers: the plain, independent route."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, map_entries, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.codegen.evaluate import elementwise
from symflow.codegen.series import Convolution, Shape
from symflow.precision.engine import Engine


class PlainConvolution(Convolution):
    """A Cauchy sum, term by term."""

    def __init__(self) -> None:
        self._left: list[Array] = []
        self._right: list[Array] = []

    def push(self, left: Any, right: Any) -> Any:
        """Return Σ_j A_j B_{k−j}."""
        self._left.append(left)
        self._right.append(right)
        pairs = zip(self._left, reversed(self._right), strict=True)
        return sum(a @ b for a, b in pairs)


class PlainEntrywise(PlainConvolution):
    """An entrywise Cauchy sum, term by term."""

    def push(self, left: Any, right: Any) -> Any:
        """Return Σ_j A_j ∘ B_{k−j}."""
        self._left.append(left)
        self._right.append(right)
        pairs = zip(self._left, reversed(self._right), strict=True)
        return sum(a * b for a, b in pairs)


class FloatingPoint(Engine):
    """Object arrays of `mpf` numbers in a context of their own."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._context = mpmath.MPContext()
        self._context.prec = bits

    def constant(self, array: Array) -> Array:
        """Return the array with every entry rounded once."""
        return to_mpf_array(array, self._context)

    def add(self, left: Any, right: Any) -> Any:
        """Return the sum."""
        return left + right

    def subtract(self, left: Any, right: Any) -> Any:
        """Return the difference."""
        return left - right

    def negate(self, matrix: Any) -> Any:
        """Return the negative."""
        return -matrix

    def scalar(self, value: Any) -> Any:
        """Return the nearest number."""
        return to_mpf(value, self._context)

    def scale(self, scalar: Any, matrix: Any) -> Any:
        """Return a number times a matrix."""
        return scalar * matrix

    def transpose(self, matrix: Any) -> Any:
        """Return the transpose."""
        return matrix.T

    def trace(self, matrix: Any) -> Any:
        """Return the trace as a matrix with one entry."""
        result = np.empty((1, 1), dtype=object)
        result[0, 0] = matrix.trace()
        return result

    def matmul(self, left: Any, right: Any) -> Any:
        """Return the product."""
        return left @ right

    def convolution(self, left: Shape, right: Shape, order: int) -> Convolution:
        """Return an empty online product."""
        return PlainConvolution()

    def hadamard(self, left: Any, right: Any) -> Any:
        """Return the entrywise product."""
        return left * right

    def entrywise(self, shape: Shape, order: int) -> Convolution:
        """Return an empty online entrywise product."""
        return PlainEntrywise()

    def rearrange(self, matrix: Any, places: Array) -> Any:
        """Return the entries at these places, zero where negative."""
        return np.where(places < 0, self._context.zero, matrix.ravel()[places])

    def function(self, name: str, matrix: Any) -> Any:
        """Return an elementary function of every entry."""
        return elementwise(name, matrix)

    def integrate(self, matrix: Any, order: int, unit: Fraction) -> Any:
        """Return matrix · unit / order."""
        return matrix * to_mpf(unit / order, self._context)

    def size(self, matrix: Any) -> float:
        """Return log2 of the largest entry, rounded up."""
        top = max(abs(x) for x in matrix.flat)
        return float(self._context.mag(top)) if top else -np.inf

    def evaluate(self, terms: Sequence[Any], ratio: Fraction) -> Any:
        """Return Σ_k terms[k] · ratio^k by Horner's rule."""
        known = [term for term in terms if term is not None]
        point = to_mpf(ratio, self._context)
        total = known[-1]
        for term in reversed(known[:-1]):
            total = total * point + term
        return total

    def export(self, matrix: Any, context: Any) -> Array:
        """Return the entries as numbers of another context, exactly."""
        return map_entries(lambda x: context.make_mpf(x._mpf_), matrix)

    def floats(self, matrix: Any) -> Array:
        """Return the entries rounded to float64."""
        return to_float_array(matrix)
