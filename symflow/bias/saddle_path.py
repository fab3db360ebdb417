"""Saddle to saddle: the path of a network as its start vanishes, at every depth.

Pesme and Flammarion (2023) for β = u∘u − v∘v, Berthier (2023) for β = u∘u.  In the
clock t̂ of `bias/growth.py` the dual variable obeys

    dς/dt̂ = −∇ℓ(β),    ς(0) = 0.

As α → 0, β_j vanishes while |ς_j| < 1: the flow rests at a saddle until some ς_j
reaches ±1, and then jumps to the minimizer

    β = argmin {ℓ(β): β_j ≥ 0 where ς_j = 1, β_j ≤ 0 where ς_j = −1, else β_j = 0}.

The last one is an interpolant of least ℓ₁ norm where there is an interpolant.  For
positive starts only the barrier +1 counts.  Exact data give jump times and saddles in
fractions.  `dual_steps` proves the limit for every depth: ς is the gradient flow of a
convex function, and the algorithm the flow of its limit.  Dense layers whose data have
common singular vectors, started along these, are the positive path of their modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, is_exact_array, to_float_array
from symflow.algebra.numbers import as_fraction
from symflow.algebra.threads import cached_property
from symflow.bias.growth import Growth
from symflow.bias.saddle_points import SaddlePoint, saddle_points
from symflow.claims import Reference
from symflow.claims.bibliography import BERTHIER_2023, GIDEL_2019, PESME_2023
from symflow.errors import HypothesisFailed

#: For floats: what counts as zero, relative to the terms it is made of.
ZERO = 1e-9

#: How a kind of network is told.
KINDS = {
    "product": "β = w₁∘⋯∘w_L",
    "difference": "β = u₁∘⋯∘u_L − v₁∘⋯∘v_L",
    "squares": "β = u∘u − v∘v",
}

#: Jumps after which something is wrong.
MOST = 10_000


@dataclass(frozen=True, eq=False)
class SaddlePath:
    """The limit path: jump times and the saddles between them.

    Made by `saddle_to_saddle`.
    """

    #: Shape (d, d): Σ_xx, exact numbers as fractions; of dense layers λ_i, in the
    #: modes.
    sigma_xx: Array
    sigma_yx: Array  #: Shape (d,): Σ_yx, or σ_i.
    jumps: tuple[Any, ...]  #: The times t̂ of the jumps.
    #: Shape (d,), or (m, d) for dense layers: β or W before the first jump, after it,
    #: …; one more than there are jumps.
    saddles: tuple[Array, ...]
    growth: Growth  #: What grows, and in which clock.
    #: Shapes (m, k) and (d, k): singular vectors u_i and v_i of the modes of dense
    #: layers.
    frame: tuple[Array, Array] | None = None
    widths: tuple[int, ...] = ()  #: Those of dense layers.
    sigma_yy: Array | None = None  #: Σ_yy, if it is known.
    regular: bool = False  #: Whether Σ_xx is known to be positive definite.

    @property
    def reference(self) -> Reference:
        """Where the limit comes from."""
        if self.frame is not None:
            return GIDEL_2019
        return BERTHIER_2023 if self.growth.positive else PESME_2023

    @cached_property
    def strengths(self) -> tuple[Array, ...]:
        """The coefficients, or the mode strengths of W, saddle by saddle."""
        if self.frame is None:
            return self.saddles
        left, right = self.frame
        parts = [np.einsum("oi,od,di->i", left, W, right) for W in self.saddles]
        top = max(abs(x) for part in parts for x in part) if len(self.sigma_yx) else 0
        return tuple(
            np.array([x if abs(x) > ZERO * top else 0 * x for x in part], part.dtype)
            for part in parts
        )

    @cached_property
    def points(self) -> tuple[SaddlePoint, ...]:
        """Loss, index, escape rate and learning coefficient, saddle by saddle."""
        return saddle_points(self, _numbers(self.sigma_xx, self.sigma_yx)[2])

    @property
    def limit(self) -> Array:
        """The last saddle, in float64, of the shape of a saddle."""
        last: Array = to_float_array(self.saddles[-1])
        return last

    @property
    def supports(self) -> tuple[tuple[int, ...], ...]:
        """Which coefficients or modes are not zero, saddle by saddle."""
        return tuple(
            tuple(j for j, entry in enumerate(beta) if entry) for beta in self.strengths
        )

    def coefficients(self, clock: Any) -> Array:
        """Return the limit of β or W at times t̂: constant between jumps.

        Parameters
        ----------
        clock : float or array_like
            t̂; at a jump, the saddle after it.
        """
        times = to_float_array(np.array(self.jumps, dtype=object))
        stacked = np.stack([to_float_array(beta) for beta in self.saddles])
        places = np.searchsorted(times, np.asarray(clock, dtype=float), side="right")
        return np.asarray(stacked[places])

    @property
    def anti_correlated(self) -> bool:
        """Whether no two inputs correlate positively, Σ_xx,ij ≤ 0 for i ≠ j.

        For β = u∘u coefficients then never leave once they are reached (Berthier).
        """
        off = self.sigma_xx - np.diag(np.diagonal(self.sigma_xx))
        return all(bool(entry <= 0) for entry in off.flat)

    @cached_property
    def middles(self) -> Array:
        """Times t̂ in the middle of every stay at a saddle; the last stay is cut."""
        times = [0.0, *(float(jump) for jump in self.jumps)]
        last = times[-1] + (np.mean(np.diff(times)) if len(times) > 1 else 1.0)
        edges = np.array([*times, last])
        return np.asarray((edges[1:] + edges[:-1]) / 2)

    def time(self, clock: Any, alpha: float) -> Array:
        """Return t: t̂ in units of 2 ln(1/α)/κ at depth 2, of α^{2−L}/(L−2) beyond.

        Parameters
        ----------
        clock : float or array_like
            t̂.
        alpha : float
            Size of the weights at the start: of all that are not zero, or the singular
            values of dense layers.
        """
        times = np.asarray(clock, dtype=float)
        return np.asarray(self.growth.unit(alpha) * times)

    def at(self, alpha: float, clock: Any) -> Array:
        """Return β or W at a finite α, by the flow of the logarithms of the weights.

        Parameters
        ----------
        alpha : float
            Size of the weights at the start; as small as 1e-150 at depth 2.
        clock : array_like
            Rising times t̂.

        Returns
        -------
        ndarray, shape (times, d), or (times, m, d) for dense layers
            Integrated in float64.
        """
        gram, force = to_float_array(self.sigma_xx), to_float_array(self.sigma_yx)
        times = np.atleast_1d(np.asarray(clock, dtype=float))
        if self.frame is None:
            return self.growth.follow(gram, force, alpha, times)
        left, right = (to_float_array(part) for part in self.frame)
        learned = [bool(x) for x in self.strengths[-1]]
        found = self.growth.follow(gram, force * learned, alpha, times)
        return np.asarray(np.einsum("oi,ti,di->tod", left, found, right))

    def distance(self, alpha: float, clock: Any = None) -> Array:
        """Return how far β at this α is from the limit, at times t̂.

        Parameters
        ----------
        alpha : float
            Size of the weights at the start.
        clock : array_like, optional
            Rising times; the middles of the stays by default.

        Returns
        -------
        ndarray, shape (times,)
            Largest entry of the difference, relative to the last saddle.
        """
        times = np.atleast_1d(self.middles if clock is None else np.asarray(clock))
        away = self.at(alpha, times) - self.coefficients(times)
        gaps = np.abs(away).reshape(len(times), -1).max(axis=1)
        return np.asarray(gaps / (np.max(np.abs(self.limit)) or 1.0))

    def __repr__(self) -> str:
        kind = "dense layers" if self.frame else KINDS[self.growth.kind]
        depth = f", depth {self.growth.depth}" if self.growth.depth > 2 else ""
        times = ", ".join(f"{float(jump):.4g}" for jump in self.jumps)
        sets = " → ".join(
            "{" + ", ".join(str(j + 1) for j in support) + "}"
            for support in self.supports
        )
        return (
            f"SaddlePath of {kind} in {len(self.sigma_yx)} dimensions{depth} "
            f"({self.reference})\n  jumps at t̂ = {times}\n  supports {sets}"
        )


def follow_saddles(sigma_xx: Array, sigma_yx: Array, growth: Growth) -> SaddlePath:
    """Run the jump algorithm, in fractions where the data are exact.

    Raises HypothesisFailed if the minimizer at a jump is not unique.
    """
    gram, force, zeros = _numbers(sigma_xx, sigma_yx)
    dual, beta = abs(force) * 0, abs(force) * 0
    jumps, saddles, clock = [], [beta], sum(zeros) * 0
    for _ in range(MOST):
        gradient = gram @ beta - force
        seen = abs(gradient) > zeros
        gradient = np.array(
            [g if s else 0 * g for g, s in zip(gradient, seen, strict=True)]
        )
        step = _next_jump(dual, gradient, growth.positive)
        if step is None:
            break
        clock, dual = clock + step, dual - step * gradient
        dual = np.array([_on_barrier(x) for x in dual])
        reached = dual.clip(min=0 * clock) if growth.positive else dual
        beta = signed_minimizer(gram, force, reached, zeros, beta)
        if any(np.diagonal(gram) * abs(beta - saddles[-1]) > zeros):
            jumps.append(clock)
            saddles.append(beta)
    times = tuple(t if isinstance(t, Fraction) else float(t) for t in jumps)
    return SaddlePath(gram, force, times, tuple(saddles), growth)


def _numbers(sigma_xx: Array, sigma_yx: Array) -> tuple[Array, Array, Array]:
    """Return the data and what counts as zero, in fractions or in floats.

    Rounding leaves of a coordinate of Σ_yx what is small beside the largest one that
    inputs of its size could have, so that the units of inputs and targets do not count.
    """
    flat = [*np.ravel(sigma_xx), *np.ravel(sigma_yx)]
    fractions = [as_fraction(entry) for entry in flat]
    exact = is_exact_array(np.asarray(sigma_xx)) and all(
        entry is not None for entry in fractions
    )
    d = len(sigma_yx)
    if exact:
        numbers = np.array(fractions, dtype=object)
        force = numbers[d * d :]
        return numbers[: d * d].reshape(d, d), force, 0 * force
    gram, force = to_float_array(sigma_xx), to_float_array(sigma_yx)
    sizes = np.sqrt(np.diagonal(gram))
    alive = sizes > 0
    largest = np.max(np.abs(force[alive]) / sizes[alive], initial=0.0)
    return gram, force, ZERO * sizes * largest


def _next_jump(dual: Array, gradient: Array, positive: bool) -> Any:
    """Return the smallest Δ > 0 at which some ς_j − Δg_j is at a barrier."""
    steps = []
    for place, slope in zip(dual, gradient, strict=True):
        if slope < 0:
            steps.append((1 - place) / -slope)
        elif slope > 0 and not positive:
            steps.append((1 + place) / slope)
    return min((step for step in steps if step > 0), default=None)


def _on_barrier(value: Any) -> Any:
    """Put a float that is at a barrier up to rounding on it."""
    if isinstance(value, float) and abs(abs(value) - 1) < 1e-12:
        return 1.0 if value > 0 else -1.0
    return value


def signed_minimizer(
    gram: Array, force: Array, dual: Array, zeros: Any, start: Array | None = None
) -> Array:
    """Return argmin ½βᵀGβ − fᵀβ with the signs that the barriers allow.

    The active-set method of Lawson and Hanson, in the arithmetic of the data.

    The `dual` is ς: β_j has its sign where |ς_j| = 1, and vanishes elsewhere.  `zeros`
    is what counts as zero in the coordinates of the gradient; `start` is the minimizer
    with fewer signs, from which the search is short.
    """
    signs = np.array([int(x) if abs(x) == 1 else 0 for x in dual])
    zeros = np.broadcast_to(zeros, force.shape)
    beta = abs(force) * 0 if start is None else start
    if any(signs * beta < 0) or any(beta[signs == 0] != 0):
        beta = 0 * beta
    passive = [int(j) for j in np.flatnonzero(beta)]
    for _ in range(MOST):
        pull = signs * (force - gram @ beta)
        free = [j for j in np.flatnonzero(signs) if j not in passive]
        best = max(free, key=lambda j: pull[j] - zeros[j], default=None)
        if best is None or pull[best] <= zeros[best]:
            tied = [int(j) for j in free if abs(pull[j]) <= zeros[j]]
            if tied:  # refuses a choice between equal minimizers
                both = [*passive, *tied]
                _solve(gram[np.ix_(both, both)], force[both])
            return beta
        passive.append(int(best))
        beta, passive = _inner(gram, force, signs, beta, passive)
    msg = "saddle_to_saddle: the active-set method does not end"
    raise HypothesisFailed(msg)


def _inner(
    gram: Array, force: Array, signs: Array, beta: Array, passive: list[int]
) -> tuple[Array, list[int]]:
    """Move to the minimizer on the passive set; drop what would change its sign."""
    while True:
        goal = beta * 0
        goal[passive] = _solve(gram[np.ix_(passive, passive)], force[passive])
        wrong = [j for j in passive if signs[j] * goal[j] <= 0]
        if not wrong:
            return goal, passive
        ratios = {j: beta[j] / (beta[j] - goal[j]) for j in wrong}
        part = min(ratios.values())
        beta = beta + part * (goal - beta)
        dropped = [j for j in wrong if ratios[j] == part]
        passive = [j for j in passive if j not in dropped]
        beta = np.array([x if j in passive else 0 * x for j, x in enumerate(beta)])


def _solve(matrix: Array, values: Array) -> Array:
    """Solve a linear system by elimination, in any arithmetic."""
    size = len(values)
    rows = [[*row, value] for row, value in zip(matrix, values, strict=True)]
    for k in range(size):
        pivot = max((abs(rows[i][k]), -i) for i in range(k, size))[1] * -1
        # what elimination leaves of the k-th column, which may have its own unit: the
        # smaller, the fewer digits of the minimizer are left
        blur = ZERO * max(abs(matrix[:, k])) if matrix.dtype == float else 0
        if abs(rows[pivot][k]) <= blur:
            told = ", as far as floats tell (exact numbers would)" if blur else ""
            msg = (
                "saddle_to_saddle(flow, data): the minimizer at a jump is not unique"
                f"{told}; the limit needs inputs in general position"
            )
            raise HypothesisFailed(msg)
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    found: list[Any] = [None] * size
    for k in reversed(range(size)):
        known: Sequence[Any] = [rows[k][j] * found[j] for j in range(k + 1, size)]
        found[k] = (rows[k][size] - sum(known)) / rows[k][k]
    return np.array(found, dtype=matrix.dtype)
