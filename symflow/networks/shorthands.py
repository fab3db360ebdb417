"""Diagonal and convolutional networks, as products of layers with one output.

f(x) = ⟨β, x⟩ with β = w_1 ∘ … ∘ w_L for the diagonal network and the cyclic convolution
β = w_1 * … * w_L for the convolutional one.  The last layer reads its input with the
vector w_L itself, so that the end-to-end matrix is the row βᵀ (1×d).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symflow.algebra.numbers import whole
from symflow.algebra.widths import MOST_LAYERS
from symflow.errors import FLAG, InvalidArgument, expect, shown
from symflow.networks.groups import group_network
from symflow.networks.layers import Circulant, Diagonal, Readout
from symflow.networks.network import Network
from symflow.networks.parametrizations import SignedDiagonalNetwork
from symflow.networks.tensor import TensorNetwork


def DiagonalNetwork(
    d: Any, depth: int = 2, *, signed: bool = False
) -> Network | SignedDiagonalNetwork:
    """Return the diagonal linear network f(x) = ⟨w_1 ∘ … ∘ w_L, x⟩.

    Parameters
    ----------
    d : int, str or sympy.Symbol
        Number of inputs.
    depth : int
        Number L of weight vectors, each a column (d×1).
    signed : bool, keyword-only
        β = u_1∘…∘u_L − v_1∘…∘v_L instead, with the 2L weights (u_1, …, u_L, v_1, …,
        v_L).

    Returns
    -------
    Network or SignedDiagonalNetwork
        With one output; the end-to-end matrix is the row βᵀ.

    Raises
    ------
    InvalidArgument
        If the depth is not a positive integer.

    Examples
    --------
    >>> import symflow as sf
    >>> print(sf.gradient_flow(DiagonalNetwork("d", depth=2), sf.SquaredLoss()))
    ẇ₁ = w₂∘(Σ_yxᵀ − Σ_xx(w₁∘w₂))
    ẇ₂ = w₁∘(Σ_yxᵀ − Σ_xx(w₁∘w₂))
    >>> DiagonalNetwork(5, depth=3).widths
    (5, 5, 5, 1)
    """
    depth = whole(depth, "DiagonalNetwork(d, depth)", most=MOST_LAYERS)
    expect(signed, FLAG, "DiagonalNetwork(d, signed=…)", "True or False")
    if signed:
        return SignedDiagonalNetwork(d, int(depth))
    return Network(*(Diagonal(d) for _ in range(int(depth) - 1)), Readout(d))


def ConvolutionalNetwork(d: Any, filters: Sequence[Any]) -> Network | TensorNetwork:
    """Return the circular convolutional network f(x) = ⟨w_1 * … * w_L, x⟩.

    Parameters
    ----------
    d : int or tuple of int
        Number of inputs, on a circle; or the shape of inputs on a torus, of which every
        direction is a circle.
    filters : sequence of int, or of tuples of int
        Number of taps of every filter, from 1 to d, or its shape.

    Returns
    -------
    Network or TensorNetwork
        With one output, f(x) = Σ x_{(j_1+…+j_L) mod d} w_{1,j_1}⋯w_{L,j_L}.

    Raises
    ------
    InvalidArgument
        If there is no filter, or a filter is longer than the input.

    Examples
    --------
    >>> net = ConvolutionalNetwork(5, filters=(2, 3))
    >>> [w.shape for w in net.parameters], net.end_to_end.shape
    ([(2, 1), (3, 1)], (1, 5))
    >>> ConvolutionalNetwork((3, 4), filters=((2, 2), (3, 4)))
    TensorNetwork(12×4×12)
    """
    taps = list(filters) if isinstance(filters, (list, tuple)) else []
    if not taps:
        msg = (
            "ConvolutionalNetwork(d, filters): needs the sizes of the filters, for "
            f"example filters=(3, 3); got {shown(filters)}"
        )
        raise InvalidArgument(msg)
    if isinstance(d, (list, tuple)):
        return group_network(d, taps)
    inner = (Circulant(d, support=size) for size in taps[:-1])
    return Network(*inner, Readout(d, support=taps[-1]))
