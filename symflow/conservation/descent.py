"""What gradient descent does to the quantities that gradient flow conserves.

A law Q of `symflow.conservation` that is a quadratic form of the weights has
dQ(θ)[θ̇] = −2λQ(θ) along the flow, so that a step θ⁺ = θ + ηθ̇ changes it by exactly

    Q(θ⁺) = (1 − 2ηλ) Q(θ) + η² Q(θ̇):

a linear one has Q(θ⁺) = (1 − ηλ) Q(θ), and descent conserves it as the flow does.
Without weight decay the change of a step is of second order in η, and the drift over a
fixed time of first order (Du, Hu, Lee 2018; Arora et al. 2019 for the imbalance).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.nodes import Leaf, Node, add, scale, substitute, subtract
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.claims import Claim, Hypothesis, Path, Status, relative_size
from symflow.claims.bibliography import DU_2018
from symflow.claims.claim import thinned
from symflow.conservation.law import Law, symbol_like
from symflow.conservation.proof import ProofStep, slope, step
from symflow.flow import GradientDescent, dotted


@dataclass(frozen=True, repr=False)
class StepLaw(Claim):
    """The exact change of a quantity in one step of gradient descent.

    Examples
    --------
    >>> import symflow as sf
    >>> gd = sf.gradient_descent(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> print(sf.conserved(gd)[0])
    W₂ᵀW₂ − W₁W₁ᵀ changes by η²·(Ẇ₂ᵀẆ₂ − Ẇ₁Ẇ₁ᵀ) in a step
    """

    descent: GradientDescent
    law: Law  #: The quantity Q that the flow conserves, or lets decay at a known rate.

    @property
    def name(self) -> str:
        return f"step of {self.law.name}"

    @property
    def order(self) -> int:
        """Order in η of the change in a step: 2, or 1 under weight decay."""
        return 2 if self.law.is_conserved else 1

    @property
    def is_conserved(self) -> bool:
        """Whether a step changes nothing at all, as it does not for a linear law."""
        return self.law.is_conserved and self.law.degree == 1

    @cached_property
    def change(self) -> Any:
        """Q(θ̇), the factor of η², in the symbols Wdot1, … of the derivatives."""
        return to_sympy(self._at_derivatives)

    @property
    def statement(self) -> sympy.Basic:
        """Q⁺ = (1 − 2ηλ) Q + η² Q(θ̇)."""
        eta = self.descent.step_size
        after = (1 - eta * self.law.rate) * self.law.expr + eta**2 * self.change
        name = symbol_like("Qnext", self.law.expr)
        return sympy.Eq(name, after, evaluate=False)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """Those of the law, and a constant step size."""
        return (*self.law.hypotheses, Hypothesis("constant step size", holds=True))

    reference = DU_2018

    @property
    def status(self) -> Status:
        """That of the law, as the step only expands a quadratic form."""
        return self.law.status

    def slack(self, path: Path) -> Array:
        """Return what the law itself leaves open."""
        return self.law.slack(path)

    def proof(self) -> Sequence[ProofStep]:
        """Return the proof: that of the law, then the expansion of the step.

        Examples
        --------
        >>> import symflow as sf
        >>> gd = sf.gradient_descent(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
        >>> print(sf.conserved(gd)[0].proof()[-1].reason)
        the step, expanded in η
        """
        steps = self.law.proof()
        if self.law.degree != 2:
            return steps
        eta, node = self.descent.step_size, self.law.node
        moved = {s: add(Leaf(s), scale(eta, v)) for s, v in self._velocities.items()}
        first = scale(eta, slope(node, self._velocities))
        left = subtract(substitute(node, moved), node)
        right = add(first, scale(eta**2, self._at_derivatives))
        return [*steps, step(left, right, "the step, expanded in η", {})]

    def mismatch(self, path: Path) -> str:
        """Return that iterates are missing."""
        return thinned(path)

    def residuals(self, path: Path) -> Array:
        """Return the violation of the identity between consecutive iterates.

        The path has to hold every iterate, at times that are multiples of η.
        """
        values, size = self.law.value(path.weights), self.law.size(path)
        gaps = [0 * size[0]]
        for k in range(len(path.t) - 1):
            moved = [w[k + 1] - w[k] for w in path.weights]
            change = self.law.value(moved) if self.law.degree == 2 else 0
            eta = path.t[k + 1] - path.t[k]
            kept = 1 - eta * path.number(self.law.rate)
            gap = np.asarray(values[k + 1] - kept * values[k] - change)
            gaps.append(relative_size(gap, size))
        return np.asarray(gaps)

    @cached_property
    def _at_derivatives(self) -> Node:
        if self.law.degree == 1:
            return scale(0, self.law.node)
        return substitute(self.law.node, self._velocities)

    @property
    def _velocities(self) -> dict[sympy.MatrixSymbol, Node]:
        return {symbol: Leaf(dotted(symbol)) for symbol in self.descent.state}

    def __str__(self) -> str:
        quantity, change = inline(self.law.expr), inline(self.change)
        if self.is_conserved:
            return f"{quantity} does not change in a step"
        if self.law.is_conserved:
            return f"{quantity} changes by η²·({change}) in a step"
        rate = inline(self.law.rate).replace("*", "·")
        return (
            f"{quantity} becomes (1 − η·{rate}) of itself plus η²·({change}) in a step"
        )


def step_laws(descent: GradientDescent, laws: Iterable[Law]) -> list[StepLaw]:
    """Return the law of a step for every linear and quadratic law of the flow."""
    return [
        StepLaw(descent, law)
        for law in laws
        if law.degree in (1, 2) and law.is_homogeneous
    ]
