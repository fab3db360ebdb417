"""Kernels of closed forms: a solution as a function of time that needs NumPy alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import getsource
from textwrap import indent
from typing import Any

import numpy as np

from symflow.algebra.text import inline
from symflow.codegen.loading import load
from symflow.errors import InvalidArgument, shown
from symflow.solutions import Solution
from symflow.solutions.numpy_form import OUTPUTS, Routine

_HEAD = '''"""{title}"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
'''

_BODY = '''
def {name}(t):
    """{docstring}"""
    t = np.asarray(t, dtype=float)
    if not np.all({range}):
        raise ValueError("t: needs times {words}")
{statements}
    return {results}
'''


class SolutionKernel:
    """A closed form as a function of time; made by ``compile(solution)``.

    It takes times of any shape and returns arrays that begin with that shape.  Its
    `source` is a module that needs NumPy alone, with every constant written out; it
    pickles as that text, and `inspect.getsource` shows the function.

    Parameters
    ----------
    source : str
        The text of the module.
    name : str
        The function in it.
    outputs : tuple of str
        What it returns.
    docstring : str
        Shown by `help`.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> kern = sf.compile(sf.solve(flow, sf.whitened([[2]]), [[[1]], [[1]]]))
    >>> kern
    <SolutionKernel logistic_mode(t) -> end_to_end>
    >>> kern([0.0, 1e8]).ravel().tolist()
    [1.0, 2.0]
    """

    __slots__ = ("__call__", "__dict__")
    __call__: Callable[..., Any]

    #: Names of the arguments.
    arguments = ("t",)

    def __init__(
        self, source: str, name: str, outputs: tuple[str, ...], docstring: str
    ) -> None:
        self.source, self.name, self.outputs = source, name, outputs
        self.__doc__ = docstring
        self.__wrapped__ = load(source, name)
        self.__call__ = self.__wrapped__

    def __repr__(self) -> str:
        return f"<SolutionKernel {self.name}(t) -> {', '.join(self.outputs)}>"

    def __reduce__(self) -> Any:
        return SolutionKernel, (self.source, self.name, self.outputs, self.__doc__)


def solution_kernel(solution: Solution, outputs: str | Sequence[str]) -> SolutionKernel:
    """Write a solution as NumPy code and load it.

    `outputs` is one or several of "end_to_end", "strengths" and "weights".
    """
    names = output_names(outputs, OUTPUTS, "compile(solution, outputs=…)")
    asked = solution.problem.asked
    if "weights" in names and asked is not None and asked.product is not None:
        msg = (
            "compile(solution, outputs='weights'): the code has them first layer "
            f"first, and this model has the order {asked.parameters}. Use "
            "solution.weights(t), or list the parameters in the order of the layers"
        )
        raise InvalidArgument(msg)
    routine = solution.routine()
    for name in names:
        if name not in routine.outputs:
            why = routine.missing.get(name, "the formula does not determine them")
            msg = (
                f"compile(solution, outputs={name!r}): {solution.name} has no {name} "
                f"in NumPy alone: {why}"
            )
            raise InvalidArgument(msg)
    docstring = _docstring(solution, names)
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", solution.name).lower()
    found = routine.outputs
    results = [f"({found[x]})" if x == "weights" else found[x] for x in names]
    ends = [routine.horizon] if routine.horizon is not None else []
    # what floats miss of the hypotheses grows: no value that is not known
    ends += [solution.horizon] if np.isfinite(solution.horizon) else []
    source = _module(
        replace(routine, horizon=min(ends, default=None)), name, docstring, results
    )
    return SolutionKernel(source, name, names, docstring)


def output_names(outputs: Any, known: Sequence[str], call: str) -> tuple[str, ...]:
    """Return the names of outputs that are given as one name, or several."""
    names = tuple(outputs) if isinstance(outputs, list | tuple) else (outputs,)
    unknown = [name for name in names if not isinstance(name, str) or name not in known]
    if unknown or not names or len(set(names)) < len(names):
        msg = (
            f"{call}: needs some of {', '.join(known)}, each once; got {shown(outputs)}"
        )
        raise InvalidArgument(msg)
    return names


def _docstring(solution: Solution, names: tuple[str, ...]) -> str:
    said = {
        "end_to_end": "W(t), shape (…, outputs, inputs)",
        "strengths": "the mode strengths, shape (…, modes)",
        "weights": "the tuple (W_1(t), …, W_L(t))",
    }
    formula = indent(inline(solution.statement), "    ")
    found = "; ".join(said[name] for name in names)
    return (
        f"Return {found}.\n\n{formula}\n\n{solution.name}, {solution.reference}.  "
        "t is a time of 0 or more, or an array of them."
    )


def _module(routine: Routine, name: str, docstring: str, results: list[str]) -> str:
    statements, used = _needed(routine.statements, results)
    end = routine.horizon
    body = _BODY.format(
        name=name,
        docstring=indent(docstring, "    ").lstrip() + "\n    ",
        range="(t >= 0) & (t < np.inf)"
        if end is None
        else f"(t >= 0) & (t <= {end!r})",
        words="of 0 or more, and finite" if end is None else f"from 0 to {end:.3g}",
        statements="\n".join(f"    {line}" for line in statements),
        results=", ".join(results),
    )
    constants = [
        f"{key} = {_literal(value)}"
        for key, value in routine.constants.items()
        if key in used
    ]
    functions = [getsource(function).rstrip() for function in routine.functions]
    title = docstring.partition("\n")[0]
    parts = [_HEAD.format(title=title), "\n".join(constants), *functions]
    return "\n\n".join(parts) + "\n\n" + body


def _needed(
    statements: Sequence[str], results: list[str]
) -> tuple[list[str], set[str]]:
    """Return the statements that the results need, and all names they read."""
    used = {name for result in results for name in _names(result, ast.Load)}
    kept: list[str] = []
    for line in reversed(statements):
        targets = _names(line, ast.Store) or _names(line.partition("[")[0], ast.Load)
        if targets & used:
            kept.insert(0, line)
            used |= _names(line, ast.Load)
    return kept, used


def _names(code: str, context: type) -> set[str]:
    """Return the names that a line of code reads or assigns."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    return {node.id for node in nodes if isinstance(node.ctx, context)}


def _literal(value: Any) -> str:
    """Return a float, or an array of floats or truth values, as Python text."""
    if not isinstance(value, np.ndarray):
        return repr(float(value))
    text = repr(value.tolist())
    shape = f".reshape({value.shape})" if 0 in value.shape else ""
    return f"np.array({text}){shape}"
