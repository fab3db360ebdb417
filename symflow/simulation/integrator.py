"""The text of a whole integrator, in C or Python, with a flow written into it.

Coefficients come from `tableau` and the control of the steps from the methods of this
room, so that an exported simulation takes the steps of `simulate`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from itertools import accumulate
from math import prod
from string import Template
from textwrap import indent
from typing import Any

import numpy as np
from sympy import Symbol, sympify

from symflow.algebra.arrays import Array
from symflow.algebra.widths import solve_widths
from symflow.codegen.arrays import PLAIN, array_source
from symflow.codegen.inplace import Shape
from symflow.codegen.lower import loss_program, rhs_program
from symflow.codegen.module import prelude_source
from symflow.codegen.program import Program, python_name, quoted
from symflow.codegen.targets.c import CLOSE, PRELUDE, C, function, header
from symflow.codegen.targets.loops import SizedProgram, loops
from symflow.codegen.targets.numba import PythonLoops
from symflow.codegen.targets.sizes import at_shapes
from symflow.codegen.targets.straight import is_short, straight
from symflow.flow import GradientFlow
from symflow.simulation.crossings import ROOT_ULPS
from symflow.simulation.dop853 import GROW, SAFETY, SHRINK, STAGES
from symflow.simulation.events import LossBelow
from symflow.simulation.methods import MOST_STEPS, PART, WHOLE
from symflow.simulation.system import NEAR
from symflow.simulation.tableau import tableau

#: Headers, which do not belong between the brackets for C++.
INCLUDED = "\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"

#: What the comment of `simulate` adds where events are watched.
WATCHING = """
   After its four numbers stats has the time at which each event happened, or NaN.
   Where one stops a start, its state then is the value at the next of the times."""

#: The control of the steps, by its names in the templates.
CONTROL = {
    "safety": repr(SAFETY),
    "shrink": repr(SHRINK),
    "grow": repr(GROW),
    "whole": repr(WHOLE),
    "part": repr(PART),
    "near": repr(NEAR),
    "most": repr(MOST_STEPS),
}


class Lanes(C):
    """C for several starts side by side; they share the data, which are `shared`."""

    def __init__(self, shared: frozenset[str]) -> None:
        self.shared = shared

    def entry(self, name: str, row: str, column: str, shape: Shape) -> str:
        """Return ``A[(i * 3 + j) * LANES + l]``."""
        if name in self.shared:
            return super().entry(name, row, column, shape)
        return f"{name}[({row} * {shape[1]} + {column}) * LANES + l]"

    def number(self, name: str) -> str:
        """Return ``a[l]``."""
        return super().number(name) if name in self.shared else f"{name}[l]"

    def assign(self, target: str, operator: str, value: str) -> str:
        """Return ``EACH target = value;``."""
        line = super().assign(target, operator, value)
        return line if target.partition("[")[0] in self.shared else f"EACH {line}"

    def product(self, shape: Shape, inner: int, target: str, term: str) -> list[str]:
        """Return the lines of a product, whose sums stay in registers."""
        if target.partition("[")[0] in self.shared:
            return super().product(shape, inner, target, term)
        rows, columns = shape
        body = [
            "double sum[LANES] = {0.0};",
            *self.loop("k", inner, [f"EACH sum[l] += {term};"]),
            f"EACH {target} = sum[l];",
        ]
        return self.loop("i", rows, self.loop("j", columns, body))

    def body(self, program: SizedProgram) -> tuple[list[str], dict[str, Shape]]:
        """Return the lines of a program and its scratch arrays.

        Short programs have neither loops nor arrays.
        """
        if not is_short(program):
            return super().body(program)
        return ["EACH {", *(f"    {n}" for n in straight(program, self)), "}"], {}

    def declared(self, scratch: dict[str, Shape]) -> list[str]:
        """Return the declarations of scratch arrays."""
        own = {n: s for n, s in scratch.items() if n in self.shared}
        many = (f"double {n}[{max(1, prod(s))} * LANES];" for n, s in scratch.items())
        lines = zip(scratch, many, strict=True)
        return super().declared(own) + [line for n, line in lines if n not in own]


def shared_arrays(program: Program, weights: int) -> frozenset[str]:
    """Return the names of a program's arrays that do not depend on the weights."""
    names = [argument.name for argument in program.inputs]
    fixed = set(range(weights, len(names)))
    for slot, step in zip(program.slots, program.instructions, strict=True):
        if fixed.issuperset(step.operands):
            fixed.add(slot)
    own = {names[k] if k < len(names) else f"v{k}" for k in fixed}
    return frozenset(own | {f"v{k}t" for k in fixed})


