"""Flows in which P = QQᵀ obeys Ṗ = FP + PF − κP², and where they end.

Q̇ = FQ − ½κQQᵀQ is the gradient flow of J = ⅛κ‖QQᵀ‖² − ½tr(FQQᵀ).  For W = UUᵀ on
Σ_xx = κI it is that of Q = U, with F = Σ_yx + Σ_yxᵀ − l2 I and 4κ for κ; for two layers
with W_2ᵀW_2 − W_1W_1ᵀ = λI that of Q = [W_1ᵀ; W_2], with

    F = [[−½κλ I, Σ_yxᵀ], [Σ_yx, ½κλ I]] − l2 I.

As P(t) = e^{Ft}Q_0(I + κQ_0ᵀ(∫e^{2Fs})Q_0)⁻¹Q_0ᵀe^{Ft}, the span of Q_0 decides:

    P(∞) = Σ_{f>0} (2f/κ) Π_f,

Π_f the projection onto what those vectors of the span have along the eigenvalue f that
have nothing along greater ones.  A start that reaches all f > 0 ends in 2[F]_+/κ.

For fractions all of this is decided: F is reduced over the rationals, its eigenvalues
are balls around the roots of the factors, and directions that are certainly there are
as many as the ranks of rational matrices allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq_mat

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.balls import (
    ALONE,
    as_matrix,
    from_ball_matrix,
    to_arb,
    to_arb_array,
    workbits,
)
from symflow.algebra.numbers import as_fraction, to_float, to_mpf
from symflow.algebra.rational import rational
from symflow.flow.problem import Problem

#: Rows of F up to which it is reduced over the rationals, and bits tried for that.
MOST_ROWS, BITS = 24, (192, 1024, 8192)

#: What counts as zero in floats, relative: a direction, and a gap of eigenvalues.
UNCLEAR = 1e-9


def weight_decay(problem: Problem) -> Any:
    """Return the weight decay as a number of the arithmetic of the data."""
    like = problem.arguments[0].flat[0]
    if hasattr(like, "context"):
        return to_mpf(problem.flow.loss.l2, like.context)
    l2 = as_fraction(problem.flow.loss.l2)
    return to_float(l2) if isinstance(like, float) else l2


def isotropy(problem: Problem) -> Any:
    """Return κ, the mean of the diagonal of Σ_xx."""
    sigma_xx = problem.arguments[0]
    return sigma_xx.trace() / len(sigma_xx)


def homogeneity(problem: Problem) -> Any:
    """Return λ, the mean of the diagonal of the imbalance of two layers."""
    first, second = problem.weights
    return ((second * second).sum() - (first * first).sum()) / len(first)


def stacked(layers: Any) -> Array:
    """Return Q of the weights U, or W_1 and W_2, shape (n, hidden)."""
    return np.concatenate([*(layer.T for layer in layers[:-1]), layers[-1]], axis=0)


def gram_equation(problem: Problem) -> tuple[Array, Any, Array]:
    """Return F, κ and Q_0 in the arithmetic of the problem."""
    kappa, decay = isotropy(problem), weight_decay(problem)
    target, start = problem.arguments[1], stacked(problem.weights)
    if len(problem.weights) == 1:
        force = target + target.T - decay * np.eye(len(target), dtype=int)
        return force, 4 * kappa, start
    force = coupled(target, kappa * homogeneity(problem) / 2, decay)
    return force, kappa, start


def coupled(target: Array, tilt: Any, decay: Any = 0) -> Array:
    """Return F = [[−τI, Sᵀ], [S, τI]] − l2 I for S = Σ_yx and the tilt τ."""
    outputs, cut = target.shape
    force = np.diag(np.array([-tilt] * cut + [tilt] * outputs) - decay)
    force[cut:, :cut], force[:cut, cut:] = target, target.T
    return force


def signed_gram(layers: Sequence[Array]) -> Array:
    """Return N = JP of two layers, J = diag(−I, I), in their arithmetic.

    Its eigenvalues that are not zero are those of W_2ᵀW_2 − W_1W_1ᵀ.
    """
    side, cut = stacked(layers), layers[0].shape[1]
    signs = np.array([[-1]] * cut + [[1]] * (len(side) - cut))
    return np.asarray(signs * (side @ side.T))


def two_levels(layers: Sequence[Array]) -> tuple[Any, Any]:
    """Return the λ and c² with N² = λN + c²I, if there are any, from three traces."""
    first, second = layers
    # powers of D have the traces of those of N, and less rounding where N is large
    gap, count = second.T @ second - first @ first.T, len(second) + first.shape[1]
    square = gap @ gap
    one, two, three = gap.trace(), (gap * gap).sum(), (square * gap).sum()
    # eigenvalues of both signs, or none: no multiple of the identity
    below = count * two - one * one
    if not below:
        return below, below
    lam = (count * three - one * two) / below
    return lam, (two - lam * one) / count


def block_of(problem: Problem, gram: Array) -> Array:
    """Return the block of P that is W."""
    cut = problem.widths[0] if len(problem.weights) > 1 else 0
    return gram[cut:, : cut or len(gram)]


@dataclass(frozen=True, eq=False)
class Ending:
    """Where P goes; made by `ending`."""

    gram: Array | None  #: P(∞), in balls or floats; None where that is not known.
    rates: tuple[float, ...]  #: The eigenvalues f > 0 that are reached, falling.
    exact: bool  #: Whether that was decided of the numbers as given.


def ending(problem: Problem) -> Ending:
    """Return where P = QQᵀ goes, found once; κ has to be positive."""
    return problem.remembered("ending", lambda: _ending(problem))


def _ending(problem: Problem) -> Ending:
    at = problem.rational if problem.is_exact and not problem.is_large else None
    force, kappa, start = gram_equation(at or problem.floats)
    if at is None or len(force) > MOST_ROWS:
        return _in_floats(*map(to_float_array, (force, np.array(kappa), start)))
    most = start.shape[1] if not _is_odd(at) else len(force) // 2 - 1
    for bits in BITS:
        with ALONE, workbits(bits):
            found = _in_balls(rational(force), to_arb(kappa), rational(start), most)
        if found is not None:
            return found
    return Ending(None, (), exact=True)


def _is_odd(problem: Problem) -> bool:
    """Say whether a mode stays at zero because balanced layers keep the sign of det W.

    For square W the span of Q_0 and the eigenvectors f > −l2 are isotropic for the
    difference of the two blocks; if both have half the dimension, the parity of that of
    the span beside these never changes, and is odd where det Σ_yx det W(0) < 0.
    """
    if len(problem.weights) == 1 or homogeneity(problem):
        return False
    target, first, second = map(rational, (problem.arguments[1], *problem.weights))
    square = target.nrows() == target.ncols()
    return square and bool((second * first).det() * target.det() < 0)


def _in_floats(force: Array, kappa: Array, start: Array) -> Ending:
    """Return the limit where no rounding decides it: the one that attracts all others.

    That is where the span holds as many of the greatest eigenvalues as it can.
    """
    values, vectors = np.linalg.eigh(force)
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = UNCLEAR * max(abs(values))
    growing = int(sum(values > noise))
    count = min(growing, start.shape[1])
    rows = (vectors.T @ start)[:count]
    pivots = np.linalg.svd(rows, compute_uv=False)
    clear = all(pivots > UNCLEAR * np.linalg.norm(start))
    if 0 < count < growing:
        clear = clear and values[count - 1] - values[count] > noise
    kept, rates = vectors[:, :count], values[:count]
    total = (kept * (2 * rates / kappa)) @ kept.T
    return Ending(total if clear else None, tuple(map(float, rates)), exact=False)


@dataclass(frozen=True, eq=False)
class _Part:
    """What a start has along the eigenvalues that are the roots of one factor."""

    factor: Any  #: g, irreducible over the rationals.
    start: fmpq_mat  #: Q_0 along them, times a polynomial in F that is regular there.
    height: int  #: The dimensions per eigenvalue that P enters.


def _in_balls(force: fmpq_mat, kappa: Any, start: fmpq_mat, most: int) -> Ending | None:
    """Return the limit of fractions; None where these bits do not suffice for it.

    The start reaches `most` directions, or fewer.
    """
    roots = _roots(force, start)
    if roots is None:
        return None
    total = to_arb_array(np.zeros((force.nrows(),) * 2, dtype=int).astype(object))
    taken: list[Array] = []
    rates: list[float] = []
    seen: list[_Part] = []
    entered = 0
    for value, part in roots:
        entered += part.height
        seen += [] if part in seen else [part]
        along = _along(arb_mat(force), value, part)
        fresh = _beyond(along, taken)
        taken += fresh
        # what is certainly there; more is not, if no rank allows it
        rank = _joined([part.start for part in seen]).rank()
        if len(taken) != min(most, entered, rank):
            return None
        if fresh:
            rates += [float(value.mid())] * len(fresh)
            projection = _projection(along @ np.stack(fresh).T)
            total = total + projection * (2 * value / kappa)
    return Ending(np.asarray(total), tuple(rates), exact=True)


def _roots(force: fmpq_mat, start: fmpq_mat) -> list[tuple[Any, _Part]] | None:
    """Return the eigenvalues f > 0 that P enters, falling; None if not told apart."""
    factors = [factor for factor, _ in force.charpoly().factor()[1]]
    minimal = prod(factors)
    found: list[tuple[Any, _Part]] = []
    for factor in factors:
        powers = [_applied(minimal // factor, force, start)]
        for _ in range(factor.degree() - 1):
            powers.append(force * powers[-1])
        rank = _joined([power.transpose() for power in powers]).rank()
        part = _Part(factor, powers[0], int(rank) // factor.degree())
        roots: Any = factor.complex_roots()
        values = [value.real for value, _ in roots]
        found += [(value, part) for value in values if rank and not value <= 0]
    found.sort(key=lambda pair: pair[0].mid(), reverse=True)
    clear = all(before[0] > after[0] for before, after in pairwise(found))
    return found if clear and all(value > 0 for value, _ in found) else None


def _applied(polynomial: Any, force: fmpq_mat, start: fmpq_mat) -> fmpq_mat:
    """Return p(F)Q_0."""
    total = start * 0
    for coefficient in reversed(polynomial.coeffs()):
        total = force * total + start * coefficient
    return total


def _joined(parts: list[fmpq_mat]) -> fmpq_mat:
    """Return matrices of as many columns, one above the other."""
    entries = [entry for part in parts for entry in part.entries()]
    return fmpq_mat(len(entries) // parts[0].ncols(), parts[0].ncols(), entries)


def _along(force: arb_mat, value: Any, part: _Part) -> Array:
    """Return (g/(x − f))(F) of a part: what Q_0 has along f, times a number."""
    start, carried = arb_mat(part.start), arb(part.factor.coeffs()[-1])
    total = start * carried
    for coefficient in part.factor.coeffs()[-2:0:-1]:
        carried = coefficient + value * carried
        total = force * total + start * carried
    return from_ball_matrix(total)


def _beyond(along: Array, taken: list[Array]) -> list[Array]:
    """Return orthonormal hidden vectors that rows certainly have beyond those taken."""
    fresh: list[Array] = []
    while True:
        rest = along
        for unit in (*taken, *fresh):
            rest = rest - np.multiply.outer(rest @ unit, unit)
        sizes = [(row * row).sum() for row in rest]
        best = max(range(len(sizes)), key=lambda k: sizes[k].lower())
        if not sizes[best] > 0:
            return fresh
        fresh.append(rest[best] / sizes[best].sqrt())


def _projection(columns: Array) -> Array:
    """Return C(CᵀC)⁻¹Cᵀ."""
    inner, across = as_matrix(columns.T @ columns), as_matrix(columns.T)
    return np.asarray(columns @ from_ball_matrix(inner.solve(across)))
