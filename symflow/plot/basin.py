"""A map of starts by where they are proven to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symflow.algebra.display import Displayed as Displayed
from symflow.errors import InvalidArgument
from symflow.plot.canvas import axes_or_new, colours, finish
from symflow.precision.basin import BasinMap, ending_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colour of what is undecided.
UNDECIDED = "0.85"


def basin(found: BasinMap, ax: Axes | None = None, **artist: Any) -> Axes:
    """Draw a basin map, one colour for each place where starts are proven to end.

    Parameters
    ----------
    found : BasinMap
        As from `sf.basin`; what is undecided is grey.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    **artist : Any
        Passed to the `PatchCollection` of every colour.

    Returns
    -------
    matplotlib Axes
        One collection of rectangles for each ending.

    Raises
    ------
    InvalidArgument
        If the argument is no basin map.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> box = [[[sf.interval(0, 1)]], [[sf.interval(0, 1)]]]
    >>> axes = plot.basin(sf.basin(flow, sf.whitened([[1]]), box, 4))
    >>> len(axes.collections)
    2
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, Rectangle

    if not isinstance(found, BasinMap):
        msg = f"plot.basin(found): needs a map, as from sf.basin; got {found!r}"
        raise InvalidArgument(msg)
    axes = axes_or_new(ax)
    endings = sorted(found.shares, key=lambda k: (k is None, k))
    handles = []
    for ending, colour in zip(endings, colours(len(endings)), strict=True):
        shade = UNDECIDED if ending is None else colour
        patches = [
            Rectangle(
                (float(cell.x.low), float(cell.y.low)),
                float(cell.x.high - cell.x.low),
                float(cell.y.high - cell.y.low),
            )
            for cell in found.cells
            if cell.ending == ending
        ]
        look = {"facecolor": shade, "edgecolor": "white", "linewidth": 0.3, **artist}
        axes.add_collection(PatchCollection(patches, **look))
        handles.append(Patch(color=shade, label=ending_text(ending)))
    axes.autoscale_view()
    axes.set(xlabel=found.names[0], ylabel=found.names[1], aspect="equal")
    axes.legend(handles=handles, loc="upper right")
    return finish(axes, 0)
