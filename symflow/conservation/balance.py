"""The imbalance Δ_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ: conserved, for every loss and data.

Let K = (W_L⋯W_{l+2})ᵀ F (W_{l−1}⋯W_1)ᵀ.  The chain rule reads Ẇ_l = W_{l+1}ᵀK and
Ẇ_{l+1} = K W_lᵀ, hence W_{l+1}ᵀẆ_{l+1} = W_{l+1}ᵀ K W_lᵀ = Ẇ_lW_lᵀ, and

    Δ̇_l = (W_{l+1}ᵀẆ_{l+1} − Ẇ_lW_lᵀ) + (W_{l+1}ᵀẆ_{l+1} − Ẇ_lW_lᵀ)ᵀ = 0.

It is Noether's law of the symmetry W_l → gW_l, W_{l+1} → W_{l+1}g⁻¹.  Weight decay λ
adds −λW_l to every derivative, and Δ̇_l = −2λΔ_l: the imbalance decays as e^{−2λt}.
With learning rates η_l, the law is that of W_{l+1}ᵀW_{l+1}/η_{l+1} − W_lW_lᵀ/η_l.

The force F stays a symbol in the proof, so that nothing is assumed about the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.nodes import Leaf, Node, add, product, scale, subtract, transpose
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis, Reference
from symflow.claims.bibliography import ARORA_COHEN_HAZAN_2018
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, step
from symflow.flow import GradientFlow, dotted
from symflow.networks import Dense, Network


@dataclass(frozen=True, repr=False)
class Balance(Law):
    """The law of the imbalance between two adjacent layers that can be any matrix.

    They are `Dense`, or a `Readout` of all its inputs, the row wᵀ.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    layer : int
        The first of the two layers, counted from 1.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> (law,) = sf.conserved(flow)
    >>> law.expr, law.rate, law.is_conserved
    (-W1*W1.T + W2.T*W2, 0, True)
    """

    flow: GradientFlow
    layer: int

    @property
    def name(self) -> str:
        """A short name for tables."""
        return f"imbalance Δ{self.layer}"

    @property
    def involved(self) -> tuple[int, ...]:
        """The two layers, counted from 0."""
        return self.layer - 1, self.layer

    @cached_property
    def node(self) -> Node:
        """Δ as a node."""
        return _imbalance(*self._matrices, _speeds(self.flow, self.layer))

    @property
    def statement(self) -> sympy.Basic:
        """dΔ/dt = −2λ Δ, with the right side zero when nothing decays."""
        width = self.flow.network.widths[self.layer]
        derivative = sympy.MatrixSymbol(f"Deltadot{self.layer}", width, width)
        if self.is_conserved:
            return sympy.Eq(derivative, sympy.ZeroMatrix(width, width), evaluate=False)
        return sympy.Eq(derivative, -self.rate * self.expr, evaluate=False)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """Two adjacent dense layers; nothing is asked of the loss or the data."""
        pair = f"layers {self.layer} and {self.layer + 1} are dense"
        return (Hypothesis(pair, holds=True),)

    @property
    def reference(self) -> Reference:
        """Where the law comes from."""
        return ARORA_COHEN_HAZAN_2018

    def proof(self) -> list[ProofStep]:
        """Return the proof as identities between SymPy expressions.

        Returns
        -------
        list of ProofStep
            Each compares equal as noncommutative polynomials, hence for every width;
            `ProofStep.check` expands it again.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
        >>> for step in sf.conserved(flow)[0].proof():
        ...     print(step)
        Ẇ₁ = W₂ᵀF    [chain rule, F = −∂ℓ/∂W]
        Ẇ₂ = FW₁ᵀ    [chain rule, F = −∂ℓ/∂W]
        W₂ᵀẆ₂ = Ẇ₁W₁ᵀ    [both are W₂ᵀFW₁ᵀ]
        W₂ᵀẆ₂ + Ẇ₂ᵀW₂ − W₁Ẇ₁ᵀ − Ẇ₁W₁ᵀ = 0    [the derivative of Δ1]
        """
        return _proof(self.flow, self.layer)

    @property
    def _matrices(self) -> tuple[Node, Node]:
        network = self.flow.network
        assert isinstance(network, Network)
        return network.matrices[self.layer - 1], network.matrices[self.layer]


def _proof(flow: GradientFlow, layer: int) -> list[ProofStep]:
    network = flow.network
    assert isinstance(network, Network)
    force = Leaf(sympy.MatrixSymbol("F", network.widths[-1], network.widths[0]))
    pair = network.layers[layer - 1 : layer + 1]
    symbols = flow.state[layer - 1 : layer + 1]
    first, second = network.matrices[layer - 1 : layer + 1]
    names = [
        kind.matrix(Leaf(dotted(symbol)))
        for kind, symbol in zip(pair, symbols, strict=True)
    ]
    pulled = with_dense_others(network, layer).pull_back(force)[layer - 1 : layer + 1]
    decay = flow.loss.l2
    speeds = _speeds(flow, layer)
    given = [
        scale(eta, node if decay == 0 else add(node, scale(-decay, Leaf(symbol))))
        for eta, node, symbol in zip(speeds, pulled, symbols, strict=True)
    ]
    meaning = dict(zip(map(dotted, symbols), given, strict=True))
    half = scale(1 / speeds[1], product(transpose(second), names[1]))
    other = scale(1 / speeds[0], product(names[0], transpose(first)))
    middle = inline(to_sympy(product(transpose(second), pair[1].matrix(pulled[1]))))
    rule = "chain rule, F = −∂ℓ/∂W" + ("" if decay == 0 else ", and weight decay")
    rule += ", times the learning rate" if flow.learning_rates else ""
    steps = [
        step(Leaf(dotted(symbol)), node, rule, meaning)
        for symbol, node in zip(symbols, given, strict=True)
    ]
    if decay == 0:
        steps.append(step(half, other, f"both are {middle}", meaning))
    else:
        gap = scale(-decay, _imbalance(first, second, speeds))
        steps.append(
            step(subtract(half, other), gap, "the chain rule parts cancel", meaning)
        )
    derivative = add(
        half, transpose(half), scale(-1, transpose(other)), scale(-1, other)
    )
    end = scale(-2 * decay, _imbalance(first, second, speeds))
    steps.append(step(derivative, end, f"the derivative of Δ{layer}", meaning))
    return steps


def with_dense_others(network: Network, layer: int) -> Network:
    """Return the network with all but two layers dense: their form does not matter."""
    pair = (layer - 1, layer)
    return Network(
        *(
            kind if number in pair else Dense(kind.inputs, kind.outputs)
            for number, kind in enumerate(network.layers)
        )
    )


def _imbalance(first: Node, second: Node, speeds: tuple[Any, Any]) -> Node:
    inner = scale(1 / speeds[1], product(transpose(second), second))
    return subtract(inner, scale(1 / speeds[0], product(first, transpose(first))))


def _speeds(flow: GradientFlow, layer: int) -> tuple[sympy.Expr, sympy.Expr]:
    """Return the learning rates of a layer, counted from 1, and of the next one."""
    return flow.speed(layer - 1), flow.speed(layer)
