"""What the heavy ball conserves: the angular momenta of the hidden layers.

With momentum the imbalance is lost, because only the rotations among the symmetries
W_l → RW_l, W_{l+1} → W_{l+1}Rᵀ keep the kinetic energy.  Noether's law of their
generators is that of the skew part of W_lẆ_lᵀ + W_{l+1}ᵀẆ_{l+1}:

    A = W_lẆ_lᵀ − Ẇ_lW_lᵀ + W_{l+1}ᵀẆ_{l+1} − Ẇ_{l+1}ᵀW_{l+1},    Ȧ = −τA,

because W_lẄ_lᵀ + W_{l+1}ᵀẄ_{l+1} is symmetric but for the friction: with K as for the
imbalance it is W_lKᵀW_{l+1} + W_{l+1}ᵀKW_lᵀ.  Weight decay adds symmetric terms only.
Hence e^{τt}A is conserved: h(h − 1)/2 numbers for a hidden layer of width h.  With the
friction c/t it is t^c A.  Counts do not depend on the friction, which another clock
takes away: with t″ = τt′² the forces are only multiplied by t′².
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.commuting_words import expand_commuting
from symflow.algebra.display import Marked
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
from symflow.algebra.typeset import latex
from symflow.algebra.values import Values
from symflow.claims import Claim, Path
from symflow.claims.bibliography import MARCOTTE_2024
from symflow.conservation.brackets import TIME, Fields
from symflow.conservation.generators import ONE, Generators, Term, oriented
from symflow.conservation.law import FormOfTerms
from symflow.conservation.proof import ProofStep, slope, step
from symflow.conservation.symmetries import (
    Combination,
    Letters,
    Pace,
    Velocities,
    combinations_of,
    pace_of,
)
from symflow.flow import GradientFlow, HeavyBall, dotted

#: Friction where a count meets a symbol: any positive number is generic.
SOME_FRICTION = sympy.Rational(3, 7)


@dataclass(frozen=True, repr=False)
class AngularMomentum(FormOfTerms):
    """The angular momentum A of a hidden layer, for which e^{τt}A is conserved.

    Examples
    --------
    >>> import symflow as sf
    >>> ball = sf.heavy_ball(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> (law,) = sf.conserved(ball)
    >>> print(law)
    W₁Ẇ₁ᵀ + W₂ᵀẆ₂ − Ẇ₁W₁ᵀ − Ẇ₂ᵀW₂ decays as e^(−tτ), for every width, loss and data set
    """

    ball: HeavyBall
    generators: Generators  #: The kind of the generators S of the rotations.
    combination: Combination  #: As from `rotations`: terms and their coefficients.

    finding = Claim.finding  # an enclosure has no velocities

    @property
    def flow(self) -> GradientFlow:
        """The flow of the same network and loss."""
        return self.ball.flow

    @property
    def name(self) -> str:
        return self._named("angular momentum ", "angular momentum of ")

    @property
    def rate(self) -> sympy.Expr:
        """The friction τ in Ȧ = −τA, which may be c/t."""
        return self.ball.friction

    @cached_property
    def node(self) -> Node:
        """A as a node in weights and velocities."""
        return add(
            *(
                scale(sympy.Rational(coefficient), part)
                for term, coefficient in self.combination
                for part in _parts(term, self.generators)
            )
        )

    @cached_property
    def expr(self) -> Any:
        """A as a SymPy expression."""
        return to_sympy(self.node)

    reference = MARCOTTE_2024

    def proof(self) -> Sequence[ProofStep]:
        """Return the equations of motion and Ȧ = −τA, for every width and force F."""
        forces = pace_of(self.flow).velocities()
        meaning: Velocities = {}
        moving: Velocities = {}
        for symbol in (self.flow.state[place] for place in self.involved):
            velocity, name = dotted(symbol), dotted(symbol, "ddot")
            friction = scale(-self.rate, Leaf(velocity))
            meaning[name] = add(forces[symbol], friction)
            moving |= {symbol: Leaf(velocity), velocity: Leaf(name)}
        rule = "Newton's law, F = −∂ℓ/∂W, with friction"
        steps = [step(Leaf(s), node, rule, meaning) for s, node in meaning.items()]
        end, words = scale(-self.rate, self.node), "the derivative of A"
        return [*steps, step(slope(self.node, moving), end, words, meaning)]

    def value(self, weights: Any, velocities: Any = ()) -> Array:
        """Return A at given weights and velocities."""
        arrays = map(np.asarray, (*weights, *velocities))
        return Values(dict(zip(self.ball.state, arrays, strict=True))).of(self.node)

    def size(self, path: Path) -> Array:
        """Return weights times velocities, which a path holds after the weights.

        A ball that has come to rest once moved by its weights in the time since the
        start.
        """
        tops = [max(abs(x) for a in part for x in a.flat) for part in self._parts(path)]
        last = path.number(exact(path.t[-1]))
        speed = max(tops[1], tops[0] / last) if last > 0 else tops[1]
        return np.asarray([tops[0] * speed])

    def _along(self, path: Path) -> Array:
        return self.value(*self._parts(path))

    def _factors(self, path: Path) -> Array:
        fading, start = self.ball.fading, exact(path.t[0])
        if fading == 0:
            return super()._factors(path)
        later = [path.number((start / exact(t)) ** fading) for t in path.t[1:]]
        return np.asarray([path.number(1), *later])

    @property
    def _decay(self) -> Marked:
        c = self.ball.fading
        if c == 0:
            return super()._decay
        return Marked(f"t^(−{inline(c)})", f"$t^{{-{latex(c)}}}$")

    def _parts(self, path: Path) -> tuple[Any, Any]:
        count = len(self.ball.flow.state)
        return path.weights[:count], path.weights[count:]

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.is_conserved else f"{text}, {self.scope}"


def _parts(term: Term, generators: Generators) -> list[Node]:
    """Return the moment of a rotation, velocities in the place of one letter each."""
    (first, flag), (second, other) = term.first, term.second
    a, v = oriented(term.first), oriented((dotted(first), flag))
    b, w = oriented(term.second), oriented((dotted(second), other))
    parts = [product(transpose(a), w), scale(-1, product(transpose(v), b))]
    if generators is Generators.ALL or term.is_square:
        return parts
    sign = -1 if generators is Generators.SKEW else 1
    return [*parts, *(scale(sign, transpose(part)) for part in parts)]


def rotations(pace: Pace) -> Iterator[tuple[Generators, Combination]]:
    """Yield the rotations that leave a model as it is, with their generators.

    They turn b along aS and a along −bSᵀ; in one space S is symmetric or skew.
    """
    kinds = {
        Generators.ALL: Generators.ALL,
        Generators.SYMMETRIC: Generators.SKEW,
        Generators.SKEW: Generators.SYMMETRIC,
    }
    try:
        words = expand_commuting(pace.network.end_to_end_node)
    except TypeError:
        return
    for found in Letters(pace, words).terms():
        terms = [term for term in found if _turns(term, pace)]
        kind = kinds.get(found[0].generators)
        if kind is not None and terms:
            moves = [_turned(term, kind) for term in terms]
            for law in combinations_of(words, terms, moves, []):
                yield kind, law


def _turns(term: Term, pace: Pace) -> bool:
    """Say whether weight decay, too, is blind to a rotation."""
    return term.first != ONE and len({pace.decay(s) for s in term.symbols}) == 1


def _turned(term: Term, kind: Generators) -> Velocities:
    """Return the motion of a rotation."""
    straight = Term(kind, term.first, term.second)
    (second, moved), (first, other) = straight.gradient()
    if term.is_square:
        return {second: moved}
    if first == second:
        return {first: subtract(moved, other)}
    return {second: moved, first: scale(-1, other)}


def momentum_laws(ball: HeavyBall) -> list[AngularMomentum]:
    """Return the angular momenta of all rotations that leave the model as it is."""
    found = [
        AngularMomentum(ball, generators, combination)
        for generators, combination in rotations(pace_of(ball.flow))
    ]
    return sorted(found, key=lambda law: (law.involved[-1], -law.involved[0]))


def momentum_fields(ball: HeavyBall) -> Fields:
    """Return the fields of weights, velocities and time, with every force."""
    network = ball.network
    widths = network.widths
    force = sympy.MatrixSymbol("G", int(widths[-1]), int(widths[0]))
    clock = sympy.MatrixSymbol("c", 1, 1)
    pace = trace(Leaf(clock))
    velocities = [weighted(pace, Leaf(dotted(s))) for s in network.parameters]
    friction = _number(ball)
    pairs = zip(network.pull_back(Leaf(force)), velocities, strict=True)
    accelerations = [subtract(node, scale(friction, v)) for node, v in pairs]
    nodes = (*velocities, *accelerations, Leaf(clock))
    return Fields((*ball.state, TIME), (force, clock), nodes)


def momentum_nodes(ball: HeavyBall) -> list[Node]:
    """Return e^{τt}A of every law to first order at t = 0, for a Jacobian there."""
    friction = _number(ball)
    nodes, time = [law.node for law in momentum_laws(ball)], trace(Leaf(TIME))
    return [add(node, scale(friction, weighted(time, node))) for node in nodes]


def _number(ball: HeavyBall) -> sympy.Expr:
    return SOME_FRICTION if ball.friction.free_symbols else ball.friction
