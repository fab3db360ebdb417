"""Problems on which predictions are shown: few samples, two points in the plane."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims.example import Example
from symflow.data import Dataset
from symflow.losses import ExponentialLoss
from symflow.networks import AbstractNetwork, LinearNetwork

#: Two layers whose first one has parts off the sample, which the second one reads.
GENERIC = [[1, 0, 1], [0, 1, 1]], [[1, 1]]

#: −log of the loss relative to the start: e^{−231} < 1e-100, e^{−1000} < 1e-434.
CLOCK = (0, 1, 10, 231, 1000)

#: The two points in the plane of Yun et al. (2021), and two others.
POINTS = Dataset([[1, 2], [0, -3]], [1, -1])
OTHER_POINTS = Dataset([[2, -1], [3, 0]], [1, 1])


def one_sample(
    key: str, *weights: Any, samples: Any = ((1, 2, 0),), **more: Any
) -> Example:
    """Return the example of dense layers that learn the target 1 of few samples.

    The samples are X, shape (n, 3), and `more` is as of `Example`.
    """
    network = LinearNetwork(3, *(len(weight) for weight in weights))
    data = Dataset(samples, [1] * len(samples))
    return Example(key, network, data, weights, (0, 1, 2, 5), **more)


def few_samples(samples: int = 2, inputs: int = 4) -> Dataset:
    """Return random samples of one output."""
    generator = np.random.default_rng(11)
    X = generator.standard_normal((samples, inputs))
    return Dataset(X, generator.standard_normal(samples))


def rotated_tensor() -> tuple[list[Array], Array]:
    """Return frames a, b and the tensor Σ_j s_j ⊗ a_j ⊗ b_j of random rows s_j.

    Of shapes (3, 3) and (4, 3, 3).
    """
    generator = np.random.default_rng(12)
    frames = [np.linalg.qr(generator.standard_normal((3, 3)))[0] for _ in range(2)]
    rows = generator.standard_normal((3, 4))
    return frames, np.einsum("ji,aj,bj->iab", rows, *frames)


def unseen(key: str, network: AbstractNetwork, weights: Any, **more: Any) -> Example:
    """Return the example of a network that learns two samples of four inputs.

    `more` is as of `Example`.
    """
    more = {"data": few_samples(), "t": (0, 1, 5, 40), "exact": False, **more}
    return Example(key, network, init=weights, **more)


def two_points(
    key: str, network: AbstractNetwork, *weights: Any, **more: Any
) -> Example:
    """Return the example of a network that classifies two points in the plane.

    By default the false version is refuted by two other points.

    `more` is as of `Example`.
    """
    shared: dict[str, Any] = {"loss": ExponentialLoss("sum"), "clock": "log loss"}
    if "false" not in more and "elsewhere" not in more:
        others = Example(key, network, OTHER_POINTS, weights, CLOCK, **shared)
        more["elsewhere"] = others
    data = more.pop("data", POINTS)
    return Example(key, network, data, weights, CLOCK, **shared, **more)


def balanced_layers(key: str, depth: int, **more: Any) -> Example:
    """Return balanced dense layers of rank one, in the direction (3, 4)/5, on points.

    `more` is as of `Example`.
    """
    inner = [[[5, 0], [0, 0]]] * (depth - 2)
    start = [[[3, 4]]] if depth == 1 else [[[3, 4], [0, 0]], *inner, [[5, 0]]]
    return two_points(key, LinearNetwork(*[2] * depth, 1), *start, **more)
