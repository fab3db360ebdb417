"""The minimizers of the squared loss: W* plus anything off the row space of X.

P projects onto the row space, C is a basis of it, and W* = Σ_yxCᵀ(CΣ_xxCᵀ)⁻¹C is the
minimizer of least norm.  Samples are used where they were given: their rank and their
moments are known before any rounding.  What is rational and not large is computed in
fractions (a float is one).  Otherwise columns are scaled to similar size, so that the
units of the inputs do no harm, and the rank is that of `algebra/rank.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from flint import fmpq, fmpq_mat

from symflow.algebra.arrays import Array, is_exact_array, map_entries, to_float_array
from symflow.algebra.numbers import as_fraction
from symflow.algebra.products import matmul
from symflow.algebra.rank import MOST_ENTRIES, Rank, decide_rank
from symflow.algebra.rational import from_flint, row_basis, to_flint
from symflow.claims import Hypothesis, relative_size, vanishing
from symflow.flow.problem import Given, Problem

#: Those of the problems at hand, which several theorems ask for.
_KNOWN: WeakKeyDictionary[Given, Minimizers] = WeakKeyDictionary()

#: Inputs up to which the linear algebra is done in fractions.
MOST_INPUTS = 32


@dataclass(frozen=True, eq=False)
class Minimizers:
    """All minimizers of the squared loss of a problem; made by `minimizers`."""

    rank: Rank  #: The rank r of the inputs.
    #: Shape (r, d): a basis of the row space: fractions, or orthonormal floats.
    rows: Array
    seen: Array  #: Shape (d, d): the projection P onto it.
    least_norm: Array  #: Shape (m, d): W* = Σ_yxΣ_xx⁺.
    moments: tuple[Array, Array]  #: Σ_xx and Σ_yx, in the units of the loss.
    accuracy: float  #: What W* and P may be off, relative; zero for fractions.

    @property
    def exact(self) -> bool:
        """Whether everything is in fractions."""
        return self.least_norm.dtype == object

    def off(self, matrix: Array, path: Any = None) -> Array:
        """Return M(I − P), the part of M that no sample sees.

        M has shape (…, d), in the arithmetic of `path`; fractions stay so without it.
        """
        seen = self.seen if path is None else path.lift(self.seen)
        if matrix.dtype != object:
            seen = to_float_array(seen)
        elif path is None and self.exact:
            return matrix - times(matrix, seen)
        return np.asarray(matrix - matmul(matrix, seen))

    def misfit(self, end_to_end: Array) -> float:
        """Return the distance of WP from W* in float64, relative to W and W*."""
        W, best = to_float_array(end_to_end), to_float_array(self.least_norm)
        gap = W @ to_float_array(self.seen) - best
        return float(relative_size(gap, np.vstack([W, best])))

    def excess(self, end_to_end: Array) -> Any:
        """Return ℓ(W) − ℓ* = ½ tr (W − W*)Σ_xx(W − W*)ᵀ of one matrix."""
        off = end_to_end - self.least_norm
        return (times(off, self.moments[0]) * off).sum() / 2

    @property
    def hypotheses(self) -> tuple[Hypothesis, Hypothesis]:
        """The rank of the inputs, and that the loss has a minimum."""
        rank, full = self.rank, self.rank.value == len(self.seen)
        said = f"; minimizers to {self.accuracy:.0e}" if self.accuracy else ""
        sure = Hypothesis(
            "the inputs have a clear rank",
            rank.is_clear,
            f"{len(self.seen)} inputs of {rank}{said}",
            exact=rank.exact or (full and rank.is_clear),
        )
        sigma_xx, sigma_yx = self.moments
        beyond = sigma_yx - times(self.least_norm, sigma_xx)
        defect = relative_size(beyond, sigma_yx)
        if not self.exact:  # what is left of the dropped directions is rounding
            defect = 0.0 if float(defect) <= 1e-6 else defect
        words, said = "the loss has a minimum", "max|Σ_yx(I − P)|"
        return sure, vanishing(words, defect, said, given_exactly=self.exact)


def minimizers(problem: Problem) -> Minimizers:
    """Return the minimizers of the squared loss of a problem."""
    given = problem.given
    if given is None:
        return _minimizers(problem, None)
    if given not in _KNOWN:
        _KNOWN[given] = _minimizers(problem, given.data)
    return _KNOWN[given]


def _minimizers(problem: Problem, data: Any) -> Minimizers:
    if hasattr(data, "X"):
        summed = getattr(problem.flow.loss, "reduction", "mean") == "sum"
        samples = (data.X, data.Y, 1 if summed else data.n)
        return minimizers_of(*samples, rank=decide_rank(data.X))
    sigma_xx, sigma_yx = problem.arguments
    return minimizers_of(sigma_xx, sigma_yx.T, None, rank=decide_rank(sigma_xx))


def minimizers_of(X: Array, Y: Array, count: int | None, *, rank: Rank) -> Minimizers:
    """Return the minimizers of ‖Y − XWᵀ‖², or for moments X = Σ_xx and Y = Σ_xy.

    Samples have shapes (n, d) and (n, m), and their sums are divided by `count`, which
    is None for moments; `rank` is that of X.
    """
    small = X.size <= MOST_ENTRIES and X.shape[1] <= MOST_INPUTS
    inputs, targets = (to_flint(X), to_flint(Y)) if small else (None, None)
    if inputs is None or targets is None or not rank.exact:
        return _rounded(to_float_array(X), to_float_array(Y), count, rank)
    sigma_xx, sigma_xy = inputs, targets
    if count is not None:
        shared = fmpq(1, count)
        sigma_xx = inputs.transpose() * inputs * shared
        sigma_xy = inputs.transpose() * targets * shared
    d = sigma_xx.ncols()
    basis = row_basis(inputs if inputs.nrows() < d else sigma_xx)
    across = basis.transpose()
    inner, gram = basis * sigma_xx * across, basis * across
    if rank.value == 0:
        best, seen = fmpq_mat(d, sigma_xy.ncols()), fmpq_mat(d, d)
    else:
        best = across * inner.solve(basis * sigma_xy)
        seen = across * gram.solve(basis)
    parts = (basis, seen, best.transpose(), sigma_xx, sigma_xy.transpose())
    rows, projection, least, xx, yx = map(from_flint, parts)
    return Minimizers(rank, rows, projection, least, (xx, yx), 0.0)


def start_weights(problem: Problem, found: Minimizers) -> tuple[Array, ...]:
    """Return the start in fractions, where `found` and it are; in floats otherwise."""
    if not (found.exact and problem.is_small):
        return problem.floats.weights
    return tuple(map_entries(as_fraction, weight) for weight in problem.sharp.weights)


def is_drawn(problem: Problem) -> bool:
    """Say whether a rule drew the start, or irrational numbers: to some digits."""
    if problem.given_weights is None or not problem.is_small:
        return problem.given_weights is None
    entries = (entry for weight in problem.sharp.weights for entry in weight.flat)
    return any(hasattr(entry, "_mpf_") for entry in entries)


def product(weights: tuple[Array, ...]) -> Array:
    """Return W_L⋯W_1."""
    return reduce(lambda done, weight: times(weight, done), weights)


def times(left: Array, right: Array) -> Array:
    """Return the product of two matrices, in fractions where both are rational."""
    if left.dtype != object and right.dtype != object:
        return np.asarray(left @ right)
    first, second = to_flint(left), to_flint(right)
    if first is None or second is None:
        return np.asarray(left @ right)
    return from_flint(first * second)


def orthonormal(rows: Array) -> Array:
    """Return float64 columns that are an orthonormal basis of the span of the rows.

    Of large rows first, so that the span of rows of very different entries is kept.
    """
    from scipy.linalg import qr

    if is_exact_array(rows) and rows.size:
        largest = [max(abs(entry) for entry in row) for row in rows]
        rows = np.stack([row / top for row, top in zip(rows, largest, strict=True)])
    columns = to_float_array(rows).T
    order = np.argsort(-np.max(np.abs(columns), axis=1, initial=0.0))
    result = np.empty(columns.shape)
    if columns.size:
        result[order] = qr(columns[order], mode="economic", pivoting=True)[0]
    return result


def _rounded(X: Array, Y: Array, count: int | None, rank: Rank) -> Minimizers:
    """Return the minimizers in float64, from the singular vectors of scaled columns."""
    top = np.max(np.abs(X), axis=0)
    scale = np.ldexp(1.0, -np.where(top > 0, np.frexp(top)[1], 0))
    left = scale[:, None] if count is None else 1.0
    U, sizes, V = np.linalg.svd(left * X * scale, full_matrices=False)
    r, d = rank.value, X.shape[1]
    xx, xy = (X, Y) if count is None else (X.T @ X / count, X.T @ Y / count)
    # V diag(1/scale) Wᵀ = diag(1/sizes) UᵀY
    goal = (U[:, :r].T @ (left * Y)) / sizes[:r, None]
    if r == d:
        frame, least = np.eye(d), scale[:, None] * (V.T @ goal)
        seen = frame
    else:
        frame = orthonormal(V[:r] / scale)
        least = frame @ np.linalg.solve(V[:r] / scale @ frame, goal)
        seen = frame @ frame.T
    spread = float(sizes[0] / sizes[r - 1]) if r else 1.0
    accuracy = 10 * np.finfo(float).eps * spread
    return Minimizers(rank, frame.T, seen, least.T, (xx, xy.T), accuracy)
