"""In-place NumPy code: a program at integer sizes that allocates nothing when it runs.

Every instruction writes into an array that was allocated beforehand, or straight into
the array of a result.  Plain matrices are multiplied by ``a.dot(b, out)``, the
shortest way to BLAS, and batches by ``numpy.matmul``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import sympy

from symflow.algebra.numbers import to_float
from symflow.algebra.widths import solve_widths
from symflow.codegen.arrays import array_source
from symflow.codegen.loading import load
from symflow.codegen.program import Instruction, Program

Shape = tuple[int, ...]

#: What fixed-size code can be written for; a program with more runs on array source.
FIXED_SIZE = frozenset(
    (
        "matmul",
        "add",
        "subtract",
        "scale",
        "multiply",
        "hadamard",
        "transpose",
        "inner",
        "trace",
        "rows",
        "columns",
        "identity",
        "constant",
    )
)

#: Operations that take no time: sizes are known, and constant matrices are made once.
FREE = frozenset(("transpose", "rows", "columns", "identity", "constant"))


def has_fixed_size_code(program: Program) -> bool:
    """Say whether every operation of a program can be written at fixed sizes."""
    return all(step.operation in FIXED_SIZE for step in program.instructions)


def slot_shapes(program: Program, shapes: Sequence[Shape]) -> list[Shape]:
    """Return the integer shape of every slot, from those of the inputs.

    `shapes` has one shape per input, without batch dimensions; numbers have none.

    Raises ShapeMismatch if the shapes contradict those that the program declares.
    """
    declared: list[Any] = [
        (f"{program.name}: {argument.name}", argument.shape, shape)
        for argument, shape in zip(program.inputs, shapes, strict=True)
        if argument.shape
    ]
    solve_widths(declared)
    return [*map(tuple, shapes), *result_shapes(program, shapes)]


def result_shapes(program: Program, shapes: Sequence[Shape]) -> list[Shape]:
    """Return the integer shape of every instruction, from those of the inputs."""
    found = [tuple(shape) for shape in shapes]
    counts: dict[int, int] = {}
    for slot, step in zip(program.slots, program.instructions, strict=True):
        operands = [found[slot] for slot in step.operands]
        if step.operation in ("rows", "columns"):
            counts[slot] = operands[0][step.operation == "columns"]
        if step.operation == "identity":
            size = counts[step.operands[0]] if step.operands else step.constant
            operands = [(int(size), int(size))]  # type: ignore[arg-type]
        if step.operation == "unvec" and step.constant is None:
            step = replace(step, constant=sympy.Integer(counts[step.operands[1]]))
        found.append(_shape(step, operands))
    return found[len(shapes) :]


def _shape(step: Instruction, operands: list[Shape]) -> Shape:
    match step.operation:
        case "matmul":
            return operands[0][0], operands[1][1]
        case "transpose":
            return operands[0][::-1]
        case "inner" | "trace" | "total" | "rows" | "columns" | "determinant":
            return ()
        case "diagonal":
            return operands[0][0], 1
        case "vec":
            return prod(operands[0]), 1
        case "kron":
            return operands[0][0] * operands[1][0], 1
        case "diag" | "circulant":
            size = operands[0][0] if step.constant is None else int(step.constant)
            return size, size
        case "circulant_sums" | "pad" | "crop":
            return operands[0][0] if step.constant is None else int(step.constant), 1
        case "unvec":
            assert step.constant is not None
            return int(step.constant), operands[0][0] // int(step.constant)
        case "constant":
            assert step.constant is not None
            rows, columns = step.constant.shape
            return int(rows), int(columns)
        case "hadamard":  # a row or a column may scale a matrix
            return tuple(map(max, *operands))
    return max(operands, key=len)


def inplace_source(program: Program, shapes: Sequence[Shape], batch: Shape = ()) -> str:
    """Return source of ``make(empty)``, which returns the in-place function.

    The function takes the arrays of the results first and the inputs after them.

    The program has to have fixed-size code; `shapes` has one shape per input, without
    batch dimensions. `batch` has the leading dimensions of every array that is not
    plain.
    """
    sizes = slot_shapes(program, shapes)
    names = [argument.name for argument in program.inputs]
    targets = {
        out.slot: f"out{k}" for k, out in reversed([*enumerate(program.outputs)])
    }
    allocations, body = [], []
    for slot, step in zip(program.slots, program.instructions, strict=True):
        operands = [names[operand] for operand in step.operands]
        if step.operation == "transpose":
            names.append(f"{operands[0]}.{'mT' if batch else 'T'}")
            continue
        if step.operation in FREE:
            names.append(f"v{slot}")
            if sizes[slot]:
                matrix = fixed_matrix(step, sizes[slot])
                allocations.append(f"    v{slot} = array({matrix!r})")
            continue
        name = targets.get(slot, f"v{slot}")
        if slot not in targets:
            allocations.append(f"    {name} = empty({(*batch, *sizes[slot])!r})")
        names.append(name)
        body.append(f"        {_statement(step, operands, name, batched=bool(batch))}")
    for k, out in enumerate(program.outputs):
        if names[out.slot] != f"out{k}":
            body.append(f"        out{k}[...] = {names[out.slot]}")
    outs = [f"out{k}" for k in range(len(program.outputs))]
    parameters = ", ".join([*outs, *(argument.name for argument in program.inputs)])
    head = f"    def {program.name}({parameters}):"
    end = f"    return {program.name}"
    return "\n".join(["def make(empty):", *allocations, head, *body, end, ""])


def fixed_matrix(step: Instruction, shape: Shape) -> list[list[float]]:
    """Return the rows of a matrix of numbers that a program has."""
    if step.operation == "identity":
        rows: list[list[float]] = np.eye(shape[0]).tolist()
        return rows
    assert step.constant is not None
    return [[to_float(entry) for entry in row] for row in step.constant.tolist()]


def _statement(
    step: Instruction, operands: list[str], out: str, *, batched: bool
) -> str:
    listed = ", ".join(operands)
    match step.operation:
        case "matmul" if not batched:
            return f"{operands[0]}.dot({operands[1]}, {out})"
        case "matmul" | "add" | "subtract" | "multiply":
            return f"{step.operation}({listed}, {out})"
        case "hadamard":
            return f"multiply({listed}, {out})"
        case "scale":
            return f"multiply({operands[0]}, {to_float(step.constant)!r}, {out})"
        case "inner":
            return f"einsum('...ij,...ij->...', {listed}, out={out})"
    return f"einsum('...ii->...', {listed}, out={out})"


def inplace_function(
    program: Program, shapes: Sequence[Shape], batch: Shape = ()
) -> Callable[..., None]:
    """Compile a program at fixed sizes to ``f(*outs, *inputs)``, which returns nothing.

    `shapes` has one shape per input, without the leading dimensions `batch` of the
    results. An operation without fixed-size code makes the function run array source
    and copy its results.
    """
    if has_fixed_size_code(program):
        names = ("matmul", "add", "subtract", "multiply", "einsum", "array")
        namespace: dict[str, Any] = {name: getattr(np, name) for name in names}
        exec(inplace_source(program, shapes, batch), namespace)
        function: Callable[..., None] = namespace["make"](np.empty)
        return function
    compute = load(array_source(program, ""), program.name)
    return _copying(compute, len(program.outputs))


def _copying(compute: Callable[..., Any], count: int) -> Callable[..., None]:
    def run(*arrays: Any) -> None:
        for out, value in zip(arrays[:count], compute(*arrays[count:]), strict=True):
            out[...] = value

    return run
