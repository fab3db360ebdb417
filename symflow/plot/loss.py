"""The training objective over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.arrays import to_float_array
from symflow.algebra.numbers import to_float
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


def loss(
    traj: Trajectory,
    ax: Axes | None = None,
    *,
    limit: float | None = None,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    """Draw the training objective over time, or by how much it exceeds its limit.

    Parameters
    ----------
    traj : Trajectory
        At any precision.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    limit : float, keyword-only, optional
        The smallest loss: draws the excess over it on a logarithmic axis.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot`.

    Returns
    -------
    matplotlib Axes
        With a logarithmic axis where the objective falls over decades.

    Raises
    ------
    InvalidArgument
        If `traj` is not a trajectory.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[1]], [[1]]], [0, 1, 2])
    >>> plot.loss(run).lines[0].get_ydata().round(4).tolist()
    [0.5, 0.0006, 0.0]
    """
    check_trajectory(traj, "plot.loss(traj)")
    axes = axes_or_new(ax)
    values, times = to_float_array(traj.loss), float_times(traj)
    label = r"training loss $\mathcal{L}(t)$"
    if limit is not None:
        values = without_zeros(
            np.maximum(values - to_float(limit), 0.0), np.finfo(float).eps
        )
        label = r"excess $\mathcal{L}(t)-\min\,\mathcal{L}$"
    axes.plot(
        times, values, **{"color": colours(1)[0], "label": route_name(traj), **artist}
    )
    if limit is not None or 0 < 20 * np.min(values) < np.max(values):
        axes.set_yscale("log")
    over_time(axes, times, label, xscale)
    return finish(axes, len(axes.lines))
