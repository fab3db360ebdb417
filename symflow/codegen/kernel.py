"""Kernels: compiled array functions that know their own source."""

from __future__ import annotations

import builtins
import hashlib
import linecache
from collections.abc import Callable
from typing import Any

from symflow.algebra.text import inline
from symflow.algebra.widths import solve_widths
from symflow.codegen.arrays import array_source
from symflow.codegen.lower import rhs_program
from symflow.codegen.program import Program
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.flow import GradientFlow


class Kernel:
    """A function of arrays, generated from a program.

    Calling it runs plain array code, so it accepts whatever supports ``@`` and
    ``.mT``, with any leading batch dimensions.  Shapes are checked whenever they
    differ from those of the call before.  It pickles as its program, and
    `inspect.getsource` shows its source.

    Parameters
    ----------
    program : Program
        What the kernel computes.
    docstring : str
        Shown by `help`.

    Examples
    --------
    >>> import symflow as sf
    >>> kern = sf.compile(sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss()))
    >>> import numpy as np
    >>> kern(*(np.full((1, 1), v) for v in (0.5, 2.0, 1.0, 3.0)))[0].item()
    4.0
    """

    # A slot holds the compiled function itself, so that a call costs no extra frame.
    __slots__ = ("__call__", "__dict__")
    __call__: Callable[..., tuple[Any, ...]]

    def __init__(self, program: Program, docstring: str) -> None:
        self.program = program
        self.source = array_source(program, docstring)
        self.__doc__ = docstring
        self.__wrapped__ = _load(self.source, program.name)
        self.__call__ = _guarded(program, self.__wrapped__)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple(argument.name for argument in self.program.inputs)

    def __repr__(self) -> str:
        results = ", ".join(output.name for output in self.program.outputs)
        return f"<Kernel {self.program.name}({', '.join(self.arguments)}) -> {results}>"

    def __reduce__(self) -> Any:
        return Kernel, (self.program, self.__doc__)


def compile(flow: GradientFlow) -> Kernel:
    """Compile the right-hand side of a flow to an array function.

    Parameters
    ----------
    flow : GradientFlow
        The flow; widths may be symbolic, the kernel then takes any sizes that fit.

    Returns
    -------
    Kernel
        ``kern(W1, …, WL, sigma_xx, sigma_yx)`` returns the tuple (dW1, …, dWL).

    Raises
    ------
    InvalidArgument
        If `flow` is not a flow.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> sf.compile(flow)
    <Kernel gradient_flow(W1, W2, sigma_xx, sigma_yx) -> dW1, dW2>
    """
    if not isinstance(flow, GradientFlow):
        msg = f"compile(flow): needs a gradient flow; got {flow!r}"
        raise InvalidArgument(msg)
    return Kernel(rhs_program(flow), kernel_docstring(flow))


def kernel_docstring(flow: GradientFlow) -> str:
    """Return the docstring of a flow's kernel: the equations, then the arguments."""
    equations = "\n".join(f"    {inline(equation)}" for equation in flow.equations)
    shapes = [
        f"{argument.name} {'×'.join(map(str, argument.shape)) or '(scalar)'}"
        for argument in rhs_program(flow).inputs
    ]
    return (
        f"Time derivatives of the weights along the gradient flow.\n\n{equations}\n\n"
        f"Arguments: {', '.join(shapes)}; leading dimensions are batches."
    )


def _load(source: str, name: str) -> Any:
    """Compile source text; one linecache entry per distinct text."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    filename = f"<symflow {name} {digest}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace: dict[str, Any] = {"__name__": "symflow.generated"}
    exec(builtins.compile(source, filename, "exec"), namespace)
    return namespace[name]


#: The array code broadcasts in its sums: shapes that do not fit could give a result.
_GUARD = """
def call({parameters}, *more):
    try:
        shapes = ({shapes},)
    except AttributeError:
        shapes = None
    if shapes != checked.shapes or more:
        checked.check(({names}, *more), shapes)
    return function({names})
"""


class _Checked:
    """The shapes that were found to fit in the last call."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.shapes: tuple[tuple[int, ...], ...] = ()

    def check(self, arrays: tuple[Any, ...], shapes: tuple[Any, ...] | None) -> None:
        """Remember the shapes, or raise the readable error if they do not fit."""
        inputs = self.program.inputs
        call = f"{self.program.name}({', '.join(argument.name for argument in inputs)})"
        count = sum(array is not _ABSENT for array in arrays)
        if count != len(inputs):
            msg = f"{call}: takes {len(inputs)} arrays; got {count}"
            raise InvalidArgument(msg)
        declared = []
        for argument, array in zip(inputs, arrays, strict=True):
            if argument.shape:
                shape = tuple(getattr(array, "shape", ()))
                if len(shape) < 2:
                    msg = f"{call}: {argument.name} has to be a matrix; got {array!r}"
                    raise ShapeMismatch(msg)
                declared.append(
                    (f"{call}: {argument.name}", argument.shape, shape[-2:])
                )
        solve_widths(declared)
        assert shapes is not None
        self.shapes = shapes


_ABSENT = object()


def _guarded(program: Program, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` behind a check of the shapes that is quick when they recur."""
    matrices = [argument.name for argument in program.inputs if argument.shape]
    names = [argument.name for argument in program.inputs]
    source = _GUARD.format(
        parameters=", ".join(f"{name}=absent" for name in names),
        shapes=", ".join(f"{name}.shape" for name in matrices),
        names=", ".join(names),
    )
    namespace: dict[str, Any] = {"function": function, "absent": _ABSENT}
    namespace["checked"] = _Checked(program)
    exec(source, namespace)
    call: Callable[..., Any] = namespace["call"]
    return call
