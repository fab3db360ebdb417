"""How constant the conserved quantities are along computed trajectories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.conservation import Law, conserved
from symflow.flow import HeavyBall
from symflow.plot.canvas import (
    axes_or_new,
    check_trajectories,
    colours,
    finish,
    float_times,
    line_styles,
    over_time,
    route_name,
    symbol_of,
    without_zeros,
)
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def drift(
    *trajectories: Trajectory,
    ax: Axes | None = None,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    """Draw the relative drift of every conserved quantity, one line style per route.

    Parameters
    ----------
    *trajectories : Trajectory
        One or several routes, at any precision.
    ax : matplotlib Axes, keyword-only, optional
        Where to draw; a new figure by default.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot`.

    Returns
    -------
    matplotlib Axes
        With a logarithmic axis; a drift of exactly zero is a gap, and one that is zero
        throughout is drawn at the last digit of its route.

    Raises
    ------
    InvalidArgument
        If there is no trajectory.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.1]], [[0.2]]], [0, 1, 2])
    >>> plot.drift(run).get_yscale()
    'log'
    >>> len(plot.drift(run).lines)
    1
    """
    check_trajectories(trajectories, "plot.drift(*trajectories)")
    axes, count = axes_or_new(ax), 0
    for path, style in zip(trajectories, line_styles(len(trajectories)), strict=True):
        laws = conserved(path.flow)
        count += len(laws)
        for law, colour in zip(laws, colours(len(laws)), strict=True):
            options = {"color": colour, "linestyle": style, "marker": ".", **artist}
            _draw(axes, path, law, {"markersize": 3, **options})
    axes.set_yscale("log")
    moving = any(isinstance(path.flow, HeavyBall) for path in trajectories)
    words = r"$\|\Delta(t)-\Delta(0)\|$ over squared weights"
    words = "drift of the angular momenta, relative" if moving else words
    times = np.concatenate([float_times(path) for path in trajectories])
    over_time(axes, times, words, xscale)
    return finish(axes, count)


def _draw(axes: Axes, path: Trajectory, law: Law, options: dict[str, Any]) -> None:
    values = law.residuals(path)
    nothing = not any(value > 0 for value in values)
    label = f"{symbol_of(law)}, {route_name(path)}"
    options = {"label": f"{label}: exactly 0" if nothing else label, **options}
    axes.plot(float_times(path), without_zeros(values, 10.0**-path.digits), **options)
