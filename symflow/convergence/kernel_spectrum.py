"""The spectrum of the operator behind the tangent kernel of two layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.spectra import kth, root
from symflow.claims import Path
from symflow.convergence.reduced import ReducedStart
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem


def operator_drift(path: Path, problem: Problem | None = None) -> Array:
    """Return ‖𝒯(t) − 𝒯(0)‖ of two layers at every time, in float64.

    The difference maps F to F A + B F with symmetric A and B; its eigenvalues are the
    sums of theirs.  A path that starts late needs the problem, for its start.
    """
    first, second = (to_float_array(weight) for weight in path.weights)
    begin = (first[0], second[0]) if problem is None else problem.floats.weights
    pairs = (
        (first.mT @ first, begin[0].T @ begin[0]),
        (second @ second.mT, begin[1] @ begin[1].T),
    )
    ends = [np.linalg.eigvalsh(gram - start) for gram, start in pairs]
    low, high = (sum(values[:, k] for values in ends) for k in (0, -1))
    return np.asarray(np.maximum(np.abs(low), np.abs(high)))


def spectrum(problem: Problem, path: Path) -> tuple[Array, Array]:
    """Return λ_min and λ_max of 𝒯 on the seen inputs at every time, in float64."""
    frame = least_squares(problem).frame
    first, second = (to_float_array(weight) for weight in path.weights)
    seen = first @ frame
    ends = [np.linalg.eigvalsh(gram) for gram in (seen.mT @ seen, second @ second.mT)]
    return ends[0][:, 0] + ends[1][:, 0], ends[0][:, -1] + ends[1][:, -1]


def largest_product(start: ReducedStart) -> Any:
    """Return p = (‖Ŷ‖_F + ‖E(0)‖_F)/√λ_r, which σ_1(W_2W_1Φ) never exceeds."""
    return (start.target_size + start.misfit) / root(start.smallest)


def ceiling(start: ReducedStart) -> Any:
    """Return β, the upper bound on λ_max(𝒯) for products of size p, as a ball."""
    falling, size = start.spectra[0], largest_product(start)
    parts = kth(falling, 1), kth([-value for value in falling[::-1]], 1)
    return sum(part + root(part**2 + 4 * size**2) for part in parts) / 2
