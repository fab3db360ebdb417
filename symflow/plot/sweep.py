"""Many runs at once: their median, how far they spread, how well it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from symflow.algebra.numbers import to_float
from symflow.errors import InvalidArgument, expect
from symflow.plot.canvas import (
    LISTED,
    Floats,
    axes_or_new,
    colours,
    finish,
    time_axis,
)
from symflow.simulation import Ensemble, Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "loss": r"training loss $\mathcal{L}(t)$",
    "singular_values": "singular values $s_i$ of $W(t)$",
}


def sweep(
    runs: Sweep | Ensemble,
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
    runs : Sweep or Ensemble
        Runs that failed are left out.
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
        One curve for the loss, one per mode for singular values.

    Raises
    ------
    InvalidArgument
        If the argument is not a sweep, or `of` or `level` makes no sense.

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
    _check(runs, of, level)
    level = to_float(level)
    values = getattr(runs, of)
    stacked: Floats = values[..., None] if of == "loss" else values
    stacked = stacked[np.isfinite(stacked).all(axis=(1, 2))]
    axes = axes_or_new(ax)
    count = stacked.shape[-1]
    for mode, colour in enumerate(colours(count)):
        about = _label(len(stacked), level) if mode == 0 else ""
        name = f"$s_{{{mode + 1}}}$" if 1 < count <= LISTED else ""
        label = ", ".join(filter(None, (name, about))) or "_hidden"
        options = {"color": colour, "linewidth": 1.8, "label": label, **artist}
        _draw(axes, runs.t, stacked[..., mode], level, options)
    if of == "loss" and 0 < 20 * stacked.min() < stacked.max():
        axes.set_yscale("log")
    axes.set_ylabel(_LABELS[of])
    time_axis(axes, runs.t, xscale)
    return finish(axes, min(count, LISTED))


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

    Examples
    --------
    >>> median_rank(10, 0.9), median_rank(3, 0.9)
    (1, None)
    """
    from scipy.stats import binom

    misses = 2 * binom.cdf(np.arange(count // 2), count, 0.5)
    enough = np.flatnonzero(misses <= 1 - level)
    return int(enough[-1]) if enough.size else None


def _label(count: int, level: float) -> str:
    text = f"median of {count} runs; band: {100 * level:.3g} % of them"
    known = median_rank(count, level) is not None
    return f"{text}, dark: of the median" if known else text


def _check(runs: Any, of: Any, level: Any) -> None:
    expect(runs, Sweep | Ensemble, "plot.sweep(runs)", "a Sweep or an Ensemble")
    if not isinstance(of, str) or of not in _LABELS:
        msg = f"plot.sweep(of={of!r}): there are {' and '.join(map(repr, _LABELS))}"
        raise InvalidArgument(msg)
    if isinstance(level, bool) or not 0 < to_float(level) < 1:
        msg = f"plot.sweep(level={level!r}): needs a part of the runs, between 0 and 1"
        raise InvalidArgument(msg)
