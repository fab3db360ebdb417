r"""The proven distance between the flow and a computed piecewise polynomial.

On a step let θ̃ be the computed polynomial, d = θ̃′ − f(θ̃) its defect and e = |θ − θ̃|.
Since f(θ) − f(θ̃) = ∫₀¹ Df(θ̃ + s(θ − θ̃)) ds (θ − θ̃), the one-sided Lipschitz constant μ
(see `hessian`) gives

.. math:: e′ ≤ \bar μ\, e + |d|, \qquad \bar μ = \sup\{μ(ξ) : |ξ − θ̃(t)| ≤ ρ\},

as long as e ≤ ρ.  Hence e(t) ≤ exp(max(\bar μ h, 0)) (e_0 + h sup|d|) on the step, and
if this is below ρ, then e never reached ρ: the assumption is proven.  At the end of a
step e_0 has the factor exp(\bar μ h), which may be small.  No box is propagated: there
is no wrapping.  Where layers have learning rates, the norm is that of `learning_rates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from symflow.errors import PrecisionLost
from symflow.flow.problem import Problem
from symflow.networks import Network
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    as_matrix,
    size_of,
    to_arb,
    upward,
    workbits,
)
from symflow.precision.contraction import ContractedGrowth, ContractionBound
from symflow.precision.curvature import CurvatureBound, CurvatureSurroundings
from symflow.precision.defect import PIECES, Defect
from symflow.precision.engine import ExactEngine
from symflow.precision.hessian import HessianBound, ProductGrowth
from symflow.precision.learning_rates import LearningRates, PacedGrowth
from symflow.precision.sampling import POWER_BITS, ChebyshevGrid, Series, exact_matrices
from symflow.precision.steps import SeriesSystem, TaylorStep

#: What bounds μ on a piece of a step.
Piece = ProductGrowth | ContractedGrowth | CurvatureSurroundings | PacedGrowth
#: The radius ρ in units of the error that it starts with, …
FIRST = 1.25
#: … of the error that was found with one too small, …
ENLARGED = 1.125
#: … and how often it is enlarged before the step is given up.
ENLARGEMENTS = 16
#: Bits of ball arithmetic beyond those of the polynomials.
BALL_BITS = 32


@dataclass(frozen=True)
class StepBound:
    """What is proven about one step."""

    inside: Any  # bound of |θ − θ̃| on the whole step, in the norm of the comparison
    after: Any  # bound at its end, against the start of the next polynomial
    series: Series  # θ̃ as a polynomial in t / unit, with exact coefficients


class Comparison:
    """Bounds the error step by step, with constants converted once.

    `system` has the arithmetic of the polynomials, `problem` the flow with its data
    and start, in which sets may stand for numbers, and all points within `reach` of it.
    """

    def __init__(
        self,
        system: SeriesSystem,
        problem: Problem,
        reach: float = 0.0,
        *,
        close: bool = False,
    ) -> None:
        engine = system.engine
        assert isinstance(engine, ExactEngine)
        self._engine, self._problem, self._reach = engine, problem, reach
        self.precision = engine.bits + BALL_BITS
        with ALONE, workbits(self.precision):
            data = [as_matrix(array) for array in problem.arguments]
        self._defect = Defect(
            problem.flow, data, system.order, engine.bits, system.tolerance
        )
        self._end = ChebyshevGrid(
            0, (Fraction(1),), system.order, engine.bits + POWER_BITS
        )
        with ALONE, workbits(2 * NORM_BITS):
            self._hessian = _growth(problem, close or bool(problem.is_set or reach))
            self._rates = LearningRates.of(problem.flow)
            self._stretch = self._rates.stretch

    def start(self, weights: tuple[Any, ...]) -> Any:
        """Return how far a start can be from its first approximation."""
        with ALONE, workbits(self.precision):
            given = [as_matrix(weight) for weight in self._problem.weights]
            gap = self._gap(given, weights)
        with ALONE, workbits(NORM_BITS):
            whole = gap + arb(self._reach) if self._reach else gap
            return (whole * self._stretch).upper()

    def step(self, step: TaylorStep, error: Any) -> StepBound:
        """Bound the error on a step that starts with a given error.

        Raises PrecisionLost if the error grows too much within the step to be bounded.
        """
        series = self._series(step)
        end = step.h / step.unit
        with ALONE, workbits(self.precision):
            defect, values = self._defect.bound(series, end, step.unit)
            jump = self._gap(values[PIECES], step.after.weights)
        with ALONE, workbits(NORM_BITS):
            pieces = self._pieces(series, values[:PIECES], to_arb(end))
            length = to_arb(step.h)
            inside, after = _solve(pieces, length, error, defect * self._stretch)
            return StepBound(inside, (after + jump * self._stretch).upper(), series)

    def radius(self, bound: StepBound, at: Fraction, weights: tuple[Any, ...]) -> Any:
        """Return how far the flow can be from given matrices, at a time in a step.

        `at` is an argument of the step's polynomial, at most the end of the step; the
        weights are matrices of the engine.
        """
        with ALONE, workbits(self.precision):
            (value,), _ = bound.series.at(self._end, at)
            gap = self._gap(value, weights)
        with ALONE, workbits(NORM_BITS):
            return (bound.inside + gap).upper()

    def _gap(self, matrices: list[Any], weights: tuple[Any, ...]) -> Any:
        shapes = [self._engine.shape(matrix) for matrix in weights]
        flat = self._engine.coefficients([[matrix] for matrix in weights]).entries()
        taken = exact_matrices(flat, shapes, self._engine.bits)
        gaps = [a - b for a, b in zip(matrices, taken, strict=True)]
        with ALONE, workbits(NORM_BITS):
            return size_of(gaps)

    def _series(self, step: TaylorStep) -> Series:
        shapes = [self._engine.shape(terms[0]) for terms in step.series]
        coefficients = self._engine.coefficients(step.series)
        return Series.of(coefficients, shapes, self._engine.bits)

    def _pieces(self, series: Series, middles: list[Any], end: Any) -> list[Piece]:
        """Return μ on the pieces of a step, as functions of ρ."""
        slopes = series.slope(end)
        widths = [(slope * end / (2 * PIECES)).upper() for slope in slopes]
        pieces: list[Piece] = [
            self._hessian.around([matrix * 1 for matrix in middle], widths)
            for middle in middles
        ]
        if not self._problem.flow.learning_rates:
            return pieces
        return [PacedGrowth(piece, self._rates) for piece in pieces]


def _growth(
    problem: Problem, close: bool
) -> ContractionBound | HessianBound | CurvatureBound:
    product = isinstance(problem.flow.network, Network)
    if (close or not product) and ContractionBound.covers(problem):
        return ContractionBound(problem)
    return HessianBound(problem) if product else CurvatureBound(problem)


def _solve(
    pieces: list[Piece], length: Any, error: Any, defect: Any
) -> tuple[Any, Any]:
    """Return the bound on a step and at its end, piece after piece."""
    part, top = length / len(pieces), arb(0)
    for piece in pieces:
        inside, error = _through(piece, part, error, defect)
        top = top.max(inside)
    return top.upper(), error


def _through(piece: Piece, length: Any, error: Any, defect: Any) -> tuple[Any, Any]:
    """Return the bound on a piece and at its end, by choosing ρ and proving it."""
    source = (error + length * defect).upper()
    radius = (FIRST * source).upper()
    for _ in range(ENLARGEMENTS):
        growth = piece.rate(radius) * length
        factor = growth.max(arb(0)).exp()
        inside = (source * factor).upper()
        if inside < radius or inside == 0:
            return inside, (error * growth.exp() + length * defect * factor).upper()
        radius = (ENLARGED * inside).upper()
    msg = (
        "enclose: the error cannot be bounded within one step, where it may grow "
        f"to {upward(inside):.1e}. Ask for more digits, or an earlier last time; of a "
        "set of starts, ask for pieces="
    )
    raise PrecisionLost(msg)
