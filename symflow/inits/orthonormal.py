"""Orthonormal frames: random ones, and the nearest one at any precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, lifted
from symflow.errors import PrecisionLost

_MOST_STEPS = 60


def random_frame(generator: np.random.Generator, rows: int, columns: int) -> Array:
    """Return a Haar-distributed frame of orthonormal columns, in float64.

    The Q factor of a Gaussian matrix, with the signs that make the diagonal of R
    positive: only then is Q uniform, and both determinants occur.  There are at most as
    many columns as rows.
    """
    q, r = np.linalg.qr(generator.standard_normal((rows, columns)))
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))


def nearest_frame(frame: Array, context: Any) -> Array:
    """Return the orthonormal frame that is nearest to an almost orthonormal one.

    The polar factor, by the Newton–Schulz iteration Q ← Q(3I − QᵀQ)/2, which doubles
    the digits in each step.  The columns of a float64 frame therefore keep their
    float64 values and gain digits.  Without a `context` it is returned as it is, and
    `PrecisionLost` says that it is too far from orthonormal.
    """
    if context is None or frame.shape[1] == 0:
        return frame
    q = lifted(frame, context)
    identity = lifted(np.eye(q.shape[1]), context)
    tolerance = context.mpf(10) ** (3 - context.dps)
    for _ in range(_MOST_STEPS):
        defect = identity - q.T @ q
        if max(abs(entry) for entry in defect.flat) < tolerance:
            return q
        q = q + q @ defect / 2
    msg = "nearest_frame(frame): the columns are too far from orthonormal"
    raise PrecisionLost(msg)
