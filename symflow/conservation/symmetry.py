"""The laws of adjacent layers, from the symmetry that acts between them.

Between layers l and l + 1 an invertible g acts by W_l → gW_l, W_{l+1} → W_{l+1}g⁻¹ and
leaves the end-to-end matrix alone.  The generators S that keep both layers in their
families form an algebra: all matrices between dense layers, the diagonal ones at a
diagonal layer, the circulant ones at a circulant layer, the multiples of the identity
where only these are common to both.  Noether's law of the symmetric S says that the
difference of the moments of W_{l+1}ᵀW_{l+1} and W_lW_lᵀ is conserved:

=============  =========================================================
algebra        moment of a parameter
=============  =========================================================
all            WᵀW, or WWᵀ: the imbalance, see `symflow.conservation.balance`
diagonal       diag(WᵀW), w∘w
circulant      Σ_i (WᵀW)_{i,i+j}, and the autocorrelation Σ_i w_i w_{i+j}
multiples      ‖w‖²
=============  =========================================================

The proof tests the law with a symmetric generator S: tr S(W_{l+1}ᵀW_{l+1} − W_lW_lᵀ).
Its derivative has the velocities in tr W_lᵀS Ẇ_l and tr S W_{l+1}ᵀẆ_{l+1}, where S W_l
and W_{l+1}S belong to the families of the layers, so that the projections in the
velocities drop out; without them it is an identity of cyclic words, for every size.

The autocorrelations say in the time domain that |ŵ_{l+1}(k)|² − |ŵ_l(k)|² is conserved
at every frequency k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

import sympy

from symflow.algebra import embeddings
from symflow.algebra.calculus import push_forward
from symflow.algebra.nodes import (
    Leaf,
    Node,
    product,
    scale,
    subtract,
    trace,
    transpose,
)
from symflow.algebra.symbols import SymmetricMatrixSymbol, weight
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis, Reference
from symflow.claims.bibliography import MARCOTTE_2023
from symflow.conservation.balance import Balance
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, entrywise_step, step
from symflow.flow import GradientFlow
from symflow.networks import Circulant, Dense, Diagonal, Layer, Network, Readout

#: Sizes at which the entrywise step of a proof is multiplied out.
CHECKED_SIZES = (2, 3)

#: Layers that are known at every size; one of a reader's own is taken as it is.
_SIZED = (Dense, Diagonal, Circulant, Readout)


class Symmetry(Enum):
    """An algebra of generators between two layers."""

    ALL = "all matrices"
    DIAGONAL = "diagonal matrices"
    CIRCULANT = "circulant matrices"
    MULTIPLES = "multiples of the identity"


_REASONS = {
    Symmetry.DIAGONAL: "at every size: both derivatives are 2 Σ_k (W₊ᵀK)_jk W_jk",
    Symmetry.CIRCULANT: "at every size: shifts commute with circulant matrices",
    Symmetry.MULTIPLES: "at every size: both derivatives are 2 tr((W₊ᵀK)Wᵀ)",
}


def symmetry_of(layer: Layer) -> Symmetry:
    """Return the generators that keep a layer in its family, from either side."""
    match layer:
        case Dense():
            return Symmetry.ALL
        case Diagonal():
            return Symmetry.DIAGONAL
        case Readout(support=None):
            return Symmetry.ALL
        case Circulant(support=None):
            return Symmetry.CIRCULANT
    return Symmetry.MULTIPLES


def common_symmetry(first: Layer, second: Layer) -> Symmetry:
    """Return the generators that keep two adjacent layers in their families.

    Examples
    --------
    >>> common_symmetry(Dense(2, 3), Diagonal(3)).value
    'diagonal matrices'
    """
    one, other = symmetry_of(first), symmetry_of(second)
    if one is other or other is Symmetry.ALL:
        return one
    return other if one is Symmetry.ALL else Symmetry.MULTIPLES


def moment(layer: Layer, parameter: Node, symmetry: Symmetry, *, before: bool) -> Node:
    """Return the moment of a layer, as the one before or after the symmetry acts.

    Parameters
    ----------
    layer : Layer
        The layer.
    parameter : Node
        Its parameter.
    symmetry : Symmetry
        Not `Symmetry.ALL`.
    before : bool, keyword-only
        Whether the generators act on its outputs, rather than on its inputs.
    """
    if symmetry is Symmetry.MULTIPLES:
        return trace(product(transpose(parameter), parameter))
    if symmetry is Symmetry.CIRCULANT and not isinstance(layer, Dense):
        shifts = embeddings.CirculantNode(parameter, layer.inputs)
        return product(shifts, parameter)
    matrix = layer.matrix(parameter)
    pair = (matrix, transpose(matrix)) if before else (transpose(matrix), matrix)
    gram = product(*pair)
    if symmetry is Symmetry.DIAGONAL:
        return embeddings.diagonal_of(gram)
    return embeddings.circulant_sums(gram, gram.shape[0])


@dataclass(frozen=True, repr=False)
class MomentLaw(Law):
    """The law of two adjacent layers with fewer symmetries than dense ones.

    Parameters
    ----------
    flow : GradientFlow
        Of a product network.
    layer : int
        The first of the two layers, counted from 1.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.DiagonalNetwork("d", depth=3), sf.SquaredLoss())
    >>> print(sf.conserved(flow)[0])
    w₂∘w₂ − (w₁∘w₁) is conserved, for every width, loss and data set
    """

    flow: GradientFlow
    layer: int

    @property
    def name(self) -> str:
        """A short name for tables."""
        kind = {
            Symmetry.DIAGONAL: "squares",
            Symmetry.CIRCULANT: "autocorrelations",
            Symmetry.MULTIPLES: "norms",
        }[self.symmetry]
        return f"{kind} Δ{self.layer}"

    @property
    def symmetry(self) -> Symmetry:
        """The generators that act between the two layers."""
        return common_symmetry(*self._pair)

    @property
    def involved(self) -> tuple[int, ...]:
        """The two layers, counted from 0."""
        return self.layer - 1, self.layer

    @cached_property
    def node(self) -> Node:
        """The difference of the moments."""
        first, second = (Leaf(symbol) for symbol in self._symbols)
        return _difference(self._pair, (first, second), self.symmetry, self._speeds)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """Which generators keep the two layers in their families."""
        words = (
            f"the {self.symmetry.value} act between layers {self.layer} and "
            f"{self.layer + 1}"
        )
        return (Hypothesis(words, holds=True),)

    @property
    def reference(self) -> Reference:
        """Where such laws are studied."""
        return MARCOTTE_2023

    def proof(self) -> list[ProofStep]:
        """Return the proof: an identity for every size, and the law at small sizes.

        The first step is the derivative of the law, tested with a generator S; it uses
        that S W and W₊S stay in the families of the layers.  The others multiply out
        the law with its projections, entry by entry.

        Returns
        -------
        list of ProofStep
            With K = (W_L⋯W_{l+2})ᵀ F (W_{l−1}⋯W_1)ᵀ any matrix, W and W₊ those of the
            two layers; for every size, then at sizes 2 and 3.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.DiagonalNetwork("d", depth=3), sf.SquaredLoss())
        >>> all(step.check() for step in sf.conserved(flow)[0].proof())
        True
        """
        return [self._tested(), *map(self._entrywise, CHECKED_SIZES)]

    def _tested(self) -> ProofStep:
        """Prove that the derivative of the law, tested with a generator, vanishes."""
        first, second = self._pair
        before = Leaf(weight(self.layer, first.outputs, first.inputs))
        after = Leaf(weight(self.layer + 1, second.outputs, second.inputs))
        generator = Leaf(SymmetricMatrixSymbol("S", first.outputs, first.outputs))
        k = Leaf(sympy.MatrixSymbol("K", second.outputs, first.inputs))
        speeds = self._speeds
        later = trace(product(generator, transpose(after), after))
        earlier = trace(product(generator, before, transpose(before)))
        law = subtract(scale(1 / speeds[1], later), scale(1 / speeds[0], earlier))
        velocities = {
            before.symbol: scale(speeds[0], product(transpose(after), k)),
            after.symbol: scale(speeds[1], product(k, transpose(before))),
        }
        rate = push_forward(law, velocities)
        assert rate is not None
        reason = (
            f"for every size and symmetric S among the {self.symmetry.value}: SW and "
            "W₊S are of the form of W and W₊, so that the projections drop out"
        )
        return step(rate, scale(0, rate), reason, {})

    def _entrywise(self, size: int) -> ProofStep:
        """Prove that the derivative of the law vanishes, layers of a small size."""
        pair: tuple[Layer, ...] = self._pair
        if all(isinstance(layer, _SIZED) for layer in pair):
            pair = tuple(_resized(layer, size) for layer in pair)
        first, second = pair
        symbols = [
            layer.parameter(number) for number, layer in enumerate(pair, self.layer)
        ]
        matrices = [
            layer.matrix(Leaf(symbol))
            for layer, symbol in zip(pair, symbols, strict=True)
        ]
        k = Leaf(sympy.MatrixSymbol("K", second.outputs, first.inputs))
        speeds = self._speeds
        pulled = product(transpose(matrices[1]), k), product(k, transpose(matrices[0]))
        velocities = {
            symbols[0]: scale(speeds[0], first.project(pulled[0])),
            symbols[1]: scale(speeds[1], second.project(pulled[1])),
        }
        leaves = (Leaf(symbols[0]), Leaf(symbols[1]))
        law = _difference(pair, leaves, self.symmetry, speeds)
        rate = push_forward(law, velocities)
        assert rate is not None
        reason = f"at size {size}, entry by entry; {_REASONS[self.symmetry]}"
        return entrywise_step(rate, reason)

    @property
    def _pair(self) -> tuple[Layer, Layer]:
        network = self.flow.network
        assert isinstance(network, Network)
        return network.layers[self.layer - 1], network.layers[self.layer]

    @property
    def _speeds(self) -> tuple[sympy.Expr, sympy.Expr]:
        return self.flow.speed(self.layer - 1), self.flow.speed(self.layer)

    @property
    def _symbols(self) -> tuple[sympy.MatrixSymbol, sympy.MatrixSymbol]:
        return self.flow.state[self.layer - 1], self.flow.state[self.layer]


def _difference(
    pair: tuple[Layer, ...],
    leaves: tuple[Node, Node],
    symmetry: Symmetry,
    speeds: tuple[sympy.Expr, sympy.Expr],
) -> Node:
    """Return the difference of moments, each over the learning rate of its layer."""
    earlier = moment(pair[0], leaves[0], symmetry, before=True)
    later = moment(pair[1], leaves[1], symmetry, before=False)
    return subtract(scale(1 / speeds[1], later), scale(1 / speeds[0], earlier))


def _resized(layer: Layer, size: int) -> Layer:
    """Return a layer of the same kind at a small size; supports stay proper."""
    if isinstance(layer, Dense):
        return Dense(size, size)
    if isinstance(layer, Circulant | Readout) and layer.support is not None:
        return replace(layer, inputs=size, support=size - 1)
    assert isinstance(layer, Diagonal | Circulant | Readout)
    return replace(layer, inputs=size)


def layer_laws(flow: GradientFlow) -> list[Law]:
    """Return the law of every adjacent pair of layers of a product network."""
    network = flow.network
    if not isinstance(network, Network):
        return []
    return [
        Balance(flow, number)
        if common_symmetry(first, second) is Symmetry.ALL
        else MomentLaw(flow, number)
        for number, (first, second) in enumerate(pairwise(network.layers), start=1)
    ]
