"""Directional derivatives of a program, by the product rule on its instructions.

Tangents may have a leading axis of directions, so that one pass with the unit
directions gives a whole Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.codegen.evaluate import applied, elementwise
from symflow.codegen.program import PLACED, Instruction, Program
from symflow.errors import NoClosedForm

#: Operations that are linear in every operand.
MULTILINEAR = PLACED.union(
    ("matmul", "scale", "multiply", "transpose", "inner", "trace", "total"),
    ("weigh", "hadamard"),
)

#: Derivatives of elementwise functions.
DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "log": lambda z: 1 / z,
    "sigmoid": lambda z: elementwise("sigmoid", z) * elementwise("sigmoid", -z),
    "softplus": lambda z: np.asarray(elementwise("sigmoid", z)),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
}

#: Sizes of inputs: they do not move.
SIZES = ("rows", "columns", "identity", "constant")

DIFFERENTIATED = MULTILINEAR.union(
    ("add", "subtract", "shift", "divide", "power", "softmax"), DERIVATIVES, SIZES
)


def has_tangent(program: Program) -> bool:
    """Say whether every operation of a program has its product rule here."""
    return all(step.operation in DIFFERENTIATED for step in program.instructions)


def directional(
    program: Program, arrays: Sequence[Array], directions: Sequence[Array | None]
) -> tuple[Array, ...]:
    """Return the derivative of every output along the given directions.

    There is one float64 array per input, and one direction, None where the input is
    constant.  Leading axes of directions are batches.

    Raises NoClosedForm if an operation has no rule.
    """
    values: list[Any] = list(arrays)
    rates: list[Any] = list(directions)
    for step in program.instructions:
        pairs = [(values[slot], rates[slot]) for slot in step.operands]
        values.append(applied(step, [value for value, _ in pairs]))
        rates.append(_rate(step, pairs))
    found = []
    for output in program.outputs:
        rate = rates[output.slot]
        found.append(np.zeros_like(values[output.slot]) if rate is None else rate)
    return tuple(found)


def _rate(step: Instruction, pairs: list[tuple[Any, Any]]) -> Any:
    """Return the derivative of one instruction, or None where nothing moves."""
    if all(rate is None for _, rate in pairs):
        return None
    match step.operation:
        case "add" | "subtract":
            return _sum(step, pairs[0][1], pairs[1][1])
        case "shift":
            return pairs[0][1]
        case "divide":
            return pairs[0][1] / pairs[1][0]
        case "power":
            assert step.constant is not None
            base, rate = pairs[0]
            exponent = to_float(step.constant)
            return exponent * base ** (exponent - 1) * rate
        case "softmax":
            shares = applied(step, [pairs[0][0]])
            moved = shares * pairs[0][1]
            return moved - shares * moved.sum(axis=(-2, -1), keepdims=True)
        case name if name in DERIVATIVES:
            return DERIVATIVES[name](pairs[0][0]) * pairs[0][1]
    if step.operation in MULTILINEAR:
        return _product_rule(step, pairs)
    msg = f"directional(program, …): no rule for the operation {step.operation!r}"
    raise NoClosedForm(msg)


def _sum(step: Instruction, first: Any, second: Any) -> Any:
    if second is None:
        return first
    signed = -second if step.operation == "subtract" else second
    return signed if first is None else first + signed


def _product_rule(step: Instruction, pairs: list[tuple[Any, Any]]) -> Any:
    """Sum the operation over the operands that move, one at a time."""
    total = None
    for place, (_, rate) in enumerate(pairs):
        if rate is not None:
            moved = [rate if k == place else pair[0] for k, pair in enumerate(pairs)]
            part = applied(step, moved)
            total = part if total is None else total + part
    return total
