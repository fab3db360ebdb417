"""What Taylor recurrences need of an arithmetic: matrices, and how to convolve them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from symflow.algebra.arrays import Array
from symflow.codegen.evaluate import elementwise

Shape = tuple[int, int]

#: Returns the product of two matrices of known shapes.
Multiply = Callable[[Any, Any], Any]


class Convolution(ABC):
    """The product of two matrix series whose coefficients arrive one by one."""

    @abstractmethod
    def push(self, left: Any, right: Any) -> Any:
        """Take the coefficients of order k and return that of the product."""


class Arithmetic(ABC):
    """Matrices over one kind of number; None stands for the zero matrix."""

    @abstractmethod
    def constant(self, array: Array) -> Any:
        """Return exact or float data in this arithmetic, rounded once."""

    @abstractmethod
    def add(self, left: Any, right: Any) -> Any:
        """Return the sum."""

    @abstractmethod
    def subtract(self, left: Any, right: Any) -> Any:
        """Return the difference."""

    @abstractmethod
    def negate(self, matrix: Any) -> Any:
        """Return the negative."""

    @abstractmethod
    def scalar(self, value: Any) -> Any:
        """Prepare an exact number for `scale`."""

    @abstractmethod
    def scale(self, scalar: Any, matrix: Any) -> Any:
        """Return a prepared number times a matrix."""

    @abstractmethod
    def transpose(self, matrix: Any) -> Any:
        """Return the transpose."""

    @abstractmethod
    def trace(self, matrix: Any) -> Any:
        """Return the trace as a matrix with one entry."""

    @abstractmethod
    def matmul(self, left: Any, right: Any) -> Any:
        """Return the product of two matrices."""

    def multiplier(self, left: Shape, right: Shape) -> Multiply:
        """Return `matmul` for matrices of these shapes, one product at a time."""
        return self.matmul

    @abstractmethod
    def convolution(self, left: Shape, right: Shape, order: int) -> Convolution:
        """Return an empty online product of series up to `order`."""

    @abstractmethod
    def hadamard(self, left: Any, right: Any) -> Any:
        """Return the entrywise product."""

    @abstractmethod
    def entrywise(self, shape: Shape, order: int) -> Convolution:
        """Return an empty online entrywise product of series up to `order`."""

    @abstractmethod
    def rearrange(self, matrix: Any, places: Array) -> Any:
        """Return the matrix of entries matrix.flat[places], zero where negative."""

    @abstractmethod
    def function(self, name: str, matrix: Any) -> Any:
        """Return an elementary function of every entry."""

    @abstractmethod
    def integrate(self, matrix: Any, order: int, unit: Fraction) -> Any:
        """Return matrix · unit / order."""

    def integrate_all(
        self, matrices: Sequence[Any], order: int, unit: Fraction
    ) -> list[Any]:
        """Integrate several matrices, of which some may be zero."""
        return [
            None if matrix is None else self.integrate(matrix, order, unit)
            for matrix in matrices
        ]


class ArrayArithmetic(Arithmetic):
    """Matrices as NumPy arrays of numbers that know their own arithmetic."""

    def add(self, left: Any, right: Any) -> Any:
        return left + right

    def subtract(self, left: Any, right: Any) -> Any:
        return left - right

    def negate(self, matrix: Any) -> Any:
        return -matrix

    def scale(self, scalar: Any, matrix: Any) -> Any:
        return scalar * matrix

    def transpose(self, matrix: Any) -> Any:
        return matrix.T

    def matmul(self, left: Any, right: Any) -> Any:
        return left @ right

    def hadamard(self, left: Any, right: Any) -> Any:
        return left * right

    def function(self, name: str, matrix: Any) -> Any:
        return elementwise(name, matrix)
