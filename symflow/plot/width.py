"""Distance from least norm against the width, under its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.errors import expect
from symflow.plot.canvas import LISTED, axes_or_new, colours, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def width(experiment: Any, ax: Axes | None = None, **artist: Any) -> Axes:
    r"""Draw the measured distances of a width experiment, and both bounds on them.

    Parameters
    ----------
    experiment : WidthExperiment
        As from `symflow.gallery.width_experiment`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    **artist : Any
        Passed to `Axes.plot` for the measured points.

    Returns
    -------
    matplotlib Axes
        Logarithmic in both directions: a power of the width is a straight line.

    Raises
    ------
    InvalidArgument
        If `experiment` is something else.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> from symflow.gallery import width_experiment
    >>> rng = np.random.default_rng(0)
    >>> data = sf.Dataset(rng.standard_normal((3, 8)), rng.standard_normal(3))
    >>> axes = plot.width(width_experiment(data, [100, 400], runs=2, rng=1))
    >>> [line.get_label() for line in axes.lines][-2:]
    ['bound for the start, median', 'asymptotic theorem']
    >>> axes.lines[0].get_xdata().tolist()
    [100, 400]
    """
    expect(experiment, "theorem", "plot.width(experiment)", "a width_experiment")
    axes = axes_or_new(ax)
    first, second, third = colours(3)
    sizes, medians = experiment.widths, np.median(experiment.distances, axis=1)
    options = {"color": first, "marker": "o", "linestyle": "", "markersize": 4}
    for number, distances in enumerate(experiment.distances.T):
        label = None if number else "measured"
        axes.plot(sizes, distances, **{**options, "label": label, **artist})
    slope = rf"median $\propto h^{{{experiment.slope:.2f}}}$"
    axes.plot(sizes, medians, color=first, linewidth=1.5, label=slope)
    bound = np.median(experiment.bounds, axis=1)
    label = "bound for the start, median"
    axes.plot(sizes, bound, color=second, linestyle="--", label=label)
    label = "asymptotic theorem"
    axes.plot(sizes, experiment.theorem, color=third, linestyle=":", label=label)
    axes.set_xscale("log")
    if len(sizes) <= LISTED:
        axes.set_xticks(sizes, [f"{size}" for size in sizes])
        axes.minorticks_off()
    axes.set_yscale("log")
    axes.set_xlabel("hidden width $h$")
    axes.set_ylabel(r"$\|W(\infty)-\Sigma_{yx}\Sigma_{xx}^+\|_F$")
    return finish(axes, 4)
