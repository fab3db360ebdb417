r"""A proven one-sided Lipschitz constant μ on regions, for any model W(θ).

For ℒ(θ) = ℓ(W(θ)) + ½λ|θ|² with convex ℓ and F = −∂ℓ/∂W,

.. math:: D²ℒ[E, E] = D²ℓ[DW E, DW E] + λ|E|² − ⟨F, D²W[E, E]⟩,

so that μ = ‖C‖₂ − λ with the symmetric matrix C of the quadratic form ⟨F, D²W[E, E]⟩.
Its columns are the derivatives of the pull-back of F, held fixed, along the unit
directions.  They are evaluated in balls at a point, and moved with `regions`.  This is
for models with few parameters that are no products of layers; `hessian` is cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy
from flint import arb_mat

from symflow.algebra.arrays import Array
from symflow.algebra.calculus import push_forward
from symflow.algebra.nodes import Leaf, scale
from symflow.codegen import Program, lower
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.precision.balls import as_matrix, size_of, spectral, to_arb
from symflow.precision.growth import force_program
from symflow.precision.hessian import indefinite_part
from symflow.precision.regions import Regions


def second_derivative_program(flow: GradientFlow) -> Program:
    """Return the program of C E, DW E and DF E, from θ, F and a direction E."""
    network = flow.network
    shape = network.end_to_end_node.shape
    force = sympy.MatrixSymbol("Force", *shape)
    moves = [sympy.MatrixSymbol(f"E{s.name}", *s.shape) for s in network.parameters]
    velocities = {
        symbol: Leaf(move)
        for symbol, move in zip(network.parameters, moves, strict=True)
    }
    parts = {}
    for symbol, pulled in zip(
        network.parameters, network.pull_back(Leaf(force)), strict=True
    ):
        moved = push_forward(pulled, velocities)
        parts[f"C{symbol.name}"] = scale(0, Leaf(symbol)) if moved is None else moved
    slope = push_forward(network.end_to_end_node, velocities)
    pull = push_forward(flow.force, velocities)
    assert slope is not None
    assert pull is not None
    inputs = [*network.parameters, force, *moves, *flow.data]
    return lower("second_derivative", inputs, {**parts, "DW": slope, "DF": pull})


class CurvatureBound:
    """Bounds μ around given weights, by the matrix C."""

    def __init__(self, problem: Problem) -> None:
        self._program = second_derivative_program(problem.flow)
        self._force = force_program(problem.flow)
        self._data = [as_matrix(array) for array in problem.arguments]
        self._directions = unit_directions([w.shape for w in problem.weights])
        self.decay = to_arb(min(problem.flow.decays))
        self.indefinite = indefinite_part(problem)

    def around(
        self, weights: Sequence[Any], widths: Sequence[Any]
    ) -> CurvatureSurroundings:
        """Return μ for all θ̃ within Frobenius distances of weights."""
        force = Regions(self._force, [*weights, *self._data])
        columns = [
            Regions(self._program, [*weights, *force.centres, *unit, *self._data])
            for unit in self._directions
        ]
        return CurvatureSurroundings(self, force, columns, widths)


class CurvatureSurroundings:
    """μ on regions around one point, where C is computed once."""

    def __init__(
        self,
        bound: CurvatureBound,
        force: Regions,
        columns: list[Regions],
        widths: Sequence[Any],
    ) -> None:
        self._widths = widths
        self._bound, self._force, self._columns = bound, force, columns
        rows = [_flat(column.centres[:-2]) for column in columns]
        self._norm = spectral(arb_mat(rows))
        self._slope = size_of([column.centres[-2] for column in columns])

    def rate(self, distance: Any) -> Any:
        """Return an upper bound of μ within a distance of any such θ̃."""
        spreads = [width + distance for width in self._widths]
        moves = [*spreads, *self._force.spreads(spreads)]
        columns = [column.spreads(moves) for column in self._columns]
        moved = [move for column in columns for move in column[:-2]]
        total = self._norm + size_of([arb_mat([moved])]) - self._bound.decay
        if self._bound.indefinite > 0:
            moved = [column[-2] for column in columns]
            slope = self._slope + size_of([arb_mat([moved])])
            total += self._bound.indefinite * slope * slope
        return total.upper()


def _flat(matrices: Sequence[Any]) -> list[Any]:
    return [entry for matrix in matrices for entry in matrix.entries()]


def unit_directions(
    shapes: Sequence[tuple[int, ...]], made: Callable[[Array], Any] = as_matrix
) -> list[list[Any]]:
    """Return the unit directions in the space of all weights, as matrices so made."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum(sizes)[:-1]
    units = []
    for direction in np.eye(sum(sizes), dtype=int):
        parts = zip(np.split(direction, ends), shapes, strict=True)
        units.append([made(part.reshape(shape)) for part, shape in parts])
    return units
