"""P = e^{Ft}Q₀ (I + κ Q₀ᵀ(∫₀ᵗ e^{2Fs}ds) Q₀)⁻¹ Q₀ᵀ e^{Ft} for any t, without overflow.

In the eigenvectors of F the bracket is I + Σ κφ_i c_i c_iᵀ with the rows c_i of Q₀ and
φ_i = (e^{2f_it} − 1)/(2f_i), numbers of very different size.  The hidden basis is
therefore chosen along c_1, c_2, … in falling order of f (Gram–Schmidt), so that column
j begins in its own pivot row.  Divided by the growth of that row, the stacked matrix
[√(κφ) c; I] has a triangular factor R that is well conditioned, unless a pivot is small
beside what is below it, which `digits_lost` tells.  Then P = YYᵀ with Y = e^{ft} c R⁻¹.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.products import matmul

#: A pivot not smaller than this, beside what is below it, loses no digits that matter.
FAINT = 1e-4
#: Roundings within which rates are equal and parts of the start are zero.
SPARE = 1e15


@dataclass(frozen=True, eq=False)
class GradedStart:
    """The start in the eigenvectors of F, fastest first, in a graded hidden basis."""

    rates: Array  #: Shape (n,): eigenvalues f of F, falling.
    #: Shape (n, r): c, with rank r: row i has no entry beyond the rank of the first i
    #: rows.
    rows: Array
    frame: Array  #: Shape (hidden, r): the hidden basis: Q₀ = vectors · rows · frameᵀ.
    vectors: Array  #: Shape (n, n): eigenvectors of F.
    lows: Array  #: Shape (n,): what a float64 rate lacks of the rate, else zero.
    given: Array  #: Shape (n, r): Q₀ in the hidden basis, as it was given.

    @property
    def parts(self) -> tuple[Array, ...]:
        """What `graded_side` takes."""
        return self.rates, self.lows, self.rows, self.vectors, self.given

    def rounded(self) -> GradedStart:
        """Return the start in float64, the rates with the part that rounding takes."""
        rates = to_float_array(self.rates)
        lows = to_float_array(self.rates - rates)
        rows, frame, vectors, given = (
            to_float_array(part)
            for part in (self.rows, self.frame, self.vectors, self.given)
        )
        return GradedStart(rates, rows, frame, vectors, lows, given)

    def lifted(self, context: Any) -> GradedStart:
        """Return the start in an mpmath context."""
        parts = (self.rates, self.rows, self.frame, self.vectors, self.lows, self.given)
        return GradedStart(*(to_mpf_array(part, context) for part in parts))


def graded_start(rates: Array, vectors: Array, start: Array, noise: Any) -> GradedStart:
    """Choose the hidden basis; entries below `noise`, relative, count as zero."""
    rows = matmul(vectors.T, start)
    order = _largest_first(rates, rows, noise)
    rates, vectors, rows = rates[order], vectors[:, order], rows[order]
    scale = max(abs(entry) for entry in rows.flat) * noise
    basis = _orthonormal(rows, start.T[:, :0], scale)
    inside = matmul(rows, basis)
    clean = [entry if abs(entry) > scale else entry * 0 for entry in inside.flat]
    graded = np.array(clean).reshape(inside.shape)
    return GradedStart(rates, graded, basis, vectors, rates * 0, matmul(start, basis))


def _largest_first(rates: Array, rows: Array, noise: Any) -> list[int]:
    """Return the rows, of equal rates first what is largest beyond those before.

    A small pivot would not be told from rounding where the rows below grow alike.
    """
    order: list[int] = []
    rest = rows.copy()
    for group in _ties(rates, noise):
        left = list(group)
        while left:
            sizes = [(row * row).sum() for row in rest[left]]
            best = max(sizes)
            order.append(left.pop(sizes.index(best)))
            if best > 0 and len(order) <= rows.shape[1]:
                unit = rest[order[-1]] / best**0.5
                rest = rest - np.outer((rest * unit).sum(axis=1), unit)
    return order


def _ties(rates: Array, noise: Any) -> Iterator[range]:
    """Yield where falling rates are equal."""
    first, near = 0, noise * max(map(abs, rates), default=0)
    while first < len(rates):
        last = first
        while last < len(rates) and rates[first] - rates[last] <= near:
            last += 1
        yield range(first, last)
        first = last


def _orthonormal(vectors: Any, before: Array, least: Any) -> Array:
    """Return orthonormal columns for what vectors have beyond those before.

    A vector of which less than `least` is left has nothing beyond.
    """
    frame = list(before.T)
    for vector in vectors:
        rest = vector
        for _ in range(2):  # twice is enough
            for unit in frame:
                rest = rest - unit * (unit * rest).sum()
        length = (rest * rest).sum() ** 0.5
        if length > least:
            frame.append(rest / length)
    found = frame[before.shape[1] :]
    return np.stack(found, axis=1) if found else before[:, :0]


def graded_limits(start: GradedStart) -> Iterator[tuple[Any, Array]]:
    """Yield the rates f > 0 at which P grows to 2f/κ, each with where it does.

    Equal rates grow together: along what the start has there, less what a greater
    rate has taken of the hidden space.

    Columns are orthonormal, shape (n, k); the start has more digits than float64,
    unless it is large.
    """
    rates, rows = start.rates, start.rows
    context = getattr(rates[0], "context", None)
    noise = 1e-13 if context is None else context.eps * SPARE
    taken = np.asarray(rows.T[:, :0])
    scale = max((abs(entry) for entry in rows.flat), default=0) * noise
    for group in _ties(rates, noise):
        if not rates[group.start] > 0:
            return
        here = rows[group]
        rest = here - (here @ taken) @ taken.T
        inside = _orthonormal(rest.T, rest[:, :0], scale)
        yield rates[group.start], start.vectors[:, group] @ inside
        taken = np.concatenate([taken, _orthonormal(here, taken, scale)], axis=1)


def is_faint(rows: Array) -> bool:
    """Say whether a pivot is small beside what is below it."""
    sizes = np.abs(rows)
    pivots = sizes[np.argmax(rows != 0, axis=0), range(rows.shape[1])]
    return bool(np.any(pivots < FAINT * sizes.max(axis=0, initial=0)))


def digits_lost(start: GradedStart, kappa: float, times: Array) -> Array:
    """Return the decimal digits that R loses at every time, infinite if all of them."""
    _, _, upper = graded_lift(np, times, kappa, start.rates, start.lows, start.rows)
    pivots = np.abs(np.diagonal(upper, axis1=1, axis2=2))
    with np.errstate(divide="ignore"):
        lost = np.log10(np.linalg.norm(upper, axis=1) / pivots)
    return np.asarray(lost.max(axis=1, initial=0))


def graded_side(
    xp: Any,
    times: Any,
    kappa: Any,
    rates: Any,
    lows: Any,
    rows: Any,
    vectors: Any,
    given: Any,
) -> Any:
    """Return vectors Y in floats, shape (times, n, r), each block as exact as it can.

    Before the first exponential has moved, e^{Ft}Q₀ is Q₀ and what was added to it:
    a layer much smaller than the other would drown in the eigenvectors.
    """
    lifted, top, upper = graded_lift(xp, times, kappa, rates, lows, rows)
    angle = rates * times[:, None]
    added = xp.expm1(xp.clip(angle, -1.0, 1.0))[..., None] * rows
    near = (given + vectors @ added) * xp.exp(-top)[:, None, :]
    early = xp.all(abs(angle) < 0.5, axis=1)[:, None, None]
    return solve_right(xp, xp.where(early, near, vectors @ lifted), upper)


def graded_lift(
    xp: Any, times: Any, kappa: Any, rates: Any, lows: Any, rows: Any
) -> Any:
    """Return e^{ft}c over its scales, their logarithms, and R, one per time."""
    t, speed, eye = times[:, None], abs(rates), xp.eye(rows.shape[1], dtype=rows.dtype)
    rising, falling = xp.where(rates > 0, rates, 0.0), xp.where(rates < 0, rates, 0.0)
    safe = xp.where(speed > 0, 2 * speed, 1.0)
    grown = kappa * xp.where(speed > 0, -xp.expm1(-2 * speed * t) / safe, t)
    # a bracket near I is smooth in t and κ, where the roots of φ are not
    bulk = grown * xp.exp(xp.where(rising * t < 300, 2 * rising * t, 600.0))
    calm = xp.sum(bulk * xp.sum(rows * rows, axis=1), axis=1)[:, None] < 1
    mass = xp.log(xp.where(calm, 1.0, grown)) / 2
    level = rising * t + mass  # ln √(κφ)
    pivot = xp.argmax(xp.sign(abs(rows)), axis=0)
    ahead = xp.take(level, pivot, axis=1)
    scaled = (ahead > 0) & ~calm
    # not level − level[pivot]: large numbers would cancel
    slow = xp.where(rates > 0, lows, 0.0)
    first, last = xp.take(rising, pivot), xp.take(slow, pivot)
    gap = (rising[:, None] - first) + (slow[:, None] - last)
    beside = mass[..., None] - xp.take(mass, pivot, axis=1)[:, None, :]
    behind = gap * t[..., None] + beside
    behind = xp.where(scaled[:, None, :], behind, level[..., None])
    top = xp.where(scaled, ahead, 0.0)
    late = (falling * t - mass)[..., None] + behind
    before = (rates * t)[..., None] - top[:, None, :]
    used = xp.where(((level > 0) & ~calm)[..., None], late, before)
    met = rows != 0
    stacked = xp.exp(xp.where(met, behind, 0.0)) * rows
    lifted = xp.exp(xp.where(met, used, 0.0)) * rows
    calm = calm[..., None]
    bracket = rows.T @ (bulk[..., None] * rows)
    lower = xp.linalg.cholesky(xp.where(calm, bracket, 0.0) + eye)
    whole = xp.concat([stacked, xp.exp(-top)[..., None] * eye], axis=1)
    upper = xp.linalg.qr(xp.where(calm, xp.concat([rows, eye], axis=0), whole))[1]
    upper = xp.where(upper < 0, -eye, eye) @ upper
    upper = xp.where(calm, lower.mT, upper)
    return lifted, top, upper


def solve_right(xp: Any, left: Any, upper: Any) -> Any:
    """Return left · upper⁻¹ for upper triangular matrices, by substitution."""
    columns: list[Any] = []
    for k in range(upper.shape[-1]):
        rest = left[..., k]
        for j, column in enumerate(columns):
            rest = rest - column * upper[..., j, k][..., None]
        columns.append(rest / upper[..., k, k][..., None])
    return xp.stack(columns, axis=-1) if columns else left


def graded_factor_mpf(start: GradedStart, kappa: Any, time: Any, context: Any) -> Array:
    """Return Y at one time in an mpmath context, shape (n, r)."""
    phi = [
        kappa * (context.expm1(2 * rate * time) / (2 * rate) if rate else time)
        for rate in start.rates
    ]
    weighted = start.rows * np.array(phi, dtype=object)[:, None]
    bracket = matmul(start.rows.T, weighted) + np.eye(start.rows.shape[1], dtype=int)
    grown = np.array([context.exp(rate * time) for rate in start.rates], dtype=object)
    lifted = grown[:, None] * start.rows
    return np.asarray(solve_right(np, lifted[None], _cholesky(bracket)[None])[0])


def _cholesky(matrix: Array) -> Array:
    """Return the upper triangular R with matrix = RᵀR."""
    upper = matrix * 0
    for k in range(len(matrix)):
        row = matrix[k, k:] - (upper[:k, k][:, None] * upper[:k, k:]).sum(axis=0)
        upper[k, k:] = row / row[0] ** 0.5
    return upper
