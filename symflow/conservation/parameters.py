"""The laws of models that are no product of layers.

β = u_1∘…∘u_L − v_1∘…∘v_L keeps u_{l+1}∘u_{l+1} − u_l∘u_l, the same of the v_l, and for
L = 2 also (u_1 + u_2)∘(v_1 + v_2), whose factors grow and fall at the same rate;
β = u∘u − v∘v keeps u∘v, because u̇ = 2f∘u and v̇ = −2f∘v; a tensor network keeps
‖v_{l+1}‖² − ‖v_l‖², because W is linear in every v_l and ⟨v_l, v̇_l⟩ = ⟨F, W⟩ for all l.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import sympy

from symflow.algebra.calculus import push_forward
from symflow.algebra.elementwise import hadamard
from symflow.algebra.nodes import (
    Leaf,
    Node,
    add,
    product,
    scale,
    subtract,
    trace,
    transpose,
)
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis, Reference
from symflow.claims.bibliography import MARCOTTE_2023
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, entrywise_step
from symflow.flow import GradientFlow
from symflow.networks import (
    HadamardDifference,
    Parametrization,
    SignedDiagonalNetwork,
    TensorNetwork,
)

#: Size at which a coordinate-wise law is multiplied out; coordinates do not mix.
CHECKED_SIZE = 2


@dataclass(frozen=True, repr=False)
class ParameterLaw(Law):
    """The law of two parameters of a model that is no product of layers.

    Parameters
    ----------
    flow : GradientFlow
        Its network is a parametrization.
    first, second : int
        The two parameters, counted from 0.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.HadamardDifference("d"), sf.SquaredLoss())
    >>> print(sf.conserved(flow)[0])
    u∘v is conserved, for every width, loss and data set
    """

    flow: GradientFlow
    first: int
    second: int

    @property
    def name(self) -> str:
        """A short name for tables."""
        return ", ".join(self.flow.state[k].name for k in self.involved)

    @property
    def involved(self) -> tuple[int, ...]:
        """The parameters that occur, counted from 0."""
        pair = self.flow.state[self.first], self.flow.state[self.second]
        if _is_cross(self.flow.network, *pair):
            return tuple(range(len(self.flow.state)))
        return self.first, self.second

    @cached_property
    def node(self) -> Node:
        """The quantity as a node."""
        symbols = self.flow.state
        pair = symbols[self.first], symbols[self.second]
        return _quantity(self.flow.network, *pair, self._speeds)

    @property
    def _speeds(self) -> tuple[sympy.Expr, sympy.Expr]:
        return self.flow.speed(self.first), self.flow.speed(self.second)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The form of the model; nothing is asked of the loss or the data."""
        return (Hypothesis(f"the model is {self.flow.network!r}", holds=True),)

    @property
    def reference(self) -> Reference:
        """Where such laws are studied."""
        return MARCOTTE_2023

    def proof(self) -> list[ProofStep]:
        """Return the derivative along the flow of any force F, multiplied out.

        Returns
        -------
        list of ProofStep
            One step, at a small size where the coordinates do not mix, and at the
            size of the tensor for a tensor network.
        """
        network = self.flow.network
        assert isinstance(network, Parametrization)
        reason = "at every size: W is linear in every factor"
        if isinstance(network, SignedDiagonalNetwork | HadamardDifference):
            network = replace(network, inputs=CHECKED_SIZE)
            reason = "at every size: the coordinates do not mix"
        force = sympy.MatrixSymbol("F", network.widths[-1], network.widths[0])
        pulled = network.pull_back(Leaf(force))
        velocities = {
            symbol: scale(self.flow.speed(number), node)
            for number, (symbol, node) in enumerate(
                zip(network.parameters, pulled, strict=True)
            )
        }
        pair = network.parameters[self.first], network.parameters[self.second]
        rate = push_forward(_quantity(network, *pair, self._speeds), velocities)
        assert rate is not None
        return [entrywise_step(rate, reason)]


def _quantity(
    network: object,
    first: sympy.MatrixSymbol,
    second: sympy.MatrixSymbol,
    speeds: tuple[sympy.Expr, sympy.Expr],
) -> Node:
    """Return the quantity, its squares over the learning rates of their weights."""
    one, other = Leaf(first), Leaf(second)
    if _is_cross(network, first, second):
        assert isinstance(network, SignedDiagonalNetwork)
        u1, u2, v1, v2 = (Leaf(symbol) for symbol in network.parameters)
        return hadamard(add(u1, u2), add(v1, v2))
    if isinstance(network, HadamardDifference):
        return hadamard(one, other)
    if isinstance(network, TensorNetwork):
        norms = [trace(product(transpose(leaf), leaf)) for leaf in (one, other)]
    else:
        norms = [hadamard(leaf, leaf) for leaf in (one, other)]
    return subtract(scale(1 / speeds[1], norms[1]), scale(1 / speeds[0], norms[0]))


def _is_cross(
    network: object, first: sympy.MatrixSymbol, second: sympy.MatrixSymbol
) -> bool:
    """Say whether the law couples the u and the v of a signed network."""
    signed = isinstance(network, SignedDiagonalNetwork)
    return signed and first.name[0] != second.name[0]


def parameter_laws(flow: GradientFlow) -> list[Law]:
    """Return the laws of a parametrization that have a name."""
    network = flow.network
    match network:
        case HadamardDifference() if not flow.learning_rates:
            pairs = [(0, 1)]
        case SignedDiagonalNetwork(_, layers):
            chains = range(layers), range(layers, 2 * layers)
            pairs = [pair for chain in chains for pair in pairwise(chain)]
            pairs += [(0, 2)] if layers == 2 and not flow.learning_rates else []
        case TensorNetwork():
            pairs = list(pairwise(range(network.depth)))
        case _:
            pairs = []
    return [ParameterLaw(flow, first, second) for first, second in pairs]
