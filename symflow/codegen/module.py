"""Stand-alone modules: a flow as one Python file that needs NumPy alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from inspect import getsource
from pathlib import Path
from string import Template
from textwrap import indent

import sympy

from symflow.algebra.array_maps import PRELUDE
from symflow.algebra.text import inline
from symflow.algebra.widths import Width
from symflow.codegen.arrays import Dialect, array_source
from symflow.codegen.lower import (
    end_to_end_program,
    loss_arguments,
    loss_program,
    lower,
    rhs_program,
)
from symflow.codegen.program import Program, python_name, quoted
from symflow.conservation import Law, conserved
from symflow.errors import InvalidArgument, expect
from symflow.files import as_path, write_text
from symflow.flow import GradientFlow

#: A module computes with plain matrices, and is read more often than it is run.
MODULE = Dialect(transpose=".T", namespace="np")


#: Operations whose constant is a size, or a matrix of one.
_SIZED = {
    *("circulant", "circulant_sums", "pad", "crop", "identity", "constant"),
    *("vec", "unvec"),
}

#: Widths up to this are the self-test's own, where the code takes any.
SMALL = 8


def write_module(flow: GradientFlow, path: str | Path) -> Path:
    """Write a flow as a Python file that needs NumPy alone.

    The file has `rhs`, `loss`, `end_to_end`, `conserved`, an adaptive integrator
    `simulate`, and tests itself when it is run.  The same flow gives the same bytes.

    Parameters
    ----------
    flow : GradientFlow
        Widths may be symbolic: the module then takes any sizes.
    path : str or Path
        Where to write; the parent directory has to exist.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    OutputError
        If the file cannot be written.
    InvalidArgument
        If `flow` is not a flow, or `path` not a path.

    Examples
    --------
    >>> import symflow as sf, tempfile, pathlib
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> sf.write_module(flow, folder / "two_layer_flow.py").name
    'two_layer_flow.py'
    >>> import subprocess, sys
    >>> test = [sys.executable, folder / "two_layer_flow.py"]
    >>> subprocess.run(test, capture_output=True).returncode
    0
    """
    name = as_path(path, "write_module(flow, path)").name
    source = module_source(flow, name)
    return write_text(path, source, f"write_module(path={str(path)!r})")


def module_source(flow: GradientFlow, filename: str = "flow.py") -> str:
    """Return the text that `write_module` writes.

    Its docstring calls the file by `filename`.
    """
    expect(flow, GradientFlow, "write_module(flow, path)", "a gradient flow")
    if not flow.is_gradient:
        msg = (
            "write_module(flow, path): a module tests itself by the gradient of the "
            "loss, in ordinary time and with one learning rate, which is not what "
            f"this flow follows: {flow!r}. Use compile(flow)"
        )
        raise InvalidArgument(msg)
    program, program_of_loss = rhs_program(flow), loss_program(flow)
    count = len(flow.state)
    programs = (program, program_of_loss, _conserved_program(flow))
    smaller = not any(map(_reads_sizes, programs))
    template = files("symflow.codegen").joinpath("module_template.txt")
    words = _described(flow, filename) | {"shapes": _shape_lines(program)}
    return Template(template.read_text(encoding="utf-8")).substitute(
        {name: quoted(text) for name, text in words.items()},
        weights=repr(tuple(a.name for a in program.inputs[:count])),
        data=repr(tuple(a.name for a in program.inputs[count:])),
        rates=repr(tuple(_rate(law) for law in conserved(flow))),
        loss_data=repr(
            tuple(a.name for a in program_of_loss.inputs[len(program.inputs) :])
        ),
        shapes_note="small" if smaller else "those of the flow",
        example_shapes=_example_shapes(program_of_loss, smaller=smaller),
        example_kinds=repr(_example_kinds(flow)),
        prelude=prelude_source(programs),
        rhs=_function(replace(program, name="rhs"), _rhs_doc(flow)),
        loss=_function(
            program_of_loss,
            f"Return the loss.\n\n    {inline(flow.potential)}",
            bare=True,
        ),
        end_to_end=_function(
            end_to_end_program(flow), "Return the end-to-end matrix W.", bare=True
        ),
        conserved=_conserved_source(flow),
    )


def _described(flow: GradientFlow, filename: str) -> dict[str, str]:
    """Return the words of the module's docstring."""
    from importlib.metadata import version  # slow to import

    return {
        "summary": f"Gradient flow of a {len(flow.state)}-layer linear network.",
        "equations": indent(str(flow), "    "),
        "product": inline(flow.network.end_to_end),
        "decay_note": _decay_note(flow),
        "version": version("symflow"),
        "flow": f"gradient_flow({flow.network!r}, {flow.loss!r})",
        "filename": " ".join(filename.split()),
    }


