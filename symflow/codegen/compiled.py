"""Compile a flow: which functions, of which arguments, and with which data bound."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, overload

import numpy as np
import sympy

from symflow.algebra.arrays import to_float_array
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.nodes import Node
from symflow.algebra.text import inline
from symflow.algebra.widths import solve_widths
from symflow.codegen.closed_form import SolutionKernel, output_names, solution_kernel
from symflow.codegen.kernel import BoundKernel, Kernel, kernel_docstring
from symflow.codegen.lower import (
    arguments,
    loss_arguments,
    lower,
    part_labels,
    rhs_program,
)
from symflow.codegen.optimize import best_program, folded, forms
from symflow.codegen.program import python_name
from symflow.conservation import conserved
from symflow.errors import InvalidArgument, expect, shown
from symflow.flow import GradientFlow
from symflow.solutions import Solution

#: What a kernel of a flow can return.
OUTPUTS = ("rhs", "loss", "end_to_end", "conserved")


@overload
def compile(
    flow: GradientFlow, data: None = None, *, outputs: str | Sequence[str] | None = None
) -> Kernel: ...
@overload
def compile(
    flow: GradientFlow, data: Any, *, outputs: str | Sequence[str] | None = None
) -> BoundKernel: ...
@overload
def compile(
    flow: Solution,
    data: None = None,
    *,
    outputs: str | Sequence[str] | None = None,
    arguments: str | Sequence[str] = (),
) -> SolutionKernel: ...
def compile(
    flow: GradientFlow | Solution,
    data: Any = None,
    *,
    outputs: str | Sequence[str] | None = None,
    arguments: str | Sequence[str] = (),
) -> Any:
    """Compile a flow, or a closed form of its trajectory, to an array function.

    Parameters
    ----------
    flow : GradientFlow or Solution
        The flow; widths may be symbolic, the kernel then takes any sizes that fit.  Or
        a solution from `solve`, which has its data already.
    data : Dataset or Moments, optional
        Bound in advance: what depends on the data alone is computed now, and at integer
        widths the products are associated in the cheapest order.
    outputs : str or sequence of str, keyword-only
        For a flow ``"rhs"`` (the default), ``"loss"``, ``"end_to_end"`` and
        ``"conserved"``; for a solution ``"end_to_end"`` (the default), ``"strengths"``
        and ``"weights"``; or several of these.
    arguments : str or sequence of str, keyword-only
        What the kernel of a solution takes besides the time: ``"init"``, the tuple of
        the weights at the start, ``"sigma_yx"``, or both.  `help` of the kernel says
        for which of these the closed form holds; there it can be differentiated.

    Returns
    -------
    Kernel, BoundKernel or SolutionKernel
        ``kern(W1, …, WL, sigma_xx, sigma_yx)``, or ``kern(W1, …, WL)`` with bound data,
        returns the tuple (dW1, …, dWL) and the other outputs after it; a single output
        other than the right-hand side comes without a tuple.  ``kern.into(out, …)``
        writes into given arrays.  The kernel of a solution is ``kern(t)``, or
        ``kern(t, init, sigma_yx)``, for times of any shape.

    Raises
    ------
    InvalidArgument
        If `flow` is neither, or an output is not known or not determined.
    NoClosedForm
        If a solution has no form in arrays alone, or none with these arguments.
    ShapeMismatch
        If the data do not fit the flow.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(9, 2, 1), sf.SquaredLoss())
    >>> sf.compile(flow)
    <Kernel gradient_flow(W1, W2, sigma_xx, sigma_yx) -> dW1, dW2>
    >>> data = sf.Moments(2 * np.eye(9), np.ones((1, 9)), [[9.0]])
    >>> loss = sf.compile(flow, data, outputs="loss")
    >>> float(loss(np.zeros((2, 9)), np.ones((1, 2))))
    4.5
    """
    if isinstance(flow, Solution):
        if data is not None:
            msg = "compile(solution): a solution has its data; give no others"
            raise InvalidArgument(msg)
        chosen = "end_to_end" if outputs is None else outputs
        return solution_kernel(flow, chosen, arguments)
    expect(flow, GradientFlow, "compile(flow)", "a gradient flow")
    if not isinstance(arguments, tuple) or arguments:
        msg = (
            "compile(flow, arguments=…): for closed forms only; got "
            f"{shown(arguments)}. The kernel of a flow takes its weights and data"
        )
        raise InvalidArgument(msg)
    outputs = "rhs" if outputs is None else outputs
    names = output_names(outputs, OUTPUTS, "compile(outputs=…)")
    if data is not None:
        return _bound(flow, data, names, bare=_is_bare(outputs))
    if names == ("rhs",):
        return Kernel(rhs_program(flow), kernel_docstring(flow))
    nodes = _nodes(flow, names)
    program = lower(_name(names), _inputs(flow, names), nodes, _labels(flow, nodes))
    return Kernel(program, _docstring(flow, names), bare=_is_bare(outputs))


def _is_bare(outputs: Any) -> bool:
    return outputs in ("loss", "end_to_end")


def _name(names: tuple[str, ...]) -> str:
    return "_and_".join("gradient_flow" if n == "rhs" else n for n in names)


def _inputs(flow: GradientFlow, names: tuple[str, ...]) -> tuple[sympy.Basic, ...]:
    if "loss" in names:
        return loss_arguments(flow)
    return arguments(flow) if "rhs" in names else flow.state


def _nodes(flow: GradientFlow, names: tuple[str, ...]) -> dict[str, Node]:
    """Return the expressions of the outputs, by the names of the results."""
    found: dict[str, dict[str, Node]] = {
        "rhs": {
            f"d{symbol.name}": node
            for symbol, node in zip(flow.state, flow.directions, strict=True)
        },
        "end_to_end": {"W": flow.network.end_to_end_node},
    }
    if "loss" in names:
        found["loss"] = {"loss": flow.objective}
    if "conserved" in names:
        found["conserved"] = {
            f"delta{number}": from_sympy(law.expr)
            for number, law in enumerate(conserved(flow), start=1)
        }
    return dict(chain.from_iterable(found[name].items() for name in names))


def _labels(flow: GradientFlow, nodes: dict[str, Node]) -> dict[Node, str]:
    return part_labels(flow) | {node: name for name, node in nodes.items()}


def _docstring(flow: GradientFlow, names: tuple[str, ...], bound: str = "") -> str:
    """Return the formulas of the outputs, then where the arguments come from."""
    lines = {
        "rhs": [inline(equation) for equation in flow.equations],
        "loss": [f"ℒ = {inline(flow.potential)}"],
        "end_to_end": [f"W = {inline(flow.end_to_end.matrix)}"],
        "conserved": [],
    }
    if "conserved" in names:
        lines["conserved"] = [str(law) for law in conserved(flow)]
    titles = {
        "rhs": "time derivatives of the weights",
        "loss": "training objective",
        "end_to_end": "end-to-end matrix",
        "conserved": "conserved quantities",
    }
    title = ", ".join(titles[name] for name in names)
    body = "\n".join(f"    {line}" for name in names for line in lines[name])
    return f"Return: {title}.\n\n{body}\n\n{bound}".rstrip()


def _bound(
    flow: GradientFlow, data: Any, names: tuple[str, ...], *, bare: bool
) -> BoundKernel:
    expect(data, "moments", "compile(data=…)", "a Dataset or Moments")
    inputs = _inputs(flow, names)
    constants = _constants(flow, data, inputs)
    nodes = _nodes(flow, names)
    shapes = {symbol.name: symbol.shape for symbol in flow.state}
    ways = [nodes]
    if all(isinstance(width, int) for width in flow.network.widths):
        ways = forms(nodes)
    programs = [
        folded(lower(_name(names), inputs, way, _labels(flow, way)), constants)
        for way in ways
    ]
    integers = {k: tuple(map(int, s)) for k, s in shapes.items() if len(ways) > 1}
    program, values = best_program(programs, integers) if integers else programs[0]
    listed = ", ".join(
        f"{name} {'×'.join(map(str, array.shape))}" for name, array in values.items()
    )
    docstring = _docstring(flow, names, f"Bound in advance: {listed or 'nothing'}.")
    return BoundKernel(program, docstring, values, bare)


def _constants(
    flow: GradientFlow, data: Any, inputs: tuple[sympy.Basic, ...]
) -> dict[str, Any]:
    """Return the arrays of all arguments that are data, checked against the widths."""
    arrays = flow.loss.arrays(data)
    symbols = [s for s in inputs if s not in flow.state and s not in flow.parameters]
    found = {
        symbol.name: to_float_array(arrays[symbol.name])
        for symbol in symbols
        if symbol.name in arrays
    }
    ends = flow.network.widths[0], flow.network.widths[-1]
    sizes = solve_widths(
        [
            *flow.loss.declared(data, *ends),
            *(
                (f"data: {symbol.name}", symbol.shape, found[symbol.name].shape)
                for symbol in symbols
                if symbol.name in found
            ),
        ]
    )
    for symbol in symbols:  # a constant of the loss that the data do not tell
        if symbol.name not in found:
            shape = tuple(int(sizes.get(width, width)) for width in symbol.shape)
            found[symbol.name] = np.zeros(shape)
    return {python_name(symbol): found[symbol.name] for symbol in symbols}
