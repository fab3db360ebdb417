"""Standalone C99: one function of pointers to row-major doubles, with fixed sizes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from textwrap import indent

from symflow.codegen.inplace import Shape
from symflow.codegen.program import quoted
from symflow.codegen.targets.loops import Language, loops
from symflow.codegen.targets.sizes import SizedProgram, sized
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow

#: Doubles of scratch memory that a function may have on the stack.
STACK = 65_536


class C(Language):
    """C99 on flat row-major arrays."""

    def entry(self, name: str, row: str, column: str, shape: Shape) -> str:
        """Return ``A[i * 3 + j]``."""
        return f"{name}[{row} * {shape[1]} + {column}]"

    def number(self, name: str) -> str:
        """Return ``a[0]``."""
        return f"{name}[0]"

    def loop(self, index: str, count: int, body: list[str]) -> list[str]:
        """Return the lines of a for loop."""
        head = f"for (int {index} = 0; {index} < {count}; {index}++) {{"
        return [head, *(f"    {line}" for line in body), "}"]

    def assign(self, target: str, operator: str, value: str) -> str:
        """Return ``target = value;``."""
        return f"{target} {operator} {value};"


def c_source(flow: GradientFlow, widths: Sequence[int] | None = None) -> str:
    """Return the right-hand side of a flow as a C99 file that needs nothing else.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    widths : sequence of int, optional
        Integers for its widths, needed where they are symbols.

    Returns
    -------
    str
        ``void gradient_flow(const double *W1, …, double *out0, …)``; matrices are
        stored row by row, and the results may not overlap the arguments.

    Raises
    ------
    InvalidArgument
        If a width stays a symbol, or the matrices are too large for the stack.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> print(sf.c_source(flow).splitlines()[0])
    /* Gradient flow of LinearNetwork(3, 2, 1), SquaredLoss().
    """
    return source_of(flow, sized(flow, widths, "c_source(flow, widths)"))


def source_of(flow: GradientFlow, program: SizedProgram) -> str:
    """Return the C text of a sized program of a flow."""
    from importlib.metadata import version  # slow to import

    body, scratch = loops(program, C())
    needed = sum(prod(shape) for shape in scratch.values())
    if needed > STACK:
        msg = (
            f"c_source(flow, widths): needs {needed} doubles of scratch memory, more "
            f"than the {STACK} that fit the stack. Use compile(flow), which calls BLAS"
        )
        raise InvalidArgument(msg)
    arrays = [f"    double {n}[{max(1, prod(s))}];" for n, s in scratch.items()]
    equations = indent(str(flow), "     ")
    sizes = "\n".join(
        f"     {argument.name} {' x '.join(map(str, shape)) or 'one number'}"
        for argument, shape in zip(program.program.inputs, program.shapes, strict=True)
    )
    head = (
        f"/* Gradient flow of {quoted(f'{flow.network!r}, {flow.loss!r}')}.\n\n"
        f"{quoted(equations)}\n\n"
        f"   Row-major doubles:\n{sizes}\n\n"
        "   out0, out1, ... are the derivatives of the weights, in order; they may\n"
        f"   not overlap the arguments.  Written by symflow {version('symflow')}. */"
    )
    inputs = [f"const double *restrict {a.name}" for a in program.program.inputs]
    outs = [f"double *restrict out{k}" for k in range(len(program.program.outputs))]
    signature = ",\n    ".join([*inputs, *outs])
    lines = [*arrays, *(f"    {line}" for line in body)]
    function = f"void {program.program.name}(\n    {signature})\n{{"
    return "\n".join([head, "", function, *lines, "}", ""])
