"""Product networks f(x) = W_L ⋯ W_1 x and their chain rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symflow.algebra.display import Sheet
from symflow.algebra.nodes import Leaf, Node, product, transpose
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import Width, check_depth
from symflow.errors import InvalidArgument, ShapeMismatch, expect, shown
from symflow.networks.layers import Circulant, Dense, Diagonal, Layer, Readout

#: What + and @ do, told by `networks/combine.py`, which knows all kinds of models.
COMBINATIONS: dict[str, Callable[[Any, Any], Any]] = {}


class AbstractNetwork(ABC):
    """A model f(x) = W(θ) x that is polynomial in its parameters θ."""

    @property
    @abstractmethod
    def widths(self) -> tuple[Width, ...]:
        """Sizes from the input to the output."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The symbols of the parameters, first layer first."""

    @property
    @abstractmethod
    def end_to_end_node(self) -> Node:
        """The matrix W(θ) as a node."""

    @abstractmethod
    def pull_back(self, force: Node) -> tuple[Node, ...]:
        """Return the adjoint of dW/dθ applied to `force`, one node per parameter."""

    @property
    def depth(self) -> int:
        """Number of weight layers."""
        return len(self.parameters)

    @property
    def is_dense(self) -> bool:
        """Whether the model is a product of full matrices."""
        return False

    @property
    def constants(self) -> dict[sympy.MatrixSymbol, sympy.ImmutableDenseMatrix]:
        """The matrices of numbers that formulas call by a symbol."""
        return {}

    @property
    def unknown(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The matrices that are neither parameters nor numbers."""
        return ()

    @property
    def product(self) -> Network | None:
        """The product of layers that this is with its weights in another order."""
        return None

    @property
    def scalars(self) -> tuple[sympy.Symbol, ...]:
        """The coefficients that are still without a value."""
        return ()

    @property
    def end_to_end(self) -> sympy.MatrixExpr:
        """The end-to-end matrix as a SymPy expression."""
        return to_sympy(self.end_to_end_node)

    def __add__(self, other: AbstractNetwork) -> AbstractNetwork:
        """Return both models in parallel; names that clash are made new."""
        combined: AbstractNetwork = COMBINATIONS["+"](self, other)
        return combined

    def __matmul__(self, other: AbstractNetwork) -> AbstractNetwork:
        """Return the model that applies `other` first; names that clash are new."""
        combined: AbstractNetwork = COMBINATIONS["@"](self, other)
        return combined

    def _repr_markdown_(self) -> str:
        total = sympy.MatrixSymbol("W", *self.end_to_end.shape)
        shapes = [(inline(p), "×".join(map(str, p.shape))) for p in self.parameters]
        return Sheet(
            repr(self),
            formulas=(sympy.Eq(total, self.end_to_end, evaluate=False),),
            rows=tuple(shapes),
            header=("parameters", "shape"),
            whole=".end_to_end",
        ).markdown()


@dataclass(frozen=True, init=False)
class Network(AbstractNetwork):
    """A product of layers, f(x) = W_L ⋯ W_1 x.

    Parameters
    ----------
    *layers : Layer
        First the layer that meets the input.
    names : tuple of str, keyword-only
        Names of the parameters, one per layer; W1, W2, … without.

    Raises
    ------
    ShapeMismatch
        If the output of a layer is not the input of the next.

    Examples
    --------
    >>> net = Network(Dense(10, 5), Dense(5, 1))
    >>> net.end_to_end, net.widths
    (W2*W1, (10, 5, 1))
    """

    layers: tuple[Layer, ...]
    names: tuple[str, ...] = ()

    def __init__(self, *layers: Layer, names: tuple[str, ...] = ()) -> None:
        _check_layers(layers)
        expect(names, list | tuple, "Network(…, names=…)", "a list of names")
        if len(names) not in (0, len(layers)):
            got = shown(names)
            msg = f"Network(…, names={got}): needs a name for each layer, or none"
            raise InvalidArgument(msg)
        object.__setattr__(self, "layers", layers)
        usual = tuple(symbol.name for symbol in self._symbols)
        object.__setattr__(self, "names", () if names == usual else names)

    @property
    def widths(self) -> tuple[Width, ...]:
        return (self.layers[0].inputs, *(layer.outputs for layer in self.layers))

    @cached_property
    def parameters(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The weight symbols, W1, …, WL unless they have other names."""
        if not self.names:
            return self._symbols
        pairs = zip(self.names, self._symbols, strict=True)
        return tuple(sympy.MatrixSymbol(name, *s.shape) for name, s in pairs)

    @property
    def _symbols(self) -> tuple[sympy.MatrixSymbol, ...]:
        layers = enumerate(self.layers, start=1)
        return tuple(layer.parameter(number) for number, layer in layers)

    @cached_property
    def matrices(self) -> tuple[Node, ...]:
        """The matrix of every layer, as nodes."""
        return tuple(
            layer.matrix(Leaf(parameter))
            for layer, parameter in zip(self.layers, self.parameters, strict=True)
        )

    @cached_property
    def prefixes(self) -> tuple[Node, ...]:
        """The partial products W_1, W_2W_1, …, W_L⋯W_1, each using the one before."""
        return tuple(accumulate(self.matrices, lambda done, nxt: product(nxt, done)))

    @property
    def end_to_end_node(self) -> Node:
        return self.prefixes[-1]

    @property
    def is_dense(self) -> bool:
        """Whether every layer is a full matrix."""
        return all(isinstance(layer, Dense) for layer in self.layers)

    def pull_back(self, force: Node) -> tuple[Node, ...]:
        """Return Π_l[(W_L⋯W_{l+1})ᵀ F (W_{l−1}⋯W_1)ᵀ] for every layer l.

        Π_l is the projection onto what layer l can represent.  The left factors are
        applied one after the other from the output down, and the right ones are the
        prefixes of the forward product, so that the nodes are those of
        backpropagation: each matrix product occurs once.

        Parameters
        ----------
        force : Node
            F, of the shape of the end-to-end matrix.
        """
        directions: list[Node] = []
        incoming = force
        for number in reversed(range(self.depth)):
            before = self.prefixes[number - 1] if number else None
            full = incoming if before is None else product(incoming, transpose(before))
            directions.append(self.layers[number].project(full))
            if number:
                incoming = product(transpose(self.matrices[number]), incoming)
        return tuple(reversed(directions))

    def as_tensor(self) -> NDArray[np.int64]:
        """Return the tensor M of f(x) = M(x) ∘ (w_1, …, w_L), for one output.

        Returns
        -------
        ndarray, shape (d, k_1, …, k_L)
            k_l is the number of parameters of layer l; those of a dense layer count
            row by row.

        Raises
        ------
        InvalidArgument
            If there are several outputs, or a width is a symbol.

        Examples
        --------
        >>> import symflow as sf
        >>> sf.DiagonalNetwork(2, depth=2).as_tensor().tolist()
        [[[1, 0], [0, 0]], [[0, 0], [0, 1]]]
        """
        if self.widths[-1] != 1:
            msg = (
                f"{self!r}.as_tensor(): needs a single output; got {self.widths[-1]}. "
                "Take the tensor of each output alone"
            )
            raise InvalidArgument(msg)
        tensor = np.moveaxis(self.layers[0].embedding(), 0, -1)
        for layer in self.layers[1:]:
            tensor = np.tensordot(tensor, layer.embedding(), axes=(-1, 1))
            tensor = np.moveaxis(tensor, -2, -1)
        return tensor[..., 0]

    def __repr__(self) -> str:
        if self.names:
            return f"Model({self.end_to_end}, parameters={self.parameters})"
        name = _shorthand(self.layers)
        if name is not None:
            return name
        if self.is_dense:
            return f"LinearNetwork({', '.join(repr_width(w) for w in self.widths)})"
        return f"Network({', '.join(repr(layer) for layer in self.layers)})"


def LinearNetwork(*widths: Any) -> Network:
    """Return the fully-connected network with these widths, input to output.

    Parameters
    ----------
    *widths : int, str or sympy.Symbol
        At least two, or a list of them; a name stands for an arbitrary positive
        integer.

    Returns
    -------
    Network
        A product of `Dense` layers.

    Raises
    ------
    InvalidArgument
        If there are fewer than two widths, or one is not positive.

    Examples
    --------
    >>> LinearNetwork("d", "h", "m").end_to_end, LinearNetwork([3, 2, 1])
    (W2*W1, LinearNetwork(3, 2, 1))
    """
    if len(widths) == 1 and isinstance(widths[0], (list, tuple)):
        widths = tuple(widths[0])
    if len(widths) < 2:
        msg = (
            "LinearNetwork(*widths): needs at least an input and an output width; got "
            f"{len(widths)}. Give for example LinearNetwork(10, 5, 1)"
        )
        raise InvalidArgument(msg)
    return Network(*(Dense(inputs, outputs) for inputs, outputs in pairwise(widths)))


def repr_width(width: Width) -> str:
    """Return a width as it would be typed."""
    return repr(width) if isinstance(width, int) else repr(width.name)


def _shorthand(layers: tuple[Layer, ...]) -> str | None:
    """Return a diagonal or convolutional network as one types it, None for others."""
    *inner, last = layers
    if not isinstance(last, Readout):
        return None
    width = repr_width(last.inputs)
    if last.support is None and all(isinstance(layer, Diagonal) for layer in inner):
        return f"DiagonalNetwork({width}, depth={len(layers)})"
    if inner and all(isinstance(layer, Circulant) for layer in inner):
        taps = [
            layer.taps for layer in layers if isinstance(layer, Circulant | Readout)
        ]
        return f"ConvolutionalNetwork({width}, filters={tuple(taps)})"
    return None


def _check_layers(layers: tuple[Layer, ...]) -> None:
    if not layers:
        msg = "Network(*layers): needs at least one layer"
        raise InvalidArgument(msg)
    check_depth(len(layers), "Network(*layers)")
    for number, layer in enumerate(layers, start=1):
        if not isinstance(layer, Layer):
            msg = f"Network(*layers): layer {number} is not a Layer but {shown(layer)}"
            raise InvalidArgument(msg)
    for number, (first, second) in enumerate(pairwise(layers), start=1):
        if first.outputs != second.inputs:
            msg = (
                f"Network(*layers): layer {number} has {first.outputs} outputs, but "
                f"layer {number + 1} takes {second.inputs} inputs"
            )
            raise ShapeMismatch(msg)
