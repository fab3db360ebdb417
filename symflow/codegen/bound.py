"""Kernels with bound data, and kernels that write into given arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symflow.algebra.arrays import Array
from symflow.codegen.arrays import array_source
from symflow.codegen.kernel import ProgramFunction
from symflow.codegen.loading import guarded, load
from symflow.codegen.program import Program


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

    def __init__(
        self,
        program: Program,
        docstring: str,
        constants: Mapping[str, Array],
        bare: bool = False,
    ) -> None:
        self.program, self.constants, self.bare = program, dict(constants), bare
        self.source = _bound_source(program, docstring, self.arguments, bare)
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

    def __repr__(self) -> str:
        bound = ", ".join(self.constants) or "nothing"
        return f"<BoundKernel {self._signature}; bound: {bound}>"

    def __reduce__(self) -> Any:
        return BoundKernel, (self.program, self.__doc__, self.constants, self.bare)


def _bound_source(
    program: Program, docstring: str, arguments: tuple[str, ...], bare: bool
) -> str:
    """Return array source in which the constants are global names."""
    _, rest = array_source(program, docstring, bare=bare).split("\n", 1)
    return f"def {program.name}({', '.join(arguments)}):\n{rest}"
