"""To how many digits two routes agree, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.numbers import WIDE
from symflow.errors import InvalidArgument
from symflow.plot.canvas import (
    Floats,
    axes_or_new,
    check_trajectory,
    colours,
    finish,
    route_name,
    time_axis,
)
from symflow.trajectory import Trajectory
from symflow.validation import agreement as differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def agreement(
    first: Trajectory,
    second: Trajectory,
    ax: Axes | None = None,
    *,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    """Draw −log₁₀ of the relative difference of two routes at their common times.

    Parameters
    ----------
    first, second : Trajectory
        Of one flow from one start, at any precision.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot`.

    Returns
    -------
    matplotlib Axes
        Times at which the two are equal in every digit are gaps.

    Raises
    ------
    InvalidArgument
        If the two have no time in common.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.1]], [[0.2]]], [0, 1, 2]
    >>> rough = sf.simulate(*problem, method=sf.DOP853(rtol=1e-5))
    >>> plot.agreement(sf.simulate(*problem), rough).get_ylabel()
    'digits of agreement'
    """
    for path in (first, second):
        check_trajectory(path, "plot.agreement(first, second)")
    gaps = differences(first, second)
    if not gaps:
        msg = "plot.agreement(first, second): the two have no time in common"
        raise InvalidArgument(msg)
    axes, times = axes_or_new(ax), np.array(list(gaps))
    digits = _digits(list(gaps.values()), max(first.digits, second.digits))
    label = f"{route_name(first)} / {route_name(second)}"
    options = {"color": colours(1)[0], "marker": ".", "markersize": 4, "label": label}
    axes.plot(times, digits, **{**options, **artist})
    axes.set_yscale("linear")
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(digits))))
    axes.set_ylabel("digits of agreement")
    time_axis(axes, times, xscale)
    # The curve starts at zero digits only where the two disagree altogether.
    return finish(axes, len(axes.lines), loc="lower left")


def _digits(gaps: list[Any], most: int) -> Floats:
    """Return −log₁₀ of every gap: not a number for equal entries, `most` if all are."""
    # A gap may be far below the smallest float.
    digits = [-float(WIDE.log10(gap)) if gap > 0 else np.nan for gap in gaps]
    if all(gap == 0 for gap in gaps):
        digits = [float(most)] * len(gaps)
    return np.array(digits)
