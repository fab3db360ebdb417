"""Smaller networks whose Lie algebra says what that of a wide network is.

**Wide hidden layers.**  Between two dense layers a×h and h×b stack Q = [W_l  W_{l+1}ᵀ],
with h rows and k = a + b columns.  Every gradient field moves Q to Q·A for some matrix
A, and the rotations Q ↦ RQ, R in O(h), map the set of fields to itself.  If h > k, a
rotation brings Q to k rows above zeros, where the fields and all their brackets keep
the zeros: they are those of the network with width k, and so is the dimension of the
algebra.  The laws gain as much as the parameters do: at such a point the imbalance has
an off-diagonal block with derivative Q₀ᵀJ δQ₁, J = diag(−1_a, 1_b), injective in the
k(h − k) new parameters δQ₁, on which no other law depends to first order.

**Wide inputs.**  Let the first layer be dense, with h outputs and d > h + 1 inputs.  A
rotation of the inputs brings W_1 to [W_0  0], W_0 of shape h×h, where no law depends on
the further columns to first order.  Let all laws of the network with h + 1 inputs be
known.  Then the brackets with forces in h + 1 columns reach every direction in W_0 and
the other layers that the laws allow, and every direction in column h + 1; but each of
the further columns is like that one.  So all laws are known for d inputs too.

A network has the same algebra when it is transposed, so that this holds of wide outputs
too, and a chain of dense layers may be read backwards.
"""

from __future__ import annotations

from itertools import pairwise

from symflow.networks import AbstractNetwork, Dense, Layer, LinearNetwork, Network


def with_narrow_hidden_layers(network: AbstractNetwork) -> AbstractNetwork:
    """Return the network with the same algebra whose hidden layers are narrowest."""
    if not isinstance(network, Network):
        return network
    layers: list[Layer] = [*network.layers]
    while (place := _wide(layers)) is not None:
        first, second = layers[place : place + 2]
        width = int(first.inputs) + int(second.outputs)
        layers[place] = Dense(first.inputs, width)
        layers[place + 1] = Dense(width, second.outputs)
    return _oriented(layers)


def with_narrow_ends(network: AbstractNetwork) -> AbstractNetwork:
    """Return a network with fewer inputs and outputs, enough to settle completeness."""
    if not isinstance(network, Network):
        return network
    layers: list[Layer] = [*network.layers]
    if isinstance(first := layers[0], Dense):
        inputs = min(int(first.inputs), int(first.outputs) + 1)
        layers[0] = Dense(inputs, first.outputs)
    if isinstance(last := layers[-1], Dense):
        outputs = min(int(last.outputs), int(last.inputs) + 1)
        layers[-1] = Dense(last.inputs, outputs)
    return _oriented(layers)


def _wide(layers: list[Layer]) -> int | None:
    """Return the first of two dense layers with more units between than around."""
    for place, (first, second) in enumerate(pairwise(layers)):
        dense = isinstance(first, Dense) and isinstance(second, Dense)
        if dense and int(first.outputs) > int(first.inputs) + int(second.outputs):
            return place
    return None


def _oriented(layers: list[Layer]) -> Network:
    """Return the network of the layers, a dense chain in the order that sorts first."""
    if not all(isinstance(layer, Dense) for layer in layers):
        return Network(*layers)
    widths = [int(layers[0].inputs), *(int(layer.outputs) for layer in layers)]
    return LinearNetwork(*min(widths, widths[::-1]))
