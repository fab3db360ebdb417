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

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import TOLERANCE, Hypothesis, Refusal, all_hold
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import dense_layers, imbalances, squared_loss
from symflow.convergence.bound import LossBound, positive_rate
from symflow.errors import HypothesisFailed
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem
from symflow.flow.start import sized
from symflow.networks import (
    Network,
    OrthogonalDecomposition,
    TensorNetwork,
    orthogonal_decomposition,
)

#: Tensors with more entries than this are not decomposed.
LARGEST_TENSOR = 100_000


@dataclass(frozen=True, eq=False, repr=False)
class OrderedRate(LossBound):
    """The rate 2λ^{L−1}λ_r(Σ_xx) of square dense layers in order of size."""

    source = YUN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow)]
        if all_hold(found):
            found += _square(problem)
        if not all_hold(found):
            return cls.refuse(found)
        gaps = [-gap for gap in imbalances(problem.floats.weights)]
        largest = max(float(np.max(np.abs(w))) for w in problem.floats.weights)
        size = largest**2 or 1.0
        inner = min((float(np.linalg.eigvalsh(gap)[0]) for gap in gaps[:-1]), default=0)
        level = float(np.linalg.eigvalsh(gaps[-1])[0])
        smallest = least_squares(problem).eigenvalues[-1]
        rate = 2 * max(level, 0.0) ** len(gaps) * float(smallest)
        found += [
            Hypothesis(
                "W_lW_lᵀ ⪰ W_l₊₁ᵀW_l₊₁ for all layers but the last two",
                inner >= -TOLERANCE * size,
                f"least eigenvalue {inner:.3g}",
                max(-inner / size, 0.0),
            ),
            positive_rate(rate),
        ]
        return cls.with_rate(problem, found, rate)


@dataclass(frozen=True, eq=False, repr=False)
class OrderedModesRate(LossBound):
    """The rate 2λ^{L−1}λ_r(SΣ_xxSᵀ) of modes whose last layer starts smallest."""

    source = YUN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [squared_loss(problem.flow)]
        modes = _modes(problem) if all_hold(found) else None
        network = repr(problem.flow.network)
        found.append(
            Hypothesis("orthogonally decomposable", modes is not None, network)
        )
        if modes is None:
            return cls.refuse(found)
        pairs = zip(modes.factors, problem.floats.weights, strict=True)
        sizes = np.array([np.abs(u.T @ v.ravel()) ** 2 for u, v in pairs])
        level = max(float(np.min(sizes[:-1] - sizes[-1])), 0.0)
        sigma_xx = to_float_array(problem.arguments[0])
        rank = least_squares(problem).rank
        values = np.linalg.eigvalsh(modes.S @ sigma_xx @ modes.S.conj().T)
        sees = bool(np.linalg.matrix_rank(modes.S) == modes.S.shape[1])
        # fewer modes than input directions leave some of them unlearned: λ_r = 0
        least = float(values[-rank]) if rank <= len(values) else 0.0
        rate = 2 * level ** (len(sizes) - 1) * least
        found += [
            Hypothesis("S of full column rank", sees, f"{modes.S.shape}"),
            positive_rate(rate),
        ]
        return cls.with_rate(problem, found, rate)


def _square(problem: Problem) -> list[Hypothesis]:
    """Say whether there is one output, and hidden layers as wide as the input."""
    inputs, *hidden, outputs = problem.widths
    return [
        Hypothesis("one output", outputs == 1, f"{outputs} outputs"),
        Hypothesis(
            "hidden widths equal to that of the input",
            all(width == inputs for width in hidden),
            f"widths {problem.widths}",
        ),
    ]


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