def c_integrator(
    flow: GradientFlow, program: SizedProgram, events: tuple[LossBelow, ...] = ()
) -> str:
    """Return the C file of a flow, at the shapes of its program."""
    count, table = len(flow.state), tableau()
    language = Lanes(shared_arrays(program.program, count))
    given = loss_at(flow, program) if events else program
    sizes = [prod(shape) for shape in given.shapes]
    first = [0, *accumulate(sizes[:count])]
    blocks = [
        *(f"y + {place} * LANES" for place in first[:-1]),
        *(f"data[{k}]" for k in range(len(program.shapes) - count)),
        *(f"out + {place} * LANES" for place in first[:-1]),
    ]
    body = "    (void)data;\n"
    body += f"    {program.program.name}({', '.join(blocks)});\n"
    names = [argument.name for argument in given.program.inputs]
    notes = (
        "   simulate(…) integrates many starts with Dormand and Prince's method of\n"
        "   order 8 and its dense output.  All matrices are row-major:\n"
        f"     weights {', '.join(names[:count])}\n"
        f"     data {', '.join(names[count:])}\n"
        "   It needs the standard library alone, and is C++ as well.  To test itself:\n"
        "   cc -O3 -DSELF_TEST flow.c -lm && ./a.out\n\n "
    ).replace("…", "...")
    filled = _template("integrator_c.txt").substitute(
        CONTROL,
        size=first[-1],
        sizes=", ".join(map(str, sizes[:count])),
        data_sizes=", ".join(map(str, [*sizes[count:], 0])),
        weights=count,
        data=len(sizes) - count,
        rhs=function(program, language, "static void"),
        rate=body,
        stages=_c_stages(table),
        fifth=_combined(table.E5),
        third=_combined(table.E3),
        extra=_c_extra(table),
        polynomial="".join(
            f"        f[{3 + j} * ROW + AT] = h[l] * ({_combined(row)});\n"
            for j, row in enumerate(table.D)
        ),
        events=len(events),
        levels=", ".join(repr(float(event.level)) for event in events),
        stops=", ".join(str(int(event.terminal)) for event in events),
        ulps=repr(ROOT_ULPS * float(np.finfo(float).eps)),
        watching=WATCHING if events else "",
        **_c_loss(flow, program, bool(events)),
    )
    return "\n".join([header(flow, notes), INCLUDED, PRELUDE, filled, CLOSE])


def loss_at(flow: GradientFlow, program: SizedProgram) -> SizedProgram:
    """Return the program of the objective at the sizes of that of the rates."""
    loss = loss_program(flow)
    shapes = dict(zip(rhs_program(flow).inputs, program.shapes, strict=True))
    declared: list[Any] = [("", a.shape, shape) for a, shape in shapes.items() if shape]
    sizes = solve_widths(declared)
    return at_shapes(
        loss,
        tuple(tuple(int(sympify(w).subs(sizes)) for w in a.shape) for a in loss.inputs),
        "compile_simulator(flow)",
    )


def _c_loss(flow: GradientFlow, program: SizedProgram, watched: bool) -> dict[str, Any]:
    """Return the loss in C, and for the test of the file what its data look like."""
    count, loss, whole = len(flow.state), loss_program(flow), loss_at(flow, program)
    kinds = ("", "covariance", "signs", "number")
    known = {python_name(Symbol(k)): v for k, v in flow.loss.example_kinds.items()}
    known |= {a.name: "number" for a in loss.inputs if not a.shape}
    every = [shape or (1, 1) for shape in whole.shapes]
    data = every[count:]
    first = [0, *accumulate(prod(shape) for shape in program.shapes[:count])]
    blocks = [*(f"z + {k}" for k in first[:-1])]
    blocks += [f"data[{k}]" for k in range(len(data))]
    text = function(whole, C(), "static void") if watched or flow.is_gradient else ""
    return {
        "has_loss": int(flow.is_gradient),
        "loss_data": len(data),
        "rows": ", ".join(str(shape[0]) for shape in every),
        "columns": ", ".join(str(shape[1]) for shape in every),
        "kinds": ", ".join(
            str(kinds.index(known.get(a.name, ""))) for a in loss.inputs
        ),
        "loss": text if watched else "",
        "test_loss": "" if watched or not flow.is_gradient else text,
        "blocks": ", ".join(blocks),
        "loss_call": f"loss({', '.join([*blocks, '&sides[side]'])})",
    }


