"""Kernels: compiled array functions that know their own source, or have bound data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any

from symflow.algebra.arrays import Array
from symflow.algebra.threads import cached_property
from symflow.codegen.arrays import array_source
from symflow.codegen.loading import guarded, load
from symflow.codegen.lower import rhs_program
from symflow.codegen.program import Program
from symflow.codegen.writer import Writer
from symflow.flow import GradientFlow


class ProgramFunction:
    """What both kernels are: a function of arrays that is generated from a program."""

    def __init__(
        self,
        program: Program,
        docstring: str,
        constants: Mapping[str, Array],
        bare: bool = False,
    ) -> None:
        self.program, self.constants, self.bare = program, dict(constants), bare
        self.source = _source(program, docstring, self.arguments, bare)
        self.__doc__ = docstring
        self.__wrapped__ = load(self.source, program.name, self.constants)
        self._call = guarded(
            program, self.__wrapped__, constants=self.constants, bare=bare
        )

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in order: those that are not bound."""
        inputs = (argument.name for argument in self.program.inputs)
        return tuple(name for name in inputs if name not in self.constants)

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """Return the results for the arguments, by position or by name."""
        return self._call(*arrays, **named)

    def into(self, out: Sequence[Array], *arrays: Array) -> None:
        """Write the results into given NumPy arrays, without allocating memory.

        Parameters
        ----------
        out : sequence of arrays
            One per result, contiguous float64; none shares memory with another, or
            with an argument.
        *arrays : arrays
            The arguments, real matrices; other types than float64 are copied.

        Raises
        ------
        ShapeMismatch
            If a shape does not fit.
        InvalidArgument
            If the arrays are of another kind, or overlap.

        Examples
        --------
        >>> import numpy as np, symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> kern = sf.compile(flow, sf.Moments([[1.0]], [[3.0]]))
        >>> out = [np.empty((1, 1)), np.empty((1, 1))]
        >>> kern.into(out, np.array([[0.5]]), np.array([[2.0]]))
        >>> out[0].item()
        4.0
        """
        self._writer(out, arrays)

    @cached_property
    def _writer(self) -> Writer:
        return Writer(self.program, tuple(self.constants.values()))

    @property
    def _signature(self) -> str:
        results = ", ".join(output.name for output in self.program.outputs)
        return f"{self.program.name}({', '.join(self.arguments)}) -> {results}"


class Kernel(ProgramFunction):
    """A function of arrays, generated from a program.

    Calling it runs plain array code, so it accepts whatever supports ``@`` and
    ``.mT``, with any leading batch dimensions; NumPy's plain matrices are multiplied
    by ``dot``, the shortest way to BLAS.  Shapes are checked whenever they differ from
    those of the call before.  It pickles as its program, and `inspect.getsource` shows
    its source.

    Parameters
    ----------
    program : Program
        What the kernel computes.
    docstring : str
        Shown by `help`.
    bare : bool
        Return the only result itself instead of a tuple.

    Examples
    --------
    >>> import symflow as sf
    >>> kern = sf.compile(sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss()))
    >>> import numpy as np
    >>> kern(*(np.full((1, 1), v) for v in (0.5, 2.0, 1.0, 3.0)))[0].item()
    4.0
    """

    def __init__(self, program: Program, docstring: str, bare: bool = False) -> None:
        super().__init__(program, docstring, {}, bare)

    def __repr__(self) -> str:
        return f"<Kernel {self._signature}>"

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.source}```"

    def __reduce__(self) -> Any:
        return Kernel, (self.program, self.__doc__, self.bare)


def kernel_docstring(flow: GradientFlow) -> str:
    """Return the docstring of a flow's kernel: the equations, then the arguments."""
    equations = indent(str(flow), "    ")
    shapes = [
        f"{argument.name} {'×'.join(map(str, argument.shape)) or '(scalar)'}"
        for argument in rhs_program(flow).inputs
    ]
    return (
        f"Time derivatives of the weights along the gradient flow.\n\n{equations}\n\n"
        f"Arguments: {', '.join(shapes)}; leading dimensions are batches."
    )


class BoundKernel(ProgramFunction):
    """A function of the weights alone, generated from a program and constants.

    Made by ``compile(flow, data)``.  It takes NumPy arrays with any leading batch
    dimensions, pickles as its program and constants, and `inspect.getsource` shows its
    source.

    Parameters
    ----------
    program : Program
        Its last inputs are the constants.
    docstring : str
        Shown by `help`.
    constants : mapping of str to array
        Their values.
    bare : bool
        Return the only result itself instead of a tuple.

    Examples
    --------
    >>> import numpy as np, symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> kern = sf.compile(flow, sf.Moments([[1.0]], [[3.0]]))
    >>> kern(np.array([[0.5]]), np.array([[2.0]]))[0].item()
    4.0
    """

    def __repr__(self) -> str:
        bound = ", ".join(self.constants) or "nothing"
        return f"<BoundKernel {self._signature}; bound: {bound}>"

    def __reduce__(self) -> Any:
        return BoundKernel, (self.program, self.__doc__, self.constants, self.bare)


def _source(
    program: Program, docstring: str, arguments: tuple[str, ...], bare: bool
) -> str:
    """Return array source in which the constants are global names."""
    _, rest = array_source(program, docstring, bare=bare).split("\n", 1)
    return f"def {program.name}({', '.join(arguments)}):\n{rest}"
