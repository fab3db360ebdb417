"""Running a program directly, on arrays of any kind of number.

Generated source is faster; this interpreter is for object arrays, whose constants must
not be rounded to floats, and serves as a second route to the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import sympy

from symflow.algebra import functions
from symflow.algebra.array_maps import PRELUDE
from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.products import matmul
from symflow.codegen.program import FUNCTIONS, Input, Instruction, Output, Program
from symflow.errors import InvalidArgument


def evaluate(
    program: Program,
    arrays: Sequence[Array],
    number: Callable[[Any], Any] = to_float,
) -> tuple[Array, ...]:
    """Run `program` on arrays, batched over leading dimensions.

    There is one array for every input, and for every output; `number` turns an exact
    constant into a number of their arithmetic.
    """
    values: list[Any] = list(arrays)
    for step in program.instructions:
        operands = [values[slot] for slot in step.operands]
        values.append(_apply(step, operands, number))
    return tuple(np.asarray(values[output.slot]) for output in program.outputs)


def _apply(step: Instruction, operands: list[Any], number: Callable[[Any], Any]) -> Any:
    constant: Any = step.constant
    match step.operation:
        case "scale":
            return number(constant) * operands[0]
        case "shift":
            return operands[0] + number(constant)
        case "power":
            whole = constant.is_Integer
            return operands[0] ** (int(constant) if whole else number(constant))
        case "identity":
            size = int(constant) if constant is not None else operands[0]
            return np.eye(size, dtype=float if number is to_float else int)
        case "constant":
            return np.array(
                [[number(entry) for entry in row] for row in constant.tolist()]
            )
        case name if name in FUNCTIONS:
            return elementwise(name, operands[0])
        case "softmax":
            return elementwise("softmax", operands[0])
        case name if name in PRELUDE:
            sizes = [] if constant is None else [int(constant)]
            return PRELUDE[name](np, *operands, *sizes)
        case "crop":
            return operands[0][..., : int(constant), :]
    return _APPLY[step.operation](*operands)


def elementwise(name: str, array: Any) -> Any:
    """Apply one of `FUNCTIONS` to floats, or to the entries of an object array."""
    array = np.asarray(array)
    if array.dtype != object:
        if name in PRELUDE:
            return PRELUDE[name](np, array)
        return getattr(np, {"asinh": "arcsinh", "atan": "arctan"}.get(name, name))(
            array
        )
    if name == "softmax":
        return _softmax(array)
    result = np.empty(array.shape, dtype=object)
    result.flat[:] = [_entry(name, entry) for entry in array.flat]
    return result


def _entry(name: str, entry: Any) -> Any:
    """Apply a function to an mpf, a SymPy number or a float."""
    context = getattr(entry, "context", None)
    if context is None and isinstance(entry, sympy.Basic):
        module = functions if name in PRELUDE else sympy
        return getattr(module, name)(entry)
    if context is None and not hasattr(entry, "__float__"):
        return _symbolic(name, entry)
    if context is None:
        return elementwise(name, np.asarray(float(entry)))[()]
    if name == "reciprocal":
        return 1 / entry
    if name == "sigmoid":
        return 1 / (1 + context.exp(-entry))
    if name == "softplus":
        return context.log1p(context.exp(-abs(entry))) + max(entry, context.zero)
    return getattr(context, name)(entry)


def _symbolic(name: str, entry: Any) -> Any:
    """Apply a function of the library that an expression is of, such as heyoka."""
    library = import_module(type(entry).__module__.partition(".")[0])
    if not hasattr(library, name):
        msg = f"evaluate(program, arrays): {library.__name__} has no function {name}"
        raise InvalidArgument(msg)
    return getattr(library, name)(entry)


def _gauss(matrix: Array) -> tuple[Any, Any]:
    """Return determinant and inverse of one object matrix, by Gauss and Jordan."""
    if matrix.ndim > 2:
        pairs = [_gauss(part) for part in matrix]
        determinants = np.array([pair[0] for pair in pairs], dtype=object)
        return determinants, np.stack([pair[1] for pair in pairs])
    size = len(matrix)
    work = np.hstack([matrix.copy(), np.eye(size, dtype=int).astype(object)])
    determinant: Any = 1
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(work[row, column]))
        if pivot != column:
            work[[column, pivot]] = work[[pivot, column]]
            determinant = -determinant
        determinant = determinant * work[column, column]
        work[column] = work[column] / work[column, column]
        for row in range(size):
            if row != column:
                work[row] = work[row] - work[row, column] * work[column]
    return np.asarray(determinant), work[:, size:]


def _softmax(array: Array) -> Array:
    """Return exp of an object array, divided by the sum of each matrix."""
    if not all(hasattr(entry, "__float__") for entry in array.flat):  # nor an order
        sums = [elementwise("exp", array - entry).sum() for entry in array.flat]
        return np.array([1.0 / total for total in sums]).reshape(array.shape)
    powers = elementwise("exp", array - array.max(axis=(-2, -1), keepdims=True))
    return np.asarray(powers / powers.sum(axis=(-2, -1), keepdims=True))


_APPLY: dict[str, Callable[..., Any]] = {
    "matmul": matmul,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda s, a: s * a,
    "transpose": lambda a: a.mT,
    "inner": lambda a, b: np.asarray((a * b).sum(axis=(-2, -1))),
    "trace": lambda a: np.asarray(np.trace(a, axis1=-2, axis2=-1)),
    "total": lambda a: np.asarray(a.sum(axis=(-2, -1))),
    "weigh": lambda s, a: np.asarray(s)[..., None, None] * a,
    "rows": lambda a: a.shape[-2],
    "columns": lambda a: a.shape[-1],
    "divide": lambda a, s: a / s,
    "hadamard": lambda a, b: a * b,
    "determinant": lambda a: np.linalg.det(a) if a.dtype != object else _gauss(a)[0],
    "inverse": lambda a: np.linalg.inv(a) if a.dtype != object else _gauss(a)[1],
}


def applied(step: Instruction, operands: Sequence[Any]) -> Any:
    """Return the value of one instruction at the values of its operands."""
    count = len(operands)
    inputs = tuple(Input(f"x{k}", ()) for k in range(count))
    alone = replace(step, operands=tuple(range(count)))
    program = Program("step", inputs, (alone,), (Output("y", count),))
    return evaluate(program, operands)[0]
