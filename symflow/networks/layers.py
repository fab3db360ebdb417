"""The layers of a product network: which matrices a layer can represent.

A layer embeds its parameters linearly as a matrix, and its `project` is the adjoint
of that embedding; this pair is all that the chain rule needs to know.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symflow.algebra import embeddings
from symflow.algebra.embeddings import circulant_sums, crop, diag, diagonal_of, pad
from symflow.algebra.nodes import Node, transpose
from symflow.algebra.symbols import weight
from symflow.algebra.widths import Width, as_width
from symflow.errors import InvalidArgument, shown


class Layer(ABC):
    """A linear layer: a linear family of matrices; what a reader's own derives from.

    Attributes
    ----------
    inputs, outputs : int or sympy.Symbol
        Sizes of what goes in and of what comes out.

    Examples
    --------
    >>> class Twice(Layer):
    ...     inputs = outputs = 2
    ...     def parameter(self, layer):
    ...         return sympy.MatrixSymbol(f"W{layer}", 2, 2)
    ...     def matrix(self, parameter):
    ...         return parameter + parameter
    ...     project = matrix  # the adjoint
    ...     def embedding(self):
    ...         return 2 * np.eye(4, dtype=int).reshape(2, 2, 4)
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.Network(Twice()), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[4, 0], [0, 2]]), [[[1, 0], [0, 1]]], [9])
    >>> run.end_to_end[-1].round(6).tolist()
    [[4.0, 0.0], [0.0, 2.0]]
    """

    inputs: Width
    outputs: Width

    @abstractmethod
    def parameter(self, layer: int) -> sympy.MatrixSymbol:
        """Return the symbol of the parameters of this number `layer`, from 1."""

    @abstractmethod
    def matrix(self, parameter: Node) -> Node:
        """Return the matrix (outputs × inputs) that a `parameter` stands for."""

    @abstractmethod
    def project(self, matrix: Node) -> Node:
        """Return the adjoint of the method `matrix`, applied to a full `matrix`."""

    @abstractmethod
    def embedding(self) -> NDArray[np.int64]:
        """Return the embedding as an array of shape (outputs, inputs, parameters).

        Raises
        ------
        InvalidArgument
            If a size is a symbol.
        """

    def _sizes(self) -> tuple[int, int]:
        """Return outputs and inputs as integers."""
        if not all(isinstance(size, int) for size in (self.outputs, self.inputs)):
            msg = f"{self!r}: needs integer sizes here"
            raise InvalidArgument(msg)
        return self.outputs, self.inputs


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
        call = f"Dense({shown(self.inputs)}, {shown(self.outputs)})"
        object.__setattr__(self, "inputs", as_width(self.inputs, call))
        object.__setattr__(self, "outputs", as_width(self.outputs, call))

    def parameter(self, layer: int) -> sympy.MatrixSymbol:
        """Return the weight matrix of this number `layer`."""
        return weight(layer, self.outputs, self.inputs)

    def matrix(self, parameter: Node) -> Node:
        """Return the parameter itself."""
        return parameter

    def project(self, matrix: Node) -> Node:
        """Return the matrix itself: a dense layer represents every matrix."""
        return matrix

    def embedding(self) -> NDArray[np.int64]:
        """Return the array that puts parameter number (i, j), row by row, at (i, j)."""
        rows, columns = self._sizes()
        return np.eye(rows * columns, dtype=np.int64).reshape(rows, columns, -1)


@dataclass(frozen=True)
class Diagonal(Layer):
    """A layer that multiplies every coordinate by a number of its own.

    Its parameters are one column (d×1), so that a one-dimensional array of weights
    can be given as it is.

    Parameters
    ----------
    inputs : int, str or sympy.Symbol
        Number of coordinates, of the output too.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.Network(Diagonal(3), sf.Dense(3, 1)).end_to_end
    HadamardProduct(w1.T, W2)
    """

    inputs: Width

    def __post_init__(self) -> None:
        width = as_width(self.inputs, f"Diagonal({shown(self.inputs)})")
        object.__setattr__(self, "inputs", width)

    @property
    def outputs(self) -> Width:
        """The number of coordinates."""
        return self.inputs

    def parameter(self, layer: int) -> sympy.MatrixSymbol:
        """Return the column w_layer."""
        return sympy.MatrixSymbol(f"w{layer}", self.inputs, 1)

    def matrix(self, parameter: Node) -> Node:
        """Return diag(w)."""
        return diag(parameter)

    def project(self, matrix: Node) -> Node:
        """Return the diagonal."""
        return diagonal_of(matrix)

    def embedding(self) -> NDArray[np.int64]:
        """Return the array with 1 at (i, i, i)."""
        size, _ = self._sizes()
        cube = np.zeros((size, size, size), dtype=np.int64)
        cube[(np.arange(size),) * 3] = 1
        return cube


class Tapped(Layer):
    """A layer whose parameters are a column w that may be shorter than the input."""

    inputs: Width
    support: int | None

    def __post_init__(self) -> None:
        given = f"{shown(self.inputs)}, support={shown(self.support)}"
        call = f"{type(self).__name__}({given})"
        object.__setattr__(self, "inputs", as_width(self.inputs, call))
        object.__setattr__(self, "support", as_support(self.support, self.inputs, call))

    @property
    def taps(self) -> Width:
        """The number of parameters."""
        return self.inputs if self.support is None else self.support

    def parameter(self, layer: int) -> sympy.MatrixSymbol:
        """Return the column w_layer."""
        return sympy.MatrixSymbol(f"w{layer}", self.taps, 1)


@dataclass(frozen=True)
class Circulant(Tapped):
    """A circular convolution, (C(w)x)_i = Σ_j w_j x_{(i+j) mod d}.

    Parameters
    ----------
    inputs : int, str or sympy.Symbol
        Number d of coordinates; an integer where the support is smaller.
    support : int, optional
        Number of taps of the filter w; d without it.

    Raises
    ------
    InvalidArgument
        If the support is not between 1 and d.

    Examples
    --------
    >>> Circulant(5, support=2).parameter(1).shape
    (2, 1)
    """

    inputs: Width
    support: int | None = None

    @property
    def outputs(self) -> Width:
        """The number of coordinates."""
        return self.inputs

    def matrix(self, parameter: Node) -> Node:
        """Return the circulant matrix whose first row is wᵀ, continued by zeros."""
        return embeddings.CirculantNode(parameter, self.inputs)

    def project(self, matrix: Node) -> Node:
        """Return the sums over the first cyclic diagonals."""
        return circulant_sums(matrix, self.taps)

    def embedding(self) -> NDArray[np.int64]:
        """Return the array with 1 at (i, (i + j) mod d, j)."""
        size, _ = self._sizes()
        rows, taps = np.indices((size, int(self.taps)))
        cube = np.zeros((size, size, int(self.taps)), dtype=np.int64)
        cube[rows, (rows + taps) % size, taps] = 1
        return cube


@dataclass(frozen=True)
class Readout(Tapped):
    """A layer with one output, x ↦ wᵀx, whose parameters are a column.

    It is `Dense(d, 1)` in the shape of the parameters of `Diagonal` and `Circulant`,
    and closes the networks made of these.

    Parameters
    ----------
    inputs : int, str or sympy.Symbol
        Number d of coordinates; an integer where the support is smaller.
    support : int, optional
        How many coordinates are read, the first ones; all without it.

    Raises
    ------
    InvalidArgument
        If the support is not between 1 and d.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.Network(Diagonal("d"), Readout("d")).end_to_end
    HadamardProduct(w1.T, w2.T)
    """

    inputs: Width
    support: int | None = None

    @property
    def outputs(self) -> Width:
        """One."""
        return 1

    def matrix(self, parameter: Node) -> Node:
        """Return the row wᵀ, continued by zeros."""
        return transpose(pad(parameter, self.inputs))

    def project(self, matrix: Node) -> Node:
        """Return the first entries of the row, as a column."""
        return crop(transpose(matrix), self.taps)

    def embedding(self) -> NDArray[np.int64]:
        """Return the array with 1 at (0, j, j)."""
        _, inputs = self._sizes()
        return np.eye(inputs, int(self.taps), dtype=np.int64)[None]


def as_support(support: Any, inputs: Width, call: str) -> int | None:
    """Return the support of a filter, None where it is all of the input.

    Raises InvalidArgument if it is not between 1 and the number of inputs.
    """
    if support is None:
        return None
    span = isinstance(support, np.timedelta64)  # an integer to NumPy
    number = isinstance(support, Integral) and isinstance(inputs, int) and not span
    if not number or not 1 <= support <= inputs:
        msg = (
            f"{call}: the support has to be an integer from 1 to the number of "
            f"coordinates, an integer too; got {shown(support)} of {inputs!r}"
        )
        raise InvalidArgument(msg)
    return None if support == inputs else int(support)
