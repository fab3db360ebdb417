"""Joint modes: one pair of bases in which Σ_xx, Σ_yx and W(0) are all diagonal.

The right vectors V are eigenvectors of a generic combination of Σ_xx, Σ_yxᵀΣ_yx,
W(0)ᵀW(0) and the symmetric part of Σ_yxᵀW(0): where these commute, a generic
combination separates all their common eigenspaces, repeated values included.  The
left vector of a mode lies along W(0)v, so that its strength w is never negative, and
along Σ_yx v where the mode starts at zero.  Whether the bases do diagonalize is then
measured, not assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_float
from symflow.solutions.case import CHECK_DIGITS, FINE_SIZE, context_of

#: Coefficients of the generic combination; any rationally independent ones would do.
_MIX = (1.0, 0.618, 0.414, 0.271, 0.732, 0.236)

#: Relative size of rounding in float64 eigenvectors of many close eigenvalues.
COARSE_NOISE = 1e-11


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

    def lift(self, array: Array) -> Array:
        """Return an array in the arithmetic of the modes."""
        return lifted(array, getattr(self.right.flat[0], "context", None))


def joint_modes(
    sigma_xx: Array,
    sigma_yx: Array,
    start: Array,
    digits: int = CHECK_DIGITS,
    *,
    also: tuple[Array, ...] = (),
) -> JointModes:
    """Find the joint modes of the data and an end-to-end matrix.

    Parameters
    ----------
    sigma_xx, sigma_yx, start : arrays
        Σ_xx, Σ_yx and W(0), of any kind of number.
    digits : int
        Digits of the arithmetic; beyond `FINE_SIZE` inputs, a check is in float64.
    also : tuple of arrays, keyword-only
        Further symmetric matrices that the right vectors should diagonalize.

    Returns
    -------
    JointModes
        The best candidate; its `defect` says how good it is.

    Examples
    --------
    >>> modes = joint_modes(np.eye(2), np.diag([3.0, 1.0]), np.eye(2) / 8)
    >>> sorted(map(float, modes.sigma)), modes.defect < 1e-25
    ([1.0, 3.0], True)
    """
    coarse = digits <= CHECK_DIGITS and len(sigma_xx) > FINE_SIZE
    context, noise = (None, COARSE_NOISE) if coarse else (context_of(digits + 5), None)
    if context is not None:
        noise = context.mpf(10) ** (5 - digits)
    xx, yx, w0, *rest = (lifted(a, context) for a in (sigma_xx, sigma_yx, start, *also))
    right = _eigenvectors(_combination(xx, yx, w0, *rest), context)
    moved, pushed = w0 @ right, yx @ right
    left = np.stack(
        [
            _left(m / (_norm(w0) or 1), p / (_norm(yx) or 1), noise)
            for m, p in zip(moved.T, pushed.T, strict=True)
        ],
        axis=1,
    )
    sigma = _cleaned((left * pushed).sum(axis=0), noise * _norm(yx))
    strength = _cleaned((left * moved).sum(axis=0), noise * _norm(w0))
    lam = _cleaned((right * (xx @ right)).sum(axis=0), noise * _norm(xx))
    gaps = (
        _ratio(yx - (left * sigma) @ right.T, yx),
        _ratio(w0 - (left * strength) @ right.T, w0),
        _ratio(xx @ right - right * lam, xx),
        _overlap(left),
    )
    return JointModes(left, right, sigma, lam, strength, to_float(max(gaps)))


def _left(moved: Array, pushed: Array, noise: Any) -> Array:
    """Return u along the clearer of W(0)v and Σ_yx v, on the side of W(0)v."""
    by_start, by_data = _length(moved), _length(pushed)
    if max(by_start, by_data) <= noise:
        return moved * 0
    if by_start >= by_data:
        return np.asarray(moved / by_start)
    flipped = by_start > noise and (moved * pushed).sum() < 0
    return np.asarray(pushed / (-by_data if flipped else by_data))


def _cleaned(values: Array, noise: Any) -> Array:
    """Return the values with those at the level of rounding set to zero."""
    return np.array([value if abs(value) > noise else value * 0 for value in values])


def _length(vector: Array) -> Any:
    return (vector * vector).sum() ** 0.5


def _combination(xx: Array, yx: Array, w0: Array, *rest: Array) -> Array:
    parts = (xx, yx.T @ yx, w0.T @ w0, yx.T @ w0 + w0.T @ yx, *rest)
    scaled = [
        part * (mix / (_norm(part) or 1))
        for mix, part in zip(_MIX, parts, strict=False)
    ]
    return np.asarray(sum(scaled[1:], scaled[0]))


def _eigenvectors(symmetric: Array, context: Any) -> Array:
    if context is None:
        return np.asarray(np.linalg.eigh(symmetric)[1])
    _, vectors = context.eigsy(context.matrix(symmetric.tolist()))
    return np.array(vectors.tolist(), dtype=object)


def _norm(array: Array) -> Any:
    return max(abs(entry) for entry in array.flat)


def _ratio(difference: Array, whole: Array) -> Any:
    return _norm(difference) / (_norm(whole) or 1)


def defect_of(given: Array, rebuilt: Array, frame: Array) -> float:
    """Return by how much a rebuilt array and the frame it is made of are off."""
    return to_float(max(_ratio(given - rebuilt, given), _overlap(frame)))


def _overlap(left: Array) -> Any:
    """Return the largest scalar product of two different left vectors."""
    gram = left.T @ left
    return max((abs(gram[i, j]) for i in range(len(gram)) for j in range(i)), default=0)


def lifted(array: Array, context: Any) -> Array:
    """Return the array in an mpmath context, or in float64 where that is None."""
    return to_float_array(array) if context is None else to_mpf_array(array, context)


def quick_defect(sigma_xx: Array, sigma_yx: Array, start: Array) -> float:
    """Return in float64 by how much the data and start fail to commute, relative.

    It vanishes where joint modes exist, and costs a few matrix products.
    """
    xx, yx, w0 = (to_float_array(a) for a in (sigma_xx, sigma_yx, start))
    right = [a / (np.linalg.norm(a) or 1) for a in (xx, yx.T @ yx, w0.T @ w0)]
    cross = yx.T @ w0 / ((np.linalg.norm(yx) * np.linalg.norm(w0)) or 1)
    gaps = [a @ b - b @ a for k, a in enumerate(right) for b in right[:k]]
    return float(max(np.linalg.norm(gap) for gap in [*gaps, cross - cross.T]))
