"""The flow that the layers induce on the end-to-end matrix W = W_L⋯W_1.

For any weights, Ẇ = Σ_l (W_L⋯W_{l+1}) Ẇ_l (W_{l−1}⋯W_1).  For balanced weights
(W_{l+1}ᵀW_{l+1} = W_lW_lᵀ for every l) all partial Gram matrices are powers of WWᵀ and
WᵀW, and the flow closes in W alone (Arora, Cohen, Hazan 2018):

    Ẇ = Σ_l (WWᵀ)^{(L−l)/L} F(W) (WᵀW)^{(l−1)/L},

with the zeroth power the identity, not the projection onto the range.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import sympy

from symflow.algebra.calculus import push_forward
from symflow.algebra.display import Typeset
from symflow.algebra.nodes import Leaf, Node, add, product, scale
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.typeset import latex
from symflow.errors import InvalidArgument, NoClosedForm
from symflow.flow.rank_one import RankOneFlow
from symflow.losses import Loss
from symflow.networks import AbstractNetwork, Network


@dataclass(frozen=True)
class EndToEndFlow(Typeset):
    """The induced flow of W = W_L⋯W_1, in general and for balanced weights.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> print(flow.end_to_end)
    Ẇ = W₂W₂ᵀ(Σ_yx − W₂W₁Σ_xx) + (Σ_yx − W₂W₁Σ_xx)W₁ᵀW₁
    """

    network: AbstractNetwork  #: The model.
    loss: Loss  #: The loss.

    @property
    def matrix(self) -> sympy.MatrixExpr:
        """The end-to-end matrix W in terms of the weights."""
        return self.network.end_to_end

    @cached_property
    def symbol(self) -> sympy.MatrixSymbol:
        """The symbol W for the end-to-end matrix."""
        return sympy.MatrixSymbol("W", self.network.widths[-1], self.network.widths[0])

    @cached_property
    def rhs(self) -> sympy.MatrixExpr:
        """Ẇ in terms of the weights, for any weights."""
        network = self.network
        force = self.loss.force(network.end_to_end_node)
        if not isinstance(network, Network):
            return to_sympy(_moved(network, force, decays_of(self.loss, network)))
        terms = _layer_terms(network, force)
        if self.loss.l2 != 0:
            total = sympy.Add(*decays_of(self.loss, network))
            terms.append(scale(-total, network.end_to_end_node))
        return to_sympy(add(*terms))

    @cached_property
    def balanced(self) -> sympy.MatrixExpr:
        """Ẇ in terms of W alone, for balanced weights of a fully-connected network.

        Raises
        ------
        NoClosedForm
            If a layer is not dense.
        """
        network = self.network
        if not isinstance(network, Network):
            msg = f"the end-to-end flow of {network!r} is not derived"
            raise NoClosedForm(msg)
        if not network.is_dense:
            msg = (
                "EndToEndFlow.balanced: the closed form in W alone is for products of "
                f"Dense layers; got {network!r}"
            )
            raise NoClosedForm(msg)
        if isinstance(self.loss.l2, sympy.Tuple):
            msg = (
                "EndToEndFlow.balanced: layers that decay at different rates do not "
                f"stay balanced; got {self.loss!r}"
            )
            raise NoClosedForm(msg)
        depth, W = network.depth, self.symbol
        force = to_sympy(self.loss.force(Leaf(W)))
        left, right = W * W.T, W.T * W
        terms = [
            sympy.MatMul(
                *_power(left, sympy.Rational(depth - layer, depth)),
                force,
                *_power(right, sympy.Rational(layer - 1, depth)),
            )
            for layer in range(1, depth + 1)
        ]
        if self.loss.l2 != 0:
            terms.append(sympy.MatMul(-depth * self.loss.l2, W))
        return sympy.MatAdd(*terms) if len(terms) > 1 else terms[0]

    @property
    def rank_one(self) -> RankOneFlow:
        """The equations of s, u and v for balanced weights of rank one, W = s u vᵀ.

        Raises
        ------
        NoClosedForm
            If a layer is not dense, there is one layer only, or there is weight decay.
        """
        return RankOneFlow(self.network, self.loss)

    @property
    def equation(self) -> sympy.Eq:
        """Ẇ = … for any weights."""
        return sympy.Eq(self._dot, self.rhs, evaluate=False)

    @property
    def balanced_equation(self) -> sympy.Eq:
        """Ẇ = … for balanced weights."""
        return sympy.Eq(self._dot, self.balanced, evaluate=False)

    def __str__(self) -> str:
        return inline(self.equation)

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {latex(self.equation)}$"

    @property
    def _dot(self) -> sympy.MatrixSymbol:
        return sympy.MatrixSymbol("Wdot", *self.symbol.shape)


def decays_of(loss: Loss, network: AbstractNetwork) -> tuple[sympy.Expr, ...]:
    """Return the weight decay of every weight.

    Raises InvalidArgument if the loss has them for another number of weights.
    """
    if not isinstance(loss.l2, sympy.Tuple):
        return (loss.l2,) * network.depth
    if len(loss.l2) != network.depth:
        msg = (
            f"{loss!r}: l2 needs a weight decay for each of the {network.depth} "
            f"weights {network.parameters}; got {len(loss.l2)}"
        )
        raise InvalidArgument(msg)
    return tuple(loss.l2)


def with_decay(
    network: AbstractNetwork, pulled: tuple[Node, ...], decays: tuple[sympy.Expr, ...]
) -> tuple[Node, ...]:
    """Return velocities with the weight decay of every weight added."""
    return tuple(
        direction if decay == 0 else add(direction, scale(-decay, Leaf(symbol)))
        for symbol, direction, decay in zip(
            network.parameters, pulled, decays, strict=True
        )
    )


def _moved(
    network: AbstractNetwork, force: Node, decays: tuple[sympy.Expr, ...]
) -> Node:
    """Return Ẇ of a model that is no product, by the chain rule."""
    directions = with_decay(network, network.pull_back(force), decays)
    pairs = zip(network.parameters, directions, strict=True)
    moved = push_forward(network.end_to_end_node, dict(pairs))
    assert moved is not None
    return moved


def _layer_terms(network: Network, force: Node) -> list[Node]:
    """Return (W_L⋯W_{l+1}) Ẇ_l (W_{l−1}⋯W_1) for every layer, without decay."""
    directions = network.pull_back(force)
    after = [*accumulate(reversed(network.matrices[1:]), product)][::-1]
    terms = []
    for number, (direction, layer) in enumerate(
        zip(directions, network.layers, strict=True)
    ):
        factors = [layer.matrix(direction)]
        if number < network.depth - 1:
            factors.insert(0, after[number])
        if number:
            factors.append(network.prefixes[number - 1])
        terms.append(product(*factors))
    return terms


def _power(base: sympy.MatrixExpr, exponent: sympy.Rational) -> list[sympy.MatrixExpr]:
    if exponent == 0:
        return []
    return [base] if exponent == 1 else [sympy.MatPow(base, exponent)]
