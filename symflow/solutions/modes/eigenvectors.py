"""Eigenvectors of symmetric matrices, with the digits that a time needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.numbers import to_float
from symflow.algebra.rational import rank_of
from symflow.flow.problem import FINE_SIZE
from symflow.solutions.any_precision import context_of


@dataclass(frozen=True, eq=False)
class Eigen:
    """A = vectors · diag(values) · vectorsᵀ, values falling."""

    values: Array  #: Shape (n,): eigenvalues.
    vectors: Array  #: Shape (n, n): orthonormal columns.


def symmetric_eigen(matrix: Array, digits: int, *, fine: bool = False) -> Eigen:
    """Return the eigenvalues and eigenvectors of a symmetric matrix of any numbers.

    Eigenvalues at the level of rounding are exactly zero. Where it is not `fine`, a
    large matrix is done in float64 instead of with so many digits.
    """
    if not fine and len(matrix) > FINE_SIZE:
        rates, vectors = np.linalg.eigh(to_float_array(matrix))
        noise: Any = 1e-14 * np.max(np.abs(rates))
        for k in range(1, len(rates)):  # equal ones have to stay equal at late times
            rates[k] = (
                rates[k - 1] if rates[k] - rates[k - 1] < 10 * noise else rates[k]
            )
    else:
        rank = rank_of(matrix)
        for tried in (digits + 10, 2 * digits, 4 * digits):
            rates, vectors, noise = _eigen(matrix, tried)
            # as many rates as the rank are not zero, however small
            if rank in (None, sum(abs(rate) > noise for rate in rates)):
                break
    order = np.argsort(to_float_array(rates))[::-1]
    clean = np.array(
        [rates[i] if abs(rates[i]) > noise else rates[i] * 0 for i in order]
    )
    return Eigen(clean, vectors[:, order])


def _eigen(matrix: Array, digits: int) -> tuple[Array, Array, Any]:
    context = context_of(digits)
    lifted = to_mpf_array(matrix, context)
    rates, vectors = eigensystem(lifted, context)
    noise = context.mpf(10) ** (5 - digits) * max(abs(rate) for rate in rates)
    return rates, vectors, noise


def spare_digits(t: Any, arrays: tuple[Array, ...]) -> int:
    """Return digits to add so that e^{rate·t} keeps those that were asked for."""
    size = max(float(np.max(np.abs(to_float_array(array)))) for array in arrays)
    magnitude = abs(to_float(t)) * size * len(arrays[0])
    return 15 + int(np.log10(max(magnitude, 1.0)))