def _function(program: Program, docstring: str, *, bare: bool = False) -> str:
    return array_source(program, docstring, dialect=MODULE, bare=bare)


def prelude_source(programs: Sequence[Program]) -> str:
    """Return the text of the functions that the programs call."""
    used = {step.operation for program in programs for step in program.instructions}
    texts = [getsource(PRELUDE[name]) for name in PRELUDE if name in used]
    plain = [re.sub(r": Any| -> Any|: int( \| None)?(?= =|[,)])", "", t) for t in texts]
    return "".join(f"{text}\n\n" for text in plain).replace(" = None", "=None")


def _example_kinds(flow: GradientFlow) -> dict[str, str]:
    """Return what example data look like, by argument name."""
    kinds = flow.loss.example_kinds
    symbols = [s for s in loss_arguments(flow) if s.name in kinds]
    return {python_name(symbol): kinds[symbol.name] for symbol in symbols}


def _rhs_doc(flow: GradientFlow) -> str:
    equations = indent(str(flow), "    ")
    return f"Return the time derivatives of the weights.\n\n{equations}"


def _conserved_source(flow: GradientFlow) -> str:
    """Return the source of `conserved`, one result per law."""
    laws = conserved(flow)
    if not laws:
        names = ", ".join(symbol.name for symbol in flow.state)
        return "\n".join(
            [f"def conserved({names}):", '    """Nothing."""', "    return ()", ""]
        )
    listed = "\n".join(f"    {inline(law.expr)}" for law in laws)
    return _function(_conserved_program(flow), f"Return the following.\n\n{listed}")


def _conserved_program(flow: GradientFlow) -> Program:
    results = {f"law{n}": law.node for n, law in enumerate(conserved(flow), start=1)}
    return lower("conserved", flow.state, results)


def _decay_note(flow: GradientFlow) -> str:
    if flow.loss.l2 == 0:
        return "`conserved` is constant along the flow."
    return (
        f"`conserved` decays as exp(-2 λ t) with the weight decay λ = {flow.loss.l2}."
    )


def _rate(law: Law) -> float:
    rate: sympy.Expr = law.rate
    # A symbolic λ is 0.1 in the self-test.
    return float(rate.subs(dict.fromkeys(rate.free_symbols, 0.1)))


def _shape_lines(program: Program) -> str:
    return "\n".join(
        f"{argument.name:<10} {' x '.join(map(str, argument.shape)) or 'a number'}"
        for argument in program.inputs
    )


def _reads_sizes(program: Program) -> bool:
    """Say whether a size is written into the code, so that it runs at no other."""
    return any(
        step.operation in _SIZED
        and (step.constant is not None or step.operation == "vec")
        for step in program.instructions
    )


def _example_shapes(program: Program, *, smaller: bool) -> str:
    """Give every symbolic width, and every large one, a small integer of its own."""
    widths = {w for argument in program.inputs for w in argument.shape}
    symbols = (w.free_symbols for w in widths if not _is_int(w))
    names = sorted({symbol for found in symbols for symbol in found}, key=str)
    sizes = {name: 2 + number for number, name in enumerate(names)}
    large = sorted(int(w) for w in widths if _is_int(w) and w > SMALL) * smaller
    sizes |= {width: SMALL + rank for rank, width in enumerate(large, start=1)}
    shapes = {
        argument.name: tuple(_at(width, sizes) for width in argument.shape)
        for argument in program.inputs
    }
    lines = [f"    {name!r}: {shape!r}," for name, shape in shapes.items()]
    return "\n".join(["{", *lines, "}"])


def _at(width: Width, sizes: dict[Width, int]) -> int:
    """Return a width, or a product of widths, at integer sizes."""
    return int(sympy.sympify(sizes.get(width, width)).xreplace(sizes))


def _is_int(width: Width) -> bool:
    return isinstance(width, (int, sympy.Integer))
