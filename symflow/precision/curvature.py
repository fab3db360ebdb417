r"""A proven one-sided Lipschitz constant μ on regions, for any model W(θ).

For ℒ(θ) = ℓ(W(θ)) + ½λ|θ|² with convex ℓ and F = −∂ℓ/∂W,

.. math:: D²ℒ[E, E] = D²ℓ[DW E, DW E] + λ|E|² − ⟨F, D²W[E, E]⟩,

so that μ = ‖C‖₂ − λ with the symmetric matrix C of the quadratic form ⟨F, D²W[E, E]⟩.
Its columns are the derivatives of the pull-back of F, held fixed, along the unit
directions.  They are evaluated in balls at a point, and moved with `regions`.  This is
for models with few parameters that are no products of layers; `hessian` is cheaper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from symflow.precision.balls import (
    as_matrix,
    from_ball_matrix,
    size_of,
    spectral,
    to_arb,
)
from symflow.precision.growth import force_program
from symflow.precision.hessian import Smoothness, indefinite_part
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


class SecondDerivative:
    """C, DW and DF of a problem, a row for every unit direction, around weights."""

    def __init__(self, problem: Problem) -> None:
        self._program = second_derivative_program(problem.flow)
        self._force = force_program(problem.flow)
        self._data = [as_matrix(array) for array in problem.arguments]
        self._directions = unit_directions([w.shape for w in problem.weights])

    def around(self, weights: Sequence[Any]) -> SecondDerivativeAt:
        """Return them at given weights, and near these."""
        force = Regions(self._force, [*weights, *self._data])
        return SecondDerivativeAt(force, [*self._rows(weights, force)])

    def at(self, weights: Sequence[Any]) -> tuple[Array, ...]:
        """Return them at given weights alone, as arrays: less memory is taken."""
        force = Regions(self._force, [*weights, *self._data])
        parts = _parts(self._rows(weights, force))
        return tuple(from_ball_matrix(arb_mat(part)) for part in parts)

    def _rows(self, weights: Sequence[Any], force: Regions) -> Iterator[Regions]:
        for unit in self._directions:
            inputs = [*weights, *force.centres, *unit, *self._data]
            yield Regions(self._program, inputs)


class SecondDerivativeAt:
    """The rows at one point, and by how much they move around it."""

    def __init__(self, force: Regions, rows: list[Regions]) -> None:
        self._force, self._rows = force, rows
        self.bends, self.slopes, self.pulls = _parts(rows)

    def moved(self, widths: Sequence[Any], beyond: Any = 0) -> tuple[Any, Any]:
        """Return by how much C and DW move within Frobenius distances, in norm.

        F moves with the weights, and stays where these go a distance `beyond`.
        """
        moves = [*(width + beyond for width in widths), *self._force.spreads(widths)]
        rows = [row.spreads(moves) for row in self._rows]
        bent = [move for row in rows for move in row[:-2]]
        return size_of([arb_mat([bent])]), size_of([arb_mat([[r[-2] for r in rows]])])


def _parts(rows: Iterable[Regions]) -> tuple[list[list[Any]], ...]:
    """Return the rows of C, DW and DF, as lists of balls."""
    bends, slopes, pulls = [], [], []
    for row in rows:
        *bent, slope, pull = row.centres
        bends.append([x for matrix in bent for x in matrix.entries()])
        slopes.append(slope.entries())
        pulls.append(pull.entries())
    return bends, slopes, pulls


class CurvatureBound:
    """Bounds μ around given weights, by the matrix C."""

    def __init__(self, problem: Problem) -> None:
        self._second = SecondDerivative(problem)
        self._decay = to_arb(min(problem.flow.decays))
        self._indefinite = indefinite_part(problem)
        data = [as_matrix(array) for array in problem.arguments]
        self._smoothness = Smoothness(problem, data, self._indefinite)

    def around(
        self, weights: Sequence[Any], widths: Sequence[Any]
    ) -> CurvatureSurroundings:
        """Return μ for all θ̃ within Frobenius distances of weights."""
        at = self._second.around(weights)
        smoothness = self._smoothness.around(weights, widths)
        return CurvatureSurroundings(
            at, widths, smoothness, self._decay, self._indefinite
        )


class CurvatureSurroundings:
    """μ on regions around one point, where C is computed once."""

    def __init__(
        self,
        at: SecondDerivativeAt,
        widths: Sequence[Any],
        smoothness: tuple[Any, Any],
        decay: Any,
        part: Any,
    ) -> None:
        self._at, self._widths, self._decay, self._indefinite = at, widths, decay, part
        self.smoothness = smoothness  # σ, and its rate in ‖R‖_F
        self._norm = spectral(arb_mat(at.bends))
        self._slope = size_of([arb_mat(at.slopes)])

    def rate(self, distance: Any) -> Any:
        """Return an upper bound of μ within a distance of any such θ̃."""
        bent, turned = self._at.moved([width + distance for width in self._widths])
        return (self._norm + bent - self._decay + self._spare(turned)).upper()

    def beyond(self, distance: Any) -> Any:
        """Return what `contraction` adds to an eigenvalue within a distance.

        F is that at θ̃, and D²W that on the way: a change of C with F held.  J moves by
        at most t, so that R = JE + a and φ'(1) = JE + b with |a|, |b| ≤ te.  What is
        left of −⟨S[R], φ'(1)⟩ there is (1/η − 1)|½(a + b)|² + ¼|b − a|² in the form S,
        for η ≤ ½ at most (1/η − 1)σt²e², as ½|a|² + ½|b|² is the sum of both squares.
        """
        bent, turned = self._at.moved(self._widths, distance)
        return (bent - self._decay + self._spare(turned)).upper()

    def middle(self, distance: Any) -> Any:
        """Return the bound t of how far J moves up to a distance."""
        return self._at.moved(self._widths, distance)[1]

    def _spare(self, turned: Any) -> Any:
        """Return what an indefinite part of the loss adds."""
        if not self._indefinite > 0:
            return 0
        slope = self._slope + turned
        return self._indefinite * slope * slope


def unit_directions(shapes: Sequence[tuple[int, ...]]) -> list[list[Any]]:
    """Return the unit directions in the space of all weights, as ball matrices."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum(sizes)[:-1]
    units = []
    for direction in np.eye(sum(sizes), dtype=int):
        parts = zip(np.split(direction, ends), shapes, strict=True)
        units.append([as_matrix(part.reshape(shape)) for part, shape in parts])
    return units
