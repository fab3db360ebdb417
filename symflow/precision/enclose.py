"""`enclose`: a gradient flow with a proof of its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, log, log2
from numbers import Integral
from typing import Any

import numpy as np
import sympy

from symflow.errors import HypothesisFailed, InvalidArgument, PrecisionLost
from symflow.flow import GradientFlow, as_times
from symflow.flow.problem import Problem, bind
from symflow.losses import SquaredLoss
from symflow.precision.arithmetics import Flint
from symflow.precision.enclosure import Enclosure
from symflow.precision.engine import ExactEngine
from symflow.precision.growth import forecast, is_dense
from symflow.precision.plan import make_plan
from symflow.precision.run import Run

#: How often the integration is repeated with more bits.
ATTEMPTS = 3
#: Proven growth exceeds the forecast by at most about this fraction, …
GROWTH_MARGIN = 0.15
#: … and by this many bits.
EXTRA_BITS = 2
#: A drawn start is correct to this many digits more than the enclosure.
GUARD_DIGITS = 30

PROOF = (
    "proven: the flow of the given data and start, taken as exact numbers, stays "
    "within the radius of the midpoints (Frobenius norm)",
    "how: the defect of the computed piecewise polynomial in ball arithmetic; a "
    "one-sided Lipschitz constant from the Hessian, also in balls; a scalar "
    "comparison equation",
    "trusted: ball arithmetic (Arb in FLINT) and the programs that symflow derives",
)
LIMIT_PROOF = (
    "limit: the loss above its minimum decays at a rate that is bounded below near the "
    "last time, which bounds the path that is left (Polyak–Łojasiewicz)"
)


def enclose(
    flow: GradientFlow,
    data: Any,
    init: Any,
    t: Any,
    *,
    digits: int = 50,
    rng: Any = None,
    progress: Callable[[float], None] | None = None,
) -> Enclosure:
    r"""Enclose a gradient flow in balls of proven radius.

    The computed Taylor polynomials are not trusted: their defect
    :math:`d = \tildeθ' − f(\tildeθ)` is bounded in ball arithmetic, and the error obeys
    :math:`|e|' ≤ μ|e| + |d|` with the one-sided Lipschitz constant μ of the flow.  Data
    and start are exact numbers: a float is the binary rational that it is, and for a
    rule it is the drawn weights (dyadic numbers) from which the flow is enclosed.

    Parameters
    ----------
    flow : GradientFlow
        The flow of a network of dense layers with the squared loss.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights (W_1, …, W_L) at t = 0.
    t : number, sequence of numbers, or sympy.oo
        Increasing times; oo encloses the limit of the flow.
    digits : int, keyword-only
        The radius is at most 10^(−digits) · max|θ|.
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
    if isinstance(digits, bool) or not isinstance(digits, Integral) or digits < 1:
        msg = f"enclose(digits=…): needs a positive integer; got {digits!r}"
        raise InvalidArgument(msg)
    endless = isinstance(t, sympy.Basic) and t == sympy.oo
    times = () if endless else as_times(t, "enclose")
    problem = bind(flow, data, init, rng=rng, digits=int(digits) + GUARD_DIGITS)
    check_covered(problem)
    if endless:
        from symflow.precision.limit import Remainder, settling_time

        remainder = Remainder(problem)
        times = (settling_time(problem, int(digits)),)
    seen = forecast(problem.floats, float(times[-1]))
    plan = make_plan(problem, times, int(digits), seen)
    plan = plan.tightened(
        GROWTH_MARGIN * seen.growth_at(times[-1]) / log(2) + EXTRA_BITS
    )
    for _ in range(ATTEMPTS):
        run = Run(problem, times, int(digits), Flint(), plan)
        radii, shortfall = _prove(run, progress)
        if shortfall <= 0:
            finite = _enclosure(run, radii)
            return _to_limit(finite, remainder) if endless else finite
        plan = plan.tightened(shortfall)
    msg = (
        f"enclose(digits={digits}): the proven radius is {float(max(radii)):.1e} with "
        f"{plan.bits} bits. Ask for fewer digits, or for an earlier last time"
    )
    raise PrecisionLost(msg)


