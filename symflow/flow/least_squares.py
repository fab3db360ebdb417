"""The least-squares problem behind a flow of the squared loss.

With Σ_xx = ΦΛΦᵀ (Λ the r positive eigenvalues) and Ŷ = Σ_yxΦΛ^{−1/2}, the loss exceeds
its infimum by

    ℓ(W) − ℓ* = ½ ‖Ŷ − WΦΛ^{1/2}‖²_F,

its minimizer of least norm is Σ_yxΣ_xx⁺ = ŶΛ^{−1/2}Φᵀ, and the part W_1(I − ΦΦᵀ) of the
first layer never moves.  The rest is the flow of a network with the r inputs Φᵀx.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.numbers import context_of
from symflow.algebra.products import matmul
from symflow.algebra.rank import VISIBLE, Rank, decide_rank
from symflow.algebra.rational import from_flint, rational, row_basis, to_flint
from symflow.algebra.threads import cached_property
from symflow.flow.problem import Problem

#: Part of the largest eigenvalue of Σ_xx below which float64 knows few digits of one.
COARSE = 1e-6
#: Digits for them.
FINE_DIGITS = 50


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """The reduced least-squares problem; made by `least_squares`.

    The `eigenvalues` are the positive ones of Σ_xx, largest first, shape (r,), the
    `frame` Φ has their eigenvectors, shape (d, r), and the `target` is Ŷ =
    Σ_yxΦΛ^{−1/2}, shape (m, r).
    """

    eigenvalues: Array
    frame: Array
    target: Array

    @property
    def rank(self) -> int:
        """The rank r of the input correlation."""
        return len(self.eigenvalues)

    @cached_property
    def least_norm(self) -> Array:
        """The minimizer of least norm, Σ_yxΣ_xx⁺, shape (m, d)."""
        return matmul(self.optimum, self.frame.T)

    @cached_property
    def optimum(self) -> Array:
        """The minimizer in reduced coordinates, ŶΛ^{−1/2}, shape (m, r)."""
        return np.asarray(self.target / self.eigenvalues**0.5)

    def misfit(self, end_to_end: Array) -> Array:
        """Return E = Ŷ − WΦΛ^{1/2}, shape (…, m, r)."""
        moved = matmul(end_to_end, self.frame) * self.eigenvalues**0.5
        return np.asarray(self.target - moved)

    def excess(self, end_to_end: Array) -> Array:
        """Return ℓ(W) − ℓ* = ½‖E‖²_F, shape (…)."""
        return np.asarray((self.misfit(end_to_end) ** 2).sum(axis=(-2, -1)) / 2)

    def off(self, matrix: Array) -> Array:
        """Return M(I − ΦΦᵀ), the part of M that the inputs do not see."""
        return np.asarray(matrix - matmul(matmul(matrix, self.frame), self.frame.T))

    @property
    def rounded(self) -> LeastSquares:
        """The same in float64."""
        parts = (self.eigenvalues, self.frame, self.target)
        return LeastSquares(*map(to_float_array, parts))

    def reduced(self, weights: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the weights with W_1 replaced by W_1Φ."""
        return (weights[0] @ self.frame, *weights[1:])


def least_squares(problem: Problem, context: Any = None) -> LeastSquares:
    """Reduce the squared loss of a problem to its nonzero input directions.

    It is in float64 without a `context`.
    """

    def sharply() -> LeastSquares:
        return _reduce(problem.exact_arguments, input_rank(problem).value, context)

    if context is None:
        return problem.remembered("least squares", lambda: _in_floats(problem))
    return problem.remembered(("least squares", context.prec), sharply)


def _in_floats(problem: Problem) -> LeastSquares:
    rank, moments = input_rank(problem).value, problem.floats.arguments
    if problem.is_small and rank and _smallest(moments[0], rank) < COARSE:
        return finely(problem).rounded
    return _reduce(moments, rank)


def _smallest(sigma_xx: Array, rank: int) -> float:
    """Return λ_r/λ_1 as float64 sees it."""
    values = np.linalg.eigvalsh(sigma_xx)
    return float(values[-rank] / values[-1])


