"""Compiling the C text and calling it through ctypes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.codegen.operands import floats, refuse_overlap, refuse_unwritable
from symflow.codegen.targets.c import source_of
from symflow.codegen.targets.sizes import sized
from symflow.errors import NotInstalled, OutputError, ShapeMismatch
from symflow.files import write_text
from symflow.flow import GradientFlow

Floats = NDArray[np.float64]
FLOAT = np.dtype(np.float64)

#: Compilers that are looked for, in order, and how they are called.
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC")
#: … and the libraries that they link.
LIBRARIES = ("-lm",)


class CKernel:
    """A compiled C function on NumPy arrays; made by `c_kernel`.

    Parameters
    ----------
    source : str
        The C text.
    name : str
        Of the function.
    shapes : tuple of tuple of int
        Of the arguments.
    results : tuple of tuple of int
        Shapes of the results.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> import numpy as np
    >>> W1, W2, sigma_xx, sigma_yx = np.array([1.0, 2, 1, 3]).reshape(4, 1, 1)
    >>> [dW.item() for dW in sf.c_kernel(flow)(W1, W2, sigma_xx, sigma_yx)]
    [2.0, 1.0]
    """

    def __init__(
        self,
        source: str,
        name: str,
        shapes: tuple[tuple[int, ...], ...],
        results: tuple[tuple[int, ...], ...],
    ) -> None:
        self.source, self.name = source, name
        self.shapes, self.results = shapes, results
        import ctypes

        self._library = compiled(source)
        self._function = getattr(self._library, name)
        self._function.restype = None
        self._address, self._memory = ctypes.byref, ctypes.c_char.from_buffer
        self._function.argtypes = [ctypes.c_void_p] * (len(shapes) + len(results))

    def __call__(self, *arrays: Any) -> tuple[Floats, ...]:
        """Return the results in new arrays."""
        out = tuple([np.empty(shape) for shape in self.results])
        plain = [a for a in arrays if type(a) is np.ndarray and a.dtype is FLOAT]
        shapes = tuple([a.shape for a in plain if a.flags.carray])
        if shapes == self.shapes and len(arrays) == len(shapes):
            # most calls, in a fifth of the time: nothing to convert, and none overlaps
            self._function(*map(self._address, map(self._memory, (*arrays, *out))))
        else:
            self.bind(out, *arrays)()
        return out

    def bind(self, out: Sequence[Floats], *arrays: Any) -> Callable[[], None]:
        """Return a function without arguments that computes into `out`.

        Parameters
        ----------
        out : sequence of arrays
            One per result, contiguous float64; their memory is written by each call.
        *arrays : arrays
            The arguments, whose memory is read by each call if they are contiguous
            float64, and a copy of it otherwise.

        Raises
        ------
        ShapeMismatch
            If a shape does not fit, or a result is not contiguous float64.
        InvalidArgument
            If an argument is not real, or a result shares memory with it.
        """
        if len(arrays) != len(self.shapes):
            msg = f"{self.name}: takes {len(self.shapes)} arrays; got {len(arrays)}"
            raise ShapeMismatch(msg)
        given = [
            np.require(floats(array, f"{self.name}: argument {k}"), requirements="C")
            for k, array in enumerate(arrays, start=1)
        ]
        shapes = tuple(array.shape for array in given)
        if shapes != self.shapes:
            msg = f"{self.name}: needs the shapes {self.shapes}; got {shapes}"
            raise ShapeMismatch(msg)
        call = f"{self.name}.bind(out, …)"
        refuse_unwritable(out, self.results, call)
        refuse_overlap(out, given, call)
        run = partial(self._function, *(a.ctypes.data for a in (*given, *out)))
        # The addresses are good as long as the arrays are.
        return _Bound(run, (*given, *out))

    def __reduce__(self) -> Any:
        return CKernel, (self.source, self.name, self.shapes, self.results)


class _Bound:
    __slots__ = ("__call__", "_arrays")
    __call__: Callable[[], None]

    def __init__(self, call: Callable[[], None], arrays: tuple[Floats, ...]) -> None:
        self.__call__, self._arrays = call, arrays


def c_kernel(
    flow: GradientFlow,
    widths: Sequence[int] | None = None,
    *,
    samples: int | None = None,
    outputs: str = "rhs",
) -> CKernel:
    """Compile the right-hand side of a flow with the C compiler of this machine.

    Parameters
    ----------
    flow, widths, samples, outputs
        As for `c_source`.

    Returns
    -------
    CKernel
        ``kern(W1, …, WL, sigma_xx, sigma_yx)`` returns (dW1, …, dWL), and
        ``kern.bind(out, …)`` the fastest call; with ``outputs="loss"``, the objective.

    Raises
    ------
    NotInstalled
        If there is no C compiler.
    InvalidArgument
        If a width stays a symbol, or the matrices are too large for the stack.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> kern = sf.c_kernel(flow)  # doctest: +SKIP
    >>> kern([[0.5]], [[2.0]], [[1.0]], [[3.0]])[0].item()  # doctest: +SKIP
    4.0
    """
    call = "c_kernel(flow, widths)"
    program = sized(flow, widths, call, samples=samples, outputs=outputs)
    source, name = source_of(flow, program), program.program.name
    return CKernel(source, name, program.shapes, program.results)


@lru_cache(maxsize=64)
def compiled(source: str, *flags: str, call: str = "c_kernel(flow)") -> Any:
    """Compile a C text, with `flags` besides `FLAGS`, and load it.

    An error names `call`.

    Raises NotInstalled without a compiler, OutputError where it fails.
    """
    import ctypes
    import subprocess
    import tempfile

    compiler = found_compiler()
    if compiler is None:
        msg = (
            f"{call}: needs a C compiler, one of {', '.join(COMPILERS)}; none "
            "is on the PATH. Install one, or use compile(flow)"
        )
        raise NotInstalled(msg)
    with tempfile.TemporaryDirectory(prefix="symflow-") as folder:
        text, library = Path(folder, "flow.c"), Path(folder, "flow.so")
        write_text(text, source, f"{call}: {str(text)!r}")
        command = [compiler, *FLAGS, *flags, str(text), "-o", str(library), *LIBRARIES]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            msg = f"{call}: {compiler} failed: {result.stderr.strip()[:400]}"
            raise OutputError(msg)
        return ctypes.CDLL(str(library))


def found_compiler() -> str | None:
    """Return the path of the C compiler of this machine, None without one."""
    import shutil

    return next(filter(None, map(shutil.which, COMPILERS)), None)
