"""The form of a flow whose Taylor series costs least.

A product of two series of order K costs K/2 matrix products per order, one with
constant data only one.  For W_1 of shape h×d with h small, W_2ᵀ(W_2W_1)Σ is therefore
dearer than (W_2ᵀW_2)(W_1Σ), where the series that meet are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from symflow.codegen import Program, lower, rhs_program
from symflow.codegen.inplace import slot_shapes
from symflow.codegen.lower import arguments
from symflow.codegen.optimize import forms
from symflow.flow.gradient_flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork

#: Order for which costs are compared.
NOMINAL_ORDER = 64
#: Another form has to be cheaper by this factor, …
GAIN = 1.5
#: … and the flow not too small to matter (multiplications per pair of orders).
WORTH = 4_000


def series_program(problem: Problem) -> Program:
    """Return the program of the right-hand side whose series are cheapest."""
    return _program(problem.flow, problem.widths)


@lru_cache(maxsize=16)
def _program(flow: GradientFlow, widths: tuple[int, ...]) -> Program:
    plain, network = rhs_program(flow), flow.network
    if not network.is_dense or not isinstance(flow.loss, SquaredLoss):
        return plain
    # the same flow but for its widths: learning rates and clock stay
    sized = replace(flow, network=LinearNetwork(*widths))
    shapes = [tuple(map(int, s.shape)) for s in (*sized.state, *sized.data)]
    known, moving = series_cost(plain, shapes, len(sized.state)), len(sized.state)
    if known < WORTH * NOMINAL_ORDER / 2:
        return plain
    nodes = {
        f"d{symbol.name}": node
        for symbol, node in zip(sized.state, sized.directions, strict=True)
    }
    ways = [lower("gradient_flow", arguments(sized), way) for way in forms(nodes)]
    best = min(ways, key=lambda way: series_cost(way, shapes, moving))
    return best if series_cost(best, shapes, moving) * GAIN < known else plain


def series_cost(
    program: Program, shapes: Sequence[tuple[int, ...]], moving: int
) -> int:
    """Return the multiplications per order of a series of `NOMINAL_ORDER`.

    Only the first `moving` inputs move.
    """
    sizes = slot_shapes(program, shapes)
    moves = [slot < moving for slot in range(len(shapes))]
    total = 0
    for slot, step in zip(program.slots, program.instructions, strict=True):
        operands = [moves[operand] for operand in step.operands]
        moves.append(any(operands))
        if step.operation == "matmul" and any(operands):
            work = sizes[slot][0] * sizes[step.operands[0]][1] * sizes[slot][1]
            total += work * (NOMINAL_ORDER // 2 if all(operands) else 1)
    return total
