"""Singular vectors at any precision, always the same ones.

Singular vectors are determined up to sign, and up to a rotation where singular values
repeat.  The float64 vectors, with a sign convention, are the reference: at more digits
the invariant subspaces are computed anew and the basis of each is the one nearest to
the reference (orthogonal Procrustes).  Singular values count as equal where float64
cannot tell them apart, that is within 1e-12 of the largest.

Where they repeat, there is freedom left to diagonalize a second matrix, Σ_xx, so that
the vectors are modes of the pair (Σ_xx, Σ_yx).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, lifted, to_float_array, to_mpf_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.numbers import context_of
from symflow.algebra.products import matmul
from symflow.inits.orthonormal import nearest_frame

Cells = tuple[tuple[int, int], ...]

#: Singular values closer than this, relative to the largest, are equal.
TIE = 1e-12
#: The same for the eigenvalues of Σ_xx among vectors of equal singular value; larger,
#: because those vectors carry the rounding of the singular value decomposition.
METRIC_TIE = 1e-9
#: Up to this size, float64 frames are the rounding of frames with this many digits.
ROUNDED_SIZE, ROUNDED_DIGITS = 4096, 34
ROUNDED_MODES = 16


@dataclass(frozen=True, eq=False)
class SingularFrames:
    """The thin decomposition A = left · diag(values) · rightᵀ."""

    left: Array  #: Shape (m, k): left singular vectors, k = min(m, d).
    values: Array  #: Shape (k,): singular values, largest first.
    right: Array  #: Shape (d, k): right singular vectors.


@dataclass(frozen=True, eq=False)
class _Reference:
    """Float64 frames, and which columns of theirs are tied."""

    frames: SingularFrames
    rank: int
    blocks: tuple[tuple[int, int, Cells], ...]
    null: Array
    null_cells: Cells


def singular_frames(
    matrix: Array, digits: int | None = None, *, metric: Array | None = None
) -> SingularFrames:
    """Return the singular value decomposition in one definite form.

    The matrix, shape (m, d), has floats or exact numbers.  The answer is in float64, or
    with `digits` in mpmath numbers near the float64 ones.  Right vectors of equal
    singular value also diagonalize the symmetric `metric`, shape (d, d).
    """
    rounded_metric = None if metric is None else to_float_array(metric)
    reference = _reference(to_float_array(matrix), rounded_metric)
    if digits is not None:
        return _refined(matrix, reference, metric, digits)
    if min(matrix.shape) > ROUNDED_MODES or matrix.size > ROUNDED_SIZE:
        return reference.frames
    fine = _refined(matrix, reference, metric, ROUNDED_DIGITS)
    parts = (fine.left, fine.values, fine.right)
    return SingularFrames(*(to_float_array(part) for part in parts))


def _reference(matrix: Array, metric: Array | None) -> _Reference:
    u, values, vt = np.linalg.svd(matrix, full_matrices=False)
    v = vt.T.copy()
    rank = int(np.sum(values > TIE * values[0]))
    blocks = []
    for start, stop in _ties(values[:rank], TIE * values[0]):
        rotation, cells = _split(v[:, start:stop], metric)
        u[:, start:stop] = u[:, start:stop] @ rotation
        v[:, start:stop] = v[:, start:stop] @ rotation
        blocks.append((start, stop, cells))
    null = v[:, rank:]
    if metric is not None and rank < len(values):
        null = np.linalg.qr(v[:, :rank], mode="complete")[0][:, rank:]
    rotation, null_cells = _split(null, metric)
    null = null @ rotation
    null = null * _signs(null)
    v[:, rank:] = null[:, : len(values) - rank]
    signs = _signs(v)
    u[:, :rank] *= signs[:rank]
    u[:, rank:] *= _signs(u[:, rank:])
    frames = SingularFrames(u, values, v * signs)
    return _Reference(frames, rank, tuple(blocks), null, null_cells)


def _ties(values: Array, tolerance: float) -> Cells:
    """Return the ranges of a falling sequence within which neighbours are equal."""
    cuts = 1 + np.flatnonzero(-np.diff(values) > tolerance)
    edges = [0, *(int(cut) for cut in cuts), len(values)]
    return tuple(pair for pair in pairwise(edges) if pair[1] > pair[0])


def _split(basis: Array, metric: Array | None) -> tuple[Array, Cells]:
    """Return the rotation of `basis` that diagonalizes the metric, and its ties."""
    size = basis.shape[1]
    if metric is None or size < 2:
        return np.eye(size), ((0, size),)
    eigenvalues, vectors = np.linalg.eigh(basis.T @ metric @ basis)
    cells = _ties(eigenvalues[::-1], METRIC_TIE * float(np.abs(metric).max()))
    return (np.eye(size) if len(cells) == 1 else vectors[:, ::-1]), cells


def _signs(frame: Array) -> Array:
    """Return the signs that make the first of the largest entries positive."""
    # not argmax alone: rounding must not decide between (1, −1)/√2 and its negative
    size = np.abs(frame)
    first = np.argmax(size >= (1 - 1e-8) * size.max(axis=0, initial=0.0), axis=0)
    return np.where(frame[first, np.arange(frame.shape[1])] < 0, -1.0, 1.0)


def _refined(
    matrix: Array, reference: _Reference, metric: Array | None, digits: int
) -> SingularFrames:
    # the singular values come out of a Gram matrix, which squares their ratios
    context = context_of(2 * digits + 30)
    rank = reference.rank
    left, values, right = _nonzero(to_mpf_array(matrix, context), rank, context)
    columns = [
        _aligned(right[:, a:b], reference.frames.right[:, a:b], metric, cells, context)
        for a, b, cells in reference.blocks
    ]
    spans = [(a, b) for a, b, _ in reference.blocks]
    pairs = list(zip(spans, columns, strict=True))
    lefts = [left[:, a:b] @ c for (a, b), c in pairs]
    rights = [right[:, a:b] @ c for (a, b), c in pairs]
    if rank < reference.frames.values.size:
        lefts.append(_complement(reference.frames.left[:, rank:], left, context))
        null = _complement(reference.null, right, context)
        target = reference.frames.right[:, rank:]
        rights.append(
            null @ _aligned(null, target, metric, reference.null_cells, context)
        )
        zeros = lifted(np.zeros(reference.frames.values.size - rank), context)
        values = np.concatenate([values, zeros])
    return SingularFrames(np.hstack(lefts), values, np.hstack(rights))


def _nonzero(matrix: Array, rank: int, context: Any) -> tuple[Array, Array, Array]:
    """Return some singular vectors for the `rank` largest singular values."""
    if matrix.shape[0] > matrix.shape[1]:
        right, values, left = _nonzero(matrix.T, rank, context)
        return left, values, right
    eigenvalues, vectors = _eigen(matmul(matrix, matrix.T), context)
    left = vectors[:, :rank]
    values = np.array([context.sqrt(e) for e in eigenvalues[:rank]], dtype=object)
    return left, values, matmul(matrix.T, left) / values


def _eigen(symmetric: Array, context: Any) -> tuple[list[Any], Array]:
    """Return eigenvalues, largest first, and eigenvectors."""
    values, vectors = eigensystem(symmetric, context)
    return values[::-1].tolist(), vectors[:, ::-1]


def _aligned(
    basis: Array, target: Array, metric: Array | None, cells: Cells, context: Any
) -> Array:
    """Return the coordinates in `basis` of the admissible frame nearest to `target`."""
    goal = basis.T @ lifted(target, context)
    if metric is None or len(cells) == 1:
        return nearest_frame(goal, context)
    form = matmul(matmul(basis.T, to_mpf_array(metric, context)), basis)
    vectors = _eigen(form, context)[1]
    parts = []
    for start, stop in cells:
        if start < target.shape[1]:
            part = vectors[:, start:stop]
            near = nearest_frame(part.T @ goal[:, start:stop], context)
            parts.append(part @ near)
    return np.hstack(parts)


def _complement(frame: Array, span: Array, context: Any) -> Array:
    """Return the frame orthogonal to `span` that is nearest to `frame`."""
    raw = lifted(frame, context)
    if span.shape[1]:
        raw = raw - span @ (span.T @ raw)
    return nearest_frame(raw, context)
