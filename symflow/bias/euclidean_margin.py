"""The largest Euclidean margin, min ½‖β‖₂² under a_i·β ≥ 1, in fractions.

Floats are binary fractions, so the answer is that of the numbers as they were given,
whatever their sizes.  A float solution guesses which constraints are active.  From
there the active-set method of Lawson and Hanson runs on the dual max Σμ_i − ½‖Aᵀμ‖²,
μ ≥ 0: it adds a violated row, drops negative multipliers, and follows the null
direction where a new row depends on the ones before.  Every round raises the dual, so
it ends, with a_i·β ≥ 1 for all rows, or with Aᵀμ = 0 for some μ ≥ 0, which is the
certificate that nothing separates (Gordan).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import scipy  # which imports scipy.optimize where it is first used
from flint import fmpq, fmpq_mat

from symflow.algebra.arrays import Array, map_entries, to_float_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.rational import as_fmpq, fraction
from symflow.errors import HypothesisFailed

#: Relative size below which a multiplier counts as zero in the first guess.
ZERO = 1e-9
#: Margins that exceed 1 by this part of ‖a‖‖β‖ in float64 do so in fractions too.
CLEAR = 1e-9
#: Active constraints up to which floats are solved for in fractions, and the condition
#: of more of them that float64 may be trusted with.
MOST_ACTIVE, WELL = 40, 1e6


@dataclass(frozen=True)
class Widest:
    """A solution of min ‖ρ‖ under margins of at least 1.

    The `multipliers` are μ ≥ 0, one for each sample.  It is `unique` where it is known
    that no other point is as good, and `exact` where all was decided in fractions,
    about the numbers as they were given.
    """

    point: Array
    multipliers: Array
    unique: bool = True
    exact: bool = True


def least_euclidean(rows: Array, context: Any = None) -> Widest:
    """Return argmin ½‖β‖₂² under rows·β ≥ 1.

    The rows y_i x_i, shape (n, d), are taken as the fractions that they are.  The
    minimizer is unique, and rounded to the arithmetic of `context`, else to float64.
    Raises HypothesisFailed if no β separates the samples.
    """
    if context is None and rows.dtype != object:
        seen = _in_floats(rows)
        if seen is not None:
            return seen
    found = widest_slab(np.asarray(rows))
    if context is None:
        return Widest(to_float_array(found.point), to_float_array(found.multipliers))
    point, multipliers = (
        map_entries(lambda entry: to_mpf(entry, context), part)
        for part in (found.point, found.multipliers)
    )
    return Widest(point, multipliers)


def _in_floats(rows: Array) -> Widest | None:
    """Return the solution of many constraints in float64, if it is checked there."""
    units, sizes = normalized(rows)
    few = min(rows.shape) <= MOST_ACTIVE
    if few or not np.all(sizes > -np.inf):
        return None
    active = _guess(units, sizes)
    if len(active) <= MOST_ACTIVE:
        return None
    least = float(np.min(sizes))
    sides, part = np.exp2(least - sizes), units[active]
    gram = part @ part.T
    if np.linalg.cond(gram) > WELL:
        return None
    shares = np.linalg.solve(gram, sides[active])
    point = part.T @ shares
    apart = np.max(np.abs(part @ point - sides[active])) > CLEAR * np.min(sides[active])
    if apart or np.min(shares) <= 0 or np.min(units @ point - sides * (1 - CLEAR)) < 0:
        return None
    multipliers = np.zeros(len(rows))
    multipliers[active] = shares * np.exp2(-least - sizes[active])
    return Widest(point * np.exp2(-least), multipliers, exact=False)


def widest_slab(rows: Array) -> Widest:
    """Return argmin ½‖β‖₂² under rows·β ≥ 1 in fractions.

    The rows y_i x_i, shape (n, d), are of any kind of rational number, and the answer
    is of `Fraction`s.  Raises HypothesisFailed if no β separates the samples.
    """
    units, sizes = normalized(rows)
    search = _Search(rows, units, sizes)
    if not np.all(sizes > -np.inf):
        raise _inseparable()
    search.start(_guess(units, sizes))
    while (entering := search.violated()) is not None:
        search.add(entering)
    multipliers = np.array([Fraction(0)] * len(rows), dtype=object)
    for index, value in zip(search.passive, search.values, strict=True):
        multipliers[index] = fraction(value)
    return Widest(map_entries(fraction, search.point), multipliers)


def normalized(rows: Array) -> tuple[Array, Array]:
    """Return float rows of unit size, and log₂ of what they were divided by.

    Fractions may be beyond the range of floats; a row of zeros has log₂ = −∞.
    """
    units, sizes = np.zeros(rows.shape), np.full(len(rows), -np.inf)
    for number, row in enumerate(rows):
        top = max(map(abs, row))
        if top == 0:
            continue
        exact = row.dtype == object
        floats = np.array([float(e / top) for e in row]) if exact else row / top
        length = float(np.linalg.norm(floats))
        units[number] = floats / length
        sizes[number] = (_log2(top) if exact else np.log2(top)) + np.log2(length)
    return units, sizes


def _log2(value: Any) -> float:
    ratio = fraction(as_fmpq(value))
    shift = ratio.numerator.bit_length() - ratio.denominator.bit_length()
    return float(shift + np.log2(float(ratio / Fraction(2) ** shift)))


def _guess(units: Array, sizes: Array) -> list[int]:
    """Return which constraints seem active: a nonnegative least-squares problem."""
    sides = np.exp2(np.maximum(np.min(sizes) - sizes, -60.0))
    stacked = np.vstack([units.T, sides])
    goal = np.append(np.zeros(units.shape[1]), 1.0)
    try:
        found, _ = scipy.optimize.nnls(stacked, goal, maxiter=30 * sum(units.shape))
    except RuntimeError:  # it cycles: begin with nothing
        return []
    return [int(k) for k in np.flatnonzero(found > ZERO * np.max(found, initial=0.0))]


class _Search:
    """The active-set method: passive rows are independent, with multipliers > 0."""

    def __init__(self, rows: Array, units: Array, sizes: Array) -> None:
        self.rows, self.units, self.sizes = rows, units, sizes
        self.passive: list[int] = []
        self.values: list[fmpq] = []
        self.exact_rows: dict[int, list[fmpq]] = {}
        self.point = np.array([fmpq(0)] * rows.shape[1], dtype=object)

    def start(self, guess: list[int]) -> None:
        """Begin with the independent rows of a guess that have multipliers > 0."""
        self.passive = list(guess)
        while self.passive:
            try:
                self.values = self._solved()
            except ZeroDivisionError:
                self.passive = self._independent()
                continue
            if all(value > 0 for value in self.values):
                break
            least = min(range(len(self.values)), key=lambda k: self.values[k])
            del self.passive[least]
        self._move()

    def _independent(self) -> list[int]:
        """Return passive rows that span as much as all of them."""
        reduced, rank = self._matrix(self.passive).transpose().rref()
        table = reduced.tolist()
        pivots = [
            next(k for k, e in enumerate(table[r]) if e != 0) for r in range(rank)
        ]
        return [self.passive[k] for k in pivots]

    def violated(self) -> int | None:
        """Return the row whose margin is furthest below 1, or None."""
        # relative to ‖a‖, so that no sample hides behind a larger one
        numbers = map_entries(fraction, self.point)
        unit, size = normalized(numbers[None])
        margins = self.units @ unit[0]
        sides = np.exp2(np.clip(-self.sizes - size[0], -80.0, 80.0))
        if np.isinf(size[0]):
            return int(np.argmin(self.sizes))
        worst, chosen = fmpq(0), None
        for number in np.flatnonzero(margins - sides < CLEAR):
            row = self._row(int(number))
            gap = 1 - sum((a * b for a, b in zip(row, self.point, strict=True)), fmpq())
            if gap <= 0:
                continue
            top = max(abs(entry) for entry in row)
            if gap / top > worst:
                worst, chosen = gap / top, int(number)
        return chosen

    def add(self, entering: int) -> None:
        """Let a violated row enter, and solve again on the passive rows."""
        self.passive.append(entering)
        self.values.append(fmpq(0))
        matrix = self._matrix(self.passive)
        if matrix.rank() < len(self.passive):
            self._exchange(matrix)
        while True:
            solved = self._solved()
            if all(value > 0 for value in solved):
                self.values = solved
                return self._move()
            moves = list(zip(self.values, solved, strict=True))
            step = min(old / (old - new) for old, new in moves if new <= 0)
            self.values = [old + step * (new - old) for old, new in moves]
            self._drop_zeros()

    def _exchange(self, matrix: fmpq_mat) -> None:
        """Move along z with Aᵀz = 0 until a multiplier vanishes."""
        count = len(self.passive) - 1
        old = fmpq_mat(matrix.tolist()[:count])
        new = fmpq_mat([matrix.tolist()[count]])
        solved = (old * old.transpose()).solve(old * new.transpose())
        slope = [-solved[k, 0] for k in range(count)] + [fmpq(1)]
        limits = [
            -value / z for value, z in zip(self.values, slope, strict=True) if z < 0
        ]
        if not limits:
            raise _inseparable()
        step = min(limits)
        self.values = [v + step * z for v, z in zip(self.values, slope, strict=True)]
        self._drop_zeros()

    def _drop_zeros(self) -> None:
        kept = [k for k, value in enumerate(self.values) if value > 0]
        self.passive = [self.passive[k] for k in kept]
        self.values = [self.values[k] for k in kept]

    def _solved(self) -> list[fmpq]:
        """Return μ with AAᵀμ = 1 on the passive rows."""
        matrix, count = self._matrix(self.passive), len(self.passive)
        ones = fmpq_mat(count, 1, [1] * count)
        return list((matrix * matrix.transpose()).solve(ones).entries())

    def _move(self) -> None:
        """Set β = Aᵀμ."""
        if self.passive:
            weights = fmpq_mat(1, len(self.values), self.values)
            entries = (weights * self._matrix(self.passive)).entries()
            self.point = np.array(entries, dtype=object)
        else:
            self.point = np.array([fmpq(0)] * self.rows.shape[1], dtype=object)

    def _row(self, number: int) -> list[fmpq]:
        if number not in self.exact_rows:
            self.exact_rows[number] = [as_fmpq(entry) for entry in self.rows[number]]
        return self.exact_rows[number]

    def _matrix(self, numbers: list[int]) -> fmpq_mat:
        return fmpq_mat([self._row(number) for number in numbers])


def _inseparable() -> HypothesisFailed:
    msg = "least_euclidean(rows): no hyperplane through the origin separates them"
    return HypothesisFailed(msg)
