"""The laws of first and second degree that `symflow.conservation.symmetries` finds.

Between the dense layers l and l + 1 it is the imbalance W_{l+1}ᵀW_{l+1} − W_lW_lᵀ: with
K = (W_L⋯W_{l+2})ᵀ F (W_{l−1}⋯W_1)ᵀ the chain rule reads Ẇ_l = W_{l+1}ᵀK and
Ẇ_{l+1} = K W_lᵀ, so that W_{l+1}ᵀẆ_{l+1} = Ẇ_lW_lᵀ.  Weight decay λ adds −λW_l to every
derivative, and the law decays as e^{−2λt}.  With learning rates η_l, it is that of
W_{l+1}ᵀW_{l+1}/η_{l+1} − W_lW_lᵀ/η_l.

The force F stays a symbol in the proof, so that nothing is assumed about the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from symflow.algebra.nodes import Leaf, Node, Sum, add, scale, subtract, transpose
from symflow.algebra.threads import cached_property
from symflow.claims import Reference
from symflow.claims.bibliography import ARORA_COHEN_HAZAN_2018, MARCOTTE_2023
from symflow.conservation.generators import ONE, Generators, Term
from symflow.conservation.law import FormOfTerms, Law
from symflow.conservation.proof import ProofStep, slope, step
from symflow.conservation.symmetries import (
    Combination,
    Pace,
    Velocities,
    pace_of,
    symmetries,
)
from symflow.flow import GradientFlow, dotted
from symflow.networks import Network

_EXPLICIT = {Generators.ALL, Generators.SYMMETRIC, Generators.SKEW}


@dataclass(frozen=True, repr=False)
class NoetherLaw(FormOfTerms, Law):
    """A linear or quadratic form that a symmetry of the model conserves: the imbalance.

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
    combination: Combination  #: As from `symmetries`: terms and their coefficients.

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
        return add(*(scale(factor, moment) for factor, moment in self._moments))

    @property
    def _moments(self) -> list[tuple[sympy.Expr, Node]]:
        order = sorted(self.combination, key=lambda item: item[1] < 0)
        return [(self._factor_of(*item), item[0].moment) for item in order]

    @property
    def _names(self) -> Velocities:
        """The names of the velocities."""
        return {symbol: Leaf(dotted(symbol)) for symbol in self.symbols}

    @property
    def name(self) -> str:
        return self._named(f"{self.generators.law} Δ", "")

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
        return self.pace.decay(*self.combination[0][0].letters)

    @property
    def reference(self) -> Reference:
        dense = self.generators in _EXPLICIT and isinstance(self.flow.network, Network)
        return ARORA_COHEN_HAZAN_2018 if dense else MARCOTTE_2023

    def proof(self) -> Sequence[ProofStep]:
        """Return the proof as identities between SymPy expressions.

        Where any matrix acts between two spaces, these are the velocities and the
        derivative of the law.  Else the law is tested with a generator S: the model
        does not change along the motion that S makes, and this is the gradient of
        tr SᵀQ, in which the projections of the velocities drop out.

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
        moved = slope(self.flow.network.end_to_end_node, motion)
        tested = (scale(self._factor_of(*x), x[0].tested) for x in self.combination)
        form, names = add(*tested), self._names
        changed = slope(form, names)
        inner = [
            scale(1 / self.pace.speed(s), self._pairing(s, node, names[s]))
            for s, node in motion.items()
        ]
        words = f"for every size and S, {self.generators.value}"
        steps = [
            step(moved, scale(0, moved), f"{words}: a motion ξ leaves W as it is", {}),
            step(
                subtract(changed, add(*inner)),
                scale(0, changed),
                f"{words}: ξ is the gradient of the law, so that θ̇ = (dW)ᵀF keeps it",
                {},
            ),
        ]
        return [*steps, *self._fading(form)]

    def _pairing(self, symbol: sympy.MatrixSymbol, left: Node, right: Node) -> Node:
        """Return the inner product of two motions of a parameter."""
        ends = {e for term, _ in self.combination for e in (term.first, term.second)}
        if self.generators is Generators.ENTRYWISE and (symbol, True) in ends:
            left, right = transpose(left), transpose(right)
        return self.generators.pairing(left, right)

    def _factor_of(self, term: Term, coefficient: Fraction) -> sympy.Expr:
        return sympy.Rational(coefficient) * self.pace.weight(term)

    def _fading(self, form: Node) -> list[ProofStep]:
        """Prove what weight decay alone makes of the form."""
        if self.rate == 0:
            return []
        decays = {s: scale(-self.pace.decay(s), Leaf(s)) for s in self.symbols}
        end = scale(-self.rate, form)
        return [step(slope(form, decays), end, "by weight decay alone", {})]

    def _by_the_chain_rule(self) -> list[ProofStep]:
        """Write out the velocities and the derivative of the form."""
        velocities = self.pace.velocities()
        state = [self.flow.state[place] for place in self.involved]
        meaning = {dotted(symbol): velocities[symbol] for symbol in state}
        rule = "chain rule, F = −∂ℓ/∂W" + ", and weight decay" * (self.rate != 0)
        rule += ", times the learning rate" * bool(self.flow.learning_rates)
        steps = [step(Leaf(s), node, rule, meaning) for s, node in meaning.items()]
        end = scale(-self.rate, self.node)
        words = f"the derivative of {self.name}"
        return [*steps, step(self._derivative, end, words, meaning)]

    @property
    def _derivative(self) -> Node:
        """The derivative of the form in the names of the velocities, term by term."""
        found: list[Node] = []
        for factor, moment in self._moments:
            moved = slope(moment, self._names)
            terms = moved.terms if isinstance(moved, Sum) else (moved,)
            found += [scale(factor, term) for term in reversed(terms)]
        return add(*found)


def noether_laws(flow: GradientFlow) -> list[Law]:
    """Return the laws of first and second degree, those of the first letters first."""
    found: list[Law] = [NoetherLaw(flow, law) for law in symmetries(pace_of(flow))]
    return sorted(found, key=lambda law: (law.involved[-1], -law.involved[0]))
