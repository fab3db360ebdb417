"""From source text to a function, behind a check of the shapes."""

from __future__ import annotations

import builtins
import hashlib
import linecache
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from symflow.algebra.array_maps import PRELUDE, namespace as namespace_of
from symflow.algebra.arrays import Array, refuse_masks
from symflow.algebra.widths import solve_widths
from symflow.codegen.arrays import PLAIN, array_body
from symflow.codegen.program import Program
from symflow.errors import InvalidArgument, ShapeMismatch, shown


def load(source: str, name: str, constants: Mapping[str, Any] | None = None) -> Any:
    """Compile source text as a function `name`; one linecache entry per distinct text.

    The `constants` are further global names of the text.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    filename = f"<symflow {name} {digest}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    globals_ = {"__name__": "symflow.generated", "namespace": namespace_of, **PRELUDE}
    globals_ |= constants or {}
    exec(builtins.compile(source, filename, "exec"), globals_)
    return globals_[name]


#: The array code broadcasts in its sums: shapes that do not fit could give a result.
#: Plain matrices whose shapes are known to fit run right here, without another frame.
_GUARD = """
def call({parameters}, *_more):
    if {is_plain} and ({shapes},) == _checked.plain and not _more:
        {body}
    try:
        _shapes = ({shapes},)
    except AttributeError:
        _shapes = None
    if _shapes != _checked.shapes or _more:
        _checked.check(({names}, *_more), _shapes)
    return _function({floats})
"""


def _float(array: Any, name: str) -> Any:
    """Return integers as float64: their products would wrap around in silence.

    Other kinds of NumPy arrays become plain ones, as ``*`` multiplies entries.
    """
    if not isinstance(array, np.ndarray):
        if hasattr(array, "shape") and not hasattr(array, "dtype"):  # of SymPy
            msg = f"{name} has to be an array of numbers; got {shown(array)}"
            raise InvalidArgument(msg)
        return array
    refuse_masks(array, name)
    plain = np.asarray(array)
    if plain.dtype.kind in "iub":
        return plain.astype(np.float64)
    strange = plain.dtype.kind not in "fcO"
    if plain.dtype == object:
        strange = not all(hasattr(entry, "__truediv__") for entry in plain.flat)
    if strange:
        msg = f"{name} has to be an array of numbers; got entries of {plain.dtype}"
        raise InvalidArgument(msg)
    return plain


def _number(value: Any, name: str) -> Any:
    """Return a number, or a batch of 1×1 matrices: other arrays would broadcast."""
    shape = tuple(getattr(value, "shape", np.shape(value)))
    if shape and shape[-2:] != (1, 1):
        msg = f"{name} has to be one number; got an array of shape {shape}"
        raise ShapeMismatch(msg)
    return value


class _Checked:
    """The shapes that were found to fit in the last call."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.shapes: tuple[tuple[int, ...], ...] = ()
        self.plain: tuple[tuple[int, ...], ...] = ()

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
                    hint = ", as an array" if isinstance(array, (list, tuple)) else ""
                    msg = (
                        f"{call}: {argument.name} has to be a matrix{hint}; "
                        f"got {shown(array)}"
                    )
                    raise ShapeMismatch(msg)
                declared.append(
                    (f"{call}: {argument.name}", argument.shape, shape[-2:])
                )
        solve_widths(declared)
        batches = [shape[:-2] for shape in shapes or ()]
        try:
            np.broadcast_shapes(*batches)
        except ValueError:
            msg = (
                f"{call}: the leading (batch) dimensions {batches} do not fit together"
            )
            raise ShapeMismatch(msg) from None
        assert shapes is not None
        self.shapes = shapes
        if all(len(shape) == 2 for shape in shapes):
            self.plain = shapes


_ABSENT = object()


def guarded(
    program: Program,
    function: Callable[..., Any],
    *,
    constants: Mapping[str, Array] | None = None,
    bare: bool = False,
) -> Callable[..., Any]:
    """Return `function` behind a check of the shapes that is quick when they recur.

    NumPy's plain matrices do not reach `function`: they run the same program, written
    with ``dot``.

    `function` takes the inputs that are not among the `constants`. `bare` returns the
    only result itself instead of a tuple.
    """
    bound = dict(constants or {})
    free = tuple(argument for argument in program.inputs if argument.name not in bound)
    matrices = [argument.name for argument in free if argument.shape]
    names = [argument.name for argument in free]
    types = [f"type({name})" for name in matrices]
    real = [f"{name}.dtype.kind in 'fc'" for name in matrices]
    numbers = [name for name in names if name not in matrices]
    present = [f"{n} is not _absent and not _shape({n})" for n in numbers]
    kind = {name: "number" if name in numbers else "float" for name in names}
    checks = [f"_{kind[name]}({name}, '{program.name}: {name}')" for name in names]
    source = _GUARD.format(
        parameters=", ".join(f"{name}=_absent" for name in names),
        is_plain=" and ".join([" is ".join([*types, "_ndarray"]), *real, *present]),
        shapes=", ".join(f"{name}.shape" for name in matrices),
        names=", ".join(names),
        floats=", ".join(checks),
        body="\n        ".join(array_body(program, PLAIN, bare=bare)),
    )
    checked = _Checked(replace(program, inputs=free))
    namespace: dict[str, Any] = {
        "numpy": np,
        "_ndarray": np.ndarray,
        **PRELUDE,
        **bound,
    }
    namespace |= {
        "_function": function,
        "_absent": _ABSENT,
        "_float": _float,
        "_number": _number,
        "_shape": np.shape,
        "_checked": checked,
    }
    exec(source, namespace)
    call: Callable[..., Any] = namespace["call"]
    return call
