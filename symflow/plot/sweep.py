"""Many runs at once: their median, how far they spread, how well it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from symflow.algebra.numbers import to_float
from symflow.errors import InvalidArgument, expect, one_of, shown
from symflow.plot.canvas import (
    LISTED,
    Floats,
    axes_or_new,
    colours,
    finish,
    over_time,
)
from symflow.simulation import Ensemble, Grid, Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "loss": r"training loss $\mathcal{L}(t)$",
    "singular_values": "singular values $s_i$ of $W(t)$",
}


def sweep(
    runs: Sweep | Ensemble | Grid,
    ax: Axes | None = None,
    *,
    of: Literal["loss", "singular_values"] = "loss",
    level: float = 0.9,
    xscale: str | None = None,
    **artist: Any,
) -> Axes:
    """Draw the median over many runs, with bands for the runs and for the median.

    Parameters
    ----------
    runs : Sweep, Ensemble or Grid
        Runs that failed are left out.  Of a grid there is a curve for each combination.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    of : {"loss", "singular_values"}, keyword-only
        What is summarized, at every time.
    level : float, keyword-only
        The light band holds this part of the runs.  The dark one contains the true
        median with at least this probability, by order statistics; below about five
        runs there is none.
    xscale : str, keyword-only, optional
        Scale of the time axis: "linear", "log" …; by default as the times are spaced.
    **artist : Any
        Passed to `Axes.plot` for the median.

    Returns
    -------
    matplotlib Axes
        One curve for the loss, one per mode for singular values.  Those of a grid say
        at which labels they are.

    Raises
    ------
    InvalidArgument
        If the argument is not a sweep, or `of` or `level` makes no sense: of a grid the
        loss alone is drawn.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> starts = [[[0.5]], [[1.0]], [[0.9]]], [[[0.5]], [[0.2]], [[0.1]]]
    >>> runs = sf.ensemble(flow, sf.whitened([[1.0]]), starts, [0, 1, 2])
    >>> plot.sweep(runs).lines[0].get_label()
    'median of 3 runs; band: 90 % of them'
    """
    level = _checked(runs, of, level)
    parts: dict[str, Any] = {"": runs}
    if isinstance(runs, Grid):
        keys = [zip(runs.axes, key, strict=True) for key in runs]
        names = [", ".join(f"{axis} {x}" for axis, x in key) for key in keys]
        parts = dict(zip(names, runs.values(), strict=True))
    curves = [
        (name, values)
        for name, part in parts.items()
        for values in np.moveaxis(_finite(getattr(part, of)), -1, 0)
    ]
    times = next(iter(parts.values())).t
    axes, count = axes_or_new(ax), len(curves)
    about = _label(len(curves[0][1]), level)
    for place, (name, values) in enumerate(curves):
        mode = f"$s_{{{place + 1}}}$" if 1 < count <= LISTED else ""
        first = about if place == 0 else ""
        label = name or ", ".join(filter(None, (mode, first))) or "_hidden"
        style: dict[str, Any] = {"color": colours(count)[place], "linewidth": 1.8}
        _draw(axes, times, values, level, {**style, "label": label, **artist})
    sizes = np.concatenate([values.ravel() for _, values in curves])
    if of == "loss" and 0 < 20 * sizes.min() < sizes.max():
        axes.set_yscale("log")
    over_time(axes, times, _LABELS[of], xscale)
    if isinstance(runs, Grid):
        return finish(axes, count, title=about, title_fontsize="small")
    return finish(axes, min(count, LISTED))


def _finite(values: Floats) -> Floats:
    """Return the runs that did not fail, one curve for each entry of the last axis."""
    stacked = values[..., None] if values.ndim == 2 else values
    return stacked[np.isfinite(stacked).all(axis=(1, 2))]


def _draw(
    axes: Axes, times: Floats, values: Floats, level: float, options: dict[str, Any]
) -> None:
    low, middle, high = np.quantile(values, [(1 - level) / 2, 0.5, (1 + level) / 2], 0)
    (line,) = axes.plot(times, middle, **options)
    shade: dict[str, Any] = {"color": line.get_color(), "linewidth": 0}
    axes.fill_between(times, low, high, alpha=0.18, **shade)
    rank = median_rank(len(values), level)
    if rank is not None:
        ordered = np.sort(values, axis=0)
        axes.fill_between(times, ordered[rank], ordered[-1 - rank], alpha=0.4, **shade)


def median_rank(count: int, level: float) -> int | None:
    """Return the k for which [x₍ₖ₎, x₍ₙ₋₁₋ₖ₎] holds the median with enough probability.

    Of n independent draws in order, counted from 0, the interval misses the median of
    their distribution with probability 2·P(Bin(n, ½) ≤ k), whatever it is.

    It is the largest such k; None where even the whole range of `count` draws is not
    enough.
    """
    from scipy.stats import binom

    misses = 2 * binom.cdf(np.arange(count // 2), count, 0.5)
    enough = np.flatnonzero(misses <= 1 - level)
    return int(enough[-1]) if enough.size else None


def _label(count: int, level: float) -> str:
    text = f"median of {count} runs; band: {100 * level:.3g} % of them"
    known = median_rank(count, level) is not None
    return f"{text}, dark: of the median" if known else text


def _checked(runs: Any, of: Any, level: Any) -> float:
    """Return the level as a float."""
    one = "a Sweep, an Ensemble or a Grid"
    expect(runs, Sweep | Ensemble | Grid, "plot.sweep(runs)", one)
    one_of(of, _LABELS, "plot.sweep(of=…)")
    if isinstance(runs, Grid) and of != "loss":
        msg = f"plot.sweep(grid, of={of}): needs one of its sweeps, as grid[labels]"
        raise InvalidArgument(msg)
    part = to_float(level)
    if not 0 < part < 1:
        got = shown(level)
        msg = f"plot.sweep(level={got}): needs a part of the runs, between 0 and 1"
        raise InvalidArgument(msg)
    return part
