"""`enclose`: a gradient flow with a proof of its error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import chain
from math import inf, log2
from typing import Any

import numpy as np
import sympy
from flint import arb

from symflow.algebra.numbers import MOST_DIGITS, whole
from symflow.data import Moments
from symflow.errors import HypothesisFailed, IntegrationFailed, PrecisionLost
from symflow.flow import GradientFlow, as_times
from symflow.flow.curriculum import Curriculum
from symflow.flow.given import DataLike, InitLike, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind
from symflow.flow.times import time_points
from symflow.losses import ExponentialLoss, LogisticLoss, MeasurementLoss, SquaredLoss
from symflow.precision.arithmetics import Flint
from symflow.precision.balls import (
    ALONE,
    distance_between,
    log2_above,
    to_arb_array,
    upward,
    workbits,
)
from symflow.precision.chained import enclosed_along
from symflow.precision.comparison import Comparison
from symflow.precision.contraction import ContractionBound
from symflow.precision.enclosure import Enclosure, balls_around, product_radius
from symflow.precision.fading import Ending, FadingRemainder, remainders_of
from symflow.precision.image import is_convex
from symflow.precision.limit import Remainder, settling_time
from symflow.precision.plan import planned
from symflow.precision.run import Run
from symflow.precision.starts import hull, pieces_of
from symflow.progress import Told, reporter, untold

#: More pieces of a set of starts than this would take hours.
MOST_PIECES = 100_000
#: From where the limit of sets is seen besides, as parts of the last time.
EARLIER = (2, 4, 8, 16, 32)
#: How often the integration is repeated with more bits.
ATTEMPTS = 3
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
#: … and where numbers stand for sets.
OF_SETS = (
    "proven for all starts and data in the given sets, whose middles have the "
    f"midpoints: each flow {WITHIN}"
)


def enclose(
    flow: GradientFlow,
    data: DataLike | Curriculum,
    init: InitLike,
    t: TimesLike,
    *,
    digits: int = 50,
    pieces: int = 1,
    rng: RandomLike = None,
    progress: Told = None,
) -> Enclosure:
    r"""Enclose a gradient flow in balls of proven radius.

    The computed Taylor polynomials are not trusted: their defect
    :math:`d = \tildeθ' − f(\tildeθ)` is bounded in ball arithmetic, and the error obeys
    :math:`|e|' ≤ μ|e| + |d|` with the one-sided Lipschitz constant μ of the flow.  Data
    and start are exact numbers: a float is the binary rational that it is, and for a
    rule it is the drawn weights (dyadic numbers) from which the flow is enclosed.  An
    entry that is an `interval`, or a ball (``flint.arb``), stands for many numbers:
    the flows from all such starts, with all such data, are enclosed.

    Any model, with the squared, exponential, logistic or measurement loss, or one that
    is a convex quadratic form, with weight decay and learning rates; for products of
    layers (dense, diagonal, circulant, readout) μ follows from norms, for other models,
    which should be small, from the second derivative.  The limit is proven where a
    quadratic loss falls to its least value, or, for few weights, to a minimum that is
    isolated up to what symmetries make of it.  Sets of data have to be regular there.

    Parameters
    ----------
    flow : GradientFlow
        The flow of a network with a convex loss.
    data : Dataset, Moments or Curriculum
        What is learned; each data set from all points that the ball before it allows.
    init : Init or sequence of array_like
        A rule, or the weights (W_1, …, W_L) at t = 0.
    t : number or sequence of numbers
        Increasing times; the last one may be oo (or a float that is infinite), which
        encloses the limit of the flow.
    digits : int, keyword-only
        The radius is at most 10^(−digits) · max|θ|, or what sets make it; being a
        float, it is never shown below 5e-324.
    pieces : int, keyword-only
        Into how many smaller ones a set of starts and (first) data is cut.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.
    progress : callable or True, keyword-only, optional
        A bar, or called with the fraction of the time interval that is done.

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
    >>> len(ball.t), round(float(ball.end_to_end[0].item()), 6)
    (1, 1.77272)
    """
    digits = whole(digits, "enclose(digits=…)", most=MOST_DIGITS)
    lesson = data if isinstance(data, Curriculum) else None
    asked, endless = ((), False) if lesson else _read_times(t)
    progress = reporter(progress, "enclose")
    bound = partial(bind, flow, digits=digits + GUARD_DIGITS, exact=True)
    problem = bound(lesson.pieces[0][0] if lesson else data, init, rng=rng)
    check_covered(problem)
    asking = partial(_enclosed, times=asked, endless=endless, digits=digits)
    if lesson is not None:
        asking = partial(enclosed_along, lesson, _enclosed, bound, t, digits)
    parts = pieces_of(problem, whole(pieces, "enclose(pieces=…)", most=MOST_PIECES))
    if len(parts) == 1:
        return asking(problem, progress=progress)
    found = []
    for part in parts:
        found.append(asking(part))
        progress(len(found) / len(parts))
    return hull(asking(problem.centre), found, problem)


def _enclosed(
    problem: Problem,
    *,
    times: tuple[Fraction, ...],
    digits: int,
    endless: bool = False,
    reach: float = 0.0,
    progress: Callable[[float], None] = untold,
) -> Enclosure:
    """Enclose all flows of a problem at once, from all points within reach."""
    centre, asked = problem.centre, times
    if endless:
        remainders = remainders_of(problem)
        first = next(remainders)
        slow = isinstance(first, FadingRemainder)
        times = _settled(centre, asked, digits, slow=slow, sets=problem.is_set)
    plan = planned(centre, times, digits, ContractionBound.covers(problem))
    for _ in range(ATTEMPTS):
        run = Run(centre, times, digits, Flint(), plan)
        late = endless and problem.is_set
        until = max(asked, default=Fraction(0)) if late else times[-1]
        radii, shortfall = _prove(run, problem, reach, until, progress)
        if shortfall <= 0:
            finite = _enclosure(run, radii, problem)
            return _to_limit(finite, first, remainders, asked) if endless else finite
        plan = plan.tightened(shortfall)
    msg = (
        f"enclose(digits={digits}): the proven radius is {float(max(radii)):.1e} with "
        f"{plan.bits} bits. Ask for fewer digits, or for an earlier last time"
    )
    raise PrecisionLost(msg)


def check_covered(problem: Problem) -> None:
    """Refuse what the proof does not cover.

    Raises HypothesisFailed if the loss is not known to be convex, or time is another
    clock.
    """
    loss = problem.flow.loss
    if problem.flow.clock != "time":
        msg = (
            "enclose(flow): the error bound is proven for gradients, in ordinary time; "
            f"this flow is in the clock of the {problem.flow.clock}. Use precise(…)"
        )
        raise HypothesisFailed(msg)
    if not isinstance(loss, CONVEX) and not is_convex(problem):
        names = ", ".join(kind.__name__ for kind in CONVEX)
        msg = (
            "enclose(flow): the error bound needs a loss that is known to be convex in "
            f"the end-to-end matrix ({names}, or a quadratic form that is); got "
            f"{loss!r}. Use precise(…)"
        )
        raise HypothesisFailed(msg)


def _read_times(t: Any) -> tuple[tuple[Fraction, ...], bool]:
    """Return the finite times, and whether the last one is t = ∞."""
    points = time_points(t)
    single = bool(points) and np.ndim(points[-1]) == 0
    single = single and not isinstance(points[-1], np.void)  # which compares with none
    endless = single and bool(points[-1] == inf)
    finite = points[:-1] if endless else points
    return as_times(finite, "enclose") if finite or not endless else (), endless


def _settled(
    problem: Problem,
    asked: tuple[Fraction, ...],
    digits: int,
    *,
    slow: bool,
    sets: bool,
) -> tuple[Fraction, ...]:
    """Return the times, and some from which the limit may be seen.

    What sets make of the error grows all the time: there an early one may be better.
    """
    try:
        last = settling_time(problem, digits, slow=slow)
    except IntegrationFailed as stop:
        msg = (
            f"enclose(t=oo): the flow does not settle, in float64 ({stop}). "
            "Enclose finite times"
        )
        raise PrecisionLost(msg) from None
    if asked:
        last = max(last, asked[-1])
    early = [last / part for part in EARLIER] if sets else []
    return tuple(sorted({*asked, *early, last}))


def _prove(
    run: Run, problem: Problem, reach: float, until: Fraction, progress: Any
) -> tuple[list[Any], float]:
    """Integrate with a bound per step; return the radii and the missing bits.

    Where numbers stand for sets, or the start is a ball, the radii are what these make
    them; after a time they may be infinite.
    """
    comparison = Comparison(run.system, problem, reach, close=run.plan.close)
    error = comparison.start(run.state.weights)
    radii = [error] * len(run.found)
    while run.waiting:
        step = run.system.step(run.state)
        try:
            bound = comparison.step(step, error)
        except PrecisionLost:
            if run.waiting[0] <= until:
                raise
            run.finish(progress)
            radii += [arb.pos_inf()] * (len(run.found) - len(radii))
            break
        known = len(run.found)
        run.take(step)
        for at, weights, _ in run.found[known:]:
            radii.append(comparison.radius(bound, step.ratio(at), weights))
        error = bound.after
        progress(run.part)
    if problem.is_set or reach:
        return radii, 0.0
    wanted = -run.digits * log2(10)
    missing = [
        log2_above(radius) - wanted - run.size(weights)
        for radius, (_, weights, _) in zip(radii, run.found, strict=True)
    ]
    return radii, max(missing)


def _enclosure(run: Run, radii: list[Any], problem: Problem) -> Enclosure:
    middle = run.trajectory()
    middle = replace(middle, route="Taylor series with proven error (Arb)")
    first = OF_MOMENTS if isinstance(problem.source, Moments) else PROOF[0]
    sets = problem if problem.is_set else None
    proof = (first if sets is None else OF_SETS, *PROOF[1:])
    return balls_around(middle, [*map(upward, radii)], proof, sets=sets)


def _to_limit(
    finite: Enclosure,
    first: Ending,
    others: Iterator[Ending],
    asked: tuple[Fraction, ...],
) -> Enclosure:
    """Add what is left after the time from which most is proven; keep those asked."""
    for remainder in chain([first], others):
        found = _ends(finite, remainder)
        if found:
            break
    else:
        bits = finite.context.prec + 64
        with ALONE, workbits(bits):
            last = [to_arb_array(weight[-1]) for weight in finite.weights]
            first.distance(last, arb(float(finite.radius[-1])))
    total, start = min(found)
    kept = [*map(list(finite.t).index, asked), -1]
    middle = replace(
        finite.midpoints,
        t=np.array([*asked, sympy.oo], dtype=object),
        weights=tuple(one[kept] for one in finite.weights),
        error=total,
        interpolant=None,
    )
    middle.stats["from_t"] = start
    end = product_radius(middle, -1, total)
    with ALONE, workbits(finite.context.prec + 64):
        weights = [to_arb_array(weight[-1]) for weight in middle.weights]
        if isinstance(remainder, Remainder):
            gap = remainder.gap(weights, arb(total), middle.end_to_end[-1])
            end = min(end, upward(gap))
    return replace(
        finite,
        midpoints=middle,
        radius=np.array([*finite.radius[kept[:-1]], total]),
        end_to_end_radius=np.array([*finite.end_to_end_radius[kept[:-1]], end]),
        proof=(*finite.proof, remainder.proof),
    )


def _ends(finite: Enclosure, remainder: Ending) -> list[tuple[float, float]]:
    """Return how far the limit can be from the last midpoints, as seen from a time."""
    found, bits = [], finite.context.prec + 64
    last = [weight[-1] for weight in finite.weights]
    for index, time in enumerate(finite.t):
        error = arb(float(finite.radius[index]))
        if not error.is_finite():
            break
        with ALONE, workbits(bits), suppress(PrecisionLost):
            weights = [to_arb_array(weight[index]) for weight in finite.weights]
            reach = remainder.distance(weights, error)
            reach += distance_between(last, [w[index] for w in finite.weights])
            found.append((upward(reach), float(time)))
    return found
