r"""The program that costs least for one problem: large matrices are all products.

Constants are folded, chains are associated in the cheapest order, and the input
correlation is made diagonal: with :math:`Σ_{xx} = QΛQᵀ` the flow of :math:`W_1Q` is
the flow for the data :math:`Λ` and :math:`Σ_{yx}Q`, and a product with a diagonal
matrix costs next to nothing.  Two square layers then need three products, not four.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from symflow.algebra.arrays import Array
from symflow.codegen import Program, lower, rhs_program
from symflow.codegen.inplace import has_fixed_size_code
from symflow.codegen.lower import arguments
from symflow.codegen.optimize import best_program, cost, folded, forms
from symflow.codegen.program import python_name
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import Dense, Network

#: Operations of one evaluation from which on the search for a cheaper one pays.
WORTH = 100_000


@dataclass(frozen=True, eq=False)
class Form:
    """A program of the right-hand side with its constants."""

    program: Program  # its inputs are the weights, then the constants
    constants: tuple[Array, ...]  # their values
    #: Orthogonal Q where the first weight of the program is W_1 Q.
    frame: Array | None = None


def plain(problem: Problem) -> Form:
    """Return the program as it was derived."""
    return Form(_program_of(problem.flow), problem.arguments)


def tuned(problem: Problem) -> Form:
    """Return the cheapest program that is known; for small matrices the plain one."""
    original = plain(problem)
    weights = {
        python_name(symbol): weight.shape
        for symbol, weight in zip(problem.flow.state, problem.weights, strict=True)
    }
    shapes = [*weights.values(), *(array.shape for array in original.constants)]
    program = original.program
    if not has_fixed_size_code(program) or cost(program, shapes) < WORTH:
        return original
    frame = _frame(problem)
    constants = _constants(problem, frame)
    programs = [folded(way, constants) for way in _ways(problem.flow)]
    best, values = best_program(programs, weights)
    return Form(best, tuple(values.values()), frame)


def _frame(problem: Problem) -> Array | None:
    """Return the eigenvectors of Σ_xx, where they are coordinates as good as any.

    A zero in Σ_xx can keep columns of the weights apart, to the last bit; an
    orthogonal frame would mix them by rounding errors, which a saddle amplifies.
    """
    flow = problem.flow
    if not isinstance(flow.loss, SquaredLoss) or not isinstance(flow.network, Network):
        return None
    if flow.at_rest is not flow:  # the velocities would have to turn as well
        return None
    sigma_xx = problem.arguments[0]
    if not isinstance(flow.network.layers[0], Dense) or not np.all(sigma_xx):
        return None
    vectors: Array = np.linalg.eigh(sigma_xx)[1]
    return vectors


def _constants(problem: Problem, frame: Array | None) -> dict[str, Array]:
    names = [python_name(symbol) for symbol in problem.flow.data]
    if frame is None:
        return dict(zip(names, problem.arguments, strict=True))
    sigma_xx, sigma_yx = problem.arguments
    spectrum = np.einsum("ij,ij->j", frame, sigma_xx @ frame)
    return dict(zip(names, (np.diag(spectrum), sigma_yx @ frame), strict=True))


@lru_cache(maxsize=16)
def _program_of(flow: GradientFlow) -> Program:
    # The runs of a sweep differ in their starts only.
    return rhs_program(flow)


@lru_cache(maxsize=16)
def _ways(flow: GradientFlow) -> tuple[Program, ...]:
    if not all(isinstance(width, int) for width in flow.network.widths):
        return (_program_of(flow),)
    nodes = {
        f"d{symbol.name}": node
        for symbol, node in zip(flow.state, flow.directions, strict=True)
    }
    inputs = arguments(flow)
    return tuple(lower("gradient_flow", inputs, way) for way in forms(nodes))
