"""What is forgotten: the losses on all data sets along a curriculum."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.arrays import to_float_array
from symflow.algebra.numbers import to_float
from symflow.curriculum import ChainedRun
from symflow.errors import expect
from symflow.plot.canvas import axes_or_new, colours, finish, float_times, over_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def forgetting(run: ChainedRun, ax: Axes | None = None, **artist: Any) -> Axes:
    """Draw the losses on all data sets of a curriculum, and where they switch.

    Parameters
    ----------
    run : ChainedRun
        Along a `Curriculum`, at any precision.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    **artist : Any
        Passed to `Axes.plot` for the losses.

    Returns
    -------
    matplotlib Axes
        One colour per data set, thick while it is learned; dotted lines at the
        switches.  Data that come back have one curve.

    Raises
    ------
    InvalidArgument
        If `run` is no run along a curriculum.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> lesson = sf.Curriculum((sf.whitened([[2]]), 3), (sf.whitened([[1]]), 5))
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, lesson, [[[1]], [[1]]], range(9))
    >>> plot.forgetting(run).lines[-1].get_xdata()[0]
    3.0
    """
    expect(run, ChainedRun, "plot.forgetting(run)", "a run along a Curriculum(…)")
    axes, times = axes_or_new(ax), float_times(run)
    same: dict[str, list[int]] = {}
    for place, piece in enumerate(run.pieces):
        given = repr([array.tolist() for array in piece.problem.arguments])
        same.setdefault(given, []).append(place)
    ends = [0.0, *accumulate(to_float(piece.t[-1]) for piece in run.pieces)]
    losses = [to_float_array(run.loss_on(places[0])) for places in same.values()]
    palette = colours(len(same))
    for places, values, colour in zip(same.values(), losses, palette, strict=True):
        names = "on data " + ", ".join(str(place + 1) for place in places)
        options = {"color": colour, "label": names, **artist}
        (curve,) = axes.plot(times, values, **options)
        again = {**options, "label": None, "linewidth": 2.2 * curve.get_linewidth()}
        for place in places:
            inside = (ends[place] <= times) & (times <= ends[place + 1])
            axes.plot(times[inside], values[inside], **again)
    for switch in ends[1:-1]:
        axes.axvline(switch, color="0.5", linestyle=":", linewidth=1.0)
    if 0 < 20 * np.min(losses) < np.max(losses):
        axes.set_yscale("log")
    over_time(axes, times, r"losses $\mathcal{L}(t)$ on all data")
    return finish(axes, len(same))
