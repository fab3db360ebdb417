"""What all pictures share: colours, axes, time scales, and zeros on log scales."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.arrays import Array, to_float_array
from symflow.conservation import Law
from symflow.errors import InvalidArgument, expect, shown
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

#: Okabe and Ito (2008), without the yellow and black that vanish on white or dark.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

#: Times that span more than this factor are shown on a logarithmic axis.
LOG_SPAN = 100.0

#: Part of the height that a legend may take from the curves; else it stands beside.
MOST_LEGEND = 0.5

#: Points of a label that would leave the figure.
SMALLEST = 6.0

#: A blank outside of mathematics: after a stop, a label may go on in another line.
_OUTSIDE = r" (?=[^$]*(?:\$[^$]*\$[^$]*)*$)"

#: More curves than this are not listed in a legend.
LISTED = 8


def colours(count: int) -> list[str]:
    """Return `count` colours: those of the user's style, if there is one.

    Without one they are colours that colour-blind readers can tell apart.

    After six, or what the style has, they repeat.
    """
    from matplotlib import rcParams

    own = rcParams["axes.prop_cycle"].by_key().get("color", COLOURS)
    chosen = COLOURS if _is_default("axes.prop_cycle") else own
    return list(islice(cycle(chosen), count))


def _is_default(*names: Any) -> bool:
    """Say whether the user's style leaves these parameters as matplotlib has them."""
    from matplotlib import rcParams, rcParamsDefault

    return all(rcParams[name] == rcParamsDefault[name] for name in names)


def line_styles(count: int) -> list[str]:
    """Return `count` line styles, solid first; after four they repeat."""
    return list(islice(cycle(("-", "--", ":", "-.")), count))


def symbol_of(law: Law) -> str:
    """Return the name of a conserved quantity as matplotlib sets it."""
    return re.sub(r"(imbalance )?Δ(\d+)", r"$\\Delta_{\2}$", law.name)


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure."""
    from matplotlib import pyplot
    from matplotlib.axes import Axes as Kind

    if expect(ax, Kind | None, "plot(…, ax=…)", "axes of matplotlib or None"):
        return ax  # type: ignore[return-value]
    _, fresh = pyplot.subplots(layout="constrained")
    return fresh


def check_trajectories(values: Sequence[Any], call: str) -> None:
    """Refuse anything that is not a trajectory, and none at all."""
    if not values:
        msg = f"{call}: needs at least one trajectory"
        raise InvalidArgument(msg)
    for value in values:
        check_trajectory(value, call)


def check_trajectory(value: Any, call: str) -> None:
    """Refuse anything that is not a trajectory.

    An error names `call`.  Raises InvalidArgument if `value` is not a `Trajectory`.
    """
    if not isinstance(value, Trajectory):
        given = f"{shown(value)}".partition("\n")[0]
        middle = hasattr(value, "midpoints")
        hint = ". Give its .midpoints" if middle else ""
        msg = f"{call}: needs a trajectory, as from simulate; got {given}{hint}"
        raise InvalidArgument(msg)


def float_times(path: Trajectory) -> Floats:
    """Return the times of a trajectory as floats."""
    return to_float_array(np.asarray(path.t))


def route_name(path: Trajectory) -> str:
    """Return a short name of the route of a trajectory, for a legend."""
    return "float64" if path.context is None else f"{path.digits} digits"


def over_time(ax: Axes, times: Array, label: str, xscale: str | None = None) -> None:
    """Label both axes, that of time logarithmic where the times are spaced so.

    The spacing of all times that are drawn decides, unless `xscale` does.  Raises
    InvalidArgument if there is no such scale.
    """
    from matplotlib.scale import get_scale_names

    known = [n for n in get_scale_names() if not n.startswith("function")]
    if isinstance(xscale, str) and xscale in known:
        ax.set_xscale(xscale)
    elif xscale is not None:
        msg = f"plot(…, xscale=…): needs one of {known}; got {shown(xscale)}"
        raise InvalidArgument(msg)
    elif spaced_by_factors(times):
        ax.set_xscale("log")
    ax.set_xlabel("time $t$")
    ax.set_ylabel(label)


def spaced_by_factors(times: Array) -> bool:
    """Say whether times span decades, their ratios more even than their gaps."""
    positive = np.unique(times[times > 0])
    if len(positive) < 3 or positive[-1] <= LOG_SPAN * positive[0]:
        return False
    gaps, ratios = np.diff(positive), np.diff(np.log(positive))
    return bool(np.std(ratios) / np.mean(ratios) < np.std(gaps) / np.mean(gaps))


def without_zeros(values: Array, floor: float) -> Floats:
    """Return positive values for a logarithmic axis: zeros become gaps.

    A curve that is zero throughout would vanish; it becomes flat at `floor` instead.
    """
    floats = to_float_array(values)
    if not np.any(floats > 0):
        return np.full(floats.shape, floor)
    return np.where(floats > 0, floats, np.nan)


def draw_columns(ax: Axes, x: Array, values: Array, name: str, **artist: Any) -> None:
    """Draw every column in its colour; # in the name is its number, counted from 1."""
    for index, colour in enumerate(colours(values.shape[1])):
        label = name.replace("#", str(index + 1))
        chosen = {"color": colour, "label": label, **artist}
        ax.plot(x, values[:, index], **chosen)


