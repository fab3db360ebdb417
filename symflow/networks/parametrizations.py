"""Models W(θ) that are no product of layers, with the general chain rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import sympy

from symflow.algebra.calculus import pull_back
from symflow.algebra.elementwise import hadamard
from symflow.algebra.nodes import Leaf, Node, product, scale, subtract, transpose
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import Width, as_width
from symflow.errors import shown
from symflow.networks.network import AbstractNetwork, repr_width


class Parametrization(AbstractNetwork):
    """A model that is given by its end-to-end matrix as a polynomial in parameters."""

    def pull_back(self, force: Node) -> tuple[Node, ...]:
        pulled = pull_back(self.end_to_end_node, force, self.parameters)
        return tuple(
            scale(0, Leaf(symbol)) if node is None else node
            for node, symbol in zip(pulled, self.parameters, strict=True)
        )


def _columns(names: Sequence[str], size: Width) -> tuple[sympy.MatrixSymbol, ...]:
    return tuple(sympy.MatrixSymbol(name, size, 1) for name in names)


@dataclass(frozen=True)
class SignedDiagonalNetwork(Parametrization):
    """The model f(x) = ⟨β, x⟩ with β = u_1∘…∘u_L − v_1∘…∘v_L.

    Made by ``DiagonalNetwork(d, depth, signed=True)``; parameters are the columns
    (u_1, …, u_L, v_1, …, v_L).
    """

    inputs: Width  #: Number of inputs.
    layers: int  #: Number L of factors.

    def __post_init__(self) -> None:
        call = f"DiagonalNetwork({shown(self.inputs)}, signed=True)"
        object.__setattr__(self, "inputs", as_width(self.inputs, call))

    @property
    def widths(self) -> tuple[Width, ...]:
        """The number of inputs, and one output."""
        return self.inputs, 1

    @cached_property
    def parameters(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The columns u_1, …, u_L, v_1, …, v_L."""
        numbers = range(1, self.layers + 1)
        return _columns([f"{s}{n}" for s in "uv" for n in numbers], self.inputs)

    @cached_property
    def end_to_end_node(self) -> Node:
        """The row βᵀ."""
        leaves: list[Node] = [Leaf(symbol) for symbol in self.parameters]
        plus = reduce(hadamard, leaves[: self.layers])
        return transpose(subtract(plus, reduce(hadamard, leaves[self.layers :])))

    def __repr__(self) -> str:
        width = repr_width(self.inputs)
        return f"DiagonalNetwork({width}, depth={self.layers}, signed=True)"


@dataclass(frozen=True)
class HadamardDifference(Parametrization):
    """The model f(x) = ⟨β, x⟩ with β = u∘u − v∘v.

    Parameters
    ----------
    inputs : int, str or sympy.Symbol
        Number of inputs.

    Examples
    --------
    >>> import symflow as sf
    >>> print(sf.gradient_flow(HadamardDifference("d"), sf.SquaredLoss()))
    u̇ = 2·((Σ_yxᵀ − Σ_xx(u∘u − (v∘v)))∘u)
    v̇ = −2·((Σ_yxᵀ − Σ_xx(u∘u − (v∘v)))∘v)
    """

    inputs: Width

    def __post_init__(self) -> None:
        width = as_width(self.inputs, f"HadamardDifference({shown(self.inputs)})")
        object.__setattr__(self, "inputs", width)

    @property
    def widths(self) -> tuple[Width, ...]:
        """The number of inputs, and one output."""
        return self.inputs, 1

    @cached_property
    def parameters(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The columns u and v."""
        return _columns(("u", "v"), self.inputs)

    @cached_property
    def end_to_end_node(self) -> Node:
        """The row βᵀ."""
        u, v = (Leaf(symbol) for symbol in self.parameters)
        return transpose(subtract(hadamard(u, u), hadamard(v, v)))

    def __repr__(self) -> str:
        return f"HadamardDifference({repr_width(self.inputs)})"


@dataclass(frozen=True)
class SymmetricFactorization(Parametrization):
    """The model f(x) = UUᵀx, the tied linear autoencoder.

    Parameters
    ----------
    inputs : int, str or sympy.Symbol
        Number of inputs and of outputs.
    rank : int, str or sympy.Symbol
        Columns of U.

    Examples
    --------
    >>> SymmetricFactorization("d", "h").end_to_end
    U*U.T
    >>> SymmetricFactorization(5, 2).end_to_end.shape
    (5, 5)
    """

    inputs: Width
    rank: Width

    def __post_init__(self) -> None:
        call = f"SymmetricFactorization({shown(self.inputs)}, {shown(self.rank)})"
        object.__setattr__(self, "inputs", as_width(self.inputs, call))
        object.__setattr__(self, "rank", as_width(self.rank, call))

    @property
    def widths(self) -> tuple[Width, ...]:
        """Inputs, columns of U, outputs."""
        return self.inputs, self.rank, self.inputs

    @cached_property
    def parameters(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The matrix U."""
        return (sympy.MatrixSymbol("U", self.inputs, self.rank),)

    @cached_property
    def end_to_end_node(self) -> Node:
        """The matrix UUᵀ."""
        factor = Leaf(self.parameters[0])
        return product(factor, transpose(factor))

    def __repr__(self) -> str:
        widths = f"{repr_width(self.inputs)}, {repr_width(self.rank)}"
        return f"SymmetricFactorization({widths})"
