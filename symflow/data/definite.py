"""Symmetric and positive semidefinite, decided exactly where the entries are exact.

A real symmetric matrix has real roots λ_i of its characteristic polynomial, so by
Descartes' rule none of them is negative if and only if the coefficients of
∏(x − λ_i) alternate in sign (zeros allowed).  For rational entries this is decided
in integers.
"""

from __future__ import annotations

import flint
import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import context_of
from symflow.algebra.rational import to_flint

#: How far the entries of a float matrix may be from symmetric, relative to the largest.
SYMMETRY = 1e-12
#: How negative rounding may make the smallest eigenvalue, relative to the largest.
DEFINITENESS = 1e-10
#: A part of Σ_yx that counts as outside the range of Σ_xx, at least, relative.
SEEN = 1e-6
#: Decimal digits for irrational exact entries; a third of them guard the decision.
IRRATIONAL_DIGITS = 60


def is_symmetric(matrix: Array) -> bool:
    """Say whether a square matrix is symmetric: exactly, or to 1e-12 if of floats."""
    if matrix.dtype != object:
        gap = np.abs(matrix - matrix.T).max()
        return bool(gap <= SYMMETRY * np.abs(matrix).max())
    upper = zip(*np.triu_indices(len(matrix), 1), strict=True)
    return all(
        matrix[i, j] == matrix[j, i] or sympy.simplify(matrix[i, j] - matrix[j, i]) == 0
        for i, j in upper
    )


def smallest_eigenvalue_if_indefinite(matrix: Array) -> float | None:
    """Return None for a positive semidefinite matrix, else its smallest eigenvalue.

    Rational entries are decided exactly, other exact ones with 60 digits, floats up to
    rounding.
    """
    eigenvalues = np.linalg.eigvalsh(to_float_array(matrix))
    if matrix.dtype != object:
        fine = eigenvalues[0] >= -DEFINITENESS * abs(eigenvalues[-1])
    else:
        rational = to_flint(matrix)
        fine = _irrational(matrix) if rational is None else _rational(rational)
    return None if fine else float(eigenvalues[0])


def leaves_range(sigma_xx: Array, sigma_yx: Array) -> bool:
    """Say whether Σ_yx is no product with Σ_xx, as it is for data: Σ_yx v ≠ 0 = Σ_xx v.

    Rational entries are decided exactly.  Floats have to show it: in units in which the
    diagonal of Σ_xx is 1, an eigenvalue within rounding of zero with a part of Σ_yx
    that rounding cannot explain; data have |Σ_yx v|² ≤ tr Σ_yy vᵀΣ_xxv.
    """
    if sigma_xx.dtype == object:
        gram, both = to_flint(sigma_xx), to_flint(np.vstack([sigma_xx, sigma_yx]))
        if gram is not None and both is not None:
            return bool(gram.rank() < len(sigma_xx) and both.rank() > gram.rank())
    floats, cross = to_float_array(sigma_xx), to_float_array(sigma_yx)
    diagonal = np.diag(floats)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(floats / np.outer(scale, scale))
    noise = 4 * len(floats) * np.finfo(float).eps
    part = (cross / scale) @ vectors[:, values <= noise]
    seen = max(SEEN, 10 * np.sqrt(noise)) * np.linalg.norm(cross / scale, axis=1)
    return bool(np.any(np.linalg.norm(part, axis=1) > seen))


def _rational(matrix: flint.fmpq_mat) -> bool:
    polynomial, size = matrix.charpoly(), matrix.nrows()
    return all(polynomial[k] * (-1) ** (size - k) >= 0 for k in range(size + 1))


def _irrational(matrix: Array) -> bool:
    context = context_of(IRRATIONAL_DIGITS)
    entries = to_mpf_array(matrix, context)
    eigenvalues = context.eigsy(context.matrix(entries.tolist()), eigvals_only=True)
    largest = max(abs(value) for value in eigenvalues)
    return bool(
        min(eigenvalues) >= -largest * context.mpf(10) ** (-2 * IRRATIONAL_DIGITS // 3)
    )
