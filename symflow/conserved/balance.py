"""The imbalance Δ_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ: conserved, for every loss and data.

Let K = (W_L⋯W_{l+2})ᵀ F (W_{l−1}⋯W_1)ᵀ.  The chain rule reads Ẇ_l = W_{l+1}ᵀK and
Ẇ_{l+1} = K W_lᵀ, hence W_{l+1}ᵀẆ_{l+1} = W_{l+1}ᵀ K W_lᵀ = Ẇ_lW_lᵀ, and

    Δ̇_l = (W_{l+1}ᵀẆ_{l+1} − Ẇ_lW_lᵀ) + (W_{l+1}ᵀẆ_{l+1} − Ẇ_lW_lᵀ)ᵀ = 0.

It is Noether's law of the symmetry W_l → gW_l, W_{l+1} → W_{l+1}g⁻¹.  Weight decay λ
adds −λW_l to every derivative, and Δ̇_l = −2λΔ_l: the imbalance decays as e^{−2λt}.

The force F stays a symbol in the proof, so that nothing is assumed about the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.nodes import (
    Leaf,
    Node,
    add,
    product,
    scale,
    subtract,
    transpose,
)
from symflow.algebra.numbers import exact
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.claims import (
    Claim,
    Hypothesis,
    Path,
    Reference,
    Status,
    relative_size,
)
from symflow.conserved.proof import ProofStep, step
from symflow.flow import GradientFlow, dotted
from symflow.networks import Dense, Network

ARORA_COHEN_HAZAN = Reference(
    "Sanjeev Arora, Nadav Cohen, Elad Hazan",
    "On the Optimization of Deep Networks: Implicit Acceleration by "
    "Overparameterization",
    "International Conference on Machine Learning",
    2018,
    "1802.06509",
)


@dataclass(frozen=True)
class Balance(Claim):
    """The law of the imbalance between two adjacent dense layers.

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
    def rate(self) -> sympy.Expr:
        """The rate r in Δ(t) = e^{−rt} Δ(0): zero without weight decay, else 2λ."""
        return 2 * self.flow.loss.l2

    @property
    def is_conserved(self) -> bool:
        """Whether the imbalance is constant, not merely decaying at a known rate."""
        return bool(self.rate == 0)

    @cached_property
    def expr(self) -> sympy.MatrixExpr:
        """Δ as a SymPy matrix expression."""
        first, second = self._leaves
        return to_sympy(_imbalance(first, second))

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
        return ARORA_COHEN_HAZAN

    @property
    def status(self) -> Status:
        """Proved, for every width."""
        return Status.PROVED

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

    def value(self, weights: Any) -> Array:
        """Return Δ at the given weights.

        Parameters
        ----------
        weights : sequence of arrays
            W_1, …, W_L, of any arithmetic, with or without a leading time axis.

        Returns
        -------
        array
            Shape (…, h, h).
        """
        first, second = (
            np.asarray(w) for w in weights[self.layer - 1 : self.layer + 1]
        )
        inner = np.swapaxes(second, -1, -2) @ second
        return np.asarray(inner - first @ np.swapaxes(first, -1, -2))

    def residuals(self, path: Path) -> Array:
        """Return ‖Δ(t) − e^{−rt}Δ(0)‖ relative to the largest squared weight."""
        values = self.value(path.weights)
        first, second = path.weights[self.layer - 1 : self.layer + 1]
        size = np.asarray([_top(first) ** 2, _top(second) ** 2])
        factors = [self._factor(path, time) for time in path.t]
        drifts = [
            relative_size(value - factor * values[0], size)
            for value, factor in zip(values, factors, strict=True)
        ]
        return np.asarray(drifts)

    def _factor(self, path: Path, time: Any) -> Any:
        if self.is_conserved:
            return 1
        return path.number(sympy.exp(-self.rate * (exact(time) - exact(path.t[0]))))

    @property
    def _leaves(self) -> tuple[Leaf, Leaf]:
        first, second = self.flow.state[self.layer - 1 : self.layer + 1]
        return Leaf(first), Leaf(second)

    def __str__(self) -> str:
        if self.is_conserved:
            return (
                f"{inline(self.expr)} is conserved, for every width, loss and data set"
            )
        exponent = inline(-self.rate * sympy.Symbol("t")).replace("-", "−")
        return f"{inline(self.expr)} decays as e^({exponent.replace('*', '')})"


def balances(flow: GradientFlow) -> list[Balance]:
    """Return the law of every adjacent pair of dense layers."""
    network = flow.network
    if not isinstance(network, Network):
        return []
    return [
        Balance(flow, layer)
        for layer in range(1, network.depth)
        if all(
            isinstance(pair, Dense) for pair in network.layers[layer - 1 : layer + 1]
        )
    ]


def _proof(flow: GradientFlow, layer: int) -> list[ProofStep]:
    network = flow.network
    assert isinstance(network, Network)
    force = Leaf(sympy.MatrixSymbol("F", network.widths[-1], network.widths[0]))
    first, second = (Leaf(symbol) for symbol in flow.state[layer - 1 : layer + 1])
    names = [Leaf(dotted(leaf.symbol)) for leaf in (first, second)]
    pulled = network.pull_back(force)[layer - 1 : layer + 1]
    decay = flow.loss.l2
    given = [
        node if decay == 0 else add(node, scale(-decay, leaf))
        for node, leaf in zip(pulled, (first, second), strict=True)
    ]
    meaning = dict(zip((name.symbol for name in names), given, strict=True))
    half = product(transpose(second), names[1])
    other = product(names[0], transpose(first))
    middle = inline(to_sympy(product(transpose(second), pulled[1])))
    rule = "chain rule, F = −∂ℓ/∂W" + ("" if decay == 0 else ", and weight decay")
    steps = [
        step(name, node, rule, meaning) for name, node in zip(names, given, strict=True)
    ]
    if decay == 0:
        steps.append(step(half, other, f"both are {middle}", meaning))
    else:
        gap = scale(-decay, _imbalance(first, second))
        steps.append(
            step(subtract(half, other), gap, "the chain rule parts cancel", meaning)
        )
    derivative = add(
        half,
        transpose(half),
        scale(-1, transpose(other)),
        scale(-1, other),
    )
    end = scale(-2 * decay, _imbalance(first, second))
    steps.append(step(derivative, end, f"the derivative of Δ{layer}", meaning))
    return steps


def _imbalance(first: Node, second: Node) -> Node:
    inner = product(transpose(second), second)
    return subtract(inner, product(first, transpose(first)))


def _top(array: Array) -> Any:
    return max(abs(entry) for entry in array.flat)
