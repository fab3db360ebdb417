"""The laws of first and second degree that `symflow.conservation.symmetries` finds.

Between the dense layers l and l + 1 it is the imbalance W_{l+1}ᵀW_{l+1} − W_lW_lᵀ: with
K = (W_L⋯W_{l+2})ᵀ F (W_{l−1}⋯W_1)ᵀ the chain rule reads Ẇ_l = W_{l+1}ᵀK and
Ẇ_{l+1} = K W_lᵀ, so that W_{l+1}ᵀẆ_{l+1} = Ẇ_lW_lᵀ.  Weight decay λ adds −λW_l to every
derivative, and the law decays as e^{−2λt}.  With learning rates η_l, it is that of
W_{l+1}ᵀW_{l+1}/η_{l+1} − W_lW_lᵀ/η_l.

The force F stays a symbol in the proof, so that nothing is assumed about the loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import sympy

from symflow.algebra.calculus import push_forward
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Scaled,
    Sum,
    add,
    scale,
    subtract,
    transpose,
)
from symflow.algebra.threads import cached_property
from symflow.claims import Reference
from symflow.claims.bibliography import ARORA_COHEN_HAZAN_2018, MARCOTTE_2023
from symflow.conservation.generators import ONE, Generators, Term
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, step
from symflow.conservation.symmetries import Combination, Pace, pace_of, symmetries
from symflow.flow import GradientFlow, dotted
from symflow.networks import Network

_EXPLICIT = {Generators.ALL, Generators.SYMMETRIC, Generators.SKEW}


@dataclass(frozen=True, repr=False)
class NoetherLaw(Law):
    """A linear or quadratic form that a symmetry of the model conserves: the imbalance.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    combination : tuple
        As from `symmetries`: terms and their coefficients.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> (law,) = sf.conserved(flow)
    >>> law.expr, law.rate, law.is_conserved
    (-W1*W1.T + W2.T*W2, 0, True)
    >>> net = sf.DiagonalNetwork("d", depth=1, signed=True)  # β = u − v
    >>> print(sf.conserved(sf.gradient_flow(net, sf.SquaredLoss()))[0])
    u₁ + v₁ is conserved, for every width, loss and data set
    """

    flow: GradientFlow
    combination: Combination

    @property
    def degree(self) -> int:  # type: ignore[override]
        """The degree in the weights, 1 or 2."""
        return 2 if any(term.first != ONE for term, _ in self.combination) else 1

    @cached_property
    def pace(self) -> Pace:
        """How fast the parameters move and decay."""
        return pace_of(self.flow)

    @cached_property
    def node(self) -> Node:
        """The form, positive terms first."""
        order = sorted(self.combination, key=lambda item: item[1] < 0)
        return add(*(scale(self._factor_of(*item), item[0].moment) for item in order))

    @property
    def involved(self) -> tuple[int, ...]:
        """Which parameters occur, counted from 0."""
        places = map(self.flow.state.index, self.symbols)
        return tuple(sorted(places))

    @property
    def name(self) -> str:
        """A short name for tables."""
        first, last = self.involved[0], self.involved[-1]
        if isinstance(self.flow.network, Network) and last == first + 1:
            return f"{self.generators.law} Δ{last}"
        return ", ".join(self.flow.state[k].name for k in self.involved)

    @property
    def symbols(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The parameters that occur."""
        found = (s for term, _ in self.combination for s in term.symbols)
        return tuple(dict.fromkeys(found))

    @property
    def is_homogeneous(self) -> bool:
        """Whether all terms are of one degree."""
        return len({term.first == ONE for term, _ in self.combination}) == 1

    @property
    def generators(self) -> Generators:
        """The matrices S whose motions leave the model as it is."""
        kind: Generators = self.combination[0][0].generators
        return kind

    @property
    def rate(self) -> sympy.Expr:
        """The rate r in Q(t) = e^{−rt} Q(0)."""
        return self.pace.decay(*self.combination[0][0].letters)

    @property
    def reference(self) -> Reference:
        """Where the law comes from."""
        dense = self.generators in _EXPLICIT and isinstance(self.flow.network, Network)
        return ARORA_COHEN_HAZAN_2018 if dense else MARCOTTE_2023

    def proof(self) -> list[ProofStep]:
        """Return the proof as identities between SymPy expressions.

        Where any matrix acts between two spaces, these are the velocities and the
        derivative of the law.  Else the law is tested with a generator S: the model
        does not change along the motion that S makes, and this is the gradient of
        tr SᵀQ, in which the projections of the velocities drop out.

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
        W₂ᵀẆ₂ + Ẇ₂ᵀW₂ − W₁Ẇ₁ᵀ − Ẇ₁W₁ᵀ = 0    [the derivative of imbalance Δ1]
        """
        if self.generators in _EXPLICIT:
            return self._by_the_chain_rule()
        return self._with_a_generator()

    def _with_a_generator(self) -> list[ProofStep]:
        motion = self.pace.motion(self.combination)
        moved = push_forward(self.flow.network.end_to_end_node, motion)
        assert moved is not None
        form = add(*self._tested())
        names = {symbol: Leaf(dotted(symbol)) for symbol in self.symbols}
        slope = push_forward(form, dict(names))
        assert slope is not None
        inner = [
            scale(1 / self.pace.speed(s), self._pairing(s, node, names[s]))
            for s, node in motion.items()
        ]
        words = f"for every size and S, {self.generators.value}"
        steps = [
            step(moved, scale(0, moved), f"{words}: a motion ξ leaves W as it is", {}),
            step(
                subtract(slope, add(*inner)),
                scale(0, slope),
                f"{words}: ξ is the gradient of the law, so that θ̇ = (dW)ᵀF keeps it",
                {},
            ),
        ]
        return [*steps, *self._fading(form)]

    def _pairing(self, symbol: sympy.MatrixSymbol, left: Node, right: Node) -> Node:
        """Return the inner product of two motions of a parameter."""
        ends = {term.first for term, _ in self.combination}
        if self.generators is Generators.ENTRYWISE and (symbol, True) in ends:
            left, right = transpose(left), transpose(right)
        return self.generators.pairing(left, right)

    def _tested(self) -> Iterable[Node]:
        for term, coefficient in self.combination:
            factor = self._factor_of(term, coefficient)
            yield scale(factor, term.tested(term.generator))

    def _factor_of(self, term: Term, coefficient: Fraction) -> sympy.Expr:
        return sympy.Rational(coefficient) * self.pace.weight(term)

    def _fading(self, form: Node) -> list[ProofStep]:
        """Prove what weight decay alone makes of the form."""
        if self.rate == 0:
            return []
        decays: dict[sympy.MatrixSymbol, Node] = {
            s: scale(-self.pace.decay(s), Leaf(s)) for s in self.symbols
        }
        slope = push_forward(form, decays)
        assert slope is not None
        return [step(slope, scale(-self.rate, form), "by weight decay alone", {})]

    def _by_the_chain_rule(self) -> list[ProofStep]:
        """Write out the velocities and the derivative of the form."""
        widths, state = self.flow.network.widths, self.flow.state
        force = Leaf(sympy.MatrixSymbol("F", widths[-1], widths[0]))
        pulled = self.flow.network.pull_back(force)
        meaning = {}
        for place in self.involved:
            moved = scale(self.pace.speeds[place], pulled[place])
            decay = scale(-self.pace.decays[place], Leaf(state[place]))
            known = add(moved, decay) if self.pace.decays[place] != 0 else moved
            meaning[dotted(state[place])] = known
        rule = "chain rule, F = −∂ℓ/∂W" + ", and weight decay" * (self.rate != 0)
        rule += ", times the learning rate" * bool(self.flow.learning_rates)
        steps = [step(Leaf(s), node, rule, meaning) for s, node in meaning.items()]
        end = scale(-self.rate, self.node)
        words = f"the derivative of {self.name}"
        return [*steps, step(self._derivative, end, words, meaning)]

    @property
    def _derivative(self) -> Node:
        """The derivative of the form in the names of the velocities, term by term."""
        names: dict[sympy.MatrixSymbol, Node] = {
            symbol: Leaf(dotted(symbol)) for symbol in self.symbols
        }
        found: list[Node] = []
        for part in self.node.terms if isinstance(self.node, Sum) else (self.node,):
            factor, body = sympy.S.One, part
            if isinstance(part, Scaled):
                factor, body = part.coefficient, part.body
            moved = push_forward(body, names)
            assert moved is not None
            terms = moved.terms if isinstance(moved, Sum) else (moved,)
            found += [scale(factor, term) for term in reversed(terms)]
        return add(*found)


def noether_laws(flow: GradientFlow) -> list[Law]:
    """Return the laws of first and second degree, those of the first letters first."""
    found: list[Law] = [NoetherLaw(flow, law) for law in symmetries(pace_of(flow))]
    return sorted(found, key=lambda law: (law.involved[-1], -law.involved[0]))
