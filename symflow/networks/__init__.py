"""Networks: products of linear layers, and tensors of parameter vectors."""

from symflow.networks.combine import composed as composed, parallel as parallel
from symflow.networks.decomposition import (
    OrthogonalDecomposition as OrthogonalDecomposition,
    orthogonal_decomposition as orthogonal_decomposition,
)
from symflow.networks.layers import (
    Circulant as Circulant,
    Dense as Dense,
    Diagonal as Diagonal,
    Layer as Layer,
    Readout as Readout,
)
from symflow.networks.model import MatrixModel as MatrixModel, Model as Model
from symflow.networks.network import (
    AbstractNetwork as AbstractNetwork,
    LinearNetwork as LinearNetwork,
    Network as Network,
)
from symflow.networks.parametrizations import (
    HadamardDifference as HadamardDifference,
    Parametrization as Parametrization,
    SignedDiagonalNetwork as SignedDiagonalNetwork,
    SymmetricFactorization as SymmetricFactorization,
)
from symflow.networks.shorthands import (
    ConvolutionalNetwork as ConvolutionalNetwork,
    DiagonalNetwork as DiagonalNetwork,
)
from symflow.networks.tensor import TensorNetwork as TensorNetwork
