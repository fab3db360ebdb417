"""What is bounded over time, under its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.claims import Bound
from symflow.convergence import InstantaneousRate, RateBound
from symflow.convergence.bound import LossBound
from symflow.errors import InvalidArgument, expect, shown
from symflow.plot.canvas import (
    axes_or_new,
    check_trajectory,
    colours,
    finish,
    float_times,
    over_time,
    route_name,
    without_zeros,
)
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How an axis names what the theorems bound.
_QUANTITIES = {
    "ℒ − ℒ*": r"excess loss $\mathcal{L}(t)-\mathcal{L}^*$",
    "‖W − Z₁‖²": r"$\|W(t)-Z_1\|_F^2$",
}

_DASHES = ("--", "-.", ":", (0, (6, 2)), (0, (1, 1)))


def bounds(
    traj: Trajectory,
    claims: Bound | Sequence[Bound],
    ax: Axes | None = None,
    *,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    r"""Draw what falls along a trajectory, and the bounds that were proved on it.

    Parameters
    ----------
    traj : Trajectory
        At any precision.
    claims : Bound or sequence of Bound
        About one quantity, as from `rates`; each bounds it from the first time on.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot` for the measured curve.

    Returns
    -------
    matplotlib Axes
        With a logarithmic axis: an exponential bound is a straight line.

    Raises
    ------
    InvalidArgument
        If `traj` is not a trajectory, or the claims are not bounds on one quantity.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2.0]]), [[[1.5]], [[1.0]]]
    >>> run = sf.simulate(*problem, [0, 0.5, 1.0])
    >>> [line.get_label() for line in plot.bounds(run, sf.rates(*problem)[:1]).lines]
    ['float64', 'MarginRate: $e^{-6.5\\,t}$, Min et al. 2021']
    """
    check_trajectory(traj, "plot.bounds(traj)")
    asserted = _checked(claims)
    axes, times = axes_or_new(ax), float_times(traj)
    sides = [_sides(claim, traj) for claim in asserted]
    measured = to_float_array(sides[0][0])
    floor = np.finfo(float).eps * float(np.max(measured))
    options = {"color": colours(1)[0], "linewidth": 2.2, "label": route_name(traj)}
    axes.plot(times, without_zeros(measured, floor), **{**options, **artist})
    for number, (claim, pair) in enumerate(zip(asserted, sides, strict=True)):
        _draw_bound(axes, claim, times, to_float_array(pair[1]), number)
    axes.set_yscale("log")
    _keep_to(axes, measured[measured > floor])
    label = _QUANTITIES.get(_quantity(asserted[0]), asserted[0].name)
    over_time(axes, times, label, xscale)
    return finish(axes, len(axes.lines))


def _sides(claim: Bound, traj: Trajectory) -> tuple[Array, Array]:
    """Return both sides of a bound, for the loss itself where they are its speeds."""
    return claim.fall(traj) if isinstance(claim, LossBound) else claim.sides(traj)


def _draw_bound(
    axes: Axes, claim: Bound, times: Array, values: Array, number: int
) -> None:
    label = f"{claim.name}, {claim.reference}"
    if isinstance(claim, RateBound) and claim.rate > 0:
        rate = rf"$e^{{-{claim.rate:.3g}\,t}}$"
        label = f"{claim.name}: {rate}, {claim.reference}"
    axes.plot(
        times,
        without_zeros(values, np.finfo(float).tiny),
        color=colours(number + 2)[-1],
        linestyle=_DASHES[number % len(_DASHES)],
        linewidth=1.5,
        label=label,
    )


def _keep_to(axes: Axes, measured: Array) -> None:
    """Let the measured curve decide how far down the axis goes."""
    if measured.size:
        low, high = float(measured.min()), axes.get_ylim()[1]
        axes.set_ylim(low * (low / high) ** 0.05, high)


def _checked(claims: Any) -> list[Bound]:
    expect(claims, Bound | Sequence, "plot.bounds(traj, claims)", "bounds, as of rates")
    asserted: list[Bound] = []
    for claim in [claims] if isinstance(claims, Bound) else claims:
        if not isinstance(claim, Bound):
            msg = (
                "plot.bounds(traj, claims): one of the claims is not a bound; "
                f"rates(flow, data, init) returns those that apply; got {shown(claim)}"
            )
            raise InvalidArgument(msg)
        asserted.append(claim)
    # what is said of the speed at every instant comes last
    asserted.sort(key=lambda claim: isinstance(claim, InstantaneousRate))
    quantities = sorted({_quantity(claim) for claim in asserted})
    if len(quantities) != 1:
        what = " and ".join(quantities) or "no quantity"
        msg = (
            "plot.bounds(traj, claims): needs bounds on one quantity; these are on "
            f"{what}. Draw each on axes of its own"
        )
        raise InvalidArgument(msg)
    return asserted


def _quantity(claim: Bound) -> str:
    return claim.quantity if isinstance(claim, RateBound) else claim.name
