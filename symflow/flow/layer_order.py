"""A product of layers whose model lists its weights in another order.

Theorems about products speak of W_1, …, W_L, first layer first.  A model keeps the
order of its parameters; flows and starts are turned here, on their way to a theorem.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy

from symflow.flow.gradient_flow import GradientFlow
from symflow.inits import GivenInit, as_init
from symflow.networks import AbstractNetwork


def in_layer_order(parts: tuple[Any, ...], network: AbstractNetwork) -> tuple[Any, ...]:
    """Return what belongs to the weights of a model, first layer first.

    The `parts` are in the order of the model's parameters, one per weight; or one of
    several kinds each, as weights and then velocities.
    """
    if network.product is None:
        return parts
    symbols = network.parameters
    starts = range(0, len(parts), len(symbols))
    places = [symbols.index(s) for s in network.product.parameters]
    return tuple(parts[start + place] for start in starts for place in places)


def in_given_order(parts: tuple[Any, ...], network: AbstractNetwork) -> tuple[Any, ...]:
    """Return what belongs to the layers of a product in the order of the parameters.

    The `parts` have the first layer first.
    """
    if network.product is None:
        return parts
    layers = network.product.parameters
    return tuple(parts[layers.index(symbol)] for symbol in network.parameters)


def layered(flow: GradientFlow, init: Any = None) -> tuple[GradientFlow, Any]:
    """Return the flow of the network of layers, and the start that belongs to it.

    The start is a rule, or the weights in the order of the parameters; the flow of
    another model comes back as it is.
    """
    network = getattr(flow, "network", None)
    product = getattr(network, "product", None)
    if network is None or product is None:
        return flow, init
    loss: Any = flow.loss
    if isinstance(loss.l2, sympy.Tuple):
        decays = in_layer_order(flow.decays[: network.depth], network)
        loss = replace(loss, l2=sympy.Tuple(*decays))
    rates = flow.learning_rates and in_layer_order(flow.learning_rates, network)
    turned = replace(flow, network=product, loss=loss, learning_rates=rates)
    rule = None if init is None else as_init(init)
    if isinstance(rule, GivenInit) and not len(rule.weights) % network.depth:
        return turned, GivenInit(list(in_layer_order(rule.weights, network)))
    return turned, init
