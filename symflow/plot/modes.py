"""The singular values of the end-to-end matrix over time, theory on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.errors import expect
from symflow.plot.canvas import (
    LISTED,
    Floats,
    axes_or_new,
    check_trajectory,
    draw_columns,
    draw_theory,
    finish,
    float_times,
    over_time,
)
from symflow.solutions import ChainedSolution, Solution
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points on which a closed form is drawn.
POINTS = 400


def modes(
    traj: Trajectory,
    theory: Solution | ChainedSolution | None = None,
    ax: Axes | None = None,
    *,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    """Draw the singular values of W(t), and those of a closed form dashed on top.

    Parameters
    ----------
    traj : Trajectory
        At any precision.
    theory : Solution or ChainedSolution, optional
        A closed form of the same trajectory, as from `solve`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot` for the measured curves.

    Returns
    -------
    matplotlib Axes
        One measured curve per singular value.

    Raises
    ------
    InvalidArgument
        If `traj` is not a trajectory.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    >>> data, init = sf.whitened([[3, 0], [0, 1]]), sf.spectral_init(0.1)
    >>> run = sf.simulate(flow, data, init, [0, 1, 2, 3])
    >>> len(plot.modes(run, theory=sf.solve(flow, data, init)).lines)
    4
    """
    check_trajectory(traj, "plot.modes(traj)")
    axes, times = axes_or_new(ax), float_times(traj)
    kinds = Solution | ChainedSolution | None
    expect(theory, kinds, "plot.modes(theory=…)", "a closed form of solve")
    measured = traj.singular_values
    # room for the curve on top, if there will be one
    shade = {} if theory is None else {"alpha": 0.65}
    count = measured.shape[1]
    options = {"linewidth": 3.0, **shade, **artist}
    name = "$s_{#}$" if count <= LISTED else "_hidden"
    draw_columns(axes, times, measured, name, **options)
    if theory is not None:
        fine, label = _fine(times), f"{theory.name}, {theory.reference}"
        values = np.linalg.svd(theory.end_to_end(fine), compute_uv=False)
        curves = [(fine, column) for column in values.T[:count]]
        draw_theory(axes, curves, label, 1.2)
    over_time(axes, times, "singular values $s_i$ of $W(t)$", xscale)
    labels = [str(line.get_label()) for line in axes.lines]
    return finish(axes, sum(not label.startswith("_") for label in labels))


def _fine(times: Floats) -> Floats:
    """Return many times, dense both where the axis is linear and where it is not."""
    first, last = times[0], times[-1]
    positive = times[times > 0]
    if not positive.size or first == last:
        return times
    even = np.linspace(first, last, POINTS // 2)
    return np.union1d(even, np.geomspace(positive[0], last, POINTS // 2).clip(first))
