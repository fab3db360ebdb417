"""Random data with many random starts each, on which bounds are held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import pairwise
from typing import Any, Concatenate, ParamSpec

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims.example import Example
from symflow.data import Dataset, Measurements, Moments, whitened
from symflow.flow import GradientFlow
from symflow.flow.given import DataLike
from symflow.losses import ExponentialLoss, MeasurementLoss, SquaredLoss
from symflow.networks import AbstractNetwork, DiagonalNetwork, LinearNetwork

#: Starts per data set.
STARTS = 25

Weights = tuple[Array, ...]
Given = ParamSpec("Given")


@dataclass(frozen=True, eq=False)
class Batch:
    """One data set with many starts."""

    widths: tuple[int, ...]  #: Of the network.
    data: DataLike  #: What is learned.
    starts: Weights  #: For each layer an array (starts, rows, columns).
    t: tuple[float, ...]  #: When the flow is looked at.
    network: AbstractNetwork | None = None  #: Dense layers of these widths without it.
    loss: Any = field(default_factory=SquaredLoss)  #: Whose flow it is.
    clock: str = "time"  #: ``"log loss"`` for the flow in the clock of its loss.

    @property
    def flow(self) -> GradientFlow:
        """The flow of all of them."""
        net = self.network or LinearNetwork(*self.widths)
        return Example("", net, self.data, (), loss=self.loss, clock=self.clock).flow


Maker = Callable[[np.random.Generator], Batch]


def maker(
    draw: Callable[Concatenate[np.random.Generator, Given], Batch],
) -> Callable[Given, Maker]:
    """Let a function of a generator and options wait for the generator."""

    @wraps(draw)
    def made(*given: Given.args, **named: Given.kwargs) -> Maker:
        return lambda generator: draw(generator, *given, **named)

    return made


@maker
def gaussian(
    generator: np.random.Generator, *widths: int, size: float = 0.7, t: float = 2.0
) -> Batch:
    """Draw Gaussian data with independent Gaussian starts."""
    data = _moments(generator, widths, generator.standard_normal)
    shapes = [(STARTS, rows, columns) for columns, rows in pairwise(widths)]
    starts = tuple(size * generator.standard_normal(shape) for shape in shapes)
    return Batch(widths, data, starts, _grid(t))


@maker
def near(generator: np.random.Generator, *widths: int, t: float = 2.0) -> Batch:
    """Draw starts around one whose product almost fits the data."""
    shapes = [(rows, columns) for columns, rows in pairwise(widths)]
    middle = [generator.standard_normal(shape) for shape in shapes]

    def target(shape: tuple[int, ...]) -> Array:
        product = np.linalg.multi_dot(middle[::-1])
        return np.asarray(product + 0.05 * generator.standard_normal(shape))

    data = _moments(generator, widths, target)
    starts = tuple(
        weight + 0.05 * generator.standard_normal((STARTS, *weight.shape))
        for weight in middle
    )
    return Batch(widths, data, starts, _grid(t))


@maker
def measured(generator: np.random.Generator, *widths: int, near: bool = False) -> Batch:
    """Draw measurements of a matrix, and Gaussian starts, or starts near its layers."""
    shapes = [(rows, columns) for columns, rows in pairwise(widths)]
    middle = [generator.standard_normal(shape) for shape in shapes]
    target = np.linalg.multi_dot(middle[::-1])
    A = generator.standard_normal((2 * target.size, *target.shape))
    y = np.einsum("kij,ij->k", A, target) + 0.05 * generator.standard_normal(len(A))
    spread = [generator.standard_normal((STARTS, *shape)) for shape in shapes]
    starts = [
        weight + 0.05 * noise if near else 0.7 * noise
        for weight, noise in zip(middle, spread, strict=True)
    ]
    data = Measurements(A, y)
    return Batch(widths, data, tuple(starts), _grid(2.0), loss=MeasurementLoss())


def _moments(
    generator: np.random.Generator, widths: tuple[int, ...], target: Any
) -> Moments:
    """Return moments of twice as many samples as inputs, and of a linear teacher."""
    inputs, outputs = widths[0], widths[-1]
    X = generator.standard_normal((2 * inputs, inputs))
    sigma_xx = X.T @ X / len(X)
    return Moments(sigma_xx, target((outputs, inputs)) @ sigma_xx)


@maker
def balanced(generator: np.random.Generator, *widths: int, t: float = 2.0) -> Batch:
    """Draw balanced starts of full rank near a whitened target."""
    rank = min(widths)
    ends = [_frame(generator, width, rank) for width in (widths[-1], widths[0])]
    values = generator.uniform(0.8, 1.5, rank)
    noise = 0.1 * generator.standard_normal((widths[-1], widths[0]))
    data = whitened((ends[0] * values) @ ends[1].T + noise)
    starts = [
        _chain(generator, widths, ends, values ** (1 / (len(widths) - 1)))
        for _ in range(STARTS)
    ]
    return Batch(widths, data, _stacked(starts), _grid(t))


@maker
def unimodal(generator: np.random.Generator, *widths: int, t: float = 1.0) -> Batch:
    """Draw starts whose layers shrink: D_l ⪰ 0 for all l."""
    size = widths[0]
    target = generator.standard_normal((widths[-1], size))
    starts = []
    for _ in range(STARTS):
        steps = generator.uniform(0.1, 1, (len(widths) - 1, size))
        squares = np.cumsum(steps, axis=0)[::-1]
        frames = [_frame(generator, width, size) for width in widths]
        starts.append(_layers(frames, np.sqrt(squares)))
    return Batch(widths, whitened(target), _stacked(starts), _grid(t))


@maker
def ordered(
    generator: np.random.Generator, depth: int, size: int = 3, t: float = 1.0
) -> Batch:
    """Draw square layers that shrink, before one small output."""
    widths = (*[size] * depth, 1)
    target = generator.standard_normal((1, size))
    starts = []
    for _ in range(STARTS):
        steps = generator.uniform(0.2, 1, (depth - 1, size))
        roots = np.sqrt(np.cumsum(steps, axis=0)[::-1])
        frames = [_frame(generator, size, size) for _ in range(depth)]
        last = generator.standard_normal((1, size))
        last *= 0.3 / np.linalg.norm(last)
        starts.append([*_layers(frames, roots), last])
    return Batch(widths, whitened(target), _stacked(starts), _grid(t))


@maker
def diagonal(
    generator: np.random.Generator, depth: int, size: int = 3, t: float = 2.0
) -> Batch:
    """Draw diagonal networks whose last layer starts smallest."""
    data = _moments(generator, (size, 1), generator.standard_normal)
    shape = (STARTS, size, 1)
    layers = [generator.uniform(0.7, 1.5, shape) for _ in range(depth - 1)]
    last = 0.3 * generator.standard_normal(shape).clip(-2, 2)
    starts = (*layers, last)
    return Batch((size, 1), data, starts, _grid(t), DiagonalNetwork(size, depth))


@maker
def one_neuron(
    generator: np.random.Generator,
    depth: int,
    *,
    size: float = 1.0,
    spread: float = 0.5,
    t: float = 6.0,
) -> Batch:
    """Draw balanced one-neuron starts for a 3×4 target."""
    widths = (4, 1, *[2] * (depth - 2), 3)
    left, right = (_frame(generator, width, 3) for width in (3, 4))
    values = np.array([1.0, generator.uniform(0, 0.6), 0.1])
    values *= generator.uniform(0.7, 1.5)
    starts = []
    for _ in range(STARTS):
        near = [
            frame[:, :1] + spread * generator.standard_normal((len(frame), 1))
            for frame in (left, right)
        ]
        ends = [vector / np.linalg.norm(vector) for vector in near]
        strength = size * values[0] * generator.uniform(0.3, 2)
        root = np.array([strength ** (1 / depth)])
        starts.append(_chain(generator, widths, ends, root))
    data = whitened((left * values) @ right.T)
    return Batch(widths, data, _stacked(starts), _grid(t))


@maker
def spectral(
    generator: np.random.Generator, *widths: int, residual: float = 0.0, t: float = 12.0
) -> Batch:
    """Draw small spectral starts; frames are shared but for a residual.

    Without the residual Σ_xx and Σ_yx share their singular vectors.
    """
    modes = min(widths[0], widths[-1])
    left = _frame(generator, widths[-1], modes)
    right = _frame(generator, widths[0], widths[0])
    lam = generator.uniform(0.5, 2, widths[0])
    sigma = generator.uniform(0.5, 2, modes)
    noise = residual * generator.standard_normal((widths[0], widths[0]))
    inside = np.diag(lam) + noise @ noise.T / max(residual, 1e-300)
    data = Moments(right @ inside @ right.T, (left * sigma) @ right[:, :modes].T)
    starts = []
    for _ in range(STARTS):
        strengths = 10.0 ** generator.uniform(-4, -2, modes)
        ends = [left, right[:, :modes]]
        starts.append(_chain(generator, widths, ends, np.sqrt(strengths)))
    return Batch(widths, data, _stacked(starts), _grid(t))


@maker
def underdetermined(
    generator: np.random.Generator, *widths: int, size: float = 1.0, t: float = 4.0
) -> Batch:
    """Draw data with fewer samples than inputs, and Gaussian starts."""
    given = gaussian(*widths, size=size, t=t)(generator)
    X = generator.standard_normal((2, widths[0]))
    Y = 0.2 * generator.standard_normal((2, widths[-1]))
    return replace(given, data=Moments(X.T @ X / 2, Y.T @ X / 2))


@maker
def turning(
    generator: np.random.Generator, *widths: int, samples: int = 5, size: float = 1.0
) -> Batch:
    """Draw separable data with starts near a separating direction.

    The layers are balanced and of rank one; the loss is exponential, in its own clock.
    """
    goal = generator.standard_normal(widths[0])
    goal /= np.linalg.norm(goal)
    rows = generator.standard_normal((samples, widths[0]))
    rows *= np.sign(rows @ goal)[:, None]
    rows += 0.3 * goal
    near = goal + 0.2 * generator.standard_normal((4 * STARTS, widths[0]))
    least = np.min(near @ rows.T, axis=1)
    kept = near[least > 0][:STARTS] / least[least > 0][:STARTS, None]
    kept *= np.log(samples) + size * generator.uniform(1, 4, (len(kept), 1))
    labels = generator.choice([-1.0, 1.0], samples)
    starts = [_aligned(generator, widths, row) for row in kept]
    return Batch(
        widths,
        Dataset(labels[:, None] * rows, labels),
        _stacked(starts),
        (0, 1, 10, 50),
        loss=ExponentialLoss("sum"),
        clock="log loss",
    )


def _aligned(
    generator: np.random.Generator, widths: tuple[int, ...], row: Array
) -> list[Array]:
    """Return balanced layers of rank one whose product is a row."""
    hidden = [generator.standard_normal(h) for h in widths[1:-1]]
    units = [axis / np.linalg.norm(axis) for axis in (row, *hidden, np.ones(1))]
    root = float(np.linalg.norm(row)) ** (1 / (len(widths) - 1))
    return [root * np.outer(after, before) for before, after in pairwise(units)]


def _grid(t: float) -> tuple[float, ...]:
    return tuple(np.linspace(0, t, 9).tolist())


def _frame(generator: np.random.Generator, rows: int, columns: int) -> Array:
    """Return orthonormal columns."""
    return np.asarray(np.linalg.qr(generator.standard_normal((rows, columns)))[0])


def _chain(
    generator: np.random.Generator,
    widths: tuple[int, ...],
    ends: list[Array],
    strengths: Array,
) -> list[Array]:
    """Return balanced layers between given frames of the outputs and the inputs."""
    middle = [_frame(generator, width, len(strengths)) for width in widths[1:-1]]
    return _layers([ends[1], *middle, ends[0]], [strengths] * (len(widths) - 1))


def _layers(frames: list[Array], strengths: Any) -> list[Array]:
    return [
        (after * size) @ before.T
        for (before, after), size in zip(pairwise(frames), strengths, strict=True)
    ]


def _stacked(starts: list[list[Array]]) -> Weights:
    return tuple(np.array(layer) for layer in zip(*starts, strict=True))
