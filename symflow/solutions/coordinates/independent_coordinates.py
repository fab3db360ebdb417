"""Solutions of networks whose coordinates are independent: orthogonal designs.

A diagonal network, and an orthogonally decomposable tensor in its transformed inputs,
is a set of scalar products (`flow/coordinates.py`).  Where SΣ_xxSᵀ is diagonal, each
has a flow of its own, ȧ_l = (σ − λρ) Π_{k≠l} a_k.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float, to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims import TOLERANCE, Hypothesis
from symflow.claims.whitened import verdict
from symflow.flow.coordinates import Coordinates, coordinates
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.solutions.any_precision import context_of
from symflow.solutions.modes.joint_modes import coupling
from symflow.solutions.solution import Solution
from symflow.solutions.time.passage_times import parts_of

T, SIGMA = sympy.symbols("t sigma", real=True)
LAM = sympy.Symbol("lambda", positive=True)

#: Digits that the arithmetic has beyond those of a value.
GUARD = 10


def separable_network(problem: Problem, least: int, most: int | None) -> Hypothesis:
    """Require a diagonal network or a decomposable tensor, of some depth."""
    count = f"{least}" if least == most else f"{least} or more"
    words = f"diagonal or orthogonally decomposable network of {count} factors"
    found = coordinates(problem)
    fits = found is not None and least <= found.depth <= (most or found.depth)
    defect = found.defect if fits and found is not None else 0.0
    network = repr(problem.flow.network)
    holds = fits and defect <= TOLERANCE
    return Hypothesis(words, holds, network, defect, structural=True)


def orthogonal_design(problem: Problem) -> Hypothesis:
    """Require that Σ_xx is diagonal in the coordinates of the network.

    Two coordinates are coupled by their cosine, whatever the sizes of others are.
    """
    words = "orthogonal design, Σ_xx diagonal in the coordinates of the network"
    sharp = coordinates_of(problem, CHECK_DIGITS)
    cosine = to_float(coupling(sharp.gram, sharp.lam))
    return verdict(problem, words, "Σ_xx off the diagonal:", cosine, sharp.overlap)


def coordinates_of(problem: Problem, digits: int) -> Coordinates:
    """Return the coordinates of a case with the rounding of a transform taken out."""
    found = problem.remembered(
        ("coordinates", digits),
        lambda: coordinates(problem.rational or problem.at(digits), digits),
    )
    assert found is not None
    return found if found.transform is None else _cleaned(found, digits)


def _cleaned(found: Coordinates, digits: int) -> Coordinates:
    """Return the coordinates with amplitudes of one size equal, and nothing as zero."""
    columns = []
    for column in zip(*found.amplitudes, strict=True):
        least = max(abs(a) for a in column) * 10 ** (GUARD - digits)
        sizes: list[Any] = [0 * least]
        for a in column:
            near = [size for size in sizes if abs(abs(a) - size) <= least]
            sizes.append(near[0] if near else abs(a))
        pairs = zip(column, sizes[1:], strict=True)
        columns.append([size if a > 0 else -size for a, size in pairs])
    amplitudes = tuple(np.array(row) for row in zip(*columns, strict=True))
    top = max(abs(entry) for entry in found.gram.flat) * 10 ** (GUARD - digits)
    gram = np.array([[x if abs(x) > top else 0 * x for x in row] for row in found.gram])
    most = max(abs(x) for x in found.sigma) * 10 ** (GUARD - digits)
    sigma = np.array([x if abs(x) > most else 0 * x for x in found.sigma])
    return replace(found, amplitudes=amplitudes, gram=gram, sigma=sigma)


def seen_targets(problem: Problem) -> Hypothesis:
    """Require λ > 0 for every coordinate with σ ≠ 0: otherwise it never comes to rest.

    It holds for all data; moments can be given that no data have.
    """
    found = coordinates_of(problem, CHECK_DIGITS)
    lam = to_float_array(found.lam)[to_float_array(found.sigma) != 0]
    least = float(min(lam, default=1.0))
    return Hypothesis("Σ_xx > 0 where Σ_yx ≠ 0", least > 0, f"smallest λ = {least:.2g}")


class SeparableSolution(Solution):
    """A solution by independent coordinates."""

    unknown: ClassVar = sympy.Function("beta")(T)

    @cached_property
    def coordinates(self) -> Coordinates:
        """The coordinates of network, data and start, correct to float64."""
        return self.coordinates_at(CHECK_DIGITS)

    def coordinates_at(self, digits: int) -> Coordinates:
        """Return the coordinates at any precision."""
        return coordinates_of(self.problem, digits)

    @cached_property
    def rounded(self) -> Coordinates:
        """The coordinates in float64."""
        found = coordinates(self.problem.floats)
        assert found is not None
        return found

    @property
    def _lost(self) -> int:
        return GUARD

    @property
    def depth(self) -> int:
        """The number L of factors of a product."""
        return self.coordinates.depth

    def bends(self, times: Array, layers: tuple[Array, ...] | None) -> Array:
        """Return −∇²ℒ of every coordinate along the path, in its amplitudes."""
        found = self.rounded
        sides = np.stack(self.amplitudes(times), axis=-1)  # (times, p, parameters)
        if found.kind == "squares":
            sides = np.repeat(sides, 2, axis=-1)
        sides = sides.reshape(*sides.shape[:2], -1, found.depth)
        signs = np.array([1.0, -1.0])[: sides.shape[2], None]
        rho = (sides.prod(axis=-1, keepdims=True) * signs).sum(axis=(-2, -1))
        force, n = found.sigma - found.lam * rho, sides.shape[-1]
        without = np.stack(
            [np.delete(sides, k, axis=-1).prod(-1) for k in range(n)], -1
        )
        slope = (without * signs).reshape(*rho.shape, -1)
        total = -found.lam[:, None, None] * slope[..., :, None] * slope[..., None, :]
        for side in range(sides.shape[2]):
            for i, j in combinations(range(n), 2):
                rest = np.delete(sides[..., side, :], [i, j], axis=-1).prod(axis=-1)
                row, column = side * n + i, side * n + j
                total[..., row, column] += signs[side, 0] * force * rest
                total[..., column, row] += signs[side, 0] * force * rest
        return np.asarray(total)

    @abstractmethod
    def strengths(self, t: Any) -> Array:
        """Return ρ_j(t) in float64, shape (…, p)."""

    @abstractmethod
    def amplitudes(self, t: Any) -> tuple[Array, ...]:
        """Return the amplitude of every parameter in float64, shape (…, p)."""

    @abstractmethod
    def strengths_mpf(self, found: Coordinates, context: Any, time: Any) -> list[Any]:
        """Return ρ_j at one time, in an mpmath context."""

    @property
    @abstractmethod
    def final(self) -> Array:
        """The ρ_j as t → ∞."""

    def _end_to_end(self, t: Any) -> Array:
        return self.rounded.end_to_end(self.strengths(t))

    def _weights(self, t: Any) -> tuple[Array, ...]:
        return self.rounded.rebuilt(self.amplitudes(t))

    def _at(self, t: Any, digits: int) -> Array:
        found, context = self.coordinates_at(digits), context_of(digits)
        values = self.strengths_mpf(found, context, to_mpf(t, context))
        return found.end_to_end(np.array(values, dtype=object))

    @property
    def _limit(self) -> Array:
        return self.rounded.end_to_end(self.final)

    def progress(self, t: Any) -> Array:
        """Return the ρ_j as parts of their limits, for those that do not vanish."""
        return parts_of(self.strengths(t), self.final)
