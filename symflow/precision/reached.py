r"""Where a flow ends, for any model polynomial in its weights and a quadratic loss.

All W(θ) differ by elements of a space with a basis B, W = W(0) + B c(θ), so that the
loss is a quadratic form of c with the matrix BᵀSB, and what remains of it at the best c
is a constant.  Let K be independent columns of BᵀSB, and M the same rows of these: the
force on c is φ = Ka, and the loss above its minimum is ½r² with r² = aᵀMa.  For the
derivative J of c, |θ′|² = |JᵀKa|² ≥ κr² where (JᵀK)ᵀ(JᵀK) ⪰ κM, and all that is said
in `limit` holds with this κ, c for W and BᵀSB for S.  Where J varies by ‖ΔJ‖, √κ does
by at most ‖ΔJ‖√σ, as |φ| ≤ √σ r.  J and ΔJ within a radius are evaluated in balls.

κ > 0 fails at saddles, and where narrow layers keep a residual; see `fading`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from flint import arb, fmpq_mat

from symflow.algebra.arrays import Array
from symflow.codegen import evaluate
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    as_matrix,
    frobenius,
    from_ball_matrix,
    positive_definite,
    root,
    spectral,
    to_arb,
    to_arb_array,
    workbits,
)
from symflow.precision.curvature import SecondDerivative
from symflow.precision.growth import force_program
from symflow.precision.image import (
    balls_of,
    constants_of,
    form_in_balls,
    image_of,
    quadratic_form,
    semidefinite,
    span_of,
)
from symflow.precision.learning_rates import LearningRates
from symflow.precision.limit import PROOF, distance_left, fine_bits, inflated, least

#: Weights for which J is formed.
MOST_WEIGHTS = 240


class ReachedRemainder:
    """The bounds of the module's docstring.

    Raises HypothesisFailed if the loss has no minimum among the W(θ) or is not convex
    there, nothing moves, the model is not rational, or there are too many weights.
    """

    proof: ClassVar[str] = PROOF

    def __init__(self, problem: Problem) -> None:
        self._problem, self._rates = problem, LearningRates.of(problem.flow)
        small = problem.size <= MOST_WEIGHTS
        image = image_of(problem) if small else None
        if image is None:
            msg = (
                f"enclose(t=oo): needs a rational model of at most {MOST_WEIGHTS} "
                f"weights and a quadratic loss; got {problem.size} weights of "
                f"{problem.flow.network!r} with {problem.flow.loss!r}. Enclose finite "
                "times"
            )
            raise HypothesisFailed(msg)
        self._entries, basis = span_of(image)
        self._basis = basis
        with ALONE, workbits(4 * NORM_BITS):
            found = _forms(problem, image, basis)
            if found is None:
                msg = (
                    f"enclose(t=oo): among the W that {problem.flow.network!r} has, "
                    "the loss is constant, not convex or has no minimum. Give moments "
                    "of one data set, with inputs that are not all zero; of sets, "
                    "smaller ones whose members are all regular"
                )
                raise HypothesisFailed(msg)
            self._narrow, self._metric, self._top = found
            self._decay = least(self._narrow.T @ self._narrow, self._metric)
            self._second = SecondDerivative(problem)
        self._force = force_program(problem.flow)

    def distance(self, weights: list[Array], error: Any) -> Any:
        """Return how far from m, given weights, flows stay that come within `error`."""
        with ALONE, workbits(fine_bits(weights)):
            arrays = [*weights, *map(to_arb_array, self._problem.arguments)]
            (force,) = evaluate(self._force, arrays, to_arb)
            size = frobenius([balls_of(self._basis) @ force.reshape(-1, 1)])
        with ALONE, workbits(NORM_BITS):
            rest, top = size / self._decay.sqrt().lower(), root(self._top)
            slopes = self._derivative(weights, arb(0))
            moving = slopes @ self._narrow
            speed = least(moving.T @ moving, self._metric).sqrt().lower()

            def turned(radius: Any) -> Any:
                return frobenius([self._derivative(weights, radius) - slopes])

            def near(radius: Any) -> tuple[Any, Any]:
                move = turned(radius)
                left = (speed - top * move).lower().max(arb(0))
                return left * left, 2 * radius * move

            reach = error * (frobenius([slopes]) + turned(error))
            return distance_left((rest, top, reach), error, near, self._rates)

    def _derivative(self, weights: list[Array], radius: Any) -> Array:
        """Return Jᵀ, a row for every weight, within a radius."""
        near = [as_matrix(weight) for weight in inflated(weights, radius)]
        _, slopes, _ = self._second.at(near)
        return np.asarray(slopes[:, self._entries])


def _forms(problem: Problem, image: Any, basis: fmpq_mat) -> tuple[Array, ...] | None:
    """Return K, M and a bound of ‖BᵀSB‖; None where the loss has no minimum.

    Of data in sets, BᵀSB has to be regular; then the force φ takes the place of a,
    with M its inverse.
    """
    exact = quadratic_form(problem)
    if exact is not None:
        inner = basis * exact[0] * basis.transpose()
        pull = basis * (exact[1] - exact[0] * constants_of(image))
        both = zip(inner.tolist(), pull.tolist(), strict=True)
        chosen = semidefinite(inner)
        rank = fmpq_mat([[*row, *end] for row, end in both]).rank()
        whole = balls_of(inner)
        if not chosen or rank > len(chosen):
            return None
        return whole[:, chosen], whole[np.ix_(chosen, chosen)], spectral(whole)
    loose, rows = form_in_balls(problem), balls_of(basis)
    if loose is None:
        return None
    whole = rows @ loose[0] @ rows.T
    if not positive_definite(whole):
        return None
    inverse = as_matrix(whole).inv()
    metric = from_ball_matrix(inverse)
    return to_arb_array(np.eye(len(whole))), metric, spectral(whole)
