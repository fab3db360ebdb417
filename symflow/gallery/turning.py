"""Random classification problems, for bounds on how fast a direction is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias import DirectionRate
from symflow.claims import Claim
from symflow.data import Dataset
from symflow.flow import directional_flow, gradient_flow
from symflow.flow.problem import bind
from symflow.gallery.ensembles import EnsembleEntry
from symflow.losses import ExponentialLoss
from symflow.networks import LinearNetwork
from symflow.simulation import simulate

#: Starts per data set, and −log of the relative loss at which they are looked at.
STARTS, CLOCK = 25, (0, 1, 10, 50)


@dataclass(frozen=True, eq=False)
class Turns:
    """One separable data set with many balanced starts that classify it.

    Parameters
    ----------
    widths : tuple of int
        Of the network.
    data : Dataset
        What is learned.
    rows : ndarray, shape (starts, d)
        End-to-end rows of the starts.
    generator : numpy.random.Generator
        For the directions of the hidden layers.
    """

    widths: tuple[int, ...]
    data: Dataset
    rows: Array
    generator: np.random.Generator

    def claims(self, kind: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the claim of every start to which it applies, with its trajectory."""
        plain = gradient_flow(LinearNetwork(*self.widths), ExponentialLoss("sum"))
        flow = directional_flow(plain)
        for row in self.rows:
            start = self._layers(row)
            claim = kind.attempt(bind(flow, self.data, start))
            if isinstance(claim, Claim):
                yield claim, simulate(flow, self.data, start, CLOCK)

    def _layers(self, row: Array) -> tuple[Array, ...]:
        """Return balanced layers of rank one whose product is a row."""
        size = float(np.linalg.norm(row))
        hidden = [self.generator.standard_normal(h) for h in self.widths[1:-1]]
        axes = [row, *hidden, np.ones(1)]
        units = [axis / np.linalg.norm(axis) for axis in axes]
        root = size ** (1 / (len(self.widths) - 1))
        return tuple(
            root * np.outer(after, before) for before, after in pairwise(units)
        )


def turning(
    *widths: int, samples: int = 5, size: float = 1.0
) -> Callable[[np.random.Generator], Turns]:
    """Return the maker of separable data with starts near a separating direction."""

    def make(generator: np.random.Generator) -> Turns:
        goal = generator.standard_normal(widths[0])
        goal /= np.linalg.norm(goal)
        rows = generator.standard_normal((samples, widths[0]))
        rows *= np.sign(rows @ goal)[:, None]
        rows += 0.3 * goal
        noise = generator.standard_normal((4 * STARTS, widths[0]))
        near = goal + 0.2 * noise
        least = np.min(near @ rows.T, axis=1)
        kept = near[least > 0][:STARTS] / least[least > 0][:STARTS, None]
        sizes = np.log(samples) + size * generator.uniform(1, 4, (len(kept), 1))
        labels = generator.choice([-1.0, 1.0], samples)
        data = Dataset(labels[:, None] * rows, labels)
        return Turns(widths, data, kept * sizes, generator)

    return make


def _faster(claim: Any) -> Claim:
    depth = claim.problem.flow.network.depth
    return replace(claim, exponent=Fraction(2, depth) + 1)  # type: ignore[no-any-return]


TURNING = (
    EnsembleEntry("many-direction", DirectionRate, turning(3, 2, 1), _faster),
    EnsembleEntry(
        "many-direction-deep", DirectionRate, turning(3, 2, 2, 1, size=4.0), _faster
    ),
)
