"""Kernels with bound data, and kernels that write into given arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symflow.algebra.arrays import Array
from symflow.codegen.arrays import array_source
from symflow.codegen.loading import guarded, load
from symflow.codegen.program import Program
from symflow.codegen.writer import Writer


class BoundKernel:
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
        free = tuple(a for a in program.inputs if a.name not in constants)
        self.arguments = tuple(argument.name for argument in free)
        self.source = _bound_source(program, docstring, self.arguments, bare)
        self.__doc__ = docstring
        self.__wrapped__ = load(self.source, program.name, self.constants)
        self._call = guarded(
            program, self.__wrapped__, constants=self.constants, bare=bare
        )
        self._writer = Writer(program, tuple(self.constants.values()))

    def __call__(self, *weights: Any, **named: Any) -> Any:
        """Return the results for the weights, by position or by name."""
        return self._call(*weights, **named)

    def into(self, out: Sequence[Array], *weights: Array) -> None:
        """Write the results into given arrays, without allocating memory.

        Parameters
        ----------
        out : sequence of arrays
            One per result, contiguous float64; none shares memory with another, or
            with an argument.
        *weights : arrays
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
        self._writer(out, weights)

    def __repr__(self) -> str:
        results = ", ".join(output.name for output in self.program.outputs)
        call = f"{self.program.name}({', '.join(self.arguments)})"
        bound = ", ".join(self.constants) or "nothing"
        return f"<BoundKernel {call} -> {results}; bound: {bound}>"

    def __reduce__(self) -> Any:
        return BoundKernel, (self.program, self.__doc__, self.constants, self.bare)


def _bound_source(
    program: Program, docstring: str, arguments: tuple[str, ...], bare: bool
) -> str:
    """Return array source in which the constants are global names."""
    _, rest = array_source(program, docstring, bare=bare).split("\n", 1)
    return f"def {program.name}({', '.join(arguments)}):\n{rest}"
