"""The end-to-end matrix at the start, without a program."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from symflow.algebra.arrays import Array
from symflow.algebra.values import Values
from symflow.errors import InvalidArgument
from symflow.flow.problem import Problem
from symflow.networks import Dense, Network
from symflow.networks.layers import Layer


def start_matrix(problem: Problem) -> Array:
    """Return the end-to-end matrix at the start in float64, shape (m, d).

    The formula of a product of layers may write its widths, which then are integers.
    """
    network: Any = problem.flow.network
    if isinstance(network, Network):
        network = sized(problem)
    pairs = zip(network.parameters, problem.floats.weights, strict=True)
    return Values(dict(pairs)).of(network.end_to_end_node)


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
