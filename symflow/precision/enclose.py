"""`enclose`: a gradient flow with a proof of its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf, log, log2
from typing import Any

import numpy as np
import sympy
from flint import arb

from symflow.algebra.numbers import MOST_DIGITS, whole
from symflow.codegen import end_to_end_program
from symflow.data import Moments
from symflow.errors import (
    HypothesisFailed,
    IntegrationFailed,
    PrecisionLost,
)
from symflow.flow import GradientFlow, as_times
from symflow.flow.given import DataLike, InitLike, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind
from symflow.flow.times import time_points
from symflow.losses import (
    ExponentialLoss,
    LogisticLoss,
    MeasurementLoss,
    SquaredLoss,
)
from symflow.precision.arithmetics import Flint
from symflow.precision.balls import (
    ALONE,
    as_matrix,
    log2_above,
    size_of,
    to_arb_array,
    upward,
    workbits,
)
from symflow.precision.comparison import Comparison
from symflow.precision.enclosure import Enclosure
from symflow.precision.fading import FadingRemainder
from symflow.precision.growth import forecast, is_dense
from symflow.precision.limit import Remainder, settling_time
from symflow.precision.plan import Plan, make_plan
from symflow.precision.regions import Regions
from symflow.precision.run import Run

#: How often the integration is repeated with more bits.
ATTEMPTS = 3
#: Proven growth exceeds the forecast by at most about this fraction, …
GROWTH_MARGIN = 0.15
#: … and by this many bits.
EXTRA_BITS = 2
#: Losses that are convex functions of the end-to-end matrix, for every data set.
CONVEX = (SquaredLoss, ExponentialLoss, LogisticLoss, MeasurementLoss)
#: A drawn start is correct to this many digits more than the enclosure.
GUARD_DIGITS = 30

WITHIN = "stays within the radius of the midpoints (Frobenius norm)"
PROOF = (
    f"proven: the flow of the given data and start, taken as exact numbers, {WITHIN}",
    "how: the defect of the computed piecewise polynomial at Chebyshev points in ball "
    "arithmetic, and between them by its analyticity; a one-sided Lipschitz constant "
    "from the Hessian, also in balls; a scalar comparison equation",
    "trusted: integer and ball arithmetic (FLINT, Arb) and the programs that symflow "
    "derives; not trusted: the integrator and its float64 arithmetic",
)
#: The first line where moments are what was given.
OF_MOMENTS = (
    "proven for these moments: their flow from the given start, both taken as exact "
    f"numbers, {WITHIN}"
)


def enclose(
    flow: GradientFlow,
    data: DataLike,
    init: InitLike,
    t: TimesLike,
    *,
    digits: int = 50,
    rng: RandomLike = None,
    progress: Callable[[float], None] | None = None,
) -> Enclosure:
    r"""Enclose a gradient flow in balls of proven radius.

    The computed Taylor polynomials are not trusted: their defect
    :math:`d = \tildeθ' − f(\tildeθ)` is bounded in ball arithmetic, and the error obeys
    :math:`|e|' ≤ μ|e| + |d|` with the one-sided Lipschitz constant μ of the flow.  Data
    and start are exact numbers: a float is the binary rational that it is, and for a
    rule it is the drawn weights (dyadic numbers) from which the flow is enclosed.

    Finite times: any model, with the squared, exponential, logistic or measurement loss
    and weight decay; for products of layers (dense, diagonal, circulant, readout) μ
    follows from norms, for other models, which should be small, from the second
    derivative.  The limit: dense layers and the squared loss, of samples or of
    measurements, and for few weights and the former also with weight decay.

    Parameters
    ----------
    flow : GradientFlow
        The flow of a network with a convex loss.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights (W_1, …, W_L) at t = 0.
    t : number or sequence of numbers
        Increasing times; the last one may be oo (or a float that is infinite), which
        encloses the limit of the flow.
    digits : int, keyword-only
        The radius is at most 10^(−digits) · max|θ|; being a float, it is never shown
        below 5e-324.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.
    progress : callable, keyword-only, optional
        Called with the fraction of the time interval that is done.

    Returns
    -------
    Enclosure
        Midpoints, radii and the statement of what is proven.

    Raises
    ------
    InvalidArgument
        If the times do not increase, or an argument is of the wrong kind.
    HypothesisFailed
        If the network, the loss or the data are not covered by the proof.
    PrecisionLost
        If the radius cannot be reached.
    IntegrationFailed
        If the last time is more steps away than can be taken, which is said at once.

    References
    ----------
    Min, Tarmoun, Vidal, Mallada, On the explicit role of initialization on the
    convergence and implicit bias of overparametrized linear networks, ICML 2021.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> ball = enclose(flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]], 1, digits=30)
    >>> ball.excludes([[1.97]]), ball.error < 1e-30
    (True, True)
    """
    digits = whole(digits, "enclose(digits=…)", most=MOST_DIGITS)
    asked, endless = _read_times(t)
    sharp = digits + GUARD_DIGITS
    problem = bind(flow, data, init, rng=rng, digits=sharp, exact=True)
    check_covered(problem, endless=endless)
    if endless:
        fades = problem.flow.loss.l2 != 0 and isinstance(flow.loss, SquaredLoss)
        remainder = (FadingRemainder if fades else Remainder)(problem)
    times = _settled(problem, asked, int(digits)) if endless else asked
    plan = planned(problem, times, int(digits))
    for _ in range(ATTEMPTS):
        run = Run(problem, times, int(digits), Flint(), plan)
        radii, shortfall = _prove(run, progress)
        if shortfall <= 0:
            finite = _enclosure(run, radii)
            return _to_limit(finite, remainder, len(asked)) if endless else finite
        plan = plan.tightened(shortfall)
    msg = (
        f"enclose(digits={digits}): the proven radius is {float(max(radii)):.1e} with "
        f"{plan.bits} bits. Ask for fewer digits, or for an earlier last time"
    )
    raise PrecisionLost(msg)


def planned(problem: Problem, times: Sequence[Fraction], digits: int) -> Plan:
    """Return a plan whose error bound is likely to be proven."""
    seen = forecast(problem.floats, float(times[-1]), structural=True)
    growth = GROWTH_MARGIN * seen.growth_at(times[-1]) / log(2)
    return make_plan(problem, times, digits, seen).tightened(growth + EXTRA_BITS)


def check_covered(problem: Problem, *, endless: bool = False) -> None:
    """Refuse what the proof does not cover.

    `endless` says whether the limit is asked for.

    Raises HypothesisFailed if the loss is not known to be convex, time is another
    clock, or layers have learning rates; for the limit also if a layer is not dense or
    the loss is neither the squared loss nor that of measurements.
    """
    network, loss = problem.flow.network, problem.flow.loss
    if problem.flow.clock != "time":
        msg = (
            "enclose(flow): the error bound is proven for gradients, in ordinary time; "
            f"this flow is in the clock of the {problem.flow.clock}. Use precise(…)"
        )
        raise HypothesisFailed(msg)
    if problem.flow.learning_rates:
        msg = (
            "enclose(flow): the error bound is proven for gradients; the layers of "
            "this flow have learning rates. Use precise(…)"
        )
        raise HypothesisFailed(msg)
    if not isinstance(loss, CONVEX):
        names = ", ".join(kind.__name__ for kind in CONVEX)
        msg = (
            "enclose(flow): the error bound needs a loss that is known to be convex in "
            f"the end-to-end matrix ({names}); got {loss!r}. Use precise(…)"
        )
        raise HypothesisFailed(msg)
    quadratic = isinstance(loss, SquaredLoss | MeasurementLoss)
    if endless and not (is_dense(problem.flow) and quadratic):
        msg = (
            "enclose(t=oo): the limit is proven for dense layers with the squared "
            f"loss or measurements; got {network!r} with {loss!r}. Enclose finite times"
        )
        raise HypothesisFailed(msg)


def _read_times(t: Any) -> tuple[tuple[Fraction, ...], bool]:
    """Return the finite times, and whether the last one is t = ∞."""
    points = time_points(t)
    endless = bool(points) and np.ndim(points[-1]) == 0 and bool(points[-1] == inf)
    finite = points[:-1] if endless else points
    return as_times(finite, "enclose") if finite or not endless else (), endless


def _settled(
    problem: Problem, asked: tuple[Fraction, ...], digits: int
) -> tuple[Fraction, ...]:
    """Return the times, with one after them from which the limit can be seen."""
    try:
        last = settling_time(problem, digits)
    except IntegrationFailed as stop:
        msg = (
            f"enclose(t=oo): the flow does not settle, in float64 ({stop}). "
            "Enclose finite times"
        )
        raise PrecisionLost(msg) from None
    return asked if asked and asked[-1] >= last else (*asked, last)


def _prove(run: Run, progress: Any) -> tuple[list[Any], float]:
    """Integrate with a bound per step; return the radii and the missing bits."""
    comparison = Comparison(run.system)
    error = comparison.start(run.problem, run.state.weights)
    radii = [error] * len(run.found)
    while run.waiting:
        step = run.system.step(run.state)
        bound = comparison.step(step, error)
        known = len(run.found)
        run.take(step)
        for at, weights, _ in run.found[known:]:
            radii.append(comparison.radius(bound, step.ratio(at), weights))
        error = bound.after
        if progress is not None:
            progress(float(min(run.state.t, run.times[-1]) / run.times[-1]))
    wanted = -run.digits * log2(10)
    missing = [
        log2_above(radius) - wanted - run.size(weights)
        for radius, (_, weights, _) in zip(radii, run.found, strict=True)
    ]
    return radii, max(missing)


def _enclosure(run: Run, radii: list[Any]) -> Enclosure:
    middle = run.trajectory()
    total = np.array([upward(radius) for radius in radii])
    middle = replace(middle, route="Taylor series with proven error (Arb)")
    ends = [_end_to_end_radius(middle, n, r) for n, r in enumerate(total)]
    proof = (OF_MOMENTS, *PROOF[1:]) if _is_of_moments(run.problem) else PROOF
    return Enclosure(middle, total, np.array(ends), proof)


def _is_of_moments(problem: Problem) -> bool:
    return isinstance(problem.source, Moments)


def _end_to_end_radius(middle: Any, index: int, radius: float) -> float:
    """Bound how far W can be from its midpoint, the rounding of which is included."""
    with ALONE, workbits(2 * middle.context.prec):
        weights = [as_matrix(weight[index]) for weight in middle.weights]
        regions = Regions(end_to_end_program(middle.flow), weights)
        rounding = size_of([regions.centres[0] - as_matrix(middle.end_to_end[index])])
        (moved,) = regions.spreads([arb(float(radius))] * len(weights))
        return upward(moved + rounding)


def _to_limit(finite: Enclosure, remainder: Any, kept: int) -> Enclosure:
    """Add the path that is left after the last time; keep the first times as well."""
    error = arb(float(finite.radius[-1]))
    with ALONE, workbits(finite.context.prec + 64):
        weights = [to_arb_array(weight[-1]) for weight in finite.weights]
        total = upward(error + remainder.length(weights, error))
    middle = replace(
        finite.midpoints,
        t=np.array([*finite.t[:kept], sympy.oo], dtype=object),
        weights=tuple(one[[*range(kept), -1]] for one in finite.weights),
        error=total,
        interpolant=None,
    )
    middle.stats["from_t"] = float(finite.t[-1])
    end = _end_to_end_radius(middle, -1, total)
    return Enclosure(
        middle,
        np.array([*finite.radius[:kept], total]),
        np.array([*finite.end_to_end_radius[:kept], end]),
        (*finite.proof, remainder.proof),
    )
