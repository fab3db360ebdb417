"""The largest eigenvalue of the Hessian over time, and where descent is stable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symflow.algebra.numbers import to_float
from symflow.errors import InvalidArgument
from symflow.inits.init import positive_number
from symflow.plot.canvas import (
    axes_or_new,
    check_trajectory,
    colours,
    finish,
    float_times,
    over_time,
    route_name,
)
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def sharpness(
    run: Trajectory,
    step_size: Any = None,
    ax: Axes | None = None,
    *,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    r"""Draw the sharpness at every time, with the bound 2/η of gradient descent.

    Parameters
    ----------
    run : Trajectory
        At any precision.
    step_size : number, optional
        η: below 2/η descent is stable.  A run of `descend` brings its own, whose bound
        is 2(1 + β)/η with the momentum β.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot`.

    Returns
    -------
    matplotlib Axes
        The bound as a dashed line.

    Raises
    ------
    InvalidArgument
        If `run` is no trajectory, the step size not positive, the model too large, or
        layers have learning rates, for which 2/η is no bound.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[1]], [[1]]], [0, 1, 2])
    >>> axes = plot.sharpness(run, step_size=0.1)
    >>> [line.get_label() for line in axes.lines]
    ['float64', '$2/\\eta$ = 20']
    """
    check_trajectory(run, "plot.sharpness(run)")
    bound = _bound(run, step_size)
    values = [to_float(run.sharpness(time)) for time in run.t]
    axes, times = axes_or_new(ax), float_times(run)
    first, second = colours(2)
    options = {"color": first, "label": route_name(run), **artist}
    axes.plot(times, values, **options)
    if bound is not None:
        name = (
            "2" if step_size is not None or not run.stats["momentum"] else r"2(1+\beta)"
        )
        label = rf"${name}/\eta$ = {bound:.4g}"
        axes.axhline(bound, color=second, linestyle="--", label=label)
    name = r"sharpness $\lambda_{\max}(\nabla^2\mathcal{L})$"
    over_time(axes, times, name, xscale)
    return finish(axes, len(axes.lines))


def _bound(run: Trajectory, step_size: Any) -> float | None:
    """Return the sharpness up to which descent is stable, if there is a step size."""
    momentum = 0.0
    if step_size is None:
        step_size, momentum = run.stats.get("step size"), run.stats.get("momentum", 0.0)
    if step_size is None:
        return None
    size = to_float(positive_number(step_size, "plot.sharpness(run, step_size=…)"))
    if run.flow.learning_rates:
        msg = (
            "plot.sharpness(run, step_size=…): 2/η is a bound for one learning rate; "
            f"the layers have {run.flow.learning_rates}. Leave step_size out"
        )
        raise InvalidArgument(msg)
    return 2 * (1 + momentum) / size
