"""The layers of a product network: which matrices a layer can represent.

A layer embeds its parameters linearly as a matrix, and its `project` is the adjoint
of that embedding; this pair is all that the chain rule needs to know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import sympy

from symflow.algebra.nodes import Node
from symflow.algebra.symbols import weight
from symflow.algebra.widths import Width, as_width


class Layer(ABC):
    """A linear layer: a linear family of matrices."""

    inputs: Width
    outputs: Width

    @abstractmethod
    def parameter(self, layer: int) -> sympy.MatrixSymbol:
        """Return the symbol of the parameters; layers count from 1."""

    @abstractmethod
    def matrix(self, parameter: Node) -> Node:
        """Return the matrix (outputs × inputs) that the parameters stand for."""

    @abstractmethod
    def project(self, matrix: Node) -> Node:
        """Return the adjoint of `matrix` (the method), applied to a full matrix."""


@dataclass(frozen=True)
class Dense(Layer):
    """A layer that can be any matrix.

    Parameters
    ----------
    inputs, outputs : int, str or sympy.Symbol
        Sizes of what goes in and of what comes out.

    Examples
    --------
    >>> Dense(10, 5).parameter(1).shape
    (5, 10)
    """

    inputs: Width
    outputs: Width

    def __post_init__(self) -> None:
        call = f"Dense({self.inputs!r}, {self.outputs!r})"
        object.__setattr__(self, "inputs", as_width(self.inputs, call))
        object.__setattr__(self, "outputs", as_width(self.outputs, call))

    def parameter(self, layer: int) -> sympy.MatrixSymbol:
        """Return the weight matrix W_layer."""
        return weight(layer, self.outputs, self.inputs)

    def matrix(self, parameter: Node) -> Node:
        """Return the parameter itself."""
        return parameter

    def project(self, matrix: Node) -> Node:
        """Return the matrix itself: a dense layer represents every matrix."""
        return matrix
