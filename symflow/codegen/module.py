"""Stand-alone modules: a flow as one Python file that needs NumPy alone."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from string import Template

import sympy

from symflow.algebra.nodes import Leaf, product, subtract, transpose
from symflow.algebra.text import inline
from symflow.algebra.widths import Width
from symflow.codegen.arrays import array_source
from symflow.codegen.lower import (
    end_to_end_program,
    loss_program,
    lower,
    rhs_program,
)
from symflow.codegen.program import Program
from symflow.errors import InvalidArgument, OutputError
from symflow.flow import GradientFlow


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
        If `flow` is not a flow.

    Examples
    --------
    >>> import symflow as sf, tempfile, pathlib
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> sf.write_module(flow, folder / "two_layer_flow.py").name
    'two_layer_flow.py'
    """
    target = Path(path)
    source = module_source(flow, target.name)
    try:
        target.write_text(source, encoding="utf-8")
    except OSError as problem:
        msg = (
            f"write_module(path={str(path)!r}): cannot write there: {problem.strerror}"
        )
        raise OutputError(msg) from None
    return target


def module_source(flow: GradientFlow, filename: str = "flow.py") -> str:
    """Return the text that `write_module` writes.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    filename : str
        How the module's docstring calls its file.
    """
    if not isinstance(flow, GradientFlow):
        msg = f"write_module(flow, path): needs a gradient flow; got {flow!r}"
        raise InvalidArgument(msg)
    program = rhs_program(flow)
    count = len(flow.state)
    template = files("symflow.codegen").joinpath("module_template.txt")
    return Template(template.read_text(encoding="utf-8")).substitute(
        summary=f"Gradient flow of a {count}-layer linear network.",
        equations="\n".join(f"    {inline(eq)}" for eq in flow.equations),
        shapes=_shape_lines(program),
        product="".join(inline(symbol) for symbol in reversed(flow.state)),
        decay_note=_decay_note(flow),
        version=version("symflow"),
        flow=f"gradient_flow({flow.network!r}, {flow.loss!r})",
        filename=filename,
        weights=repr(tuple(a.name for a in program.inputs[:count])),
        data=repr(tuple(a.name for a in program.inputs[count:])),
        rates=repr(tuple(_rate(flow) for _ in range(count - 1))),
        example_shapes=_example_shapes(program),
        rhs=_function(replace(program, name="rhs"), _rhs_doc(flow)),
        loss=_function(loss_program(flow), _loss_doc(flow), bare=True),
        end_to_end=_function(
            end_to_end_program(flow), "Return the end-to-end matrix W.", bare=True
        ),
        conserved=_conserved_source(flow),
    )


def _function(program: Program, docstring: str, *, bare: bool = False) -> str:
    return array_source(program, docstring, transpose=".T", bare=bare)


def _rhs_doc(flow: GradientFlow) -> str:
    equations = "\n".join(f"    {inline(equation)}" for equation in flow.equations)
    return f"Return the time derivatives of the weights.\n\n{equations}"


def _loss_doc(flow: GradientFlow) -> str:
    return f"Return the loss.\n\n    {inline(flow.potential)}"


def _conserved_source(flow: GradientFlow) -> str:
    """Return the source of `conserved`, one imbalance per adjacent pair of layers."""
    results = {}
    for number, (first, second) in enumerate(pairwise(map(Leaf, flow.state)), start=1):
        inner = product(transpose(second), second)
        results[f"delta{number}"] = subtract(inner, product(first, transpose(first)))
    if not results:
        names = ", ".join(symbol.name for symbol in flow.state)
        return "\n".join(
            [f"def conserved({names}):", '    """Nothing."""', "    return ()", ""]
        )
    program = lower("conserved", flow.state, results)
    return _function(program, "Return W_{l+1}.T W_{l+1} - W_l W_l.T for every l.")


def _decay_note(flow: GradientFlow) -> str:
    if flow.loss.l2 == 0:
        return "`conserved` is constant along the flow."
    return (
        f"`conserved` decays as exp(-2 λ t) with the weight decay λ = {flow.loss.l2}."
    )


def _rate(flow: GradientFlow) -> float:
    decay: sympy.Expr = flow.loss.l2
    # A symbolic λ is 0.1 in the self-test.
    return float(2 * decay.subs(dict.fromkeys(decay.free_symbols, 0.1)))


def _shape_lines(program: Program) -> str:
    return "\n".join(
        f"{argument.name:<10} {' x '.join(map(str, argument.shape)) or 'a number'}"
        for argument in program.inputs
    )


def _example_shapes(program: Program) -> str:
    """Give every symbolic width a small integer of its own."""
    names = sorted(
        {w for a in program.inputs for w in a.shape if not _is_int(w)}, key=str
    )
    sizes = {name: 2 + number for number, name in enumerate(names)}
    shapes = {
        argument.name: tuple(int(sizes.get(width, width)) for width in argument.shape)
        for argument in program.inputs
    }
    lines = [f"    {name!r}: {shape!r}," for name, shape in shapes.items()]
    return "\n".join(["{", *lines, "}"])


def _is_int(width: Width) -> bool:
    return isinstance(width, (int, sympy.Integer))
