"""What is known at each saddle of a path: loss, index, escape and learning coefficient.

A coefficient β_j = 0 with g_j = ∂ℓ/∂β_j ≠ 0 is what makes the point a saddle.  At depth
2 the Hessian has one eigenvalue −|g_j| (−2|g_j| for squares) per product that is zero,
and weights leave as ẇ = |g_j|w; deeper products have none, and leave as |g_j|w^{L−1}.
Dense layers of least hidden width h have h − r such products per mode at depth 2; and
at every depth a learned mode i turns towards an unlearned one, j, where σ_j²/λ_j >
σ_i²/λ_i, which the order of the σ does not exclude.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias.learning_coefficient import diagonal_coefficient, learning_coefficient

#: By how much one quality σ²/λ of two floats is the larger one.
CLEARLY = 1e-9


@dataclass(frozen=True, eq=False)
class SaddlePoint:
    """One saddle of a path, as `path.points` has them."""

    point: Array  #: β or W.
    arrived: Any  #: The time t̂ of the jump to it; 0 for the first.
    excess: Any  #: The loss above that of the last saddle, exact for exact data.
    loss: Any  #: The loss; None where Σ_yy is not known.
    index: int  #: The number of negative eigenvalues of the Hessian in the weights.
    #: c of ẇ = c w^{L−1}, by which the fastest weights leave; 0 at the last saddle.
    escape_rate: Any
    #: λ of this network where the truth is this point, and `multiplicity` with it; None
    #: where Σ_xx is singular.
    learning_coefficient: Fraction | None
    multiplicity: int | None  #: Of λ.


def saddle_points(path: Any, zeros: Array) -> tuple[SaddlePoint, ...]:
    """Return what is known at each saddle of a `SaddlePath`, whose module imports this.

    `zeros` is what counts as zero in the coordinates of the gradient.
    """
    gram, force, growth = path.sigma_xx, path.sigma_yx, path.growth
    half = Fraction(1, 2) if gram.dtype == object else 0.5
    values = [half * (b @ gram @ b) - force @ b for b in path.strengths]
    known = None if path.sigma_yy is None else half * np.trace(path.sigma_yy)
    found = []
    for place, beta in enumerate(path.strengths):
        slope = force - gram @ beta
        pulls = np.array(
            [
                p if abs(p) > z and not b else 0 * p
                for p, z, b in zip(slope, zeros, beta, strict=True)
            ]
        )
        learned = [bool(b) for b in beta]
        reached = pulls.clip(min=0 * half) if growth.positive else abs(pulls)
        if path.frame is not None and sum(learned) == min(path.widths[1:-1]):
            reached = 0 * reached
        if not path.regular:
            coefficient, multiplicity = None, None
        elif path.frame is not None:
            coefficient, multiplicity = learning_coefficient(path.widths, sum(learned))
        else:
            coefficient, multiplicity = diagonal_coefficient(
                growth.kind, growth.depth, len(beta) - sum(learned), len(beta)
            )
        found.append(
            SaddlePoint(
                path.saddles[place],
                path.jumps[place - 1] if place else 0 * half,
                values[place] - values[-1],
                None if known is None else values[place] + known,
                _index(path, pulls, learned),
                abs(max(reached, default=0 * half)) * (growth.pace // 2),
                coefficient,
                multiplicity,
            )
        )
    return tuple(found)


def _index(path: Any, pulls: Array, learned: list[bool]) -> int:
    """Return the number of negative eigenvalues of the Hessian."""
    growth = path.growth
    leaving = sum(bool(p) for p in pulls) if growth.depth == 2 else 0
    if path.frame is None:
        return leaving * (2 if growth.kind == "difference" else 1)
    sigma, lam = path.sigma_yx, np.diagonal(path.sigma_xx)
    sharp = 1 if sigma.dtype == object else 1 + CLEARLY
    turning = sum(
        bool(sigma[j] ** 2 * lam[i] > sharp * sigma[i] ** 2 * lam[j])
        for i, known in enumerate(learned)
        for j in np.flatnonzero(pulls)
        if known
    )
    return int(leaving * (path.widths[1] - sum(learned)) + turning)
