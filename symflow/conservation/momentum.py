"""What the heavy ball conserves: the angular momenta of the hidden layers.

With momentum the imbalance is lost, because only the rotations among the symmetries
W_l → RW_l, W_{l+1} → W_{l+1}Rᵀ keep the kinetic energy.  Noether's law of their
generators is that of the skew part of W_lẆ_lᵀ + W_{l+1}ᵀẆ_{l+1}:

    A = W_lẆ_lᵀ − Ẇ_lW_lᵀ + W_{l+1}ᵀẆ_{l+1} − Ẇ_{l+1}ᵀW_{l+1},    Ȧ = −τA,

because W_lẄ_lᵀ + W_{l+1}ᵀẄ_{l+1} is symmetric but for the friction: with K as for the
imbalance it is W_lKᵀW_{l+1} + W_{l+1}ᵀKW_lᵀ.  Weight decay adds symmetric terms only.
Hence e^{τt}A is conserved: h(h − 1)/2 numbers for a hidden layer of width h.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.calculus import push_forward
from symflow.algebra.elementwise import weighted
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
from symflow.algebra.numbers import exact
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.values import Values
from symflow.claims import Claim, Hypothesis, Path, Reference, Status, relative_size
from symflow.claims.bibliography import MARCOTTE_2024
from symflow.conservation.balance import with_dense_others
from symflow.conservation.brackets import TIME, Fields
from symflow.conservation.proof import ProofStep, is_proof, standing, step
from symflow.conservation.symmetry import Symmetry, common_symmetry
from symflow.flow import HeavyBall, dotted, twice_dotted
from symflow.networks import Network

#: Friction where a count meets a symbol: any positive number is generic.
SOME_FRICTION = sympy.Rational(3, 7)


@dataclass(frozen=True, repr=False)
class AngularMomentum(Claim):
    """The angular momentum A of a hidden layer, for which e^{τt}A is conserved.

    Parameters
    ----------
    ball : HeavyBall
        Of a network with two adjacent dense layers.
    layer : int
        The first of the two layers, counted from 1.

    Examples
    --------
    >>> import symflow as sf
    >>> ball = sf.heavy_ball(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> (law,) = sf.conserved(ball)
    >>> print(law)
    W₁Ẇ₁ᵀ + W₂ᵀẆ₂ − Ẇ₁W₁ᵀ − Ẇ₂ᵀW₂ decays as e^(−tτ), for every width, loss and data set
    """

    ball: HeavyBall
    layer: int

    @property
    def name(self) -> str:
        """A short name for tables."""
        return f"angular momentum {self.layer}"

    @property
    def rate(self) -> sympy.Expr:
        """The friction τ in A(t) = e^{−τt} A(0)."""
        return self.ball.friction

    @cached_property
    def node(self) -> Node:
        """A as a node in weights and velocities."""
        return _rotating(self._matrices, self._velocities)

    @cached_property
    def expr(self) -> Any:
        """A as a SymPy expression."""
        return to_sympy(self.node)

    @property
    def statement(self) -> sympy.Basic:
        """dA/dt = −τA."""
        derivative = sympy.MatrixSymbol("Adot", *self.node.shape)
        return sympy.Eq(derivative, -self.rate * self.expr, evaluate=False)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """Two adjacent dense layers; nothing is asked of the loss or the data."""
        pair = f"layers {self.layer} and {self.layer + 1} are dense"
        return (Hypothesis(pair, holds=True),)

    @property
    def reference(self) -> Reference:
        """Where the law comes from."""
        return MARCOTTE_2024

    @property
    def status(self) -> Status:
        """Proved where the proof checks, for every loss and data set."""
        return standing(proved=self.is_proved, hypotheses=self.hypotheses)

    @cached_property
    def is_proved(self) -> bool:
        """Whether there is a proof, and every step of it checks again."""
        return is_proof(self.proof())

    def proof(self) -> list[ProofStep]:
        """Return the equations of motion and Ȧ = −τA, for every width and force F.

        Returns
        -------
        list of ProofStep
            Identities of noncommutative polynomials.
        """
        network, ball = self._network, self.ball
        force = Leaf(sympy.MatrixSymbol("F", network.widths[-1], network.widths[0]))
        place = slice(self.layer - 1, self.layer + 1)
        pulled = with_dense_others(network, self.layer).pull_back(force)[place]
        given = [
            add(
                node,
                scale(-ball.loss.l2, Leaf(symbol)),
                scale(-self.rate, Leaf(dotted(symbol))),
            )
            for node, symbol in zip(pulled, ball.flow.state[place], strict=True)
        ]
        names = [Leaf(twice_dotted(symbol)) for symbol in ball.flow.state[place]]
        meaning = dict(zip((name.symbol for name in names), given, strict=True))
        steps = [
            step(name, node, "Newton's law, F = −∂ℓ/∂W, with friction", meaning)
            for name, node in zip(names, given, strict=True)
        ]
        slopes: dict[sympy.MatrixSymbol, Node] = {}
        for symbol, name in zip(ball.flow.state[place], names, strict=True):
            slopes |= {symbol: Leaf(dotted(symbol)), dotted(symbol): name}
        rate = push_forward(self.node, slopes)
        assert rate is not None
        end = scale(-self.rate, self.node)
        return [*steps, step(rate, end, "the derivative of A", meaning)]

    def value(self, weights: Any, velocities: Any) -> Array:
        """Return A at given weights and velocities.

        Parameters
        ----------
        weights, velocities : sequence of arrays
            One per layer, of any arithmetic, with or without a leading time axis.

        Returns
        -------
        array
            With the leading axis of the weights.
        """
        arrays = map(np.asarray, (*weights, *velocities))
        return Values(dict(zip(self.ball.state, arrays, strict=True))).of(self.node)

    def residuals(self, path: Path) -> Array:
        """Return |A(t) − e^{−τt}A(0)| relative to weights times velocities.

        The path has to hold the velocities after the weights.  A ball that has come to
        rest once moved by its weights in the time since the start.
        """
        count = len(self.ball.flow.state)
        weights, velocities = path.weights[:count], path.weights[count:]
        values = self.value(weights, velocities)
        tops = [
            max(abs(x) for a in part for x in a.flat) for part in (weights, velocities)
        ]
        last = path.number(exact(path.t[-1]))
        speed = max(tops[1], tops[0] / last) if last > 0 else tops[1]
        size = np.asarray([tops[0] * speed])
        gaps = []
        for time, value in zip(path.t, values, strict=True):
            elapsed = exact(time) - exact(path.t[0])
            kept = path.number(sympy.exp(-self.rate * elapsed))
            gaps.append(relative_size(np.asarray(value - kept * values[0]), size))
        return np.asarray(gaps)

    @property
    def _network(self) -> Network:
        assert isinstance(self.ball.network, Network)
        return self.ball.network

    @property
    def _matrices(self) -> tuple[Node, ...]:
        return self._network.matrices[self.layer - 1 : self.layer + 1]

    @property
    def _velocities(self) -> tuple[Node, ...]:
        place = slice(self.layer - 1, self.layer + 1)
        layers, symbols = self._network.layers[place], self.ball.flow.state[place]
        return tuple(
            layer.matrix(Leaf(dotted(symbol)))
            for layer, symbol in zip(layers, symbols, strict=True)
        )

    def __str__(self) -> str:
        words = "for every width, loss and data set"
        if self.rate == 0:
            return f"{inline(self.expr)} is conserved, {words}"
        exponent = inline(-self.rate * sympy.Symbol("t")).replace("-", "−")
        return f"{inline(self.expr)} decays as e^({exponent.replace('*', '')}), {words}"


def _rotating(matrices: tuple[Node, ...], velocities: tuple[Node, ...]) -> Node:
    first = product(matrices[0], transpose(velocities[0]))
    second = product(transpose(matrices[1]), velocities[1])
    return add(
        first,
        scale(-1, product(velocities[0], transpose(matrices[0]))),
        second,
        scale(-1, product(transpose(velocities[1]), matrices[1])),
    )


def momentum_laws(ball: HeavyBall) -> list[AngularMomentum]:
    """Return the angular momentum of every hidden layer between dense layers."""
    if not isinstance(ball.network, Network) or ball.flow.decays_differ:
        return []
    return [
        AngularMomentum(ball, number)
        for number, pair in enumerate(pairwise(ball.network.layers), start=1)
        if common_symmetry(*pair) is Symmetry.ALL
    ]


def momentum_fields(ball: HeavyBall) -> Fields:
    """Return the fields of weights, velocities and time, with every force.

    Parameters
    ----------
    ball : HeavyBall
        Of integer widths.
    """
    network = ball.network
    widths = network.widths
    force = sympy.MatrixSymbol("G", int(widths[-1]), int(widths[0]))
    clock = sympy.MatrixSymbol("c", 1, 1)
    pace = trace(Leaf(clock))
    velocities = [weighted(pace, Leaf(dotted(s))) for s in network.parameters]
    friction = _number(ball)
    accelerations = [
        subtract(node, scale(friction, velocity)) if friction else node
        for node, velocity in zip(
            network.pull_back(Leaf(force)), velocities, strict=True
        )
    ]
    nodes = (*velocities, *accelerations, Leaf(clock))
    return Fields((*ball.state, TIME), (force, clock), nodes)


def momentum_nodes(ball: HeavyBall) -> list[Node]:
    """Return e^{τt}A of every law to first order at t = 0, for a Jacobian there."""
    friction = _number(ball)
    return [
        add(law.node, scale(friction, weighted(trace(Leaf(TIME)), law.node)))
        if friction
        else law.node
        for law in momentum_laws(ball)
    ]


def _number(ball: HeavyBall) -> sympy.Expr:
    return SOME_FRICTION if ball.friction.free_symbols else ball.friction
