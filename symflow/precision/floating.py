"""Matrices of mpmath floating-point numbers: the plain, independent route."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import starmap
from operator import matmul, mul
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, map_entries, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.codegen.series import Convolution, Shape
from symflow.codegen.series_arithmetic import ArrayArithmetic
from symflow.precision.engine import Engine


class PlainConvolution(Convolution):
    """A Cauchy sum of matrix or entrywise products, term by term."""

    def __init__(self, multiply: Callable[[Any, Any], Any]) -> None:
        self._multiply = multiply
        self._left: list[Array] = []
        self._right: list[Array] = []

    def push(self, left: Any, right: Any) -> Any:
        """Return Σ_j A_j B_{k−j}."""
        self._left.append(left)
        self._right.append(right)
        pairs = zip(self._left, reversed(self._right), strict=True)
        return sum(starmap(self._multiply, pairs))


class FloatingPoint(ArrayArithmetic, Engine):
    """Object arrays of `mpf` numbers in a context of their own."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._context = mpmath.MPContext()
        self._context.prec = bits

    def constant(self, array: Array) -> Array:
        """Return the array with every entry rounded once."""
        return to_mpf_array(array, self._context)

    def scalar(self, value: Any) -> Any:
        """Return the nearest number."""
        return to_mpf(value, self._context)

    def trace(self, matrix: Any) -> Any:
        result = np.empty((1, 1), dtype=object)
        result[0, 0] = matrix.trace()
        return result

    def convolution(self, left: Shape, right: Shape, order: int) -> Convolution:
        return PlainConvolution(matmul)

    def entrywise(self, shape: Shape, order: int) -> Convolution:
        return PlainConvolution(mul)

    def rearrange(self, matrix: Any, places: Array) -> Any:
        """Return the entries at these places, zero where negative."""
        return np.where(places < 0, self._context.zero, matrix.ravel()[places])

    def integrate(self, matrix: Any, order: int, unit: Fraction) -> Any:
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
        return to_float_array(matrix)