def finely(problem: Problem) -> LeastSquares:
    """Return the reduced problem to `FINE_DIGITS` digits, of the numbers as given."""
    context = context_of(FINE_DIGITS)
    return _reduce(problem.sharp.arguments, input_rank(problem).value, context)


def _reduce(moments: Iterable[Array], rank: int, context: Any = None) -> LeastSquares:
    sigma_xx, sigma_yx = moments
    if context is None:
        values, vectors = np.linalg.eigh(to_float_array(sigma_xx))
    else:
        values, vectors = eigensystem(to_mpf_array(sigma_xx, context), context)
        sigma_yx = to_mpf_array(sigma_yx, context)
    eigenvalues, frame = values[::-1][:rank], vectors[:, ::-1][:, :rank]
    return LeastSquares(eigenvalues, frame, matmul(sigma_yx, frame) / eigenvalues**0.5)


def input_rank(problem: Problem) -> Rank:
    """Return the rank of Σ_xx, of the numbers as given where that is clear."""
    return problem.remembered("input rank", lambda: _input_rank(problem))


def _input_rank(problem: Problem) -> Rank:
    rough, exactly = decide_rank(problem.arguments[0]), with_fractions(problem)
    if rough.value and not problem.is_small:
        # features of tiny units: their eigenvalues are below the rounding of float64
        kept = _smallest(problem.floats.arguments[0], rough.value)
        return rough if kept > VISIBLE else replace(rough, kept=kept, exact=False)
    if exactly is None or exactly is problem:
        return rough
    # moments of float samples are themselves rounded
    sharp = decide_rank(exactly.arguments[0])
    return sharp if sharp.value == rough.value else replace(rough, exact=False)


def with_fractions(problem: Problem) -> Problem | None:
    """Return the problem with its moments as given, if these are rational.

    `Problem.sharp` rounds all numbers, if only to many digits, where one is irrational,
    and a rounded Σ_xx may have another rank.
    """
    if not problem.is_small:
        return None
    for found in (problem, problem.sharp):
        entries = [entry for array in found.arguments for entry in array.flat]
        if all(isinstance(entry, sympy.Rational | Fraction) for entry in entries):
            return found
    return None


def exact_least_norm(problem: Problem) -> Array | None:
    """Return the minimizer of least norm Σ_yxΣ_xx⁺ in rational arithmetic.

    With a basis C of the row space of Σ_xx it is Σ_yxCᵀ(CΣ_xxCᵀ)⁻¹C.

    It has shape (m, d); None if the moments are irrational, or the loss has no minimum.
    """
    return problem.remembered(
        "exact least norm", lambda: _exact_least_norm(*problem.exact_arguments)
    )


def _exact_least_norm(*moments: Array) -> Array | None:
    sigma_xx, sigma_yx = map(to_flint, moments)
    if sigma_xx is None or sigma_yx is None:
        return None
    with suppress(ZeroDivisionError):  # singular
        return from_flint(sigma_xx.solve(sigma_yx.transpose()).transpose())
    basis = row_basis(sigma_xx)
    inner = basis * sigma_xx * basis.transpose()
    best = sigma_yx * basis.transpose() * inner.inv() * basis
    if best * sigma_xx != sigma_yx:
        return None
    return from_flint(best)


def ridge(problem: Problem) -> Array:
    """Return Σ_yx(Σ_xx + l2 I)⁻¹, in fractions where it is rational and not large."""
    l2 = problem.flow.loss.l2
    if problem.is_small:
        sigma_xx, sigma_yx = map(rational, problem.sharp.arguments)
        if sigma_xx is not None and sigma_yx is not None:
            lost = rational(np.diag([l2] * sigma_xx.nrows()))
            return from_flint(sigma_yx * (sigma_xx + lost).inv())
    sigma_xx, sigma_yx = problem.floats.arguments
    shifted = sigma_xx + float(l2) * np.eye(len(sigma_xx))
    return np.asarray(np.linalg.solve(shifted, sigma_yx.T).T)
