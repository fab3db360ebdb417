r"""Where a flow with weight decay ends: the path left, by its second derivative.

The velocity v of θ̇ = −∇ℒ obeys v̇ = −Hv with H = ∇²ℒ(θ).  ℒ does not change along
W_l → QW_l, W_{l+1} → W_{l+1}Qᵀ for orthogonal Q (weight decay included), so that v is
orthogonal to the directions (AW_l, −W_{l+1}A), A antisymmetric.  With these as columns
of G, and any g ≥ 0,

.. math:: −½ \tfrac{d}{dt}|v|² = vᵀHv = vᵀ(H + g GGᵀ)v ≥ c|v|²,

where H + g GGᵀ ⪰ c within ℓ = |v(T)|/c of θ(T), which is checked in balls.  Then the
path that is left is at most ℓ.  Minimizers are never isolated, but along these
directions; c > 0 fails where a singular value of Σ_yx − WΣ_xx that is not learned
equals the weight decay, and the flow slows down to powers of t.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any, ClassVar

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array
from symflow.codegen import evaluate, rhs_program
from symflow.errors import HypothesisFailed, PrecisionLost
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    frobenius,
    smallest_ratio,
    to_arb,
    to_arb_array,
    workbits,
)
from symflow.precision.curvature import second_derivative_program, unit_directions
from symflow.precision.growth import force_program
from symflow.precision.limit import inflated, middle_of

#: Weights for which the second derivative is formed.
MOST_WEIGHTS = 80


class FadingRemainder:
    """The bound ℓ of the module's docstring.

    Raises HypothesisFailed if the loss is not the squared loss with one weight decay,
    or there are too many weights.
    """

    proof: ClassVar[str] = (
        "limit: the second derivative is bounded below near the last time, across the "
        "rotations of hidden units, along which no gradient points"
    )

    def __init__(self, problem: Problem) -> None:
        flow = problem.flow
        squared = isinstance(flow.loss, SquaredLoss) and not flow.decays_differ
        if not squared or problem.size > MOST_WEIGHTS:
            msg = (
                "enclose(t=oo): with weight decay the limit is enclosed for the "
                f"squared loss, one decay and at most {MOST_WEIGHTS} weights; got "
                f"{flow.loss!r} and {problem.size} weights. Enclose finite times"
            )
            raise HypothesisFailed(msg)
        self._problem, self._decay = problem, to_arb(flow.loss.l2)
        self._velocity, self._force = rhs_program(flow), force_program(flow)
        self._bends = second_derivative_program(flow)

    def distance(self, weights: list[Array], error: Any) -> Any:
        """Return how far from given weights flows stay that come within `error`.

        Raises PrecisionLost if convergence cannot be proven from there.
        """
        bits = max(int(entry.bits()) for w in weights for entry in w.flat) + NORM_BITS
        data = [to_arb_array(array) for array in self._problem.arguments]
        with ALONE, workbits(bits):
            near = inflated(weights, error)
            size = frobenius(evaluate(self._velocity, [*near, *data], to_arb))
        with ALONE, workbits(NORM_BITS):
            radius = arb(0)
            for _ in range(4):
                slope = self._slope(inflated(weights, error + radius), data)
                if not slope > 0:
                    break
                length = (size / slope).upper()
                if length <= radius:
                    return (error + length).upper()
                radius = (2 * length).upper()
        msg = (
            f"enclose(t=oo): with a speed of {float(size):.1e} convergence cannot be "
            "proven from the last time: a mode may be dying as a power of t, or "
            "leaving a saddle. Ask for more digits"
        )
        raise PrecisionLost(msg)

    def gap(self, weights: list[Array], error: Any, product: Array) -> Any:
        """Return that nothing more than the distance is known of W(∞)."""
        return arb.pos_inf()

    def _slope(self, weights: list[Array], data: list[Array]) -> Any:
        """Return a lower bound of c."""
        (force,) = evaluate(self._force, [*weights, *data], to_arb)
        rows, moves, pulls = [], [], []
        for unit in unit_directions([w.shape for w in weights], to_arb_array):
            inputs = [*weights, force, *unit, *data]
            *bent, moved, pulled = evaluate(self._bends, inputs, to_arb)
            rows.append(np.concatenate([part.ravel() for part in bent]))
            moves.append(moved.ravel())
            pulls.append(pulled.ravel())
        bend, flat, pull = np.stack(rows), np.stack(moves), np.stack(pulls)
        one = to_arb_array(np.eye(len(bend)))
        hessian = self._decay * one - pull @ flat.T - (bend + bend.T) / 2
        turns = _turns(weights)
        if turns:
            gauge = np.stack(turns, axis=1)
            top, side = (np.abs(middle_of(part)).max() for part in (hessian, gauge))
            scale = float(top / side**2) if side else 0.0
            hessian = hessian + arb(scale) * (gauge @ gauge.T)
        guess = float(np.min(np.linalg.eigvalsh(middle_of(hessian))))
        return smallest_ratio((hessian + hessian.T) / 2, one, guess)


def _turns(weights: list[Array]) -> list[Array]:
    """Return (AW_l, −W_{l+1}A) for every plane of hidden units, flat, if it moves."""
    found = []
    for layer, (before, after) in enumerate(pairwise(weights)):
        for i, j in combinations(range(len(before)), 2):
            turned = [weight * 0 for weight in weights]
            turned[layer][i], turned[layer][j] = before[j], -before[i]
            turned[layer + 1][:, j], turned[layer + 1][:, i] = -after[:, i], after[:, j]
            found.append(np.concatenate([part.ravel() for part in turned]))
    return found
