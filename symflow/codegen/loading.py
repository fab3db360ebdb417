"""From source text to a function, behind a check of the shapes."""

from __future__ import annotations

import builtins
import hashlib
import linecache
from collections.abc import Callable, Mapping
from typing import Any

from symflow.algebra.array_maps import PRELUDE
from symflow.algebra.array_maps import namespace as namespace_of
from symflow.algebra.widths import solve_widths
from symflow.codegen.program import Program
from symflow.errors import InvalidArgument, ShapeMismatch


def load(source: str, name: str, constants: Mapping[str, Any] | None = None) -> Any:
    """Compile source text; one linecache entry per distinct text.

    Parameters
    ----------
    source : str
        Text of a function.
    name : str
        Its name.
    constants : mapping of str to any, optional
        Further global names of the text.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    filename = f"<symflow {name} {digest}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    globals_ = {"__name__": "symflow.generated", "namespace": namespace_of, **PRELUDE}
    globals_ |= constants or {}
    exec(builtins.compile(source, filename, "exec"), globals_)
    return globals_[name]


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


def guarded(program: Program, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` behind a check of the shapes that is quick when they recur.

    Parameters
    ----------
    program : Program
        Whose inputs declare the shapes.
    function : callable
        Takes these inputs.
    """
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