def check_covered(problem: Problem) -> None:
    """Refuse what the Hessian bound does not cover.

    Parameters
    ----------
    problem : Problem
        The flow with its data and start.

    Raises
    ------
    HypothesisFailed
        If a layer is not dense, or the loss is not the squared loss.
    """
    if not is_dense(problem.flow):
        msg = (
            "enclose(flow): the error bound is proven for dense layers; got "
            f"{problem.flow.network!r}. Use precise(…)"
        )
        raise HypothesisFailed(msg)
    if not isinstance(problem.flow.loss, SquaredLoss):
        msg = (
            "enclose(flow): the defect is bounded for the squared loss; got "
            f"{problem.flow.loss!r}. Use precise(…)"
        )
        raise HypothesisFailed(msg)


def _prove(run: Run, progress: Any) -> tuple[list[Any], float]:
    """Integrate with a bound per step; return the radii and the missing bits."""
    from flint import ctx

    from symflow.precision.balls import to_arb
    from symflow.precision.comparison import Comparison

    engine = run.system.engine
    assert isinstance(engine, ExactEngine)
    comparison = Comparison(run.problem, engine)
    error = comparison.start(run.problem, run.state.weights)
    radii = [error] * len(run.found)
    while run.waiting:
        step = run.system.step(run.state)
        bound = comparison.step(step, error)
        known = len(run.found)
        run.take(step)
        for at, weights, _ in run.found[known:]:
            with ctx.workprec(comparison.precision):
                place = to_arb(step.ratio(at))
                gap = comparison.distance(bound.polynomials, place, weights)
                radii.append((bound.inside + gap).upper())
        error = bound.after
        if progress is not None:
            progress(float(min(run.state.t, run.times[-1]) / run.times[-1]))
    wanted = -run.digits * log2(10)
    missing = [
        _log2(radius) - wanted - run.size(weights)
        for radius, (_, weights, _) in zip(radii, run.found, strict=True)
    ]
    return radii, max(missing)


def _enclosure(run: Run, radii: list[Any]) -> Enclosure:
    from symflow.precision.balls import upward

    middle = run.trajectory()
    total = np.array([upward(radius) for radius in radii])
    middle = replace(middle, route="Taylor series with proven error (Arb)")
    ends = [_end_to_end_radius(middle, n, r) for n, r in enumerate(total)]
    return Enclosure(middle, total, np.array(ends), PROOF)


def _end_to_end_radius(middle: Any, index: int, radius: float) -> float:
    from flint import arb, ctx

    from symflow.precision.balls import (
        distance_between,
        product_radius,
        to_arb_array,
        upward,
    )

    with ctx.workprec(2 * middle.context.prec):
        weights = [to_arb_array(weight[index]) for weight in middle.weights]
        product = weights[0]
        for weight in weights[1:]:
            product = weight @ product
        rounding = distance_between([product], [middle.end_to_end[index]])
        return upward(product_radius(weights, arb(float(radius))) + rounding)


def _to_limit(finite: Enclosure, remainder: Any) -> Enclosure:
    """Add the path that is left after the last time."""
    from flint import arb, ctx

    from symflow.precision.balls import to_arb_array, upward

    error = arb(float(finite.radius[-1]))
    with ctx.workprec(finite.context.prec + 64):
        weights = [to_arb_array(weight[-1]) for weight in finite.weights]
        total = upward(error + remainder.length(weights, error))
    oo = np.array([sympy.oo], dtype=object)
    middle = replace(finite.midpoints, t=oo, error=total, interpolant=None)
    middle.stats["from_t"] = float(finite.t[-1])
    end = _end_to_end_radius(middle, -1, total)
    return Enclosure(
        middle, np.array([total]), np.array([end]), (*finite.proof, LIMIT_PROOF)
    )


def _log2(radius: Any) -> float:
    """Return log2 of an upper bound, rounded up."""
    if not radius > 0:
        return -1e9
    mantissa, exponent = radius.upper().man_exp()
    return float(ceil(int(exponent) + int(mantissa).bit_length()))
