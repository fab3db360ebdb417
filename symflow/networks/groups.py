"""Convolutions over a finite abelian group, a product Z_m × Z_n × … of cyclic ones.

β = w_1 * … * w_L has β_g = Σ w_{1,g_1}⋯w_{L,g_L} over all g_1 + … + g_L = g.  The
characters χ_k(g) = exp(−2πi Σ k_a g_a/n_a) make products of it, β̂(k) = Π_l ŵ_l(k), and
are the rows of `waves`.  Elements are those of an array of shape (m, n, …), in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import whole
from symflow.errors import InvalidArgument, shown
from symflow.networks.layers import Circulant, Readout
from symflow.networks.network import Network
from symflow.networks.tensor import TensorNetwork

#: Entries of a tensor that is written out, its factors, and the circles of a torus:
#: arrays of NumPy have no more than 64 axes.
MOST_ENTRIES, MOST_FILTERS, MOST_CIRCLES = 100_000, 32, 8

Group = tuple[int, ...]


def group_network(group: Any, filters: Any) -> TensorNetwork:
    """Return the convolution over a group; made by `ConvolutionalNetwork`.

    `group` and every filter are shapes of as many dimensions.
    """
    call = f"ConvolutionalNetwork({shown(group)}, filters)"
    sizes = tuple(int(whole(n, call)) for n in group)
    shapes = (k if isinstance(k, (list, tuple)) else (k,) for k in filters)
    taps = [tuple(int(whole(size, call)) for size in shape) for shape in shapes]
    fits = 0 < len(sizes) <= MOST_CIRCLES and 0 < len(taps) <= MOST_FILTERS
    fits = fits and all(len(k) == len(sizes) for k in taps)
    fits = fits and all(0 < a <= n for k in taps for a, n in zip(k, sizes, strict=True))
    entries = prod(sizes) * prod(prod(k) for k in taps) if fits else 0
    if not 0 < entries <= MOST_ENTRIES:
        msg = (
            f"{call}: needs up to {MOST_FILTERS} shapes of filters that fit into the "
            f"one of the input, of up to {MOST_CIRCLES} numbers, for example ((3, 3), "
            f"(3, 3)), and {MOST_ENTRIES} entries d·k_1⋯k_L at most; got "
            f"{shown(filters)}"
        )
        raise InvalidArgument(msg)
    return TensorNetwork(_tensor(sizes, taps))


def _tensor(group: Group, filters: Any) -> Array:
    """Return M with 1 where the sum of the taps is the input."""
    tensor = np.zeros((prod(group), *map(prod, filters)), dtype=int)
    places = [list(np.ndindex(*taps)) for taps in filters]
    for numbers in product(*(range(len(found)) for found in places)):
        taps = [found[k] for found, k in zip(places, numbers, strict=True)]
        total = np.sum(taps, axis=0) % group
        tensor[(int(np.ravel_multi_index(tuple(total), group)), *numbers)] = 1
    return tensor


@lru_cache(maxsize=32)
def abelian_group(network: Any) -> Group | None:
    """Return the group of a network of full filters; None for any other network."""
    if isinstance(network, Network):
        *inner, last = network.layers
        full = isinstance(last, Readout) and len(inner) > 0
        full = full and all(isinstance(layer, Circulant) for layer in inner)
        full = full and all(getattr(w, "support", 0) is None for w in network.layers)
        return (network.widths[0],) if full else None
    if not isinstance(network, TensorNetwork) or len({*network.tensor.shape}) > 1:
        return None
    if prod(network.tensor.shape) > MOST_ENTRIES:
        return None
    tensor = network.as_tensor()
    for group in _shapes(len(tensor)):
        if np.array_equal(tensor, _tensor(group, [group] * (tensor.ndim - 1))):
            return group
    return None


def _shapes(size: int) -> Iterator[Group]:
    """Yield the shapes of so many entries, in all orders of factors."""
    yield (size,)
    for first in range(2, size):
        if size % first == 0:
            yield from ((first, *rest) for rest in _shapes(size // first))


def inverses(group: Group) -> Array:
    """Return the number of −g for every g."""
    places = np.indices(group).reshape(len(group), -1)
    turned = -places % np.array(group)[:, None]
    return np.asarray(np.ravel_multi_index(tuple(turned), group))
