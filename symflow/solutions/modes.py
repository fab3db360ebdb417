"""Joint modes: one pair of bases in which Σ_xx, Σ_yx and W(0) are all diagonal.

The right vectors V are eigenvectors of a generic combination of Σ_xx, Σ_yxᵀΣ_yx,
W(0)ᵀW(0) and the symmetric part of Σ_yxᵀW(0): where these commute, a generic
combination separates all their common eigenspaces, repeated values included.  The
left vector of a mode is W(0)v/‖W(0)v‖, so that its strength w is never negative, and
Σ_yx v/‖Σ_yx v‖ for a mode that starts at zero.  Whether the bases do diagonalize is
then measured, not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_float

#: Coefficients of the generic combination; any rationally independent ones would do.
_MIX = (1.0, 0.618, 0.414, 0.271)


@dataclass(frozen=True, eq=False)
class JointModes:
    """Singular vectors shared by the data and the start, at one precision.

    Parameters
    ----------
    left : array, shape (outputs, inputs)
        u_i in column i; a zero column where neither data nor start has a mode.
    right : array, shape (inputs, inputs)
        v_i in column i, orthonormal.
    sigma, lam, start : arrays, shape (inputs,)
        σ_i = u_iᵀΣ_yx v_i, λ_i = v_iᵀΣ_xx v_i and w_i(0) = u_iᵀW(0)v_i.
    defect : float
        By how much the bases fail to diagonalize, relative.
    """

    left: Array
    right: Array
    sigma: Array
    lam: Array
    start: Array
    defect: float


def joint_modes(
    sigma_xx: Array, sigma_yx: Array, start: Array, digits: int
) -> JointModes:
    """Find the joint modes of the data and an end-to-end matrix.

    Parameters
    ----------
    sigma_xx, sigma_yx, start : arrays
        Σ_xx, Σ_yx and W(0), of any kind of number.
    digits : int
        Digits of the arithmetic.

    Returns
    -------
    JointModes
        The best candidate; its `defect` says how good it is.

    Examples
    --------
    >>> modes = joint_modes(np.eye(2), np.diag([3.0, 1.0]), np.eye(2) / 8, digits=30)
    >>> sorted(map(float, modes.sigma)), modes.defect < 1e-25
    ([1.0, 3.0], True)
    """
    context = mpmath.MPContext()
    context.dps = digits + 5
    xx, yx, w0 = (to_mpf_array(a, context) for a in (sigma_xx, sigma_yx, start))
    right = _eigenvectors(_combination(xx, yx, w0), context)
    moved, pushed = w0 @ right, yx @ right
    tiny = context.mpf(10) ** (-digits // 2) * (_norm(w0) + context.eps)
    columns = [
        _unit(moved[:, k] if _norm(moved[:, k]) > tiny else pushed[:, k], tiny)
        for k in range(right.shape[1])
    ]
    left = np.stack(columns, axis=1)
    sigma, strength = (left * pushed).sum(axis=0), (left * moved).sum(axis=0)
    lam = (right * (xx @ right)).sum(axis=0)
    gaps = (
        _ratio(yx - (left * sigma) @ right.T, yx),
        _ratio(w0 - (left * strength) @ right.T, w0),
        _ratio(xx @ right - right * lam, xx),
        _overlap(left),
    )
    return JointModes(left, right, sigma, lam, strength, to_float(max(gaps)))


def _combination(xx: Array, yx: Array, w0: Array) -> Array:
    parts = (xx, yx.T @ yx, w0.T @ w0, yx.T @ w0 + w0.T @ yx)
    scaled = [
        part * (mix / (_norm(part) or 1)) for mix, part in zip(_MIX, parts, strict=True)
    ]
    return np.asarray(sum(scaled[1:], scaled[0]))


def _eigenvectors(symmetric: Array, context: Any) -> Array:
    _, vectors = context.eigsy(context.matrix(symmetric.tolist()))
    return np.array(vectors.tolist(), dtype=object)


def _norm(array: Array) -> Any:
    return max(abs(entry) for entry in array.flat)


def _ratio(difference: Array, whole: Array) -> Any:
    return _norm(difference) / (_norm(whole) or 1)


def _unit(vector: Array, tiny: Any) -> Array:
    length = (vector * vector).sum() ** 0.5
    return vector / length if length > tiny else vector * 0


def _overlap(left: Array) -> Any:
    """Return the largest scalar product of two different left vectors."""
    gram = left.T @ left
    return max((abs(gram[i, j]) for i in range(len(gram)) for j in range(i)), default=0)


def quick_defect(sigma_xx: Array, sigma_yx: Array, start: Array) -> float:
    """Return in float64 by how much the data and start fail to commute, relative.

    It vanishes where joint modes exist, and costs a few matrix products.
    """
    xx, yx, w0 = (to_float_array(a) for a in (sigma_xx, sigma_yx, start))
    right = [a / (np.linalg.norm(a) or 1) for a in (xx, yx.T @ yx, w0.T @ w0)]
    cross = yx.T @ w0 / ((np.linalg.norm(yx) * np.linalg.norm(w0)) or 1)
    gaps = [a @ b - b @ a for k, a in enumerate(right) for b in right[:k]]
    return float(max(np.linalg.norm(gap) for gap in [*gaps, cross - cross.T]))
