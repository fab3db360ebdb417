"""A map of starts by where they are proven to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symflow.errors import expect
from symflow.plot.canvas import axes_or_new, colours, finish
from symflow.precision import BasinMap
from symflow.precision.basin import ending_text

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
        Passed to the `PolyCollection` of every colour.

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
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> box = [[[sf.interval(0.75, 1.25)]], [[sf.interval(1, 1.125)]]]
    >>> axes = plot.basin(sf.basin(flow, sf.whitened([[1]]), box, 4))
    >>> len(axes.collections)
    1
    """
    from matplotlib.collections import PolyCollection

    expect(found, BasinMap, "plot.basin(found)", "a map, as from sf.basin")
    axes = axes_or_new(ax)
    endings = sorted(found.shares, key=lambda k: (k is None, k))
    for ending, colour in zip(endings, colours(len(endings)), strict=True):
        shade = UNDECIDED if ending is None else colour
        cells = [
            tuple(map(float, (c.x.low, c.x.high, c.y.low, c.y.high)))
            for c in found.cells
            if c.ending == ending
        ]
        corners = [[(a, c), (b, c), (b, d), (a, d)] for a, b, c, d in cells]
        look = {"facecolor": shade, "edgecolor": "white", "linewidth": 0.3, **artist}
        label = ending_text(ending)
        axes.add_collection(PolyCollection(corners, label=label, **look))
    axes.autoscale_view()
    axes.set(xlabel=found.names[0], ylabel=found.names[1], aspect="equal")
    above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
    return finish(axes, len(endings), **above)
