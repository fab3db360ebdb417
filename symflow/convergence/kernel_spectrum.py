"""The tangent kernel of dense layers, and the spectrum of the operator behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.spectra import kth, root
from symflow.claims import Path
from symflow.convergence.reduced import ReducedStart
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import Problem


def tangent_kernel(weights: Any, X: Any) -> Array:
    """Return the neural tangent kernel of a product of dense layers.

    Parameters
    ----------
    weights : sequence of array_like
        W_1, …, W_L.
    X : array_like, shape (n, d)
        Samples.

    Returns
    -------
    ndarray, shape (n·m, n·m)
        K, for outputs f = XWᵀ whose entry (i, j) has the number i·m + j.

    Examples
    --------
    >>> tangent_kernel([[[3.0]], [[2.0]]], [[1.0], [-1.0]]).tolist()
    [[13.0, -13.0], [-13.0, 13.0]]
    """
    layers = [to_float_array(np.asarray(weight)) for weight in weights]
    hidden, backward = to_float_array(np.asarray(X)), [np.eye(len(layers[-1]))]
    for weight in layers[:0:-1]:
        backward.append(backward[-1] @ weight)
    size = len(hidden) * len(layers[-1])
    total = np.zeros((size, size))
    for weight, after in zip(layers, backward[::-1], strict=True):
        total = total + np.kron(hidden @ hidden.T, after @ after.T)
        hidden = hidden @ weight.T
    return np.asarray(total)


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
