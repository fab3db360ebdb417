"""Solutions of networks whose coordinates are independent: orthogonal designs.

A diagonal network, and an orthogonally decomposable tensor in its transformed inputs,
is a set of scalar products (`flow/coordinates.py`).  Where SΣ_xxSᵀ is diagonal, each
has a flow of its own, ȧ_l = (σ − λρ) Π_{k≠l} a_k.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_mpf
from symflow.claims import Hypothesis
from symflow.flow.coordinates import Coordinates, coordinates
from symflow.solutions.case import CHECK_DIGITS, Case, context_of
from symflow.solutions.conditions import ROUNDING, TOLERANCE
from symflow.solutions.eigen import spare_digits
from symflow.solutions.solution import NOTHING, Solution

T, SIGMA = sympy.symbols("t sigma", real=True)
LAM = sympy.Symbol("lambda", positive=True)

#: What a residual at a point may have by rounding.
SEEN = 1e-20

#: Digits that the arithmetic has beyond those of a value.
GUARD = 10


def sampled(part: sympy.Expr, point: dict[Any, Any]) -> sympy.Expr:
    """Return the square of a residual at a point: zero where it is rounding.

    Examples
    --------
    >>> sampled(T**2 - 1, {T: 1}), sampled(1 / (T - 1), {T: 1})
    (0, 1)
    """
    value = sympy.N(part.subs(point), 30)
    if not value.is_finite:
        return sympy.S.One
    return value**2 if abs(value) > SEEN else sympy.S.Zero


def separable_network(case: Case, least: int, most: int | None) -> Hypothesis:
    """Require a diagonal network or a decomposable tensor, of some depth."""
    count = f"{least}" if least == most else f"{least} or more"
    words = f"diagonal or orthogonally decomposable network of {count} factors"
    found = coordinates(case.problem)
    fits = found is not None and least <= found.depth <= (most or found.depth)
    defect = found.defect if fits and found is not None else 0.0
    network = repr(case.flow.network)
    return Hypothesis(words, fits and defect <= TOLERANCE, network, defect)


def orthogonal_design(case: Case) -> Hypothesis:
    """Require that Σ_xx is diagonal in the coordinates of the network."""
    found = coordinates(case.problem)
    assert found is not None
    size = found.overlap
    if size <= 1e3 * TOLERANCE:
        sharp = coordinates(case.sharp, CHECK_DIGITS)
        assert sharp is not None
        size = sharp.overlap
        size = 0.0 if size < ROUNDING else size
    detail = f"Σ_xx off the diagonal: {size:.2g} relative" if size else ""
    words = "orthogonal design, Σ_xx diagonal in the coordinates of the network"
    return Hypothesis(words, size <= TOLERANCE, detail, size)


def seen_targets(case: Case) -> Hypothesis:
    """Require λ > 0 for every coordinate with σ ≠ 0: otherwise it never comes to rest.

    It holds for all data; moments can be given that no data have.
    """
    found = coordinates(case.sharp, CHECK_DIGITS)
    assert found is not None
    lam = to_float_array(found.lam)[to_float_array(found.sigma) != 0]
    least = float(min(lam, default=1.0))
    return Hypothesis("Σ_xx > 0 where Σ_yx ≠ 0", least > 0, f"smallest λ = {least:.2g}")


class SeparableSolution(Solution):
    """A solution by independent coordinates."""

    @cached_property
    def coordinates(self) -> Coordinates:
        """The coordinates of network, data and start, correct to float64."""
        return self.coordinates_at(CHECK_DIGITS)

    def coordinates_at(self, digits: int) -> Coordinates:
        """Return the coordinates at any precision."""
        found = coordinates(self.case.at(digits), digits)
        assert found is not None
        return found

    @cached_property
    def rounded(self) -> Coordinates:
        """The coordinates in float64."""
        found = coordinates(self.problem.floats)
        assert found is not None
        return found

    @property
    def spare(self) -> int:
        """Digits that a value loses between the start and a time."""
        return 0

    @property
    def degree(self) -> int:
        """The number of factors of a product."""
        return self.coordinates.depth

    @property
    def statement(self) -> sympy.Eq:
        """β(t) = …, for every coordinate."""
        return sympy.Eq(sympy.Function("beta")(T), self.formula, evaluate=False)

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
        """Return W(t) = ρ(t)ᵀS in float64."""
        return self.rounded.end_to_end(self.strengths(t))

    def _weights(self, t: Any) -> tuple[Array, ...]:
        """Return all weights in float64."""
        return self.rounded.rebuilt(self.amplitudes(t))

    def _precise(self, t: Any, digits: int) -> Array:
        """Return W(t) at one time as mpf numbers."""
        asked = digits + spare_digits(t, self.problem.floats.arguments)
        asked += GUARD + self.spare
        found, context = self.coordinates_at(asked), context_of(asked)
        values = self.strengths_mpf(found, context, to_mpf(t, context))
        return found.end_to_end(np.array(values, dtype=object))

    @property
    def _limit(self) -> Array:
        """The end-to-end matrix as t → ∞, in float64."""
        return self.rounded.end_to_end(self.final)

    def progress(self, t: Any) -> Array:
        """Return the ρ_j as parts of their limits, for those that do not vanish."""
        final = self.final
        kept = np.abs(final) > NOTHING * np.max(np.abs(final), initial=1e-300)
        return np.asarray(self.strengths(t)[..., kept] / final[kept])
