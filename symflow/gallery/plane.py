"""The plane experiment: one sample in two dimensions, and where β goes.

Yun, Krishnan, Mobahi (2021).  From β = 0, dense, diagonal and convolutional networks of
two and three layers meet the line ⟨x, β⟩ = y at points that depend on the network and
on the scale α of its weights.  For ([1, 2], 1) the ends as α → 0 are the interpolants
of least ℓ₂ norm (1/5, 2/5), of least ℓ₁ norm (0, 1/2) and of least Fourier ℓ₁ norm
(1/3, 1/3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias import Prediction, implicit_bias
from symflow.data import Dataset
from symflow.errors import InvalidArgument, shown
from symflow.flow import gradient_flow
from symflow.losses import SquaredLoss
from symflow.networks import ConvolutionalNetwork, DiagonalNetwork, LinearNetwork
from symflow.simulation import DOP853, simulate
from symflow.trajectory import Trajectory

#: The networks, and the shapes of their first layers at α = 1.
SHAPES: dict[str, Array] = {
    "dense": np.array([[1.0, 0.4], [-0.3, 0.8]]),
    "diagonal": np.array([[1.0], [1.0]]),
    "convolutional": np.array([[1.2], [0.5]]),
}


@dataclass(frozen=True, eq=False)
class PlaneRun:
    """One curve of the experiment."""

    kind: str  #: ``"dense"``, ``"diagonal"`` or ``"convolutional"``.
    depth: int  #: Number of layers.
    alpha: float  #: Scale of the weights at the start.
    trajectory: Trajectory  #: The float64 run.
    bias: Prediction | None  #: The prediction of its end, where there is one at this α.

    @property
    def path(self) -> Array:
        """β(t), shape (times, 2)."""
        return np.asarray(self.trajectory.end_to_end[:, 0, :])

    @property
    def end(self) -> Array:
        """Where β ends, shape (2,)."""
        return np.asarray(self.path[-1])


def plane_experiment(
    kinds: Iterable[str] = ("dense", "diagonal", "convolutional"),
    depths: Iterable[int] = (2, 3),
    scales: Iterable[float] = (0.01, 0.5, 1.0),
    *,
    data: Any = None,
    t: float = 300.0,
) -> tuple[PlaneRun, ...]:
    """Follow β in the plane for several networks, depths and scales.

    Parameters
    ----------
    kinds : iterable of str
        ``"dense"``, ``"diagonal"``, ``"convolutional"``.
    depths : iterable of int
        Numbers of layers.
    scales : iterable of float
        α.
    data : Dataset, keyword-only, optional
        Two inputs; one sample ([1, 2], 1) by default.
    t : float, keyword-only
        When a flow counts as converged.

    Returns
    -------
    tuple of PlaneRun
        With trajectories that start at β = 0, and the predictions of their ends.

    Raises
    ------
    InvalidArgument
        If a kind is unknown.

    Examples
    --------
    >>> (run,) = plane_experiment(["diagonal"], [2], [0.5])
    >>> run.end.round(4), run.bias.limit[0].round(4)
    (array([0.1418, 0.4291]), array([0.1418, 0.4291]))
    """
    samples = Dataset([[1.0, 2.0]], [1.0]) if data is None else data
    return tuple(
        _run(kind, depth, alpha, samples, t)
        for kind in kinds
        for depth in depths
        for alpha in scales
    )


def plane_start(kind: str, depth: int, alpha: float) -> tuple[Any, tuple[Array, ...]]:
    """Return a network on two inputs, and a start at β = 0 of scale α.

    All layers but the last have the shape of `SHAPES`, and the last is zero; the inner
    layers of a dense network are the identity.

    The kind is a key of `SHAPES`.  Raises InvalidArgument if the kind is unknown.
    """
    if kind not in SHAPES:
        msg = (
            f"plane_experiment(kinds=…): one of {', '.join(SHAPES)}; got {shown(kind)}"
        )
        raise InvalidArgument(msg)
    first = alpha * SHAPES[kind]
    if kind == "dense":
        inner = [alpha * np.eye(2)] * (depth - 2)
        net = LinearNetwork(*[2] * depth, 1)
        return net, (first, *inner, np.zeros((1, 2)))
    start = (*[first] * (depth - 1), np.zeros((2, 1)))
    if kind == "diagonal":
        return DiagonalNetwork(2, depth), start
    return ConvolutionalNetwork(2, filters=(2,) * depth), start


def _run(kind: str, depth: int, alpha: float, data: Any, t: float) -> PlaneRun:
    net, start = plane_start(kind, depth, alpha)
    flow = gradient_flow(net, SquaredLoss())
    times = [0.0, *np.geomspace(1e-3, t, 120).tolist()]
    run = simulate(flow, data, start, times, method=DOP853(rtol=1e-10, atol=1e-13))
    bias = None if kind == "dense" else implicit_bias(flow, data, start)
    return PlaneRun(kind, depth, alpha, run, bias)