def python_integrator(flow: GradientFlow, program: SizedProgram, jit: bool) -> str:
    """Return the Python file of a flow; with `jit`, loops that Numba compiles."""
    table, count = tableau(), len(flow.state)
    names = [argument.name for argument in program.program.inputs]
    first = [0, *accumulate(prod(shape) for shape in program.shapes[:count])]
    parts = list(zip(first[:-1], first[1:], program.shapes, strict=False))
    weights = [f"y[{a}:{b}].reshape({shape})" for a, b, shape in parts]
    call = (
        f"    found = {program.program.name}({', '.join([*weights, *names[count:]])})"
    )
    stores = [
        f"    out[{a}:{b}] = found[{k}].ravel()" for k, (a, b, _) in enumerate(parts)
    ]
    return _template("integrator_python.txt").substitute(
        CONTROL,
        summary=quoted(f"Gradient flow of {flow.network!r}, {flow.loss!r}."),
        equations=quoted(indent(str(flow), "    ")),
        version=version("symflow"),
        names=", ".join(names[:count]),
        size=first[-1],
        imports="from numba import njit\n" if jit else "",
        jit="@njit" if jit else "",
        a=_literal(table.rows),
        e=_literal(table.errors),
        d=_literal(table.D),
        rhs=_python_rhs(program, jit),
        arguments=f"({''.join(f'{name}, ' for name in names[count:])})",
        rate="\n".join([call, *stores]) + "\n",
    )


def _python_rhs(program: SizedProgram, jit: bool) -> str:
    if not jit:
        text = array_source(program.program, "Return the rates.", dialect=PLAIN)
        return f"{prelude_source([program.program])}{text}\n"
    body, scratch = loops(program, PythonLoops())
    outs = {f"out{k}": shape for k, shape in enumerate(program.results)}
    arrays = [f"{n} = numpy.empty({s})" for n, s in (outs | scratch).items() if s]
    lines = [*arrays, *body, f"return {', '.join(outs)},"]
    names = ", ".join(argument.name for argument in program.program.inputs)
    head = f"@njit\ndef {program.program.name}({names}):"
    return "\n".join([head, *(f"    {line}" for line in lines), "", ""])


def _literal(rows: Array) -> str:
    lines = (f"    {row.tolist()!r},\n" for row in rows)
    return f"[\n{''.join(lines)}]"


def _combined(row: Array) -> str:
    """Return Σ aₛ kₛ as C, without the terms that vanish."""
    terms = (f"{float(a)!r} * K({s})" for s, a in enumerate(row) if a)
    return " + ".join(terms).replace("+ -", "- ")


def _c_stages(table: Any) -> str:
    lines = []
    for s in range(1, STAGES):
        lines.append(
            f"    ENTRIES p[AT] = y[AT] + h[l] * ({_combined(table.A[s, :s])});\n"
            f"    rate(p, data, k + {s} * ROW);\n"
        )
    lines.append(f"    ENTRIES end[AT] = y[AT] + h[l] * ({_combined(table.B)});\n")
    return "".join([*lines, f"    rate(end, data, k + {STAGES} * ROW);\n"])


def _c_extra(table: Any) -> str:
    return "".join(
        f"    ENTRIES p[AT] = y[AT] + h[l] * ({_combined(row)});\n"
        f"    rate(p, data, k + {STAGES + 1 + s} * ROW);\n"
        for s, row in enumerate(table.A_EXTRA)
    )


@cache
def _template(name: str) -> Template:
    text = files("symflow.simulation").joinpath(name).read_text(encoding="utf-8")
    return Template(text)
