"""Networks: products of linear layers."""

from symflow.networks.layers import Dense, Layer
from symflow.networks.network import AbstractNetwork, LinearNetwork, Network

__all__ = [
    "AbstractNetwork",
    "Dense",
    "Layer",
    "LinearNetwork",
    "Network",
]
