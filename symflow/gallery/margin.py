"""Entries of the atlas about classification: directions, and how fast they are reached.

Every trajectory is in the clock of the loss, to 1e-100 and further.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias import implicit_bias
from symflow.bias.reference_problems import balanced_layers, two_points
from symflow.claims.bibliography import JI_TELGARSKY_2019, YUN_2021
from symflow.claims.example import Example
from symflow.data import Dataset
from symflow.flow import directional_flow, gradient_flow
from symflow.gallery.entry import NumberEntry
from symflow.losses import ExponentialLoss
from symflow.networks import ConvolutionalNetwork, DiagonalNetwork
from symflow.simulation import simulate

#: Where slopes are measured.
FAR = (1_000, 10_000)


def _diagonal() -> Example:
    return two_points("diagonal", DiagonalNetwork(2, 2), [[2], [2]], [[1], [1]])


def _slopes() -> Array:
    """Return d log(1 − cos∠)/d log‖W‖ for one, two and three dense layers."""
    found = []
    for depth in (1, 2, 3):
        given = balanced_layers("dense", depth)
        bias: Any = implicit_bias(given.flow, given.data, given.init)
        run = simulate(given.flow, given.data, given.init, FAR)
        norms = np.linalg.norm(run.end_to_end[:, 0], axis=1)
        gaps = np.array([np.sin(bias.angle(row) / 2) ** 2 for row in run.end_to_end])
        found.append(np.log(gaps[1] / gaps[0]) / np.log(norms[1] / norms[0]))
    return np.array(found)


def _slack_slope() -> float:
    """Return d log(β_1/β_2)/d log β_2 for two diagonal layers."""
    given = _diagonal()
    run = simulate(given.flow, given.data, given.init, FAR)
    first, second = run.end_to_end[:, 0].T
    change = np.diff(np.log(first / second)) / np.diff(np.log(second))
    return float(change[0])


def _plane() -> Iterator[Example]:
    """Yield problems with two inputs: dense, diagonal and circular layers."""
    yield balanced_layers("two dense", 2)
    yield _diagonal()
    network = ConvolutionalNetwork(2, filters=(2, 2))
    yield two_points("circular", network, [[2.0], [0.5]], [[1.0], [0.3]])


def _directions() -> Array:
    return np.array([implicit_bias(x.flow, x.data, x.init).limit[0] for x in _plane()])


def _reached() -> Array:
    runs = [simulate(x.flow, x.data, x.init, [0, 100_000]) for x in _plane()]
    rows = np.array([run.end_to_end[-1, 0] for run in runs])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _filters() -> tuple[Array, Array]:
    """Return singular vectors of M(u), and the directions of both filters."""
    network = ConvolutionalNetwork(3, filters=(2, 2))
    flow = directional_flow(gradient_flow(network, ExponentialLoss("sum")))
    data = Dataset([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]], [1.0, 1.0])
    run = simulate(flow, data, ([[1.5], [0.5]], [[1.0], [0.4]]), [0, 100_000])
    margins = data.X @ run.end_to_end[-1, 0]
    shares = np.exp(np.min(margins) - margins)
    matrix = np.tensordot(shares @ data.X, network.as_tensor(), axes=(0, 0))
    left, _, right = np.linalg.svd(to_float_array(matrix))
    units = [w[-1, :, 0] / np.linalg.norm(w[-1]) for w in run.weights]
    return np.abs(np.stack([left[:, 0], right[0]])), np.abs(np.stack(units))


MARGIN = (
    NumberEntry(
        "ji-exponents",
        "exponents of 1 − cos∠(W, limit) in ‖W‖ for L = 1, 2, 3, from e^{−1000} to "
        "e^{−10000} of the loss",
        JI_TELGARSKY_2019,
        ("dense layers, balanced", "two points in the plane"),
        lambda: [-2, -1, -2 / 3],
        _slopes,
        lambda slopes: slopes[::-1],
        0.01,
    ),
    NumberEntry(
        "yun-slack",
        "exponent of β_1/β_2 in β_2: minus the slack 1 − |s_1| of the dual constraint",
        YUN_2021,
        ("two diagonal layers", "two points in the plane"),
        lambda: -0.5,
        _slack_slope,
        lambda slope: 2 * slope,
        0.02,
    ),
    NumberEntry(
        "yun-directions",
        "directions of dense, diagonal and circular layers, L = 2, for a loss e^{−1e5}",
        YUN_2021,
        ("two points in the plane",),
        _directions,
        _reached,
        lambda directions: directions[[1, 0, 2]],
        0.01,
    ),
    NumberEntry(
        "yun-singular",
        "directions of two small filters, singular vectors of M(u), at loss e^{−1e5}",
        YUN_2021,
        ("filters of two taps on three inputs", "two samples"),
        lambda: _filters()[0],
        lambda: _filters()[1],
        lambda vectors: vectors[:, ::-1],
        0.03,
    ),
)
