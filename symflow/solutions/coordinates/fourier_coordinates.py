"""Circular networks in Fourier coordinates: conditions, and the transforms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, from_spectrum, to_mpf_array, waves
from symflow.algebra.rational import height_of
from symflow.claims import Hypothesis
from symflow.claims.whitened import measured
from symflow.flow.problem import Problem
from symflow.networks.groups import Group, inverses
from symflow.solutions.any_precision import context_of
from symflow.solutions.solution import Solution
from symflow.solutions.time.passage_times import parts_of

#: A part of the start below this is rounding of the check.
SPARE = 10


def circulant_design(problem: Problem) -> Hypothesis:
    """Require that Σ_xx is circulant: diagonal in Fourier coordinates."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        sigma_xx, group = problem.arguments[0], problem.group
        places = np.arange(len(sigma_xx)).reshape(group)
        moved = [np.roll(places, 1, axis=k).ravel() for k in range(len(group))]
        return [(sigma_xx[np.ix_(at, at)] - sigma_xx, sigma_xx) for at in moved]

    words = "stationary input, Σ_xx circulant"
    return measured(problem, words, "off by", gaps)


def spectra(problem: Problem, digits: int) -> tuple[list[tuple[Any, ...]], Array]:
    """Return λ, σ and the transforms of all filters, per frequency; and the transform.

    A transform of d fractions is an algebraic number of degree below d: if it is not
    zero, d times the digits of the fractions show that.

    Σ_xx is circulant and the filters are full; `digits` are those of the arithmetic,
    beside those that tell zero from small.
    """
    return problem.remembered(
        ("spectra", digits), lambda: _spectra(problem, digits + SPARE)
    )


def _spectra(problem: Problem, digits: int) -> tuple[list[tuple[Any, ...]], Array]:
    d, known, group = problem.widths[0], problem.rational, problem.group
    if known is not None:
        digits += d * height_of((*known.weights, *known.arguments))
    problem = known or problem.at(digits)
    context = context_of(digits)
    basis = waves(group, context)
    sigma_xx, sigma_yx = (to_mpf_array(x, context) for x in problem.arguments)
    filters = [to_mpf_array(w, context).ravel() for w in problem.weights]
    noise = context.mpf(10) ** (SPARE - context.dps)

    def turned(signal: Array) -> list[Any]:
        least = noise * sum(abs(x) for x in signal)
        return [x if abs(x) > least else context.zero for x in basis @ signal]

    lam = [context.re(value) for value in turned(sigma_xx[0])]
    columns = [turned(part) for part in (sigma_yx[0], *filters)]
    return list(zip(lam, *columns, strict=True)), basis


class CircularSolution(Solution):
    """A solution by independent frequencies of the product β of full filters."""

    @property
    def coupling(self) -> float:
        """The transforms of d numbers are up to √d times as large."""
        size = float(self.problem.widths[0])
        return float((self.depth - 1) * size ** (self.depth / 2))

    @property
    def _lost(self) -> int:
        return SPARE

    @abstractmethod
    def strengths(self, t: Any) -> Array:
        """Return the β̂(k) in float64, complex, shape (…, d)."""

    @property
    @abstractmethod
    def _final(self) -> Array:
        """The β̂(k) as t → ∞."""

    def _end_to_end(self, t: Any) -> Array:
        return from_spectrum(self.strengths(t), self.problem.group)[..., None, :]

    @property
    def _limit(self) -> Array:
        return from_spectrum(self._final, self.problem.group)[None, :]

    def progress(self, t: Any) -> Array:
        """Return |β̂(k)|, one of k and −k, as parts of the limits that are not zero."""
        turned = inverses(self.problem.group)
        kept = np.arange(len(turned)) <= turned
        final = np.abs(self._final[kept])
        return parts_of(np.abs(self.strengths(t))[..., kept], final)


def paired(group: Group, value: Callable[[int], Any]) -> list[Any]:
    """Return value(k) for every frequency k; that of −k is its conjugate."""
    found: list[Any] = []
    for k, other in enumerate(inverses(group)):
        found.append(value(k) if k <= other else np.conj(found[other]))
    return found


def turned_back(basis: Array, values: list[Any]) -> Array:
    """Return the real row, shape (1, d), with a given transform.

    The `basis` is the transform, shape (d, d), as from `spectra`.
    """
    context = basis.flat[0].context
    back = np.array([[context.conj(x) for x in row] for row in basis])
    rows = back.T @ np.array(values, dtype=object) / len(values)
    return np.array([[context.re(x) for x in rows]], dtype=object)
