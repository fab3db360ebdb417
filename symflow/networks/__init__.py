"""Networks: products of linear layers, and tensors of parameter vectors."""

from symflow.networks.combine import composed, parallel
from symflow.networks.decomposition import (
    OrthogonalDecomposition,
    orthogonal_decomposition,
)
from symflow.networks.layers import Circulant, Dense, Diagonal, Layer, Readout
from symflow.networks.model import MatrixModel, Model
from symflow.networks.network import AbstractNetwork, LinearNetwork, Network
from symflow.networks.parametrizations import (
    HadamardDifference,
    Parametrization,
    SignedDiagonalNetwork,
    SymmetricFactorization,
)
from symflow.networks.shorthands import ConvolutionalNetwork, DiagonalNetwork
from symflow.networks.tensor import TensorNetwork

__all__ = [
    "AbstractNetwork",
    "Circulant",
    "ConvolutionalNetwork",
    "Dense",
    "Diagonal",
    "DiagonalNetwork",
    "HadamardDifference",
    "Layer",
    "LinearNetwork",
    "MatrixModel",
    "Model",
    "Network",
    "OrthogonalDecomposition",
    "Parametrization",
    "Readout",
    "SignedDiagonalNetwork",
    "SymmetricFactorization",
    "TensorNetwork",
    "composed",
    "orthogonal_decomposition",
    "parallel",
]
