"""Rates for starts whose layers are ordered by size, for any depth.

Yun, Krishnan, Mobahi (2021), squared loss, one output.  λ is what the other layers have
more than the last one, a part of the start that is conserved; F = −∂ℓ/∂W.

* Dense layers of hidden widths d (the width of the input): W_lW_lᵀ ⪰ W_{l+1}ᵀW_{l+1}
  for l ≤ L−2 and W_{L−1}W_{L−1}ᵀ − W_LᵀW_L ⪰ λI.  Square layers pass λ on to σ_min² of
  all of them, so that the last layer alone gives −ℒ̇ ≥ ‖F(W_{L−1}⋯W_1)ᵀ‖² ≥ λ^{L−1}‖F‖².
  Without square hidden layers there are stationary points of positive loss with λ > 0.
  (Where Σ_xx is invertible, `UnimodalRate` needs less and says more; elsewhere it reads
  W_1 on the row space of X alone, and its condition can fail where this one holds.)
* Orthogonally decomposable networks (diagonal ones; circulant ones with full filters):
  |η_{l,j}|² − |η_{L,j}|² ≥ λ for every mode j and l < L gives −ℒ̇ ≥ λ^{L−1}‖FSᵀ‖².

The excess loss falls at least at rate 2λ^{L−1} times λ_r(Σ_xx), or λ_r(SΣ_xxSᵀ) with
modes, r the rank of Σ_xx.  Their X is not averaged and their layout is transposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import at_least
from symflow.algebra.spectra import FLOAT_ERROR, in_balls
from symflow.claims import (
    Hypothesis,
    Identity,
    Refusal,
    random_problems,
    structural,
    vanishing,
)
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import (
    dense_layers,
    imbalances,
    known_rank,
    on_flow,
    squared_loss,
)
from symflow.claims.example import Example, Examples, RandomExamples, scaled
from symflow.convergence.bound import LossBound
from symflow.convergence.reduced import reduced_start
from symflow.data import Dataset
from symflow.errors import HypothesisFailed
from symflow.flow.least_squares import input_rank
from symflow.flow.problem import Problem
from symflow.flow.start import sized
from symflow.networks import (
    DiagonalNetwork,
    LinearNetwork,
    Network,
    OrthogonalDecomposition,
    TensorNetwork,
    orthogonal_decomposition,
)

#: Tensors with more entries than this are not decomposed.
LARGEST_TENSOR = 100_000


def square_layers(problem: Problem) -> Hypothesis:
    """Say whether there is one output, and hidden layers as wide as the input."""
    inputs, *hidden, outputs = problem.widths
    square = outputs == 1 and all(width == inputs for width in hidden)
    words = "one output, hidden widths equal to that of the input"
    return structural(words, square, f"widths {problem.widths}")


@dataclass(frozen=True, eq=False, repr=False)
class OrderedRate(LossBound):
    """The rate 2λ^{L−1}λ_r(Σ_xx) of square dense layers in order of size."""

    source = YUN_2021
    conditions = (
        on_flow(squared_loss),
        on_flow(dense_layers),
        square_layers,
        known_rank,
    )

    @classmethod
    @in_balls
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with its rate, if the layers are in order."""
        start = reduced_start(problem)
        least = [start.eigenvalues(-gap)[-1] for gap in imbalances(start.weights)]
        inner = max((-at_least(value) for value in least[:-1]), default=0.0)
        words = "W_lW_lᵀ ⪰ W_l₊₁ᵀW_l₊₁ for all layers but the last two"
        part = max(inner, 0.0) / (start.size or 1.0)
        exactly = problem.given_exactly
        order = vanishing(words, part, "what is below zero", given_exactly=exactly)
        level = smallest = arb(max(at_least(least[-1]), 0.0))
        rate = 2 * start.smallest * level
        for value in least[-2::-1]:
            smallest = smallest + arb(at_least(value)).min(arb(0))
            rate = rate * smallest.max(arb(0))
        return cls.with_ball(problem, [*found, order], rate)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the theorem for three numbers, and what follows of it."""
        return _ordered_proof() + super().proof()

    @classmethod
    def examples(cls) -> Examples:
        """Return three layers that shrink, and random ones."""
        large, last = [[2, 0], [0, 2]], [[1, 0]]
        times = (0, sympy.Rational(1, 100), sympy.Rational(1, 20))
        return (
            Example(
                "yun-ordered",
                LinearNetwork(2, 2, 2, 1),
                Dataset([[1, 2]], [1]),
                (large, large, last),
                times,
                false=scaled(constant=20),
            ),
            RandomExamples(
                "many-ordered", random_problems.ordered(3), scaled(constant=40)
            ),
        )


@dataclass(frozen=True, eq=False, repr=False)
class OrderedModesRate(LossBound):
    """The rate 2λ^{L−1}λ_r(SΣ_xxSᵀ) of modes whose last layer starts smallest."""

    source = YUN_2021
    conditions = (on_flow(squared_loss), known_rank)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound with its rate; S is known to rounding only."""
        known = mode_levels(problem)
        if isinstance(known, Hypothesis):
            return cls.refuse([*found, known])
        modes, level, off = known
        rank, sigma_xx = input_rank(problem).value, to_float_array(problem.arguments[0])
        values = np.linalg.eigvalsh(modes.S @ sigma_xx @ modes.S.conj().T)
        spare = off * float(np.sum(np.abs(modes.S) ** 2) * np.linalg.norm(sigma_xx))
        sees = bool(np.linalg.matrix_rank(modes.S) == modes.S.shape[1])
        # fewer modes than input directions leave some of them unlearned: λ_r = 0
        least = float(values[-rank]) - spare if rank <= len(values) else 0.0
        depth = len(problem.weights)
        rate = 2 * level ** (depth - 1) * max(least, 0.0) * (1 - FLOAT_ERROR)
        found = [
            *found,
            decomposable(problem, modes),
            Hypothesis("S of full column rank", sees, f"{modes.S.shape}"),
        ]
        return cls.with_ball(problem, found, arb(rate))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the theorem for three numbers, and what follows of it."""
        return _ordered_proof() + super().proof()

    @classmethod
    def examples(cls) -> Examples:
        """Return one coordinate from w_2 = 0, and random diagonal networks."""
        data = Dataset([[1]], [sympy.Rational(1, 100)])
        start = ([[sympy.Rational(3, 2)]], [[0]])
        faster, network = scaled(constant=1.2), DiagonalNetwork(1, 2)
        return (
            Example("yun-ordered-modes", network, data, start, false=faster),
            RandomExamples(
                "many-modes", random_problems.diagonal(3), scaled(constant=40)
            ),
        )


def _ordered_proof() -> tuple[Identity, ...]:
    """Return that the part of the last layer alone is large enough, for numbers."""
    a, b, c, e, level, x, y = sympy.symbols("a b c e lambda x y")
    loss = (e - a * b * c) ** 2 / 2
    force = e - a * b * c
    first, second = c**2 + level + x, c**2 + level + y
    spare = (c**2 + x) * (c**2 + y) + level * (2 * c**2 + x + y)
    return (
        Identity("∂ℒ/∂w_L = −F w_{L−1}⋯w_1", loss.diff(c) + force * a * b),
        Identity(
            "w_l² ≥ w_L² + λ for l < L makes Πw_l² ≥ λ^{L−1}",
            sympy.expand(first * second - level**2 - spare),
        ),
    )


def decomposable(problem: Problem, modes: OrthogonalDecomposition | None) -> Hypothesis:
    """Say whether the network has modes; they are known to rounding."""
    words, network = "orthogonally decomposable", repr(problem.flow.network)
    if modes is None:
        return structural(words, False, network)
    return Hypothesis(words, True, network, modes.residual, exact=False)


def mode_levels(
    problem: Problem,
) -> tuple[OrthogonalDecomposition, float, float] | Hypothesis:
    """Return the modes, λ rounded down, and the error of S; else what is missing."""
    modes = _modes(problem)
    if modes is None:
        return decomposable(problem, None)
    off = modes.residual + FLOAT_ERROR * modes.S.size
    pairs = zip(modes.factors, problem.floats.weights, strict=True)
    sizes = np.array([np.abs(u.T @ v.ravel()) ** 2 for u, v in pairs])
    spare = off * sum(float(np.sum(w**2)) for w in problem.floats.weights)
    return modes, max(float(np.min(sizes[:-1] - sizes[-1])) - spare, 0.0), off


def _modes(problem: Problem) -> OrthogonalDecomposition | None:
    """Return the decomposition of a network with one output, or None."""
    network: Any = problem.flow.network
    if problem.widths[-1] != 1 or len(problem.weights) < 2:
        return None
    sizes = [problem.widths[0], *(weight.size for weight in problem.weights)]
    dense = dense_layers(problem.flow).holds
    known = isinstance(network, Network | TensorNetwork) and not dense
    if not known or np.prod(sizes, dtype=float) > LARGEST_TENSOR:
        return None
    whole = network if isinstance(network, TensorNetwork) else sized(problem)
    tensor: Array = np.asarray(whole.as_tensor(), dtype=float)
    try:
        return orthogonal_decomposition(tensor)
    except HypothesisFailed:
        return None
