"""Sequential learning: the modes of small starts, and the steps they tend to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.arrays import to_float_array
from symflow.bias import SaddlePath, saddle_to_saddle
from symflow.data import Moments
from symflow.errors import InvalidArgument, expect
from symflow.flow import gradient_flow
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.plot.canvas import (
    LISTED,
    Floats,
    axes_or_new,
    check_trajectories,
    draw_columns,
    draw_theory,
    finish,
    float_times,
    line_styles,
)
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def staircase(
    *trajectories: Trajectory,
    ax: Axes | None = None,
    limit: SaddlePath | None = None,
    **artist: Any,
) -> Axes:
    r"""Draw mode strengths in the clock t/δ, over the steps of vanishing starts.

    A start of the size e^{−2δ} learns mode i at about t = δ/σ_i.  In the clock s = t/δ
    the curves of smaller and smaller starts tend to a staircase (Gidel, Bach,
    Lacoste-Julien 2019).

    Parameters
    ----------
    *trajectories : Trajectory
        Of one two-layer problem from small starts, one line style each.
    ax : matplotlib Axes, keyword-only, optional
        Where to draw; a new figure by default.
    limit : SaddlePath, keyword-only, optional
        The steps, as `saddle_to_saddle` has them for dense layers; by default those of
        the data of the first trajectory.
    **artist : Any
        Passed to `Axes.plot` for the measured curves.

    Returns
    -------
    matplotlib Axes
        One colour per mode, the limit in thin dashes.

    Raises
    ------
    InvalidArgument
        If there is no trajectory, or one does not start small.
    HypothesisFailed
        If Σ_xx and Σ_yx have no common singular vectors.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    >>> data = sf.whitened([[2, 0], [0, 1]])
    >>> run = sf.simulate(flow, data, sf.spectral_init(1e-4), [0, 2, 4, 6, 8])
    >>> plot.staircase(run).lines[0].get_label()
    '$w_{1}$, $\\delta=9.2$'
    """
    check_trajectories(trajectories, "plot.staircase(*trajectories)")
    expect(limit, SaddlePath | None, "plot.staircase(limit=…)", "a SaddlePath")
    steps = limit or _limit(trajectories[0])
    if steps.frame is None:
        msg = "plot.staircase(limit=…): needs the SaddlePath of dense layers"
        raise InvalidArgument(msg)
    axes, end = axes_or_new(ax), 0.0
    for path, style in zip(trajectories, line_styles(len(trajectories)), strict=True):
        delta = small_start(path, steps)
        clock = float_times(path) / delta
        end = max(end, float(clock[-1]))
        name = rf"$w_{{#}}$, $\delta={delta:.2g}$"
        options = {"linestyle": style, **artist}
        draw_columns(axes, clock, strengths(path, steps), name, **options)
    label = rf"$\delta\to\infty$, {steps.reference}"
    draw_theory(axes, _limit_curves(steps, end), label, 1.0)
    axes.set_xlabel(r"time $t/\delta$")
    axes.set_ylabel("mode strengths $w_i=u_i^\\top W v_i$")
    return finish(axes, min(len(trajectories) * len(steps.sigma_yx) + 1, LISTED))


def strengths(traj: Trajectory, steps: SaddlePath) -> Floats:
    """Return w_i(t) = u_iᵀW(t)v_i, shape (times, modes)."""
    matrices = to_float_array(traj.end_to_end)
    assert steps.frame is not None
    left, right = map(to_float_array, steps.frame)
    return np.asarray(np.einsum("oi,toc,ci->ti", left, matrices, right))


def small_start(traj: Trajectory, steps: SaddlePath) -> float:
    """Return δ for a start whose largest mode is e^{−2δ}.

    Raises InvalidArgument if no mode is between 0 and 1 at the start.
    """
    largest = float(strengths(traj, steps)[0].max())
    if not 0 < largest < 1:
        msg = (
            "plot.staircase(…): the start needs modes between 0 and 1, for the clock "
            f"t/δ with e^(−2δ) the largest; it is {largest:.3g}. Start smaller, from "
            "spectral_init(1e-6) say"
        )
        raise InvalidArgument(msg)
    return -0.5 * float(np.log(largest))


def _limit(traj: Trajectory) -> SaddlePath:
    sigma_xx, sigma_yx = traj.problem.arguments
    outputs, inputs = sigma_yx.shape
    layers = LinearNetwork(inputs, min(inputs, outputs), outputs)  # room for all modes
    data = Moments(sigma_xx=sigma_xx, sigma_yx=sigma_yx)
    return saddle_to_saddle(gradient_flow(layers, SquaredLoss()), data)


def _limit_curves(steps: SaddlePath, end: float) -> Iterator[tuple[Any, Any]]:
    """Yield the limit, one step per mode."""
    sigma, lam = (to_float_array(x) for x in (steps.sigma_yx, steps.sigma_xx))
    last = max(end, 1.1 * float(1 / sigma[-1]))
    for jump, height in zip(1 / sigma, sigma / np.diagonal(lam), strict=True):
        yield [0.0, jump, jump, last], [0.0, 0.0, height, height]
