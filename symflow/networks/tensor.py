"""Linear tensor networks f(x) = M(x) ∘ (v_1, …, v_L), M(x) a tensor linear in x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.nodes import Leaf, Node, transpose
from symflow.algebra.numbers import exact
from symflow.algebra.tensors import Contraction
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import Width
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.networks.parametrizations import Parametrization


@dataclass(frozen=True, init=False, repr=False)
class TensorNetwork(Parametrization):
    """The model f(x) = Σ x_i M_{i j_1 … j_L} v_{1,j_1} ⋯ v_{L,j_L}.

    Parameters
    ----------
    M : array_like or SymPy array, shape (d, k_1, …, k_L)
        Real numbers; a float is the rational that it is.

    Raises
    ------
    ShapeMismatch
        If M has fewer than two dimensions or no entries.
    InvalidArgument
        If an entry is not a real number.

    Examples
    --------
    >>> import symflow as sf
    >>> net = TensorNetwork(sf.DiagonalNetwork(2, depth=2).as_tensor())
    >>> net, [v.shape for v in net.parameters]
    (TensorNetwork(2×2×2), [(2, 1), (2, 1)])
    """

    tensor: sympy.ImmutableDenseNDimArray

    def __init__(self, M: Any) -> None:
        try:
            entries = np.array(M.tolist() if isinstance(M, sympy.NDimArray) else M)
        except (ValueError, MemoryError) as problem:
            why = str(problem) or "too many entries"
            msg = f"TensorNetwork(M): needs an array; {why}"
            raise ShapeMismatch(msg) from None
        if entries.ndim < 2 or entries.size == 0:
            msg = (
                "TensorNetwork(M): needs an array of shape (d, k_1, …, k_L); got one "
                f"of shape {entries.shape}"
            )
            raise ShapeMismatch(msg)
        if np.iscomplexobj(entries):
            msg = "TensorNetwork(M): needs real numbers; got complex ones"
            raise InvalidArgument(msg)
        exact_entries = [exact(entry) for entry in entries.ravel().tolist()]
        tensor = sympy.ImmutableDenseNDimArray(exact_entries, entries.shape)
        object.__setattr__(self, "tensor", tensor)

    @property
    def widths(self) -> tuple[Width, ...]:
        """The number of inputs, and one output."""
        return int(self.tensor.shape[0]), 1

    @cached_property
    def parameters(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The columns v_1, …, v_L."""
        return tuple(
            sympy.MatrixSymbol(f"v{number}", int(size), 1)
            for number, size in enumerate(self.tensor.shape[1:], start=1)
        )

    @cached_property
    def end_to_end_node(self) -> Node:
        """The row βᵀ, β_i = M_i ∘ (v_1, …, v_L)."""
        columns = tuple(Leaf(symbol) for symbol in self.parameters)
        return transpose(Contraction(self.tensor, 0, columns))

    def as_tensor(self) -> Array:
        """Return M as an array of exact numbers."""
        entries = np.array(self.tensor.tolist(), dtype=object)
        return entries.reshape(self.tensor.shape)

    def __repr__(self) -> str:
        return f"TensorNetwork({'×'.join(map(str, self.tensor.shape))})"
