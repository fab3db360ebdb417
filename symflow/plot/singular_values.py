"""The singular values of every layer over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.arrays import to_float_array
from symflow.algebra.values import Values
from symflow.errors import InvalidArgument
from symflow.networks import Network
from symflow.plot.canvas import (
    LISTED,
    Floats,
    axes_or_new,
    check_trajectory,
    colours,
    draw_columns,
    finish,
    float_times,
    line_styles,
    over_time,
)
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def singular_values(
    traj: Trajectory,
    ax: Axes | None = None,
    *,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    """Draw the singular values of every layer, one line style per layer.

    The layers of a balanced start keep the same nonzero singular values; an imbalance
    shows as a gap between them.  For those of the end-to-end matrix see `modes`.

    Parameters
    ----------
    traj : Trajectory
        At any precision, of a network that is a product of layers.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot`.

    Returns
    -------
    matplotlib Axes
        One curve per layer and singular value, the largest in the first colour.

    Raises
    ------
    InvalidArgument
        If `traj` is not a trajectory, or its network has no layers.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    >>> start = [[[0.1, 0.2]], [[0.3]]]
    >>> run = sf.simulate(flow, sf.whitened([[2, 1]]), start, [0, 1, 2])
    >>> [line.get_label() for line in plot.singular_values(run).lines]
    ['$s_{1}(W_{1})$', '$s_{1}(W_{2})$']
    """
    check_trajectory(traj, "plot.singular_values(traj)")
    layers = layer_values(traj)
    axes, times = axes_or_new(ax), float_times(traj)
    styles = line_styles(len(layers))
    for number, (values, style) in enumerate(zip(layers, styles, strict=True), start=1):
        name, options = f"$s_{{#}}(W_{{{number}}})$", {"linestyle": style, **artist}
        draw_columns(axes, times, values, name, **options)
    count = sum(values.shape[1] for values in layers)
    if count > LISTED:
        _name_colours_and_styles(axes, layers, styles)
    over_time(axes, times, r"singular values $s_i(W_\ell)$ of the layers", xscale)
    return finish(axes, min(count, LISTED), ncols=1 if count <= LISTED else 2)


def layer_values(traj: Trajectory) -> list[Floats]:
    """Return the singular values of each layer's matrix, shape (times, values).

    Raises InvalidArgument if the network has no layers.
    """
    network = traj.flow.network
    if not isinstance(network, Network):
        msg = (
            f"plot.singular_values(traj): {network!r} has no layers, so that its "
            "weights have no singular values; plot.modes(traj) draws those of W"
        )
        raise InvalidArgument(msg)
    arrays = [to_float_array(weight) for weight in traj.weights]
    values = Values(dict(zip(traj.flow.state, arrays, strict=True)))
    matrices = [np.asarray(values.of(node), float) for node in network.matrices]
    return [np.asarray(np.linalg.svd(m, compute_uv=False)) for m in matrices]


def _name_colours_and_styles(axes: Axes, layers: list[Floats], styles: Any) -> None:
    """Name every colour and every style once, where a list of all would be too long."""
    for line in axes.lines[-sum(values.shape[1] for values in layers) :]:
        line.set_label("_hidden")
    most = max(values.shape[1] for values in layers)
    for index, colour in enumerate(dict.fromkeys(colours(most))):
        rest = ", …" if most > index + len(set(colours(most))) else ""
        axes.plot([], [], color=colour, label=f"$s_{{{index + 1}}}${rest}")
    grey = axes.yaxis.label.get_color()
    for number, style in enumerate(styles, start=1):
        axes.plot([], [], color=grey, linestyle=style, label=f"$W_{{{number}}}$")
