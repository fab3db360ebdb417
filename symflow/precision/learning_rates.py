r"""What is proven about gradients, where layers have learning rates of their own.

With the diagonal matrix D of the rates η the flow is θ′ = −D∇ℒ.  Let errors be measured
by N(E) = √η_max |D^{−1/2}E|, so that |E| ≤ N(E) ≤ κ|E| with κ² = η_max/η_min.  For the
error E of a polynomial with defect d, and the μ that holds for rates of 1,

.. math:: N N′ ≤ η_{\max} ⟨E, −∇ℒ(\tildeθ + E) + ∇ℒ(\tildeθ)⟩ + N(E) N(d)
          ≤ η_{\max} μ |E|² + κ N |d|,

and |E|² lies between N²/κ² and N²: the rate of N is at most η_max μ, or η_min μ where μ
is negative.  Starts, handovers and defects have the factor κ, and a bound of N is one
of |E|.

For limits, the loss above its minimum falls by |D^{1/2}∇ℒ|² ≥ η_min|∇ℒ|², and NN′ has
the factor η_max as above: what is left is that of rates of 1 with κ² times the work,
from κ times the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from symflow.flow import GradientFlow
from symflow.precision.balls import ALONE, NORM_BITS, root, to_arb, workbits


class Growing(Protocol):
    """A bound of μ that holds within a distance."""

    def rate(self, distance: Any) -> Any:
        """Return an upper bound of μ(e) for all e up to a distance."""


@dataclass(frozen=True)
class LearningRates:
    """The smallest and the largest rate of a flow, in balls; 1 where it has none."""

    least: Any
    top: Any

    @classmethod
    def of(cls, flow: GradientFlow) -> LearningRates:
        """Return those of a flow."""
        with ALONE, workbits(NORM_BITS):
            rates = [to_arb(rate) for rate in flow.learning_rates] or [to_arb(1)]
            least, top = rates[0], rates[0]
            for rate in rates[1:]:
                least, top = least.min(rate), top.max(rate)
            return cls(least, top)

    @property
    def stretch(self) -> Any:
        """An upper bound of κ."""
        return root(self.spread)

    @property
    def spread(self) -> Any:
        """κ²."""
        return self.top / self.least


@dataclass(frozen=True)
class PacedGrowth:
    """The growth of N, by that of errors for rates of 1."""

    plain: Growing
    rates: LearningRates

    def rate(self, distance: Any) -> Any:
        """Return an upper bound of the growth within a distance."""
        mu = self.plain.rate(distance)
        return (mu * self.rates.top).max(mu * self.rates.least).upper()
