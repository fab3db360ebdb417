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
from flint import fmpq

from symflow.algebra.arrays import Array, map_entries, to_float_array, to_mpf_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.numbers import to_float
from symflow.algebra.products import matmul
from symflow.algebra.rational import (
    exactly_aligned,
    fraction,
    height_of,
    rank_of,
    rational,
)
from symflow.errors import PrecisionLost
from symflow.flow.problem import CHECK_DIGITS, FINE_SIZE
from symflow.solutions.any_precision import context_of

#: Coefficients of the generic combination; any rationally independent ones would do.
_MIX = (1.0, 0.618, 0.414, 0.271, 0.732, 0.236)

#: Relative size of rounding in float64 eigenvectors of many close eigenvalues.
COARSE_NOISE = 1e-11


@dataclass(frozen=True, eq=False)
class JointModes:
    """Singular vectors shared by the data and the start, at one precision."""

    #: Shape (outputs, inputs): u_i in column i; a zero column where neither data nor
    #: start has a mode.
    left: Array
    right: Array  #: Shape (inputs, inputs): v_i in column i, orthonormal.
    #: `sigma`, `lam`, `start`, shape (inputs,): σ_i = u_iᵀΣ_yx v_i, λ_i = v_iᵀΣ_xx v_i
    #: and w_i(0) = u_iᵀW(0)v_i.
    sigma: Array
    lam: Array
    start: Array
    defect: float  #: By how much the bases fail to diagonalize, relative.
    #: Shape (inputs + outputs, inputs): what W(0) couples beyond the diagonal: uᵀ(W(0)V
    #: − U diag(w)), and all of it.
    rest: Array

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
    """Return the best joint modes of the data and an end-to-end matrix.

    The matrices are of any kind of number, and those of fractions are used as such;
    beyond `FINE_SIZE` inputs, a check of `CHECK_DIGITS` is in float64. The right
    vectors should diagonalize the symmetric matrices `also`.
    """
    given = (sigma_xx, sigma_yx, start, *also)
    if digits <= CHECK_DIGITS and len(sigma_xx) > FINE_SIZE:
        return _joint_modes(given, None, COARSE_NOISE)
    if not exactly_aligned(sigma_xx, sigma_yx, start):
        context = context_of(digits + 5)
        return _joint_modes(given, context, context.mpf(10) ** (5 - digits))
    # bases exist: where these are none, or another number of modes is seen to vanish
    # than do, close modes took the digits
    ranks = [rank_of(array) for array in (sigma_yx, sigma_xx, start)]
    more = 2 * digits + 2 * height_of(given)
    for tried, seen in ((digits, digits - 5), (more, more // 2), (4 * more, 2 * more)):
        context = context_of(tried + 5)
        found = _joint_modes(given, context, context.mpf(10) ** -seen)
        counts = [np.count_nonzero(x) for x in (found.sigma, found.lam, found.start)]
        if counts == ranks and found.defect <= 10.0 ** (10 - digits):
            return found
    if also:  # which need not commute with the others: the defect says so
        return found
    msg = (
        f"joint modes to {digits} digits: two of them are so close that "
        f"{4 * more} digits do not tell them apart. Use symflow.precise(…)"
    )
    raise PrecisionLost(msg)


def _joint_modes(given: tuple[Array, ...], context: Any, noise: Any) -> JointModes:
    xx, yx, w0 = (lifted(a, context) for a in given[:3])
    parts = _parts(given, context)
    right = _eigenvectors(np.asarray(sum(parts[1:], parts[0])), context)
    moved, pushed = matmul(w0, right), matmul(yx, right)
    by_start = _told([_length(m) for m in moved.T], noise * _norm(w0))
    by_data = _told([_length(p) for p in pushed.T], noise * _norm(yx))
    left = np.stack(
        [
            _left(m, p, by_m / (_norm(w0) or 1), by_p / (_norm(yx) or 1))
            for m, p, by_m, by_p in zip(
                moved.T, pushed.T, by_start, by_data, strict=True
            )
        ],
        axis=1,
    )
    sigma = (left * pushed).sum(axis=0) * [size != 0 for size in by_data]
    strength = (left * moved).sum(axis=0) * [size != 0 for size in by_start]
    turned = matmul(xx, right)
    lam = (right * turned).sum(axis=0)
    lam = np.array(_told(lam, noise * _norm(xx)))
    rest = moved - left * strength
    gaps = (
        _ratio(yx - matmul(left * sigma, right.T), yx),
        _ratio(rest, w0),
        coupling(matmul(right.T, turned), lam),
        _overlap(left),
    )
    defect = to_float(max(gaps))
    coupled = to_float_array(np.concatenate([matmul(left.T, rest), rest], axis=0))
    return JointModes(left, right, sigma, lam, strength, defect, coupled)


def _told(values: Any, noise: Any) -> list[Any]:
    """Return the values with those set to zero that are rounding."""
    return [x if abs(x) > noise else x * 0 for x in values]


def _parts(given: tuple[Array, ...], context: Any) -> list[Array]:
    """Return what the right vectors diagonalize, scaled and mixed.

    Rational products are formed as such: a product that vanishes would else be
    rounding, and of its own size.
    """
    arrays = [rational(array) for array in given]
    if context is None or any(array is None for array in arrays):
        xx, yx, w0, *rest = (lifted(array, context) for array in given)
        along = matmul(yx.T, w0)
        parts = [xx, matmul(yx.T, yx), matmul(w0.T, w0), along + along.T, *rest]
    else:
        xx, yx, w0, *rest = arrays
        along = yx.transpose() * w0
        raw = (xx, yx.transpose() * yx, w0.transpose() * w0, along + along.transpose())
        parts = [
            lifted(np.array(part.tolist(), dtype=object), context)
            for part in (*raw, *rest)
        ]
    sizes = [_norm(part) for part in parts]
    sizes[3] = (sizes[1] * sizes[2]) ** 0.5
    return [
        part * (mix / (size or 1))
        for mix, part, size in zip(_MIX, parts, sizes, strict=False)
    ]


def _left(moved: Array, pushed: Array, by_start: Any, by_data: Any) -> Array:
    """Return u along the clearer of W(0)v and Σ_yx v, on the side of W(0)v."""
    if by_start == 0 == by_data:
        return moved * 0
    if by_start >= by_data:
        return np.asarray(moved / _length(moved))
    flipped = by_start != 0 and (moved * pushed).sum() < 0
    return np.asarray(pushed / (-_length(pushed) if flipped else _length(pushed)))


def _length(vector: Array) -> Any:
    return (vector * vector).sum() ** 0.5


def _eigenvectors(symmetric: Array, context: Any) -> Array:
    if context is None:
        return np.asarray(np.linalg.eigh(symmetric)[1])
    return eigensystem(symmetric, context)[1]


def _norm(array: Array) -> Any:
    return np.max(np.abs(array), initial=0)


def _ratio(difference: Array, whole: Array) -> Any:
    return _norm(difference) / (_norm(whole) or 1)


def defect_of(given: Array, rebuilt: Array, frame: Array) -> float:
    """Return by how much a rebuilt array and the frame it is made of are off."""
    return to_float(max(_ratio(given - rebuilt, given), _overlap(frame)))


def coupling(gram: Array, diagonal: Array) -> Any:
    """Return the largest cosine off the diagonal of a Gram matrix.

    Each pair is measured by its own size, or the largest where that is rounding.
    """
    size, n = _norm(gram), len(gram)
    roots = [max(abs(value), size * 0) ** 0.5 for value in diagonal]
    sizes = np.multiply.outer(np.array(roots), np.array(roots))
    cosines = np.abs(gram) / np.where(sizes != 0, sizes, size or 1)
    return _norm(np.where(np.eye(n, dtype=bool), 0, cosines))


def _overlap(left: Array) -> Any:
    """Return the largest scalar product of two different left vectors."""
    gram = matmul(left.T, left)
    return _norm(np.where(np.tri(len(gram), k=-1, dtype=bool), gram, 0))


def lifted(array: Array, context: Any) -> Array:
    """Return the array in an mpmath context, or in float64 where that is None."""
    if array.dtype == object and isinstance(array.flat[0], fmpq):
        array = map_entries(fraction, array)
    return to_float_array(array) if context is None else to_mpf_array(array, context)


def start_defect(modes: JointModes, depth: int) -> float:
    """Return by how much aligned balanced layers differ from those given, relative.

    A coupling of W(0) between two modes moves amplitudes w^{1/L}: those of small modes
    by much more than W(0) itself.
    """
    weights = to_float_array(modes.start)
    count, top = len(weights), max(weights.max(initial=0.0), 1e-300)
    inside, outside = modes.rest[:count], np.abs(modes.rest[count:]).max(axis=0)
    pair = np.maximum.outer(weights, weights)
    gaps = np.concatenate([np.abs(inside), outside[None]]) / top
    sizes = np.concatenate([pair, weights[None]]) / top
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.where(gaps > 0, gaps / sizes ** (1 - 1 / depth), 0.0)
    return float(np.minimum(moved, gaps ** (1 / depth)).max())


def quick_defect(sigma_xx: Array, sigma_yx: Array, start: Array) -> float:
    """Return in float64 by how much the data and start fail to commute, relative.

    It vanishes where joint modes exist, and costs a few matrix products.
    """
    xx, yx, w0 = (to_float_array(a) for a in (sigma_xx, sigma_yx, start))
    right = [a / (np.linalg.norm(a) or 1) for a in (xx, yx.T @ yx, w0.T @ w0)]
    cross = yx.T @ w0 / ((np.linalg.norm(yx) * np.linalg.norm(w0)) or 1)
    gaps = [a @ b - b @ a for k, a in enumerate(right) for b in right[:k]]
    return float(max(np.linalg.norm(gap) for gap in [*gaps, cross - cross.T]))
