"""Curves of β in the plane, with the line of interpolants and the predicted ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.errors import InvalidArgument, expect, shown
from symflow.plot.canvas import Floats, axes_or_new, check_trajectory, colours, finish
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points of a side of the grid for level sets, their number, and the margin around.
GRID, LEVELS, MARGIN = 41, 9, 0.15


def plane(
    traj: Trajectory | Iterable[Trajectory],
    theory: Any = None,
    ax: Axes | None = None,
    *,
    labels: Sequence[str] = (),
    levels: Any = None,
    **artist: Any,
) -> Axes:
    """Draw β(t) of networks with two inputs and one output.

    Parameters
    ----------
    traj : Trajectory or iterable of Trajectory
        At any precision.
    theory : Prediction or iterable of Prediction, optional
        Predictions, as from `implicit_bias`, whose limits are marked by a cross; None
        for a curve without one.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    labels : sequence of str, keyword-only
        One for each curve.
    levels : Prediction, keyword-only, optional
        A prediction with a `value(beta)`, whose level sets are drawn behind.
    **artist : Any
        Passed to `Axes.plot` for the curves.

    Returns
    -------
    matplotlib Axes
        One curve for each trajectory, from a dot to a cross.

    Raises
    ------
    InvalidArgument
        If a trajectory is none, or has another number of inputs or outputs.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.SquaredLoss())
    >>> data = sf.Dataset([[1.0, 2.0]], [1.0])
    >>> init = ([[0.5], [0.5]], [[0.0], [0.0]])
    >>> run = sf.simulate(flow, data, init, [0, 1, 2, 8])
    >>> axes = plot.plane(run, sf.implicit_bias(flow, data, init))
    >>> len(axes.lines) >= 2
    True
    >>> axes.lines[-1].get_xydata().round(3).tolist()
    [[0.142, 0.429]]
    """
    call, needs = "plot.plane(labels=…)", "a list of names"
    for name in expect(labels, list | tuple, call, needs):
        expect(name, str, call, needs)
    try:
        runs = [traj] if isinstance(traj, Trajectory) else list(traj)
    except TypeError:  # a 0-d array looks as if it had entries
        runs = []
    paths = [_path(run) for run in runs]
    if not paths:
        msg = f"plot.plane(traj): needs one trajectory or several; got {shown(traj)}"
        raise InvalidArgument(msg)
    axes = axes_or_new(ax)
    limits = [None if item is None else _limit(item) for item in _listed(theory)]
    window = _window([*paths, *(limit[None] for limit in limits if limit is not None)])
    if levels is not None:
        _draw_levels(axes, levels, window)
    _draw_interpolants(axes, runs[0], window)
    names = [*labels, *["_hidden"] * len(paths)]
    for path, colour, name in zip(paths, colours(len(paths)), names, strict=False):
        chosen = {"color": colour, "linewidth": 1.8, "label": name, **artist}
        axes.plot(path[:, 0], path[:, 1], **chosen)
        axes.plot(*path[0], marker="o", color=colour, markersize=4)
    for limit, colour in zip(limits, colours(len(paths)), strict=False):
        if limit is not None:
            axes.plot(*limit, marker="x", color=colour, markersize=9, zorder=4)
    (left, right), (low, high) = window
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    axes.set(xlabel=r"$\beta_1$", ylabel=r"$\beta_2$")
    return finish(axes, len(labels))


def _listed(theory: Any) -> list[Any]:
    if theory is None:
        return []
    return list(theory) if isinstance(theory, list | tuple) else [theory]


def _path(run: Any) -> Floats:
    check_trajectory(run, "plot.plane(traj)")
    matrices = to_float_array(run.end_to_end)
    if matrices.shape[1:] != (1, 2):
        shape = "×".join(map(str, matrices.shape[1:]))
        msg = (
            "plot.plane(traj): needs networks with two inputs and one output; got an "
            f"end-to-end matrix {shape}"
        )
        raise InvalidArgument(msg)
    return matrices[:, 0, :]


def _limit(prediction: Any) -> Floats:
    expect(prediction, "limit", "plot.plane(theory=…)", "predictions of implicit_bias")
    return to_float_array(np.asarray(prediction.limit)).ravel()


def _window(points: list[Array]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ranges of both coordinates with a margin."""
    stacked = np.concatenate(points)
    low, high = stacked.min(axis=0), stacked.max(axis=0)
    margin = MARGIN * max(float(np.max(high - low)), 1e-12)
    (left, bottom), (right, top) = low - margin, high + margin
    return (float(left), float(right)), (float(bottom), float(top))


def _draw_interpolants(axes: Axes, run: Trajectory, window: Any) -> None:
    """Draw the line of minimizers of the loss, where there is a line of them."""
    problem = run.problem.floats
    sigma_xx, sigma_yx = problem.arguments[:2]
    rates, frame = np.linalg.eigh(sigma_xx)
    if rates[0] > 1e-11 * rates[1]:
        return
    normal, level = frame[:, 1], float(sigma_yx[0] @ frame[:, 1] / rates[1])
    across = np.array([-normal[1], normal[0]])
    reach = 2 * float(np.max(np.abs(np.array(window)))) + abs(level)
    ends = level * normal + reach * np.array([[-1.0], [1.0]]) * across
    colour = axes.yaxis.label.get_color()
    axes.plot(*ends.T, color=colour, linewidth=0.9, linestyle="--", label="_hidden")


def _draw_levels(axes: Axes, prediction: Any, window: Any) -> None:
    """Draw level sets of a potential, evenly spaced in its square root."""
    expect(prediction, "value", "plot.plane(levels=…)", "a prediction with a value(β)")
    (left, right), (low, high) = window
    x, y = np.linspace(left, right, GRID), np.linspace(low, high, GRID)
    values = np.array([[prediction.value([a, b]) for a in x] for b in y])
    above = np.sqrt(values - values.min())
    axes.contour(x, y, above, levels=LEVELS, colors="0.75", linewidths=0.7, zorder=0)
