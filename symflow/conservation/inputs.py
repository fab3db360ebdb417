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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.elementwise import elementwise, hadamard
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Leaf, Node, add, product, scale, subtract, transpose
from symflow.algebra.tensors import Constant
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis
from symflow.conservation.law import Law
from symflow.conservation.noether import noether_laws
from symflow.conservation.null_space import null_space, row_space
from symflow.conservation.proof import ProofStep, entrywise_step, slope
from symflow.conservation.rows import row_laws
from symflow.conservation.tensor import (
    applied,
    as_fractions,
    as_matrix,
    rational,
    rational_tensor,
    tensor_laws,
)
from symflow.errors import InvalidArgument, ShapeMismatch, expect
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

#: For what a law of given inputs holds.
WITH_INPUTS = "for every loss of the predictions, with these inputs"


@dataclass(frozen=True, repr=False)
class UnreachedPart(Law):
    """The part of a parameter that no input reaches, which does not move at all.

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
    place: int  #: Which parameter, counted from 0.
    #: N, a basis of what is orthogonal to all that moves.
    rows: sympy.ImmutableDenseMatrix
    #: Rows that span what moves: inputs, or what a tensor makes of them.
    reached: sympy.ImmutableDenseMatrix
    given: bool = True  #: Whether it holds for given inputs only.

    degree = 1

    @property
    def scope(self) -> str:
        return WITH_INPUTS if self.given else "for every loss and data set"

    @property
    def name(self) -> str:
        return f"frozen part of {self.flow.state[self.place].name}"

    @property
    def involved(self) -> tuple[int, ...]:
        return (self.place,)

    @cached_property
    def node(self) -> Node:
        """N w of a column, WNᵀ of a dense first layer."""
        leaf = Leaf(self.flow.state[self.place])
        if isinstance(self.flow.network, Network) and _starts_dense(self.flow.network):
            return product(leaf, Constant(self.rows.T))
        return product(Constant(self.rows), leaf)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """That some directions are orthogonal to all that moves."""
        return (_unused(self.rows, self.flow.state[self.place].name),)

    def proof(self) -> Sequence[ProofStep]:
        """Return N Rᵀ = 0, R what is reached; every velocity has it as a factor."""
        return [_orthogonal(self.rows, self.reached)]


def _unused(rows: sympy.ImmutableDenseMatrix, name: str) -> Hypothesis:
    count, size = rows.shape
    return Hypothesis(f"{count} of {size} directions of {name} are not reached", True)


def _orthogonal(
    rows: sympy.ImmutableDenseMatrix, reached: sympy.ImmutableDenseMatrix
) -> ProofStep:
    gap = as_fractions(rows) @ as_fractions(reached).T
    return entrywise_step(rational(gap), "what is reached has no part along the rows")


@dataclass(frozen=True, repr=False)
class Ratios(Law):
    """N log|s| of a diagonal model, s = w_1 + w_2, u or u_1 + u_2, with ṡ = c Fᵀ∘s.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.HadamardDifference(2), sf.SquaredLoss())
    >>> law = sf.conserved(flow, data=sf.Dataset([[1.0, 2.0]], [1.0]))[-1]
    >>> round(law.value([[[4.0], [2.0]], [[1.0], [1.0]]]).item(), 9)  # log(2/4²)
    -2.079441542
    """

    flow: GradientFlow  #: Of a diagonal model, without weight decay.
    #: Shape (d − r, d): N, a basis of the directions orthogonal to all inputs.
    rows: sympy.ImmutableDenseMatrix
    #: Shape (r, d): a basis of what the inputs span.
    inputs: sympy.ImmutableDenseMatrix

    degree = 0
    scope = WITH_INPUTS
    name = "ratios"

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        return (_unused(self.rows, "the inputs"),)

    @property
    def involved(self) -> tuple[int, ...]:
        return (0,) if isinstance(self.flow.network, HadamardDifference) else (0, 1)

    @cached_property
    def node(self) -> Node:
        """N log|s|, written with ½ log s²."""
        logarithm = elementwise(sympy.log(Z**2) / 2, self._growing(self.flow.network))
        return product(Constant(self.rows), logarithm)

    def proof(self) -> Sequence[ProofStep]:
        """Return ṡ = c Fᵀ∘s at size 2, as coordinates do not mix, and N Xᵀ = 0."""
        small: Any = _resized(self.flow.network, 2)
        force = Leaf(sympy.MatrixSymbol("F", 1, 2))
        pulled = small.pull_back(force)
        grown = self._growing(small)
        rate = slope(grown, dict(zip(small.parameters, pulled, strict=True)))
        factor = 2 if isinstance(small, HadamardDifference) else 1
        right = scale(factor, hadamard(transpose(force), grown))
        words = "at every size, coordinate by coordinate: (log|s|)˙ is the force"
        moved = entrywise_step(subtract(rate, right), words)
        return [moved, _orthogonal(self.rows, self.inputs)]

    def _growing(self, network: AbstractNetwork) -> Node:
        leaves = [Leaf(symbol) for symbol in network.parameters]
        return leaves[0] if len(self.involved) == 1 else add(*leaves[:2])


def input_laws(flow: GradientFlow, data: Any) -> list[Law]:
    """Return what else is conserved for the inputs of `data`, whatever the labels."""
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
        return frozen_parts(flow, tensor, given=True)
    if isinstance(network, Network) and _starts_dense(network):
        return [UnreachedPart(flow, 0, rows, inputs)]
    if not _is_diagonal(network):
        return []
    zero = [k for k in range(spanned.shape[1]) if not any(spanned[:, k])]
    coordinates = sympy.ImmutableDenseMatrix(sympy.eye(spanned.shape[1])[zero, :])
    found: list[Law] = [
        UnreachedPart(flow, factor, coordinates, inputs)
        for factor in range(len(flow.state) if zero else 0)
    ]
    plain = flow.loss.l2 == 0 and not flow.learning_rates
    if _grows_exponentially(network) and plain:
        found.append(Ratios(flow, rows, inputs))
    return found


def laws_of(flow: GradientFlow, data: Any = None) -> list[Law]:
    """Return the laws for every loss and data set, then those for inputs of `data`."""
    searches = (noether_laws, tensor_laws, unreached_laws, row_laws)
    found = [law for find in searches for law in find(flow)]
    if data is None:
        return found
    return [*found, *(law for law in input_laws(flow, data) if law not in found)]


def unreached_laws(flow: GradientFlow) -> list[Law]:
    """Return what a tensor network does not reach, whatever the inputs."""
    tensor = rational_tensor(flow.network)
    return [] if tensor is None else frozen_parts(flow, tensor, given=False)


def frozen_parts(flow: GradientFlow, tensor: Array, *, given: bool) -> list[Law]:
    """Return the part of every column that a tensor network does not reach.

    The tensor is M, contracted with the inputs where they are `given`.
    """
    found: list[Law] = []
    for place in range(tensor.ndim - 1):
        size = tensor.shape[place + 1]
        reached = np.moveaxis(tensor, place + 1, -1).reshape(-1, size)
        rows = null_space(reached)
        if len(rows):
            pair = as_matrix(rows), as_matrix(reached)
            found.append(UnreachedPart(flow, place, *pair, given))
    return found


def spanned_inputs(network: AbstractNetwork, data: Any, call: str) -> Array:
    """Return a basis of what the inputs span, as rows of fractions.

    Raises InvalidArgument if `data` are not data, or all inputs are zero, and
    ShapeMismatch if the inputs do not fit the network.
    """
    expect(data, "moments", call, "a Dataset or Moments")
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


def _starts_dense(network: Network) -> bool:
    return isinstance(network.layers[0], Dense)


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
