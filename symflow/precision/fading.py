r"""Where a flow ends: the path left, by its second derivative.

The velocity v of θ̇ = −∇ℒ obeys v̇ = −Hv with H = ∇²ℒ(θ), and is orthogonal to every
field ξ along which ℒ does not change (`image`): for dense layers these are
(AW_l, −W_{l+1}A), with weight decay for antisymmetric A only.  With them as columns of
G, and any g ≥ 0,

.. math:: −½ \tfrac{d}{dt}|v|² = vᵀHv = vᵀ(H + g GGᵀ)v ≥ c|v|²,

where H + g GGᵀ ⪰ c within ℓ = |v(T)|/c of θ(T), which is checked in balls.  Then the
path that is left is at most ℓ.  Here |v(T)| ≤ |v(m)| + ‖H‖e for θ(T) within e of m.
Neither convexity nor a residual that vanishes is used: narrow layers may leave one.
c > 0 fails where minimizers are a set that is larger than these fields make it, and
where the flow slows down to powers of t.

Where H ⪰ c without fields, E = θ − m obeys |E|′ ≤ −c|E| + |v(m)|, so that it stays
below the larger of e and |v(m)|/c and ends below the second, whatever e is: all starts
of a set end in one point.

For θ̇ = −D∇ℒ with rates D all this is said of D^{−1/2}θ, of which the flow is that of a
gradient, with D^{1/2}HD^{1/2} and D^{−1/2}ξ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from flint import arb, fmpq_mat

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction
from symflow.codegen import rhs_program
from symflow.errors import HypothesisFailed, PrecisionLost
from symflow.flow.problem import Problem
from symflow.losses import MeasurementLoss, SquaredLoss
from symflow.losses.margin import MarginLoss
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    as_matrix,
    filled,
    frobenius,
    root,
    smallest_ratio,
    spectral,
    to_arb,
    to_arb_array,
    workbits,
)
from symflow.precision.curvature import SecondDerivative
from symflow.precision.image import (
    along,
    form_in_balls,
    image_of,
    pivots,
    quadratic_form,
    still_fields,
)
from symflow.precision.learning_rates import LearningRates
from symflow.precision.limit import Remainder, fine_bits, inflated, middle_of
from symflow.precision.reached import ReachedRemainder
from symflow.precision.regions import Regions

PROOF = (
    "limit: the second derivative is bounded below near the last time, across the "
    "fields along which the objective does not change, where no gradient points"
)
#: Weights for which the second derivative is formed.
MOST_WEIGHTS = 80
#: How often the radius in which c holds is enlarged.
ENLARGEMENTS = 5


class FadingRemainder:
    """The bound ℓ of the module's docstring.

    Raises HypothesisFailed if there are too many weights, or the model or a ratio of
    weight decays is not rational.
    """

    proof: ClassVar[str] = PROOF

    def __init__(self, problem: Problem) -> None:
        flow = problem.flow
        top = max(flow.decays)
        ratios = [as_fraction(rate / top) if top else 0 for rate in flow.decays]
        few = problem.size <= MOST_WEIGHTS
        image = image_of(problem) if few and None not in ratios else None
        if image is None:
            msg = (
                "enclose(t=oo): the second derivative is bounded for at most "
                f"{MOST_WEIGHTS} weights of a rational model, and decays of rational "
                f"ratios; got {problem.size} weights of {flow.network!r} with "
                f"{flow.loss!r}. Enclose finite times"
            )
            raise HypothesisFailed(msg)
        owners = [k for k, one in enumerate(problem.weights) for _ in range(one.size)]
        self.fields = still_fields(image, owners, ratios, _forces(problem))
        self._problem = problem
        self._decays = [to_arb(flow.decays[owner]) for owner in owners]
        self._rates = LearningRates.of(flow)
        rates = flow.learning_rates or [1] * len(problem.weights)
        with ALONE, workbits(2 * NORM_BITS):
            roots = [to_arb(rates[owner]).sqrt() for owner in owners]
            self._roots = filled((len(roots), 1), roots)
            self._second = SecondDerivative(problem)
        self._velocity = rhs_program(flow)

    def distance(self, weights: list[Array], error: Any) -> Any:
        """Return how far from given weights flows stay that come within `error`.

        Raises PrecisionLost if convergence cannot be proven from there.
        """
        with ALONE, workbits(fine_bits(weights)):
            arrays = (*weights, *self._problem.arguments)
            velocity = Regions(self._velocity, [as_matrix(array) for array in arrays])
            flat = [x for part in velocity.centres for x in part.entries()]
            size = frobenius([filled((len(flat), 1), flat) / self._roots])
        with ALONE, workbits(NORM_BITS):
            widest, radius = root(self._rates.top), arb(0)
            off = error / self._rates.least.sqrt().lower()
            for _ in range(ENLARGEMENTS):
                slope, steep, alone = self._slope(inflated(weights, error + radius))
                if not slope > 0:
                    break
                rest = (widest * size / slope).upper()
                if alone and rest.max(widest * off) < error + radius:
                    return rest
                length = (rest + widest * steep * off / slope).upper()
                if length <= radius:
                    return (error + length).upper()
                near = rest.max(widest * off) - error if alone else length
                radius = (2 * near).max(error / 8).upper()
        msg = (
            f"enclose(t=oo): with a speed of {float(size):.1e} convergence cannot be "
            "proven from the last time: a mode may be dying as a power of t, or "
            "leaving a saddle. Ask for more digits"
        )
        raise PrecisionLost(msg)

    def _slope(self, weights: list[Array]) -> tuple[Any, Any, bool]:
        """Return bounds of c and of ‖H‖, and whether c is that of H alone."""
        bend, flat, pull = self._second.at([as_matrix(weight) for weight in weights])
        square = pull @ flat.T
        hessian = np.diag(self._decays) - (square + square.T + bend + bend.T) / 2
        hessian = hessian * self._roots * self._roots.T
        one = to_arb_array(np.eye(len(bend)))
        gauge: Any = np.stack([one[0] * 0, *along(self.fields, weights)], axis=1)
        gauge = gauge / self._roots
        steep = spectral(hessian)
        if not (steep + frobenius([gauge])).is_finite():
            return arb(0), steep, False
        top, side = (np.abs(middle_of(part)).max() for part in (hessian, gauge))
        # fields that vanish at the limit are of no use, and would be all error
        sizes: list[Any] = [max(np.abs(middle_of(w)).max() for w in weights), side, 0]
        for size in sizes if self.fields else sizes[-1:]:
            lifted = hessian + arb(top / size**2 if size else 0) * (gauge @ gauge.T)
            guess = float(np.min(np.linalg.eigvalsh(middle_of(lifted))))
            slope = smallest_ratio(lifted, one, guess)
            if slope > 0:
                break
        return slope, steep, not size


def _forces(problem: Problem) -> fmpq_mat:
    """Return a matrix whose rows span the forces −∂ℓ/∂W that there can be."""
    form, size = quadratic_form(problem), problem.widths[0] * problem.widths[-1]
    if form is None:
        return fmpq_mat(np.eye(size, dtype=int).tolist())
    both = zip(form[0].tolist(), form[1].tolist(), strict=True)
    return pivots(fmpq_mat([[*row, *end] for row, end in both]).transpose())[1]


#: A bound of what is left.
Ending = Remainder | ReachedRemainder | FadingRemainder


def remainders_of(problem: Problem) -> Iterator[Ending]:
    """Yield the bounds of what is left that may hold, the cheapest first.

    Raises HypothesisFailed if there is none.
    """
    flow = problem.flow
    linear = isinstance(flow.loss, SquaredLoss | MeasurementLoss)
    kinds: list[Any] = [FadingRemainder]
    if any(flow.decays):
        pass
    elif isinstance(flow.loss, MarginLoss):
        msg = (
            f"enclose(t=oo): {flow.loss!r} need not have a minimizer, and then W(t) "
            "has a direction only (implicit_bias). Give l2=, or enclose finite times"
        )
        raise HypothesisFailed(msg)
    elif flow.network.is_dense and linear:
        kinds.insert(0, Remainder)
    elif form_in_balls(problem) is not None:
        kinds.insert(0, ReachedRemainder)
    refusals = []
    for kind in kinds:
        try:
            remainder = kind(problem)
        except HypothesisFailed as reason:
            if kind is kinds[0] and not problem.is_set:
                raise
            refusals.append(reason)
            continue
        yield remainder
    if len(refusals) == len(kinds):
        raise refusals[0]
