"""Validation: one loop over claims and trajectories."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import inf, nan
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.numbers import WIDE, exact, to_float, to_mpf
from symflow.algebra.text import scientific
from symflow.claims import Bound, Claim, Status, relative_size
from symflow.claims.claim import once, other_motion, tops
from symflow.claims.finding import FLOAT_LIMIT, is_endless, limit_of
from symflow.errors import HypothesisFailed, InvalidArgument, expect, shown
from symflow.flow.least_squares import least_squares
from symflow.losses import SquaredLoss
from symflow.precision.enclosure import Enclosure
from symflow.trajectory import Trajectory
from symflow.validation.certify import certify_on
from symflow.validation.report import UNINFORMATIVE, Report, Row

#: Digits of a high-precision route that rounding in a residual may cost.
SPARE_DIGITS = 3

#: A residual is made of sums of products of weights: how many times their relative
#: error it may have, and the rounding of the residual itself in float64.
AMPLIFICATION, FLOAT_ROUNDING = 100, 1e-12

#: Factors from here on are shown by their power of ten.
LARGE = 1e4

#: What claims are held against.
Route = Trajectory | Enclosure

#: Digits reported for a residual that is exactly zero.
MANY_DIGITS = 999


def validate(claims: Iterable[Claim], *routes: Route) -> Report:
    """Hold claims against trajectories, and the trajectories against each other.

    Parameters
    ----------
    claims : iterable of Claim
        For example ``[*sf.conserved(flow), sf.solve(flow, data, init)]``.
    *routes : Trajectory or Enclosure
        What `simulate`, `precise` and `enclose` returned.  An enclosed limit (t = ∞)
        is held against the claims that predict one.

    Returns
    -------
    Report
        `.ok` says whether all residuals are within the error of their route.

    Raises
    ------
    InvalidArgument
        If there is no route, an argument is of the wrong kind, or no claim speaks of
        what the routes hold.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.1]], [[0.2]]], [0, 1, 10])
    >>> report = sf.validate(sf.conserved(flow), run)
    >>> report.verdict, len(report.rows)
    ('the one check holds', 1)
    """
    asserted = _listed(claims)
    _check(routes)
    apart: list[Route] = []
    for route in routes:
        apart += route.parts if isinstance(route, Enclosure) else (route,)
    finite = [route for route in apart if not is_endless(route)]
    rows = [
        row
        for claim in asserted
        for route in finite
        for row in (_claim_row(claim, route), *settled_rows(claim, route))
    ]
    rows += [_agreement_row(first, second) for first, second in combinations(finite, 2)]
    endless = [route for route in apart if isinstance(route, Enclosure)]
    rows += [
        _limit_row(claim, ball)
        for claim in asserted
        for ball in endless
        if is_endless(ball) and getattr(claim, "limit", None) is not None
    ]
    if asserted and not rows:
        msg = (
            "validate(claims, *routes): nothing was checked. An enclosed limit is held "
            f"only against claims that predict one; got {asserted[0].name} …. Give a "
            "trajectory, or an enclosure of finite times"
        )
        raise InvalidArgument(msg)
    return Report(tuple(rows))


def _listed(claims: Any) -> list[Any]:
    if not isinstance(claims, Iterable) or not getattr(claims, "ndim", 1):
        msg = (
            "validate(claims, …): needs a sequence of claims, such as [claim]; got "
            f"{shown(claims)}"
        )
        raise InvalidArgument(msg)
    needs = "claims, as from conserved(flow)"
    return [expect(claim, Claim, "validate(claims, …)", needs) for claim in claims]


def _check(routes: tuple[Any, ...]) -> None:
    if not routes:
        msg = (
            "validate(claims, *routes): needs at least one trajectory to check against"
        )
        raise InvalidArgument(msg)
    for route in routes:
        expect(route, Trajectory | Enclosure, "validate(…, *routes)", "trajectories")


def _claim_row(claim: Claim, route: Route) -> Row:
    amiss = claim.mismatch(route)
    if amiss:
        name, source = claim.name, str(claim.reference)
        return Row(name, _route_name(route), nan, inf, f"not compared: {amiss}", source)
    own = route_bound(route)
    parts = zip(*_measured(claim, route), claim.magnification(route), strict=True)
    pairs = [
        (to_mpf(size, WIDE), own * factor + float(extra))
        for size, extra, factor in parts
    ]
    limit = None if _has_limit_row(claim) else _settled(claim, route)
    if limit is not None and limit[0] > limit[1]:
        pairs = [(to_mpf(limit[0], WIDE), WIDE.mpf(limit[1]))]
    residual, bound = max(
        pairs, key=lambda pair: pair[0] / pair[1] if pair[1] else pair[0]
    )
    status = claim.status.value
    if residual > bound:
        status = "contradicted"
    elif bound >= UNINFORMATIVE:
        status = (
            f"{status}; not checked: rounding may have grown to {scientific(bound)}"
        )
    elif isinstance(claim, Bound):
        status = _held(claim, route, status)
    elif claim.status is Status.VERIFIED or route.context is not None:
        status = _verified(claim, residual)
    if limit is not None and limit[1] >= UNINFORMATIVE:
        status = f"{status}; limit not compared"
    if isinstance(route, Enclosure):
        status, bound = _certified(claim, route, status, bound)
    name = claim.name
    residual, bound = map(_portable, (residual, bound))
    return Row(name, _route_name(route), residual, bound, status, str(claim.reference))


def _portable(size: Any) -> Any:
    """Return an mpf that can be pickled, which one of another context cannot."""
    return mpmath.make_mpf(WIDE.convert(size)._mpf_)


def _measured(claim: Claim, route: Route) -> tuple[Array, Array]:
    """Return residuals and slack of a claim, and refuse what is no measurement."""
    residuals, slack = np.asarray(claim.residuals(route)), _slack(claim, route)
    at = f"validate(claims, …): {claim.name}"
    if residuals.shape != (len(route.t),) or len(slack) != len(route.t):
        msg = (
            f"{at}: residuals and slack have to be one number for each of the "
            f"{len(route.t)} times; got shapes {residuals.shape} and {np.shape(slack)}"
        )
        raise InvalidArgument(msg)
    sizes = (*residuals, *slack)
    if any(not size >= 0 for size in sizes):
        msg = f"{at}: residuals and slack must not be negative or NaN; got {min(sizes)}"
        raise InvalidArgument(msg)
    return residuals, slack


def _certified(
    claim: Claim, ball: Enclosure, status: str, bound: Any
) -> tuple[str, Any]:
    """Return what a certificate adds, and no tolerance for a claim it refutes."""
    certificate = certify_on(claim, ball)
    if certificate.status is Status.REFUTED:
        return "refuted", 0.0
    if certificate.status is Status.ENCLOSED:
        within = (
            f" within {scientific(certificate.radius)}" if certificate.radius else ""
        )
        return f"{status}; enclosed{within}", bound
    return status, bound


def _route_name(route: Route) -> str:
    if isinstance(route, Enclosure):
        return f"enclosure of proven radius {scientific(route.error)}"
    return route.route


def _limit_row(claim: Any, ball: Enclosure) -> Row:
    """Compare a predicted limit with the ball that contains the true one."""
    predicted, _ = limit_of(claim)
    middle = ball.limit
    gap = relative_size(ball.lift(predicted) - middle, middle)
    size = to_float(max(abs(entry) for entry in middle.flat)) or 1.0
    rounding = 0.0 if predicted.dtype == object else FLOAT_LIMIT
    bound = float(ball.end_to_end_radius[-1]) / size + rounding
    status = Status.MEASURED if rounding else Status.ENCLOSED
    name = f"{claim.name}: limit"
    source = str(claim.reference)
    return Row(name, _route_name(ball), to_float(gap), bound, status.value, source)


def settled_rows(claim: Any, route: Route) -> list[Row]:
    """Compare a predicted limit with a run that has come to a minimizer.

    Of claims without a `limit` nothing is said; it is one row at most, and not checked
    where a run of finite times has not settled.
    """
    compared = _has_limit_row(claim) and not other_motion(claim, route)
    found = _settled(claim, route) if compared else None
    if found is None:
        return []
    residual, bound = found
    status = "measured" if bound < UNINFORMATIVE else "not compared: not settled"
    name, source = f"{claim.name}: limit", str(claim.reference)
    return [Row(name, _route_name(route), residual, bound, status, source)]


def _slack(claim: Any, route: Route) -> Any:
    return once(route, (claim, "slack"), lambda: claim.slack(route))


def _has_limit_row(claim: Any) -> bool:
    """Say whether the limit is an assertion by itself; a path has it as a part."""
    return getattr(claim, "question", "limits") != "solutions"


def _settled(claim: Any, route: Route) -> tuple[float, float] | None:
    """Return how far a predicted limit is from the end of a run, and how far it may be.

    With λ the smallest positive eigenvalue of Σ_xx, what is still to be covered on the
    row space of the inputs is at most √(2(ℒ − ℒ*)/λ).
    """
    if isinstance(route, Enclosure) or not hasattr(type(claim), "limit"):
        return None
    try:
        predicted, error = limit_of(claim)
    except HypothesisFailed:  # what is asserted does not determine it
        return None
    if not isinstance(route.flow.loss, SquaredLoss):
        return nan, inf
    reduction = least_squares(route.problem, route.context)
    if not reduction.rank:
        return nan, inf
    rest = 2 * reduction.excess(route.end_to_end[-1]) / reduction.eigenvalues[-1]
    size = to_float(abs(route.end_to_end[-1]).max()) or 1.0
    bound = AMPLIFICATION * float(rest) ** 0.5 / size + float(route_bound(route))
    bound += float(max(_slack(claim, route))) + float(error)
    if not bound < UNINFORMATIVE:
        return nan, inf
    gap = route.lift(predicted) - route.end_to_end[-1]
    return to_float(relative_size(gap, np.array([size]))), bound


def _verified(claim: Claim, residual: Any) -> str:
    """Say how firmly a claim stands after a high-precision check."""
    digits = f"to {digits_of(residual)} digits" if residual > 0 else "exactly"
    if claim.status is Status.PROVED:
        return f"proved; checked {digits}"
    return f"verified {digits}"


def _held(claim: Bound, route: Route, status: str) -> str:
    """Say by how much a bound holds."""
    margin = claim.margin(route)
    low, high = float(margin.min()), float(margin.max())
    ends = _factor(low) if low == high else f"{_factor(low)} … {_factor(high)}"
    return f"{status}; margin {ends}"


def _factor(size: float) -> str:
    """Return a factor as text, large ones as residuals are shown."""
    if size == inf:
        return "∞"
    return f"{size:.4g}" if size < LARGE else scientific(size)


def _agreement_row(first: Route, second: Route) -> Row:
    """Compare two routes at common times; the less precise one sets the bound."""
    gaps = agreement(first, second)
    residual = max(gaps.values(), default=0.0)
    bound = max(route_bound(first), route_bound(second))
    name = f"agreement at {len(gaps)} common times"
    routes = f"{_route_name(first)} / {_route_name(second)}"
    return Row(name, routes, residual, bound, "measured")


def agreement(first: Route, second: Route) -> dict[float, Any]:
    """Return by how much two runs of one flow from one start differ at common times.

    It maps times to max|θ₁ − θ₂| / max|θ| over all weights, as mpf; either may be a
    trajectory of any precision or an enclosure.
    """
    context = mpmath.MPContext()
    context.dps = max(first.digits, second.digits) + 10
    places = {exact(time): index for index, time in enumerate(second.t)}
    result = {}
    for index, time in enumerate(first.t):
        other = places.get(exact(time))
        if other is not None:
            result[to_float(time)] = _gap(first, index, second, other, context)
    return result


def _gap(first: Route, index: int, second: Route, other: int, context: Any) -> Any:
    def lifted(path: Route, at: int) -> Any:
        flat = np.concatenate([weight[at].ravel() for weight in path.weights])
        return map_entries(lambda entry: to_mpf(entry, context), flat)

    reference = lifted(second, other)
    return +relative_size(lifted(first, index) - reference, reference)


def route_bound(route: Route) -> Any:
    """Return the largest relative residual that a route's own error explains.

    Its error is the estimated or proven one, not what a tolerance hopes for.
    """
    scale = once(route, "scale", lambda: max(map(to_float, tops(route))))
    by_error = to_mpf(route.error, WIDE) / (scale or 1.0)
    if route.context is None:
        return max(AMPLIFICATION * by_error, WIDE.mpf(FLOAT_ROUNDING))
    return max(by_error, WIDE.mpf(10) ** (SPARE_DIGITS - route.digits))


def digits_of(residual: Any) -> int:
    """Return the number of decimal digits to which a relative residual vanishes."""
    return int(-WIDE.log10(residual)) if residual > 0 else MANY_DIGITS
