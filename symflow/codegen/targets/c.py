"""Standalone C99: one function of pointers to row-major doubles, with fixed sizes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from textwrap import indent
from typing import ClassVar

from symflow.codegen.inplace import Shape
from symflow.codegen.program import quoted
from symflow.codegen.targets.loops import Language, SizedProgram, loops
from symflow.codegen.targets.sizes import sized
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow

#: Doubles of scratch memory that a function may have on the stack.
STACK = 65_536
#: Terms of a product of matrices that are added at once, one after the other.
AT_ONCE = 4


class C(Language):
    """C99 on flat row-major arrays."""

    names: ClassVar[dict[str, str]] = {"abs": "fabs"}

    def entry(self, name: str, row: str, column: str, shape: Shape) -> str:
        """Return ``A[i * 3 + j]``."""
        return f"{name}[{row} * {shape[1]} + {column}]"

    def number(self, name: str) -> str:
        """Return ``a[0]``."""
        return f"{name}[0]"

    def loop(self, index: str, count: int, body: list[str]) -> list[str]:
        head = f"for (int {index} = 0; {index} < {count}; {index}++) {{"
        return [head, *(f"    {line}" for line in body), "}"]

    def assign(self, target: str, operator: str, value: str) -> str:
        """Return ``target = value;``."""
        return f"{target} {operator} {value};"

    def product(self, shape: Shape, inner: int, target: str, term: str) -> list[str]:
        """Return loops that read and write a sum once for several of its terms."""
        whole = inner - inner % AT_ONCE
        if inner < 2 * AT_ONCE:
            return super().product(shape, inner, target, term)

        def summed(places: Sequence[str]) -> list[str]:
            terms = [re.sub(r"\bk\b", place, term) for place in places]
            body = [f"double sum = {target};", *(f"sum += {t};" for t in terms)]
            return self.loop("j", shape[1], [*body, f"{target} = sum;"])

        head = f"for (int k = 0; k < {whole}; k += {AT_ONCE}) {{"
        several = summed([f"(k + {n})" for n in range(AT_ONCE)])
        rest = summed([str(n) for n in range(whole, inner)]) if whole < inner else []
        clear = self.loop("j", shape[1], [self.assign(target, "=", "0.0")])
        lines = [*clear, head, *(f"    {line}" for line in several), "}", *rest]
        return self.loop("i", shape[0], lines)

    def body(self, program: SizedProgram) -> tuple[list[str], dict[str, Shape]]:
        """Return the lines of a program and the scratch arrays that it needs."""
        return loops(program, self)

    def declared(self, scratch: dict[str, Shape]) -> list[str]:
        """Return the declarations of scratch arrays."""
        return [f"double {n}[{max(1, prod(s))}];" for n, s in scratch.items()]


def c_source(
    flow: GradientFlow,
    widths: Sequence[int] | None = None,
    *,
    samples: int | None = None,
    outputs: str = "rhs",
) -> str:
    """Return the right-hand side of a flow as a C99 file that needs nothing else.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    widths : sequence of int, optional
        Integers for its widths, needed where they are symbols.
    samples : int, keyword-only, optional
        Number of samples, needed where the loss reads them.
    outputs : str, keyword-only
        ``"rhs"``, or ``"loss"`` for the objective, with the arguments of its kernel.

    Returns
    -------
    str
        ``void gradient_flow(const double *W1, …, double *out0, …)``, or ``loss`` with
        one number for a result; matrices are stored row by row, and the results may not
        overlap the arguments.  It is C++ as well.

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
    call = "c_source(flow, widths)"
    return source_of(flow, sized(flow, widths, call, samples=samples, outputs=outputs))


def source_of(flow: GradientFlow, program: SizedProgram) -> str:
    """Return the C text of a sized program of a flow.

    Raises InvalidArgument if the matrices are too large for the stack.
    """
    called = program.program.name
    what = (
        "out0 is the training objective; it may"
        if called == "loss"
        else "out0, out1, ... are the derivatives of the weights, in order; they may"
    )
    sizes = "\n".join(
        f"     {argument.name} {' x '.join(map(str, shape)) or 'one number'}"
        for argument, shape in zip(program.program.inputs, program.shapes, strict=True)
    )
    notes = (
        f"   Row-major doubles:\n{sizes}\n\n   {what}\n   not overlap the arguments."
    )
    return "\n".join([header(flow, notes), PRELUDE, function(program, C()), CLOSE])


#: What precedes functions so that C++ takes them, too, and what follows.
PRELUDE = """
#include <math.h>
#ifdef __cplusplus
#define RESTRICT
extern "C" {
#else
#define RESTRICT restrict
#endif
"""
CLOSE = """
#ifdef __cplusplus
}
#endif
"""


def header(flow: GradientFlow, notes: str) -> str:
    """Return the comment at the head of a C file: the equations, then `notes`."""
    from importlib.metadata import version  # slow to import

    equations = indent(str(flow), "     ")
    return (
        f"/* Gradient flow of {quoted(f'{flow.network!r}, {flow.loss!r}')}.\n\n"
        f"{quoted(equations)}\n\n"
        f"{notes}  Written by symflow {version('symflow')}. */"
    )


def scratch_of(program: SizedProgram, language: C) -> int:
    """Return how many doubles of scratch memory a function has on the stack."""
    return sum(max(1, prod(shape)) for shape in language.body(program)[1].values())


def function(program: SizedProgram, language: C, kind: str = "void") -> str:
    """Return a C function of pointers to the inputs, then to the outputs.

    Raises InvalidArgument if the matrices are too large for the stack.
    """
    body, scratch = language.body(program)
    needed = scratch_of(program, language)
    if needed > STACK:
        msg = (
            f"{program.program.name} in C: needs {needed} doubles of scratch memory, "
            f"more than the {STACK} that fit the stack. Use compile(flow), which calls "
            "BLAS"
        )
        raise InvalidArgument(msg)
    used = "\n".join(body)
    inputs = [f"const double *RESTRICT {a.name}" for a in program.program.inputs]
    outs = [f"double *RESTRICT out{k}" for k in range(len(program.results))]
    lines = [
        *(f"    {line}" for line in language.declared(scratch)),
        # an input that only gives its size is no mistake
        *(f"    (void){a.name};" for a in program.program.inputs if a.name not in used),
        *(f"    {line}" for line in body),
    ]
    signature = ",\n    ".join([*inputs, *outs])
    head = f"{kind} {program.program.name}(\n    {signature})\n{{"
    return "\n".join([head, *lines, "}"])
