r"""The proven distance between the flow and a computed piecewise polynomial.

On a step let θ̃ be the computed polynomial, d = θ̃′ − f(θ̃) its defect and e = |θ − θ̃|.
Since f(θ) − f(θ̃) = ∫₀¹ Df(θ̃ + s(θ − θ̃)) ds (θ − θ̃), the one-sided Lipschitz constant μ
(see `growth`) gives

.. math:: e′ ≤ \bar μ\, e + |d|, \qquad \bar μ = \sup\{μ(ξ) : |ξ − θ̃(t)| ≤ ρ\},

as long as e ≤ ρ.  Hence e(t) ≤ exp(max(\bar μ h, 0)) (e_0 + h sup|d|) on the step, and
if this is below ρ, then e never reached ρ: the assumption is proven.  At the end of a
step e_0 has the factor exp(\bar μ h), which may be small.  No box is propagated: there
is no wrapping.

μ is bounded by (‖F‖₂ ‖M‖_F √((L−1)/L)) − λ, because the largest eigenvalue of a
symmetric L × L matrix of trace zero is at most √((L−1)/L) times its Frobenius norm; for
two layers this is ‖F‖₂ − λ exactly.  The Gauss–Newton part is not negative if Σ_xx is
positive semidefinite; where rounded data make that fail, or make it unprovable, by at
most δ, the bound is enlarged by δ Σ_l ‖P_{Ll}‖₂² ‖P_{l0}‖₂².
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from flint import arb, arb_poly, ctx

from symflow.algebra.arrays import Array
from symflow.codegen import evaluate, rhs_program
from symflow.errors import HypothesisFailed, PrecisionLost
from symflow.flow.problem import Problem
from symflow.precision.balls import (
    NORM_BITS,
    bound_on,
    filled,
    frobenius,
    map_arrays,
    polynomials,
    positive_definite,
    root,
    spectral,
    to_arb,
    to_arb_array,
)
from symflow.precision.engine import ExactEngine
from symflow.precision.growth import between, force_program, matrices_program
from symflow.precision.steps import Step
from symflow.precision.truncated import TruncatedArithmetic, series_length

#: Pieces of a step on which μ is bounded separately.
PIECES = 4
#: Shifts (log2, relative) by which Σ_xx may have to be made positive definite.
SHIFTS = (120, 90, 60, 45, 30)
#: How often the radius ρ is enlarged before the step is given up.
ENLARGEMENTS = 8


@dataclass(frozen=True)
class StepBound:
    """What is proven about one step.

    Parameters
    ----------
    inside : arb
        Bound of |θ − θ̃| on the whole step.
    after : arb
        Bound at its end, against the start of the next polynomial.
    polynomials : list of arrays
        θ̃ as polynomials in t / unit, with exact coefficients.
    """

    inside: Any
    after: Any
    polynomials: list[Array]


def indefiniteness(matrix: Array) -> Any:
    """Return a proven δ ≥ 0, as small as possible, with matrix + δ·1 ⪰ 0.

    Parameters
    ----------
    matrix : array of balls
        Square; only its symmetric part matters.

    Raises
    ------
    HypothesisFailed
        If the matrix is far from positive semidefinite.

    Examples
    --------
    >>> import numpy as np
    >>> float(indefiniteness(to_arb_array(np.eye(2))))
    0.0
    """
    symmetric = (matrix + matrix.T) / 2
    size = sum((symmetric[k, k] for k in range(len(matrix))), arb(0)).abs_upper()
    one = to_arb_array(np.eye(len(matrix)))
    for delta in (arb(0), *(size * arb(2) ** -k for k in SHIFTS)):
        if positive_definite(symmetric + delta * one):
            return delta.upper()
    msg = "enclose(data): Σ_xx is not positive semidefinite. Give moments of data"
    raise HypothesisFailed(msg)


class Comparison:
    """Bounds the error step by step, with constants converted once.

    Parameters
    ----------
    problem : Problem
        The flow with its data, all exact numbers.
    engine : ExactEngine
        The arithmetic of the computed polynomials.
    """

    def __init__(self, problem: Problem, engine: ExactEngine) -> None:
        self._engine = engine
        self.precision = engine.bits + 32
        self._rhs = rhs_program(problem.flow)
        self._force = force_program(problem.flow)
        self._layers = matrices_program(problem.flow)
        with ctx.workprec(self.precision):
            self._decay = to_arb(problem.flow.loss.l2)
            self._data = [to_arb_array(array) for array in problem.arguments]
            self._indefinite = indefiniteness(self._data[0])

    def start(self, problem: Problem, weights: tuple[Any, ...]) -> Any:
        """Return the distance of the exact start from its first approximation."""
        with ctx.workprec(self.precision):
            rounded = self._exact(weights)
            pairs = zip(problem.weights, rounded, strict=True)
            return frobenius(to_arb_array(given) - taken for given, taken in pairs)

    def step(self, step: Step, error: Any) -> StepBound:
        """Bound the error on a step that starts with a given error.

        Raises
        ------
        PrecisionLost
            If the error grows too much within the step to be bounded.
        """
        with ctx.workprec(self.precision):
            path = self._path(step)
            end, length = to_arb(step.h / step.unit), to_arb(step.h)
            defect = self._defect(path, step, end)
            jump = self.distance(path, end, step.after.weights)
        with ctx.workprec(NORM_BITS):
            inside, after = self._solve(path, end, length, error, defect)
            return StepBound(inside, (after + jump).upper(), path)

    def distance(self, path: list[Array], at: Any, weights: tuple[Any, ...]) -> Any:
        """Return the distance of a polynomial's value from given matrices."""
        values = map_arrays(lambda p: p(at), path)
        pairs = zip(values, self._exact(weights), strict=True)
        return frobenius(value - taken for value, taken in pairs)

    def lipschitz(self, weights: list[Array]) -> Any:
        """Return an upper bound of μ for all weights in the balls."""
        (force,) = evaluate(self._force, [*weights, *self._data], to_arb)
        layers = list(evaluate(self._layers, weights, to_arb))
        depth, total = len(layers), arb(0)
        for low, high in combinations(range(depth), 2):
            spans = ((0, low), (low + 1, high), (high + 1, depth))
            value = arb(1)
            for first, last in spans:
                value *= between(spectral, first, last, layers)
            total += 2 * value * value
        top = root(total * (depth - 1) / depth)
        bound = spectral(force) * top - self._decay
        if self._indefinite > 0:
            bound += self._indefinite * self._gauss_newton(layers)
        return bound.upper()

    def _gauss_newton(self, layers: list[Array]) -> Any:
        """Return an upper bound of |DW[E]|² / |E|²."""
        total, depth = arb(0), len(layers)
        for layer in range(depth):
            after = between(spectral, layer + 1, depth, layers)
            before = between(spectral, 0, layer, layers)
            total += (arb(1) * after * before) ** 2
        return total

    def _exact(self, weights: tuple[Any, ...]) -> list[Array]:
        unit = arb(1) / arb(2) ** self._engine.bits
        arrays = []
        for matrix in weights:
            entries = self._engine.integers([matrix])
            exact = (arb(entry[0]) * unit for entry in entries)
            arrays.append(filled(self._engine.shape(matrix), exact))
        return arrays

    def _path(self, step: Step) -> list[Array]:
        bits = self._engine.bits
        return [
            polynomials(
                self._engine.integers(terms), self._engine.shape(terms[0]), bits
            )
            for terms in step.series
        ]

    def _defect(self, path: list[Array], step: Step, end: Any) -> Any:
        """Return an upper bound of |θ̃′ − f(θ̃)| on the step."""
        order, rate = len(step.series[0]) - 1, to_arb(1 / step.unit)
        series = TruncatedArithmetic(order, end)
        total = arb(0)
        with series_length(order):
            inputs = [
                series.lift([p.coeffs() for p in terms.flat], terms.shape)
                for terms in path
            ]
            data = [series.lift([[x] for x in a.flat], a.shape) for a in self._data]
            for terms, field in zip(
                path, series.run(self._rhs, [*inputs, *data]), strict=True
            ):
                slope = [p.derivative() * rate for p in terms.flat]
                gaps = [
                    bound_on(p - arb_poly(f.coeffs()), end)
                    for p, f in zip(slope, field.low.flat, strict=True)
                ]
                total += frobenius([filled(len(gaps), gaps)]) + field.tail
        return total.upper()

    def _solve(
        self, path: list[Array], end: Any, length: Any, error: Any, defect: Any
    ) -> tuple[Any, Any]:
        """Return the bound on the step and at its end, by choosing ρ and proving it."""
        source = (error + length * defect).upper()
        radius = (4 * source).upper()
        for _ in range(ENLARGEMENTS):
            pieces = [self._piece(path, end, n, radius) for n in range(PIECES)]
            growth = sum(pieces, arb(0)) * length / PIECES
            positive = sum((mu.max(arb(0)) for mu in pieces), arb(0))
            factor = (positive * length / PIECES).exp()
            inside = (source * factor).upper()
            if inside < radius or inside == 0:
                added = length * defect * factor
                return inside, (error * growth.exp() + added).upper()
            radius = (8 * inside).upper()
        msg = (
            "enclose: the error cannot be bounded within one step, where it may grow "
            f"to {float(inside):.1e}. Ask for more digits, or an earlier last time"
        )
        raise PrecisionLost(msg)

    def _piece(self, path: list[Array], end: Any, number: int, radius: Any) -> Any:
        middle = end * (2 * number + 1) / (2 * PIECES)
        width = (end / (2 * PIECES)).upper()
        where = arb(middle.mid(), (width + middle.rad()).upper())
        spread = arb(0, radius)
        weights = map_arrays(lambda p: p(where) + spread, path)
        return self.lipschitz(weights)
