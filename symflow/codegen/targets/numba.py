"""Numba: the loops of a program as Python text that Numba compiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from symflow.codegen.inplace import Shape
from symflow.codegen.loading import load
from symflow.codegen.program import FUNCTIONS
from symflow.codegen.targets.loops import Language, SizedProgram, loops
from symflow.codegen.targets.sizes import sized
from symflow.errors import ShapeMismatch, imported
from symflow.flow import GradientFlow


class PythonLoops(Language):
    """Python on two-dimensional arrays."""

    names: ClassVar[dict[str, str]] = {
        **{name: f"numpy.{name}" for name in ("log1p", *FUNCTIONS)},
        "abs": "abs",
        "pow": "numpy.power",
        "asinh": "numpy.arcsinh",
        "atan": "numpy.arctan",
    }

    def entry(self, name: str, row: str, column: str, shape: Shape) -> str:
        """Return ``A[i, j]``."""
        return f"{name}[{row}, {column}]"

    def number(self, name: str) -> str:
        return name

    def loop(self, index: str, count: int, body: list[str]) -> list[str]:
        return [
            f"for {index} in range({count}):",
            *(f"    {line}" for line in body),
        ]

    def assign(self, target: str, operator: str, value: str) -> str:
        """Return ``target = value``."""
        return f"{target} {operator} {value}"


def numba_source(
    flow: GradientFlow,
    widths: Sequence[int] | None = None,
    *,
    samples: int | None = None,
    outputs: str = "rhs",
) -> str:
    """Return the right-hand side of a flow as loops that Numba can compile.

    Parameters
    ----------
    flow, widths, samples, outputs
        As for `c_source`.

    Returns
    -------
    str
        A function ``gradient_flow(W1, …, sigma_yx)`` of float64 arrays, which needs
        ``numpy`` and symflow's ``ShapeMismatch`` by these names.

    Raises
    ------
    InvalidArgument
        If a width stays a symbol.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> print(sf.numba_source(flow).splitlines()[0])
    def gradient_flow(W1, W2, sigma_xx, sigma_yx):
    """
    call = "numba_source(flow, widths)"
    program = sized(flow, widths, call, samples=samples, outputs=outputs)
    body, scratch = loops(program, PythonLoops())
    outs = {f"out{k}": shape for k, shape in enumerate(program.results)}
    arrays = [
        f"{name} = numpy.empty({shape!r})"
        for name, shape in {**outs, **scratch}.items()
        if shape
    ]
    parameters = ", ".join(argument.name for argument in program.program.inputs)
    lines = [*_checks(program), *arrays, *body, f"return {', '.join(outs)},"]
    head = f"def {program.program.name}({parameters}):"
    return "\n".join([head, *(f"    {line}" for line in lines), ""])


def _checks(program: SizedProgram) -> list[str]:
    """Return lines that refuse other shapes: the loops would read other memory."""
    lines = []
    for argument, shape in zip(program.program.inputs, program.shapes, strict=True):
        if shape:
            needed = " x ".join(map(str, shape))
            words = f"{program.program.name}: {argument.name} has to be {needed}"
            lines += [
                f"if {argument.name}.shape != {shape!r}:",
                f"    raise ShapeMismatch({words!r})",
            ]
    return lines


def numba_kernel(
    flow: GradientFlow,
    widths: Sequence[int] | None = None,
    *,
    samples: int | None = None,
    outputs: str = "rhs",
) -> Callable[..., Any]:
    """Compile the right-hand side of a flow with Numba.

    Parameters
    ----------
    flow, widths, samples, outputs
        As for `c_source`.

    Returns
    -------
    callable
        ``kern(W1, …, WL, sigma_xx, sigma_yx)`` returns (dW1, …, dWL); it can be called
        from other compiled functions.

    Raises
    ------
    NotInstalled
        Without Numba.
    InvalidArgument
        If a width stays a symbol.  The kernel raises ShapeMismatch for other shapes.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> sf.numba_kernel(flow)  # doctest: +SKIP
    CPUDispatcher(<function gradient_flow>)
    """
    numba = imported("numba", "numba_kernel(flow)", "bench")
    import numpy as np

    names = {"numpy": np, "ShapeMismatch": ShapeMismatch}
    source = numba_source(flow, widths, samples=samples, outputs=outputs)
    name = "loss" if outputs == "loss" else "gradient_flow"
    function = load(source, name, names)
    compiled: Callable[..., Any] = numba.njit(fastmath={"contract"})(function)
    return compiled
