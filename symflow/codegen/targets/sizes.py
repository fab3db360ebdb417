"""A flow at integer sizes, as the targets without symbolic widths need it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from symflow.codegen.inplace import FIXED_SIZE, Shape, has_fixed_size_code
from symflow.codegen.lower import rhs_program
from symflow.codegen.program import Input, Program
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow


@dataclass(frozen=True)
class SizedProgram:
    """A program and the integer shapes of its inputs."""

    program: Program  # what to compute
    shapes: tuple[Shape, ...]  # one per input


def sized(flow: GradientFlow, widths: Sequence[int] | None, call: str) -> SizedProgram:
    """Return the right-hand side of a flow at integer widths.

    `widths` are needed where a width of the flow is a symbol; an error names `call`.

    Raises InvalidArgument if a width stays a symbol, contradicts the flow, or an
    operation has no fixed-size code.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", 1), sf.SquaredLoss())
    >>> sized(flow, (3, 2, 1), "f").shapes
    ((2, 3), (1, 2), (3, 3), (1, 3))
    """
    if not isinstance(flow, GradientFlow):
        msg = f"{call}: needs a gradient flow; got {flow!r}"
        raise InvalidArgument(msg)
    own = flow.network.widths
    several = tuple(widths) if isinstance(widths, list | tuple) else (widths,)
    given = own if widths is None or not several else several
    fits = len(given) == len(own) and all(
        not isinstance(a, int) or a == b for a, b in zip(own, given, strict=True)
    )
    if not fits or not all(isinstance(width, int) and width > 0 for width in given):
        listed = ", ".join(map(str, own))
        msg = (
            f"{call}: needs an integer for every width of the flow ({listed}), all "
            f"positive; got {given}. Give for example widths=(10, 5, 1)"
        )
        raise InvalidArgument(msg)
    program = rhs_program(flow)
    if not has_fixed_size_code(program):
        names = {step.operation for step in program.instructions} - FIXED_SIZE
        msg = (
            f"{call}: no code for the operations {', '.join(sorted(names))} of this "
            "flow. Use compile(flow), which has all of them"
        )
        raise InvalidArgument(msg)
    sizes = dict(zip(own, given, strict=True))
    shapes = tuple(
        tuple(int(sizes.get(width, width)) for width in argument.shape)
        for argument in program.inputs
    )
    inputs = tuple(map(_renamed, program.inputs))
    return SizedProgram(replace(program, inputs=inputs), shapes)


def _renamed(argument: Input) -> Input:
    """Return an argument that is called like nothing in the loops."""
    taken = re.fullmatch(r"[ijk]|v\d+t?", argument.name)
    return replace(argument, name=f"{argument.name}_") if taken else argument
