"""A model and its loss to first and second order: tangent kernel and sharpness.

The rows of the Jacobian J of W are the pull-backs of the unit forces, and the columns
of the Hessian are the derivatives of the gradient along the unit directions.  Both come
from nodes, so that they hold for every model, loss and kind of number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, lifted, unflatten
from symflow.algebra.calculus import push_forward
from symflow.algebra.nodes import Leaf, scale
from symflow.algebra.numbers import to_float, to_mpf
from symflow.codegen.evaluate import evaluate
from symflow.codegen.lower import arguments, lower
from symflow.codegen.program import Program
from symflow.errors import InvalidArgument, PrecisionLost
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem

#: Numbers of a Jacobian: 400 MB of float64, or some seconds with many digits.
MOST_ENTRIES, MOST_FINE_ENTRIES = 50_000_000, 50_000
#: Entries of W whose kernel is formed.
MOST_OUTPUTS = 5_000
#: Weights whose Hessian is formed; beyond, float64 multiplies by it …
MOST_DENSE, MOST_FINE = 1_000, 80
#: … up to this number.
MOST_WEIGHTS = 1_000_000


def tangent_kernel(
    flow: GradientFlow, weights: Sequence[Array], context: Any = None
) -> Array:
    """Return K = J Jᵀ for the Jacobian J of vec(W); see `Trajectory.tangent_kernel`.

    Weights are float64, or `mpf` numbers of an mpmath context.

    Raises InvalidArgument where the model is too large.
    """
    network = flow.network
    probe = evaluate(lower("W", flow.state, {"W": network.end_to_end_node}), weights)
    outputs, inputs = probe[0].shape
    count = outputs * inputs
    entries = count * sum(weight.size for weight in weights)
    most = MOST_ENTRIES if context is None else MOST_FINE_ENTRIES
    if entries > most or count > MOST_OUTPUTS:
        msg = (
            f"trajectory.tangent_kernel(t): {count} entries of W with {entries} "
            f"derivatives are more than {MOST_OUTPUTS} and {most}. Take a smaller model"
        )
        raise InvalidArgument(msg)
    force = sympy.MatrixSymbol("Force", *network.end_to_end_node.shape)
    pulled = network.pull_back(Leaf(force))
    named = {f"J{s.name}": node for s, node in zip(flow.state, pulled, strict=True)}
    program = lower("jacobian", [*flow.state, force], named)
    units = np.eye(count).reshape(count, inputs, outputs).swapaxes(1, 2)
    rows = _flat(program, [*weights, lifted(units, context)], count, context)
    return _symmetric(rows @ rows.T, "tangent_kernel")


def sharpness(problem: Problem, weights: Sequence[Array], context: Any = None) -> Any:
    """Return the largest eigenvalue of the Hessian of the loss in the weights.

    Weights are float64, or `mpf` numbers of an mpmath context.

    Raises InvalidArgument where the model is too large.
    """
    size = problem.size
    most = MOST_WEIGHTS if context is None else MOST_FINE
    if size > most:
        kind = "float64" if context is None else "many digits"
        msg = f"trajectory.sharpness(t): {size} weights; {kind} is for at most {most}"
        raise InvalidArgument(msg)
    hessian = _Hessian(problem, weights, context)
    if context is None and size > MOST_DENSE:
        return hessian.largest_by_products()
    full = hessian.times(lifted(np.eye(size), context))
    matrix = _symmetric((full + full.T) / 2, "sharpness")
    if context is None:
        return float(np.linalg.eigvalsh(matrix)[-1])
    values = context.eigsy(context.matrix(matrix.tolist()), eigvals_only=True)
    return max(values)


class _Hessian:
    """The Hessian at given weights, as a map of directions."""

    def __init__(self, problem: Problem, weights: Sequence[Array], context: Any):
        self._shapes = [weight.shape for weight in weights]
        self._context, self.size = context, problem.size
        bound = problem.floats.arguments if context is None else problem.exact_arguments
        self._at = [*weights, *(lifted(array, context) for array in bound)]
        self._program = _hessian_program(problem.flow)

    def times(self, directions: Array) -> Array:
        """Return the products with the rows of an array, as rows."""
        arrays = [*self._at, *unflatten(directions, self._shapes)]
        return _flat(self._program, arrays, len(directions), self._context)

    def largest_by_products(self) -> float:
        """Return the largest eigenvalue by the Lanczos method."""
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

        first = np.random.default_rng(0).standard_normal(self.size)
        slope = _finite(self.times(first[None]), "sharpness")
        if not np.any(slope):
            return 0.0
        operator = LinearOperator(
            (self.size, self.size),
            matvec=lambda v: self.times(v.reshape(1, -1))[0],
            dtype=np.float64,
        )
        try:
            found = eigsh(
                operator, k=1, which="LA", v0=first, return_eigenvectors=False
            )
        except ArpackNoConvergence:
            msg = "trajectory.sharpness(t): the Lanczos method did not converge"
            raise PrecisionLost(msg) from None
        return float(found[0])


def _hessian_program(flow: GradientFlow) -> Program:
    """Return the program of the derivative of ∇ℒ along directions E."""
    plain = replace(flow, clock="time", learning_rates=())
    moves = [sympy.MatrixSymbol(f"E{s.name}", *s.shape) for s in plain.state]
    velocities = dict(zip(plain.state, map(Leaf, moves), strict=True))
    outputs = {}
    for symbol, direction in zip(plain.state, plain.directions, strict=True):
        moved = push_forward(direction, velocities)
        still = scale(0, Leaf(symbol))
        outputs[f"H{symbol.name}"] = still if moved is None else scale(-1, moved)
    return lower("hessian", [*arguments(plain), *moves], outputs)


def _flat(program: Program, arrays: list[Array], count: int, context: Any) -> Array:
    """Return the outputs for a batch of directions as rows of one matrix."""
    number = to_float if context is None else lambda value: to_mpf(value, context)
    with np.errstate(over="ignore", invalid="ignore"):
        found = evaluate(program, arrays, number)
    parts = [np.broadcast_to(part, (count, *part.shape[-2:])) for part in found]
    return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)


def _symmetric(matrix: Array, name: str) -> Array:
    return (_finite(matrix, name) + matrix.T) / 2


def _finite(array: Array, name: str) -> Array:
    if array.dtype != object and not np.isfinite(array).all():
        msg = f"trajectory.{name}(t): it leaves the floats. Use a run of precise(…)"
        raise PrecisionLost(msg)
    return array
