"""The spectrum of every imbalance, at the start and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.conservation import Law, conserved
from symflow.errors import InvalidArgument
from symflow.plot.canvas import (
    Floats,
    axes_or_new,
    check_trajectory,
    colours,
    finish,
    symbol_of,
)
from symflow.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: An imbalance that is smaller beside the squared weights is one of a balanced start.
ROUNDING = 1e-6


def imbalance(traj: Trajectory, ax: Axes | None = None, **artist: Any) -> Axes:
    """Draw the eigenvalues of every imbalance, at the first time and at the last.

    Without weight decay the dots fill the rings.  Positive eigenvalues say that the
    later layer is the larger one, and a spectrum far from zero that learning is fast.

    Parameters
    ----------
    traj : Trajectory
        At any precision.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    **artist : Any
        Passed to `Axes.plot`.

    Returns
    -------
    matplotlib Axes
        Rings: the first time; dots: the last.

    Raises
    ------
    InvalidArgument
        If `traj` is not a trajectory, or its network has no pair of layers with an
        imbalance.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow import plot
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    >>> start = [[[1, 0], [0, 2]], [[0, 3]]]
    >>> run = sf.simulate(flow, sf.whitened([[2, 1]]), start, [0, 1])
    >>> plot.imbalance(run).lines[0].get_ydata().round(6).tolist()
    [5.0, -1.0]
    """
    check_trajectory(traj, "plot.imbalance(traj)")
    laws = conserved(traj.problem.at_rest.flow)  # momentum does not keep them
    spectra = [(symbol_of(law), _spectrum(law, traj)) for law in laws]
    if not spectra:
        msg = (
            f"plot.imbalance(traj): no pair of layers of {traj.flow.network!r} has an "
            "imbalance that is known"
        )
        raise InvalidArgument(msg)
    axes = axes_or_new(ax)
    for (symbol, (first, last)), colour in zip(
        spectra, colours(len(spectra)), strict=True
    ):
        _draw(axes, symbol, first, last, {"color": colour, **artist})
    _keep_scale(axes, spectra, traj)
    axes.axhline(0.0, color="0.5", linewidth=0.8, zorder=0.5)
    axes.set_xlabel("index $k$")
    axes.set_ylabel(
        r"eigenvalues of $\Delta_\ell=W_{\ell+1}^\top W_{\ell+1}-W_\ell W_\ell^\top$"
    )
    axes.locator_params(axis="x", integer=True)
    return finish(axes, 2 * len(spectra))


def _keep_scale(axes: Axes, spectra: Any, traj: Trajectory) -> None:
    """Draw eigenvalues that are rounding beside the squared weights as zero."""
    size = max(float(np.max(to_float_array(w[[0, -1]]) ** 2)) for w in traj.weights)
    largest = max(np.max(np.abs(ends)) for _, ends in spectra)
    if largest < ROUNDING * size:
        axes.set_ylim(-size, size)


def _draw(
    axes: Axes, symbol: str, first: Floats, last: Floats, options: dict[str, Any]
) -> None:
    index = np.arange(1, len(first) + 1)
    ring = {"linestyle": "", "marker": "o", "markersize": 9, "fillstyle": "none"}
    axes.plot(index, first, **{**ring, "label": f"{symbol}(0)", **options})
    dot = {"linestyle": "", "marker": "o", "markersize": 4}
    axes.plot(index, last, **{**dot, "label": f"{symbol}(T)", **options})


def _spectrum(law: Law, traj: Trajectory) -> tuple[Floats, Floats]:
    """Return the eigenvalues, largest first, at both ends of a trajectory."""
    weights = traj.weights[: len(traj.problem.at_rest.weights)]
    ends = [to_float_array(weight[[0, -1]]) for weight in weights]
    first, last = np.asarray(law.value(ends), float)
    return _eigenvalues(first), _eigenvalues(last)


def _eigenvalues(quantity: Array) -> Floats:
    """Return eigenvalues of a symmetric matrix; of a list of laws, the values."""
    square = quantity.ndim == 2 and quantity.shape[0] == quantity.shape[1]
    values = np.linalg.eigvalsh(quantity) if square else np.sort(quantity.ravel())
    return np.asarray(values[::-1])
