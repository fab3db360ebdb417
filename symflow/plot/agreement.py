"""To how many digits two routes agree, over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, to_mpf_array, unflatten
from symflow.algebra.numbers import WIDE, to_float
from symflow.claims import relative_size
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.plot.canvas import (
    Floats,
    axes_or_new,
    check_trajectory,
    colours,
    finish,
    over_time,
    route_name,
)
from symflow.precision.point import as_objects
from symflow.trajectory import Trajectory
from symflow.validation import agreement as differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Digits in which a difference is formed, beyond those of the run.
SPARE_DIGITS = 10


def agreement(
    first: Trajectory,
    second: Any,
    ax: Axes | None = None,
    *,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    """Draw −log₁₀ of the relative difference of two routes at their common times.

    Parameters
    ----------
    first : Trajectory
        At any precision.
    second : Trajectory or array_like
        Of the same flow and start; or your own values at the times of the first: W of
        shape (times, m, d), all weights, each of shape (times, rows, columns), or the
        entries of all weights, row by row, of shape (times, entries).
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
    ShapeMismatch
        If values are neither those of W nor those of the weights at these times.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.1]], [[0.2]]], [0, 1, 2]
    >>> rough = sf.simulate(*problem, method=sf.DOP853(rtol=1e-5))
    >>> plot.agreement(sf.simulate(*problem), rough).get_ylabel()
    'digits of agreement'
    >>> plot.agreement(sf.simulate(*problem), rough).lines[0].get_xdata().tolist()
    [0.0, 1.0, 2.0]
    """
    check_trajectory(first, "plot.agreement(first, second)")
    if isinstance(second, Trajectory):
        gaps, other = differences(first, second), second
    else:
        gaps, other = _from_values(first, second), first
    if not gaps:
        msg = "plot.agreement(first, second): the two have no time in common"
        raise InvalidArgument(msg)
    axes, times = axes_or_new(ax), np.array(list(gaps))
    digits = _digits(list(gaps.values()), max(first.digits, other.digits))
    named = route_name(other) if other is second else "given values"
    label = f"{route_name(first)} / {named}"
    options = {"color": colours(1)[0], "marker": ".", "markersize": 4, "label": label}
    axes.plot(times, digits, **{**options, **artist})
    axes.set_yscale("linear")
    top = max(axes.get_ylim()[1], 1.05 * float(np.nanmax(digits)))
    axes.set_ylim(min(0.0, float(np.nanmin(digits))), top)
    over_time(axes, times, "digits of agreement", xscale)
    # The curve starts at zero digits only where the two disagree altogether.
    return finish(axes, len(axes.lines), loc="lower left")


def _from_values(path: Trajectory, values: Any) -> dict[float, Any]:
    """Return relative differences of W, or of all weights, at the times of a run."""
    context = mpmath.MPContext()
    context.dps = path.digits + SPARE_DIGITS
    own, given = _paired(path, values)
    gaps = {}
    for place, time in enumerate(path.t):
        parts = [
            np.concatenate([to_mpf_array(a[place], context).ravel() for a in arrays])
            for arrays in (own, given)
        ]
        gaps[to_float(time)] = relative_size(parts[0] - parts[1], parts[0])
    return gaps


def _paired(path: Trajectory, values: Any) -> tuple[Sequence[Array], Sequence[Array]]:
    """Return arrays of the run and of the values that are of one shape each."""
    total = path.end_to_end
    given = as_objects(values)
    if given is not None and given.size == total.size and given.ndim <= total.ndim:
        sides = (len(total), *(side for side in total.shape[1:] if side > 1))
        if given.shape in (total.shape, sides):
            return [total], [given.reshape(total.shape)]
    shapes = [weight.shape[1:] for weight in path.weights]
    if given is not None and given.shape == (len(total), sum(map(prod, shapes))):
        return path.weights, unflatten(given, shapes)
    several = isinstance(values, Iterable) and (given is None or given.ndim > 0)
    # one more than there may be says enough of a list without end
    listed = islice(values, len(shapes) + 1) if several else ()
    parts = [as_objects(part) for part in listed]
    found = [None if part is None else part.shape for part in parts]
    if found != [weight.shape for weight in path.weights]:
        got = found if given is None or given.ndim > total.ndim else given.shape
        msg = (
            f"plot.agreement(first, second): needs a trajectory, values of shape "
            f"{total.shape} for W, weights of shapes "
            f"{[weight.shape for weight in path.weights]}, or a row of all their "
            f"entries for each time; got {got}"
        )
        raise ShapeMismatch(msg)
    return path.weights, [part for part in parts if part is not None]


def _digits(gaps: list[Any], most: int) -> Floats:
    """Return −log₁₀ of every gap: not a number for equal entries, `most` if all are."""
    # A gap may be far below the smallest float.
    digits = [-float(WIDE.log10(gap)) if gap > 0 else np.nan for gap in gaps]
    if all(gap == 0 for gap in gaps):
        digits = [float(most)] * len(gaps)
    return np.array(digits)
