"""Examples: problems on which a theorem is seen to hold, each with a false version.

A theorem carries its own; the atlas, the table of mutants and the tests run them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import numpy as np
from sympy import Rational

from symflow.algebra.threads import cached_property
from symflow.claims.claim import Claim
from symflow.data import Moments, whitened
from symflow.flow import GradientFlow, directional_flow, gradient_flow
from symflow.flow.given import DataLike, InitLike
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import AbstractNetwork, LinearNetwork

#: Times at which most examples are looked at.
QUARTERS = tuple(Rational(k, 4) for k in range(17))

#: Makes a false claim from a true one.
Mutation = Callable[[Any], Claim]


def unchanged(claim: Any) -> Claim:
    """Return the claim itself: it is false where a condition of it is not met."""
    return claim  # type: ignore[no-any-return]


def scaled(**factors: float) -> Mutation:
    """Return the mutation that multiplies constants of a claim by factors."""

    def mutate(claim: Any) -> Claim:
        wrong = {name: getattr(claim, name) * by for name, by in factors.items()}
        return replace(claim, **wrong)  # type: ignore[no-any-return]

    return mutate


def restarted(factor: Any) -> Mutation:
    """Return the mutation that reads a claim's constants off another start.

    `factor` is what the weights of the other start are, relative to those of the claim.
    """

    def mutate(claim: Any) -> Claim:
        weights = tuple(factor * weight for weight in claim.problem.weights)
        other = claim.problem.started_at(weights)
        return replace(claim, problem=other)  # type: ignore[no-any-return]

    return mutate


@dataclass(frozen=True, eq=False)
class Example:
    """A problem on which a theorem holds, and how a false version of it is seen.

    Examples
    --------
    >>> from symflow.data import whitened
    >>> from symflow.networks import LinearNetwork
    >>> given = Example("one", LinearNetwork(1, 1), whitened([[2]]), ([[1]],))
    >>> print(given.flow)
    Ẇ₁ = Σ_yx − W₁Σ_xx
    """

    key: str  #: Its short name, which the atlas shows.
    network: AbstractNetwork  #: What learns.
    data: DataLike  #: What is learned.
    init: InitLike  #: Where the flow starts.
    t: tuple[Any, ...] = (0, 1, 2)  #: When the flow is looked at.
    _: KW_ONLY
    loss: Any = field(default_factory=SquaredLoss)  #: The squared loss by default.
    clock: str = "time"  #: ``"log loss"`` for the flow in the clock of its loss.
    #: Whether all numbers are exact, so that any number of digits makes sense.
    exact: bool = True
    false: Mutation = unchanged  #: Makes the false version from the claim.
    #: The problem whose trajectory refutes the false version, where it is another one.
    elsewhere: Example | None = None

    @cached_property
    def flow(self) -> GradientFlow:
        """The flow."""
        plain = gradient_flow(self.network, self.loss)
        return plain if self.clock == "time" else directional_flow(plain)


def regression(
    key: str, sigma_yx: Any, *weights: Any, sigma_xx: Any = None, **more: Any
) -> Example:
    """Return the example of dense layers that learn given moments.

    Σ_xx is the identity by default.  `more` is as of `Example`, which by default is
    looked at in quarters up to t = 4.
    """
    widths = (len(weights[0][0]), *(len(weight) for weight in weights))
    data = whitened(sigma_yx) if sigma_xx is None else Moments(sigma_xx, sigma_yx)
    more.setdefault("t", QUARTERS)
    return Example(key, LinearNetwork(*widths), data, weights, **more)


@dataclass(frozen=True)
class RandomExamples:
    """Random problems on which a theorem holds wherever it applies."""

    key: str  #: Their short name, which the atlas shows.
    #: From a generator to one data set with many starts, a `Batch`.
    draw: Callable[[np.random.Generator], Any]
    #: Makes a false version from a claim; it has to fail on one of the problems.
    false: Mutation
    #: For gradient descent: from a problem to its step η; 0 skips the problem.
    step: Callable[[Problem], float] | None = None


#: What a theorem carries of both kinds.
Examples = tuple[Example | RandomExamples, ...]
