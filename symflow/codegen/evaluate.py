"""Running a program directly, on arrays of any kind of number.

Generated source is faster; this interpreter is for object arrays, whose constants must
not be rounded to floats, and serves as a second route to the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.codegen.program import Program


def evaluate(
    program: Program,
    arrays: Sequence[Array],
    number: Callable[[Any], Any] = to_float,
) -> tuple[Array, ...]:
    """Run `program` on arrays, batched over leading dimensions.

    Parameters
    ----------
    program : Program
        What to compute.
    arrays : sequence of arrays
        One per input.
    number : callable
        Turns an exact constant into a number of the arrays' arithmetic.

    Returns
    -------
    tuple of arrays
        One per output.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow.codegen.lower import end_to_end_program
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> evaluate(end_to_end_program(flow), [np.eye(1) * 2, np.eye(1) * 3])[0].item()
    6.0
    """
    values: list[Any] = list(arrays)
    for step in program.instructions:
        operands = [values[slot] for slot in step.operands]
        if step.operation == "scale":
            values.append(number(step.constant) * operands[0])
        else:
            values.append(_APPLY[step.operation](*operands))
    return tuple(values[output.slot] for output in program.outputs)


def _inner(left: Array, right: Array) -> Array:
    return np.asarray((left * right).sum(axis=(-2, -1)))


_APPLY: dict[str, Callable[..., Any]] = {
    "matmul": lambda a, b: a @ b,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda s, a: s * a,
    "transpose": lambda a: np.swapaxes(a, -1, -2),
    "inner": _inner,
    "trace": lambda a: np.asarray(np.trace(a, axis1=-2, axis2=-1)),
}
