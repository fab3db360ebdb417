"""The end-to-end matrix at the start, without a program."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.errors import InvalidArgument
from symflow.flow.problem import Problem
from symflow.networks import (
    Dense,
    Diagonal,
    HadamardDifference,
    Network,
    SignedDiagonalNetwork,
    TensorNetwork,
)
from symflow.networks.layers import Layer


def start_matrix(problem: Problem) -> Array:
    """Return the end-to-end matrix at the start in float64, shape (m, d).

    It is that of a product of layers, a tensor network, or a difference of diagonal
    ones.  Raises InvalidArgument if the network is another one.
    """
    network, weights = problem.flow.network, problem.floats.weights
    if isinstance(network, SignedDiagonalNetwork | HadamardDifference):
        halves = np.split(np.stack(weights), 2)
        power = 2 if isinstance(network, HadamardDifference) else 1
        first, second = (np.prod(half, axis=0) ** power for half in halves)
        return np.asarray(first - second).T
    if isinstance(network, TensorNetwork):
        tensor = to_float_array(network.as_tensor())
        row = reduce(
            lambda part, v: np.tensordot(part, v[:, 0], (1, 0)), weights, tensor
        )
        return np.asarray(row)[None]
    total = None
    for layer, weight in zip(sized(problem).layers, weights, strict=True):
        matrix = _matrix(layer, weight)
        total = matrix if total is None else matrix @ total
    assert total is not None
    return total


def sized(problem: Problem) -> Network:
    """Return the network of a problem with integers for its symbolic widths.

    Raises InvalidArgument if it is not a product of layers.
    """
    network = problem.flow.network
    if not isinstance(network, Network):
        msg = f"start: needs a product of layers or a tensor network; got {network!r}"
        raise InvalidArgument(msg)
    layers: list[Layer] = []
    ends = pairwise(problem.widths)
    for layer, (inputs, outputs) in zip(network.layers, ends, strict=True):
        if isinstance(layer, Dense):
            layers.append(Dense(inputs, outputs))
        else:
            layers.append(replace(layer, inputs=inputs))  # type: ignore[type-var]
    return Network(*layers)


def _matrix(layer: Any, weight: Array) -> Array:
    if isinstance(layer, Dense):
        return weight
    if isinstance(layer, Diagonal):
        return np.diagflat(weight)
    embedded: Array = layer.embedding() @ weight[:, 0]
    return embedded
