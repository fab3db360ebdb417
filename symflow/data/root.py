"""A root C of the joint second moments in float64: CᵀC = (Σ_xx, Σ_xy; Σ_yx, Σ_yy).

For samples it is the triangular factor R of (X, Y)/√n = QR.  Householder's method errs
in every column by some units of that column, whatever the units and the rank of the
others, and so do the residuals C_y − C_xWᵀ.

Moments have no samples.  There C_x comes from the eigenvectors of Σ_xx with unit
diagonal, C_y = C_xW₀ᵀ for a minimizer W₀, which is refined by residuals in rational
numbers, and one more row holds the least loss, in rational numbers too: the moments of
realizable data have none, although rounding leaves ±10⁻¹⁶.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from flint import fmpq_mat
from numpy.typing import NDArray

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import as_fraction
from symflow.algebra.rational import as_fmpq
from symflow.algebra.threads import evaluated
from symflow.data.dataset import Dataset

#: Times of refinement.
REFINEMENTS = 2
#: Digits of an irrational entry, far beyond those of the result.
DIGITS = 100

Floats = NDArray[np.float64]


def root_of(source: Any, moments: Sequence[Array]) -> Floats:
    """Return a root of the joint moments of data.

    It has shape (k, d + m); Σ_xx, Σ_yx and Σ_yy are read where there is no source.
    """
    if isinstance(source, Dataset):
        both = np.hstack([to_float_array(source.X), to_float_array(source.Y)])
        return np.asarray(np.linalg.qr(both / sqrt(source.n), mode="r"))
    if source is not None:
        if source.explained:
            identity = np.eye(source.d)
            return np.hstack([identity, to_float_array(source.sigma_yx).T])
        moments = (source.sigma_xx, source.sigma_yx, source.sigma_yy)
    return _of_moments(*moments)


def _of_moments(sigma_xx: Array, sigma_yx: Array, sigma_yy: Array) -> Floats:
    gram, cross = to_float_array(sigma_xx), to_float_array(sigma_yx)
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(gram / np.outer(size, size))
    kept = values > len(gram) * np.finfo(float).eps * max(values[-1], 0.0)
    values, vectors = values[kept], vectors[:, kept]
    inverse = vectors / values @ vectors.T / np.outer(size, size)
    root = (vectors * np.sqrt(values)).T * size
    best = cross @ inverse
    xx, yx, yy = map(_rational, (sigma_xx, sigma_yx, sigma_yy))
    for _ in range(REFINEMENTS):
        best = best - _floats(_rational(best) * xx - yx) @ inverse
    matrix = _rational(best)
    gap = (matrix * xx - yx - yx) * matrix.transpose() + yy
    least = sum(np.diag(_floats(gap))) / 2
    rest = np.zeros((1, sum(cross.shape)))
    rest[0, cross.shape[1]] = sqrt(2 * max(least, 0.0))
    return np.vstack([np.hstack([root, root @ best.T]), rest])


def _rational(array: Array) -> Any:
    """Return a matrix of FLINT rationals; irrational entries have `DIGITS` digits."""
    known = []
    for entry in array.ravel().tolist():
        rational = as_fraction(entry) is not None
        known.append(as_fmpq(entry if rational else evaluated(entry, DIGITS)))
    rows, columns = array.shape
    return fmpq_mat(rows, columns, known)


def _floats(matrix: Any) -> Floats:
    flat = [int(entry.p) / int(entry.q) for entry in matrix.entries()]
    return np.array(flat, dtype=float).reshape(matrix.nrows(), matrix.ncols())
