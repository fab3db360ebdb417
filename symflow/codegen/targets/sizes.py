"""A flow at integer sizes, as the targets without symbolic widths need it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sympy import sympify

from symflow.algebra.numbers import whole
from symflow.codegen.inplace import Shape
from symflow.codegen.lower import loss_program, rhs_program
from symflow.codegen.program import Input, Program
from symflow.codegen.targets.loops import LOOPS, SizedProgram
from symflow.errors import InvalidArgument, expect, one_of, shown
from symflow.flow import GradientFlow

#: Samples that a number of them may be.
MOST = 10**9


#: What the code of a target computes.
PROGRAMS = {"rhs": rhs_program, "loss": loss_program}


def sized(
    flow: GradientFlow,
    widths: Sequence[int] | None,
    call: str,
    *,
    samples: int | None = None,
    outputs: str = "rhs",
) -> SizedProgram:
    """Return the right-hand side of a flow, or its objective, at integer widths.

    `widths` are needed where a width of the flow is a symbol, and `samples` where the
    loss reads them; an error names `call`.

    Raises InvalidArgument if a size stays a symbol, contradicts the flow, or an
    operation has no fixed-size code.
    """
    expect(flow, GradientFlow, call, "a gradient flow")
    one_of(outputs, PROGRAMS, f"{call}: outputs")
    own = flow.network.widths
    several = tuple(widths) if isinstance(widths, list | tuple) else (widths,)
    given = own if widths is None or not several else several
    fits = len(given) == len(own) and all(
        type(b) is int and b > 0 and (a == b or not isinstance(a, int))
        for a, b in zip(own, given, strict=True)
    )
    if not fits:
        listed = ", ".join(map(str, own))
        msg = (
            f"{call}: needs an integer for every width of the flow ({listed}), all "
            f"positive; got {shown(given)}. Give for example widths=(10, 5, 1)"
        )
        raise InvalidArgument(msg)
    program = PROGRAMS[outputs](flow)
    sizes = dict(zip(own, given, strict=True))
    written = (sympify(width).free_symbols for a in program.inputs for width in a.shape)
    counts = set().union(*written) - set(own)
    if samples is not None:
        sizes |= dict.fromkeys(counts, whole(samples, f"{call}: samples", 1, MOST))
    elif counts:
        msg = (
            f"{call}: {flow.loss!r} reads the samples, and the code is for a number of "
            "them. Give for example samples=100"
        )
        raise InvalidArgument(msg)
    shapes = tuple(
        tuple(int(sympify(width).subs(sizes)) for width in argument.shape)
        for argument in program.inputs
    )
    return at_shapes(program, shapes, call)


def at_shapes(program: Program, shapes: tuple[Shape, ...], call: str) -> SizedProgram:
    """Return a program with the shapes of its inputs; an error names `call`.

    Raises InvalidArgument if an operation has no fixed-size code.
    """
    if not has_code(program):
        names = {step.operation for step in program.instructions} - LOOPS
        msg = (
            f"{call}: no code for the operations {', '.join(sorted(names))} of this "
            "flow. Use compile(flow), which has all of them"
        )
        raise InvalidArgument(msg)
    inputs = tuple(map(_renamed, program.inputs))
    return SizedProgram(replace(program, inputs=inputs), shapes)


def has_code(program: Program) -> bool:
    """Say whether every operation can be written as loops."""
    return {step.operation for step in program.instructions} <= LOOPS


def _renamed(argument: Input) -> Input:
    """Return an argument that is called like nothing in the loops."""
    taken = re.fullmatch(r"[ijklm]|v\d+t?", argument.name)
    return replace(argument, name=f"{argument.name}_") if taken else argument