def draw_theory(
    ax: Axes, curves: Iterable[tuple[Any, Any]], label: str, width: float
) -> None:
    """Draw thin dashed curves, in the colour of the labels: it contrasts with all."""
    for index, (x, y) in enumerate(curves):
        ax.plot(
            x,
            y,
            color=ax.yaxis.label.get_color(),
            linewidth=width,
            linestyle=(0, (4, 3)),
            label=label if index == 0 else "_hidden",
        )


def finish(ax: Axes, curves: int, **legend: Any) -> Axes:
    """Add grid and legend and return the axes.

    There are `curves` labels; a legend of very many is left out, and `legend` is passed
    to `Axes.legend`.
    """
    if _is_default("axes.grid", "grid.alpha", "grid.linewidth"):
        ax.grid(visible=True, alpha=0.25, linewidth=0.6)
    if 0 < curves <= LISTED:
        plain = {"frameon": False} if _is_default("legend.frameon") else {}
        small = {"fontsize": "small"} if _is_default("legend.fontsize") else {}
        ax.legend(**{**plain, **small, **legend})
    _fit(ax)
    return ax


def _fit(ax: Axes) -> None:
    """Make what is written fit into the figure, where it can measure text."""
    whole: Any = ax.figure
    renderer = getattr(whole.canvas, "get_renderer", None)
    if renderer is None:
        return
    legend: Any = ax.get_legend()
    if legend is not None:
        legend.set_in_layout(False)  # a wide one would take the room of the axes
    engine = getattr(whole, "get_layout_engine", lambda: None)()
    if engine is not None and whole is whole.figure:
        engine.execute(whole)
    ax.get_xlim(), ax.get_ylim()  # the limits are not up to date before they are read
    name = ax.yaxis.label
    low, high = name.get_window_extent(renderer()).intervaly
    room = 2 * min((low + high) / 2, whole.bbox.height - (low + high) / 2)
    if room < high - low:
        name.set_fontsize(max(SMALLEST, name.get_fontsize() * room / (high - low)))
    if legend is not None:
        legend.set_in_layout(True)
        _make_room(ax, legend, renderer())


def _make_room(ax: Axes, legend: Any, renderer: Any) -> None:
    """Let the axis go further up where the legend would lie across a curve."""
    box = legend.get_window_extent(renderer)
    for stop in ";,:":
        if box.width > ax.bbox.width:
            for text in (legend.get_title(), *legend.get_texts()):
                text.set_text(re.sub(stop + _OUTSIDE, f"{stop}\n", text.get_text()))
            box = legend.get_window_extent(renderer)
    paths = (line.get_transform().transform_path(line.get_path()) for line in ax.lines)
    if not any(path.intersects_bbox(box, filled=False) for path in paths):
        return
    part = box.height / ax.bbox.height + 0.05
    if part > MOST_LEGEND:
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((1.0, 1.0))
        return
    above = ax.transAxes.transform((0.0, 1 / (1 - part)))
    ax.set_ylim(top=float(ax.transData.inverted().transform(above)[1]))
    legend.set_loc("upper right")
