"""What is conserved in addition, for given inputs: what they do not span.

The force F = −∂ℓ/∂W of a loss of the predictions W Xᵀ combines rows of inputs, so
that F Nᵀ = 0 for the rows of N that are orthogonal to all of them.  Hence, whatever the
labels:

* after a dense first layer, Ẇ_1 Nᵀ = (W_L⋯W_2)ᵀ F Nᵀ = 0: the block W_1Nᵀ is frozen;
* in a tensor network, the inputs make tensors X·M; what these do not reach is frozen;
* in a diagonal network, a coordinate that is zero in every input never moves;
* w_1 + w_2 of the diagonal network w_1∘w_2, u of β = u∘u − v∘v, and u_1 + u_2 of the
  signed network have ṡ = c Fᵀ∘s, so that N log|s| is constant: where two inputs are
  proportional, a power of one coordinate over another.

A number that is given as a float is the rational that it is: the null space of inputs
with fewer samples than coordinates is found exactly, one that is hidden by rounding is
not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.calculus import push_forward
from symflow.algebra.elementwise import elementwise, hadamard
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Leaf, Node, add, product, scale, subtract, transpose
from symflow.algebra.tensors import Constant
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis, Reference
from symflow.claims.bibliography import MARCOTTE_2023
from symflow.conservation.law import Law
from symflow.conservation.null_space import null_space, row_space
from symflow.conservation.proof import ProofStep, entrywise_step
from symflow.conservation.tensor import (
    applied,
    as_fractions,
    as_matrix,
    frozen_components,
    rational,
)
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.flow import GradientFlow
from symflow.losses import CustomLoss
from symflow.networks import (
    AbstractNetwork,
    Dense,
    Diagonal,
    HadamardDifference,
    Network,
    Readout,
    SignedDiagonalNetwork,
    TensorNetwork,
)


class InputLaw(Law):
    """A law that holds because the inputs do not span everything."""

    flow: GradientFlow
    rows: sympy.ImmutableDenseMatrix
    inputs: sympy.ImmutableDenseMatrix

    @property
    def scope(self) -> str:
        """For what the law holds."""
        return "for every loss of the predictions, with these inputs"

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """That some direction is orthogonal to every input."""
        count, size = self.rows.shape
        words = f"the inputs leave {count} of {size} directions unused"
        return (Hypothesis(words, holds=True),)

    @property
    def reference(self) -> Reference:
        """Where such laws are studied."""
        return MARCOTTE_2023

    @property
    def unused(self) -> ProofStep:
        """No input has a part along the rows: N Xᵀ = 0."""
        gap = as_fractions(self.rows) @ as_fractions(self.inputs).T
        return entrywise_step(rational(gap), "N Xᵀ, hence F Nᵀ = 0 for every force F")


@dataclass(frozen=True, repr=False)
class FrozenInputs(InputLaw):
    """The block W_1Nᵀ of a first dense layer, along directions that no input has.

    Parameters
    ----------
    flow : GradientFlow
        Of a network whose first layer is dense.
    rows : sympy.ImmutableDenseMatrix, shape (d − r, d)
        N, a basis of the directions orthogonal to all inputs.
    inputs : sympy.ImmutableDenseMatrix, shape (r, d)
        A basis of what the inputs span.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 1), sf.SquaredLoss())
    >>> data = sf.Dataset([[1.0, 2.0], [2.0, 4.0]], [1.0, 0.0])
    >>> law = sf.conserved(flow, data=data)[-1]
    >>> law.rows, law.node.shape
    (Matrix([[-2, 1]]), (3, 1))
    """

    flow: GradientFlow
    rows: sympy.ImmutableDenseMatrix
    inputs: sympy.ImmutableDenseMatrix

    degree = 1

    @property
    def name(self) -> str:
        """A short name for tables."""
        return "unused inputs of layer 1"

    @property
    def involved(self) -> tuple[int, ...]:
        """The first layer."""
        return (0,)

    @cached_property
    def node(self) -> Node:
        """W_1Nᵀ."""
        return product(Leaf(self.flow.state[0]), Constant(self.rows.T))

    def proof(self) -> list[ProofStep]:
        """Return N Xᵀ = 0; by the chain rule Ẇ_1Nᵀ has the factor F Nᵀ.

        Returns
        -------
        list of ProofStep
            One identity between constant matrices.
        """
        return [self.unused]


@dataclass(frozen=True, repr=False)
class FrozenCoordinates(InputLaw):
    """The coordinates of one factor of a diagonal network that are zero in all inputs.

    Parameters
    ----------
    flow : GradientFlow
        Of a diagonal network.
    rows : sympy.ImmutableDenseMatrix
        Unit vectors, the coordinates.
    inputs : sympy.ImmutableDenseMatrix
        A basis of what the inputs span.
    factor : int
        Which of the parameters, counted from 0.
    """

    flow: GradientFlow
    rows: sympy.ImmutableDenseMatrix
    inputs: sympy.ImmutableDenseMatrix
    factor: int

    degree = 1

    @property
    def name(self) -> str:
        """A short name for tables."""
        return f"unused coordinates of {self.flow.state[self.factor].name}"

    @property
    def involved(self) -> tuple[int, ...]:
        """The factor."""
        return (self.factor,)

    @cached_property
    def node(self) -> Node:
        """N w."""
        return product(Constant(self.rows), Leaf(self.flow.state[self.factor]))

    def proof(self) -> list[ProofStep]:
        """Return N Xᵀ = 0; the velocity of a coordinate has its force as a factor.

        Returns
        -------
        list of ProofStep
            One identity between constant matrices.
        """
        return [self.unused]


@dataclass(frozen=True, repr=False)
class Ratios(InputLaw):
    """N log|s| of a diagonal model, s = w_1 + w_2, u or u_1 + u_2, with ṡ = c Fᵀ∘s.

    Parameters
    ----------
    flow : GradientFlow
        Of a diagonal model, without weight decay.
    rows : sympy.ImmutableDenseMatrix, shape (d − r, d)
        N, a basis of the directions orthogonal to all inputs.
    inputs : sympy.ImmutableDenseMatrix, shape (r, d)
        A basis of what the inputs span.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.HadamardDifference(2), sf.SquaredLoss())
    >>> law = sf.conserved(flow, data=sf.Dataset([[1.0, 2.0]], [1.0]))[-1]
    >>> round(law.value([[[4.0], [2.0]], [[1.0], [1.0]]]).item(), 9)  # log(2/4²)
    -2.079441542
    """

    flow: GradientFlow
    rows: sympy.ImmutableDenseMatrix
    inputs: sympy.ImmutableDenseMatrix

    degree = 0

    @property
    def name(self) -> str:
        """A short name for tables."""
        return "ratios"

    @property
    def involved(self) -> tuple[int, ...]:
        """The factors of s."""
        return (0,) if isinstance(self.flow.network, HadamardDifference) else (0, 1)

    @cached_property
    def node(self) -> Node:
        """N log|s|, written with ½ log s²."""
        logarithm = elementwise(sympy.log(Z**2) / 2, self._growing(self.flow.network))
        return product(Constant(self.rows), logarithm)

    def proof(self) -> list[ProofStep]:
        """Return ṡ = c Fᵀ∘s, coordinate by coordinate, and N Xᵀ = 0.

        Returns
        -------
        list of ProofStep
            The first at size 2, where the coordinates do not mix.
        """
        small: Any = _resized(self.flow.network, 2)
        force = Leaf(sympy.MatrixSymbol("F", 1, 2))
        pulled = small.pull_back(force)
        grown = self._growing(small)
        rate = push_forward(grown, dict(zip(small.parameters, pulled, strict=True)))
        assert rate is not None
        factor = 2 if isinstance(small, HadamardDifference) else 1
        right = scale(factor, hadamard(transpose(force), grown))
        words = "at every size, coordinate by coordinate: (log|s|)˙ is the force"
        return [entrywise_step(subtract(rate, right), words), self.unused]

    def _growing(self, network: AbstractNetwork) -> Node:
        leaves = [Leaf(symbol) for symbol in network.parameters]
        return leaves[0] if len(self.involved) == 1 else add(*leaves[:2])


def input_laws(flow: GradientFlow, data: Any) -> list[Law]:
    """Return what is conserved for the inputs of `data`, besides the laws for all data.

    Parameters
    ----------
    flow : GradientFlow
        Of integer width at the input.
    data : Dataset or Moments
        Whose inputs count, not the labels.
    """
    network = flow.network
    if isinstance(flow.loss, CustomLoss):
        msg = (
            "conserved(flow, data=…): a CustomLoss need not be a function of the "
            "predictions, so that inputs say nothing. Leave data out"
        )
        raise InvalidArgument(msg)
    spanned = spanned_inputs(network, data, "conserved(flow, data=…)")
    unused = null_space(spanned)
    if not len(unused):
        return []
    rows, inputs = as_matrix(unused), as_matrix(spanned)
    if isinstance(network, TensorNetwork):
        tensor = applied(as_fractions(network.tensor), 0, spanned)
        shape = tuple(int(size) for size in tensor.shape)
        entries = [sympy.Rational(x.numerator, x.denominator) for x in tensor.flat]
        return frozen_components(flow, sympy.ImmutableDenseNDimArray(entries, shape))
    if isinstance(network, Network) and isinstance(network.layers[0], Dense):
        return [FrozenInputs(flow, rows, inputs)]
    if not _is_diagonal(network):
        return []
    zero = [k for k in range(spanned.shape[1]) if not any(spanned[:, k])]
    coordinates = sympy.ImmutableDenseMatrix(sympy.eye(spanned.shape[1])[zero, :])
    found: list[Law] = [
        FrozenCoordinates(flow, coordinates, inputs, factor)
        for factor in range(len(flow.state) if zero else 0)
    ]
    plain = flow.loss.l2 == 0 and not flow.learning_rates
    if _grows_exponentially(network) and plain:
        found.append(Ratios(flow, rows, inputs))
    return found


def spanned_inputs(network: AbstractNetwork, data: Any, call: str) -> Array:
    """Return a basis of what the inputs span, as rows of fractions.

    Parameters
    ----------
    network : AbstractNetwork
        Whose inputs they are.
    data : Dataset or Moments
        The data.
    call : str
        For the message of an error.

    Raises
    ------
    InvalidArgument
        If `data` are not data, or all inputs are zero.
    ShapeMismatch
        If the inputs do not fit the network.
    """
    if not hasattr(data, "moments"):
        msg = f"{call}: needs a Dataset or Moments; got {type(data).__name__}"
        raise InvalidArgument(msg)
    if hasattr(data, "X"):
        samples = as_fractions(data.X)
    else:
        moments = data.moments()
        samples = as_fractions(np.concatenate([moments.sigma_xx, moments.sigma_yx]))
    if samples.shape[1] != network.widths[0]:
        msg = (
            f"{call}: the data have {samples.shape[1]} inputs and {network!r} takes "
            f"{network.widths[0]}"
        )
        raise ShapeMismatch(msg)
    if not np.any(samples):
        msg = f"{call}: all inputs are zero, and nothing moves"
        raise InvalidArgument(msg)
    return row_space(samples)


def _is_diagonal(network: AbstractNetwork) -> bool:
    if isinstance(network, Network):
        *inner, last = network.layers
        plain = isinstance(last, Diagonal) or last == Readout(last.inputs)
        return plain and all(isinstance(layer, Diagonal) for layer in inner)
    return isinstance(network, SignedDiagonalNetwork | HadamardDifference)


def _grows_exponentially(network: AbstractNetwork) -> bool:
    """Say whether log|s| of some s of a diagonal model grows with the force."""
    if isinstance(network, SignedDiagonalNetwork):
        return network.layers == 2
    two_factors = network.depth == 2 and network.widths[-1] == 1
    return isinstance(network, HadamardDifference) or two_factors


def _resized(network: AbstractNetwork, size: int) -> AbstractNetwork:
    if isinstance(network, Network):
        return Network(Diagonal(size), Readout(size))
    assert isinstance(network, SignedDiagonalNetwork | HadamardDifference)
    return replace(network, inputs=size)
