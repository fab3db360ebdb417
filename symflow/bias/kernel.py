"""Large weights: dense layers from W_2 = 0 become a kernel method.

Yun, Krishnan, Mobahi (2021).  Two dense layers with W_1 = αW̄, W_2 = 0 and one output:
as α → ∞ the first layer does not move, and the limit is the solution of least norm of
the fixed features W̄x, with K = W̄ᵀW̄

    w = K Xᵀ (X K Xᵀ)⁺ y = vW̄,    v = Σ_yxW̄ᵀ(W̄Σ_xxW̄ᵀ)⁺.

It is off by O(1/α²); how far a trajectory at hand is, `distance` measures.  Where the
features do not reach the minimizers of the loss, it is their best readout, in the norm
of the loss, which W(t) leaves again after times of the order α².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.rank import decide_rank
from symflow.bias.minimizers import minimizers, minimizers_of, start_weights, times
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.errors import HypothesisFailed
from symflow.flow import GradientFlow
from symflow.flow.problem import bind


@dataclass(frozen=True, eq=False)
class KernelLimit:
    """The minimizer that infinitely large first weights select."""

    kernel: Array  #: Shape (d, d): K = W_1ᵀW_1.
    limit: Array  #: Shape (m, d): the end-to-end matrix.

    reference = YUN_2021  #: Where the limit comes from.

    def distance(self, end_to_end: Any) -> float:
        """Return how far an end-to-end matrix (m, d) is from the limit, relative."""
        gap = np.abs(to_float_array(np.asarray(end_to_end)) - self.limit)
        return float(np.max(gap) / (np.max(np.abs(self.limit)) or 1.0))


def kernel_limit(flow: GradientFlow, data: Any, init: Any) -> KernelLimit:
    """Return the limit α → ∞ of two dense layers with W_1 = αW̄ and W_2 = 0.

    Raises HypothesisFailed if the flow or the start is of another kind.
    """
    problem = bind(flow, data, init)
    found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
    failed = [str(hypothesis) for hypothesis in found if not hypothesis.holds]
    if not failed:
        best = minimizers(problem)
        first, last = start_weights(problem, best)
        if np.any(last):
            size = float(np.max(np.abs(last)))
            failed = [f"the last layer starts at zero: fails, max|W₂| = {size:.2g}"]
        failed += [str(row) for row in best.hypotheses if not row.holds]
    if failed:
        msg = f"kernel_limit(flow, data, init): {'; '.join(failed)}"
        raise HypothesisFailed(msg)
    sigma_xx, sigma_yx = best.moments
    gram = times(times(first, sigma_xx), first.T)
    across = times(first, sigma_yx.T)
    features = minimizers_of(gram, across, None, rank=decide_rank(gram))
    limit = times(features.least_norm, first)
    kernel = times(first.T, first)
    return KernelLimit(to_float_array(kernel), to_float_array(limit))
