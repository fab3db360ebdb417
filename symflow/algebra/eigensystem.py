"""Eigenvalues and eigenvectors of symmetric matrices, to many digits.

A basis X is improved by steps of Ogita and Aishima (2018): with R = I − XᵀX,
λ_i = (XᵀAX)_ii/(1 − R_ii) and the coupling C_ij = (XᵀAX)_ij + ½(λ_i + λ_j)R_ij, the
basis X(I + E) has about the squared error, for

    E_ij = ½R_ij + C_ij/(λ_j − λ_i),

without the last term where λ_i and λ_j are not told apart yet.  Eigenvalues that stay
so close are a cluster: its block of XᵀAX is scaled up and diagonalized in float64,
which is how X begins, too, with all eigenvalues in one cluster.  All of it is integer
arithmetic in fixed point.  The answer is taken only if R and C are below the rounding
of the digits that were asked for; where they do not get there, mpmath's tridiagonal
method is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpz_mat
from mpmath.libmp import from_man_exp

from symflow.algebra.arrays import Array, map_entries, to_fixed_array

#: Bits beyond those that were asked for.
GUARD = 32
#: Steps after which the tridiagonal method is used.
MOST_STEPS = 40
#: Rows below which that method is as fast.
SMALL = 3
#: A gap has to exceed the errors of basis and coupling so many times.
CLEAR = 8
#: Bits by which a cluster is more coupled than oblique before it is rotated.
PURE = 10
#: Bits of a rotation.
FLOAT_BITS = 60


def eigensystem(matrix: Array, context: Any) -> tuple[Array, Array]:
    """Return the eigenvalues and orthonormal eigenvectors of a symmetric matrix.

    Both are of `mpf` numbers.  The values rise, shape (n,), with errors relative to the
    largest one; the vectors are the columns, shape (n, n).
    """
    scale = _scale(matrix)
    if len(matrix) >= SMALL and scale is not None:
        found = _refined(matrix, context, scale)
        if found is not None:
            return found
    values, vectors = context.eigsy(context.matrix(matrix.tolist()))
    table = np.array(vectors.tolist(), dtype=object)
    values = np.array(list(values), dtype=object)
    order = sorted(range(len(values)), key=lambda index: values[index])
    return values[order], table[:, order]


def _scale(matrix: Array) -> int | None:
    """Return e where max|A| is about 2^e; None for zero and what is not finite."""
    largest = max(abs(entry) for entry in matrix.flat)
    _, mantissa, exponent, size = largest._mpf_
    return exponent + size if mantissa else None


def _refined(matrix: Array, context: Any, scale: int) -> tuple[Array, Array] | None:
    bits, size = context.prec + GUARD, len(matrix)
    fixed = fmpz_mat(size, size, to_fixed_array(matrix, bits - scale))
    fixed += fixed.transpose()  # twice the symmetric part
    basis = np.eye(size, dtype=int).astype(object) << bits
    for _ in range(MOST_STEPS):
        form = _Form(fixed, _matrix(basis), bits)
        if form.is_lost:
            break
        if form.is_settled:
            order = np.argsort(form.values)
            values = _numbers(form.values[order], context, scale - 1 - bits)
            return values, _numbers(basis[:, order], context, -bits)
        basis = _times(_matrix(basis), _matrix(form.step()), bits)
    return None


class _Form:
    """A matrix in a basis, and how to improve the basis; integers over 2^bits."""

    def __init__(self, fixed: fmpz_mat, basis: fmpz_mat, bits: int) -> None:
        across = basis.transpose()
        form = _times(across, _matrix(_times(fixed, basis, bits)), bits)
        gram = _times(across, basis, bits)
        self._bits, self._one = bits, _diagonal([1 << bits] * len(gram))
        self._excess = self._one - gram
        self.values = (np.diag(form) << bits) // np.diag(gram)
        mean = self.values + self.values[:, None]
        self._coupling = form + (self._excess * mean >> bits + 1)
        np.fill_diagonal(self._coupling, 0)
        self._worst = max(_largest(self._coupling), _largest(self._excess))
        self._small = 1 << GUARD - len(gram).bit_length()

    @property
    def is_settled(self) -> bool:
        """Whether X is orthonormal and S diagonal, to the digits asked for."""
        return self._worst <= self._small

    @property
    def is_lost(self) -> bool:
        """Whether X is so oblique that steps would lead away."""
        return 2 * _largest(self._excess) > 1 << self._bits

    def step(self) -> Array:
        """Return I + E, or a rotation within every cluster that is still coupled."""
        close = CLEAR * self._worst
        coupled = [where for where in self._clusters(close) if self._is_mixed(where)]
        if not coupled:
            return self._one + self._correction(close)
        turned = self._one.copy()
        for where in coupled:
            turned[np.ix_(where, where)] = self._rotation(where)
        return turned

    def _correction(self, close: int) -> Array:
        """Return E: R/2 and an antisymmetric part, so that X stays orthonormal."""
        gaps = self.values - self.values[:, None]
        turns = (abs(gaps) > close) & (abs(self._coupling) > self._small)
        turns = np.triu(turns.astype(bool))
        angles = (self._coupling << self._bits) * turns // np.where(turns, gaps, 1)
        return np.asarray((self._excess >> 1) + angles - angles.T)

    def _clusters(self, close: int) -> list[Array]:
        """Return the indices of eigenvalues that are not told apart."""
        order = np.argsort(self.values)
        wide = np.diff(self.values[order]) > close
        return np.split(order, np.flatnonzero(wide) + 1)

    def _is_mixed(self, where: Array) -> bool:
        """Say whether a cluster is orthonormal, but not diagonal."""
        block = np.ix_(where, where)
        coupled = _largest(self._coupling[block])
        return _largest(self._excess[block]) < coupled >> PURE

    def _rotation(self, where: Array) -> Array:
        block = self._coupling[np.ix_(where, where)] + _diagonal(self.values[where])
        block -= _diagonal([self.values[where[0]]] * len(where))
        floats = (block / _largest(block)).astype(float)
        turned = np.linalg.eigh(floats + floats.T)[1] * 2.0**FLOAT_BITS
        return turned.round().astype(np.int64).astype(object) << (
            self._bits - FLOAT_BITS
        )


def _largest(array: Array) -> int:
    return int(max(map(abs, array.flat)))


def _diagonal(values: Any) -> Array:
    result = np.zeros((len(values), len(values)), dtype=object)
    np.fill_diagonal(result, values)
    return result


def _matrix(array: Array) -> fmpz_mat:
    rows, columns = array.shape
    return fmpz_mat(rows, columns, array.ravel().tolist())


def _times(left: fmpz_mat, right: fmpz_mat, bits: int) -> Array:
    """Return a product in fixed point."""
    result = np.empty((left.nrows(), right.ncols()), dtype=object)
    result.flat[:] = [int(entry) >> bits for entry in (left * right).entries()]
    return result


def _numbers(array: Array, context: Any, exponent: int) -> Array:
    return map_entries(
        lambda entry: context.make_mpf(
            from_man_exp(int(entry), exponent, context.prec, "n")
        ),
        array,
    )
