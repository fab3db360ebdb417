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

from symflow.algebra.array_maps import namespace
from symflow.algebra.text import inline
from symflow.codegen.loading import load
from symflow.errors import InvalidArgument, shown
from symflow.solutions import Solution
from symflow.solutions.family import family_arguments
from symflow.solutions.numpy_form import OUTPUTS, Routine, array_times

#: What a kernel may take besides the time.
VARIABLES = ("init", "sigma_yx")

_HEAD = '''"""{title}"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
'''

_BODY = '''
{define}
    """{docstring}"""
    {head}
{statements}
    return {results}
'''


class SolutionKernel:
    """A closed form as a function of time; made by ``compile(solution)``.

    It takes times of any shape and returns arrays that begin with that shape.  Times
    may be arrays of any library with an ``__array_namespace__``: JAX traces, maps and
    differentiates it.  Where NumPy raises, as for t < 0, other arrays hold NaN.  Its
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
    arguments : tuple of str
        What it takes: ``t``, and ``init`` and ``sigma_yx`` where these are variables.

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

    __slots__ = ("__call__", "__dict__", "__weakref__")
    __call__: Callable[..., Any]

    def __init__(
        self,
        source: str,
        name: str,
        outputs: tuple[str, ...],
        docstring: str,
        arguments: tuple[str, ...] = ("t",),
    ) -> None:
        self.source, self.name, self.outputs = source, name, outputs
        self.arguments = arguments
        self.__doc__ = docstring
        self.__wrapped__ = load(source, name)
        self.__call__ = self.__wrapped__

    def __repr__(self) -> str:
        takes, gives = ", ".join(self.arguments), ", ".join(self.outputs)
        return f"<SolutionKernel {self.name}({takes}) -> {gives}>"

    def __reduce__(self) -> Any:
        parts = self.source, self.name, self.outputs, self.__doc__, self.arguments
        return SolutionKernel, parts


def solution_kernel(
    solution: Solution,
    outputs: str | Sequence[str],
    arguments: str | Sequence[str] = (),
) -> SolutionKernel:
    """Write a solution as array code and load it.

    `outputs` is one or several of "end_to_end", "strengths" and "weights", `arguments`
    none, one or both of "init" and "sigma_yx".
    """
    names = output_names(outputs, OUTPUTS, "compile(solution, outputs=…)")
    free: tuple[str, ...] = ()
    if not isinstance(arguments, tuple) or arguments:
        free = output_names(arguments, VARIABLES, "compile(solution, arguments=…)")
    asked = solution.problem.asked
    ordered = {"weights", "init"} & {*names, *free}
    if ordered and asked is not None and asked.product is not None:
        msg = (
            f"compile(solution, {min(ordered)!r}): the code has weights first layer "
            f"first, and this model has the order {asked.parameters}. Use "
            "solution.weights(t), or list the parameters in the order of the layers"
        )
        raise InvalidArgument(msg)
    routine = solution.family() if free else solution.routine()
    for name in names:
        if name not in routine.outputs:
            why = routine.missing.get(name, "the formula does not determine them")
            msg = (
                f"compile(solution, outputs={name!r}): {solution.name} has no {name} "
                f"in NumPy alone: {why}"
            )
            raise InvalidArgument(msg)
    docstring = _docstring(solution, names) + _variables(routine, free)
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", solution.name).lower()
    found = routine.outputs
    results = [f"({found[x]})" if x == "weights" else found[x] for x in names]
    ends = [routine.horizon] if routine.horizon is not None else []
    # what floats miss of the hypotheses grows: no value that is not known
    ends += [solution.horizon] if np.isfinite(solution.horizon) and not free else []
    routine = replace(routine, horizon=min(ends, default=None))
    head, fixed = _head(solution, routine, free)
    define = f"def {name}({', '.join(('t', *free))}):"
    source = _module(routine, (define, docstring, head), fixed, results)
    return SolutionKernel(source, name, names, docstring, ("t", *free))


def _head(
    solution: Solution, routine: Routine, free: tuple[str, ...]
) -> tuple[str, dict[str, Any]]:
    """Return the line that reads the arguments, and what it takes for the others."""
    if not free:
        return f"xp, t = array_times(t, {routine.horizon!r})", {}
    given = solution.problem.floats
    arrays = [*given.weights, given.arguments[1]]
    shapes = [array.shape for array in arrays]
    names = [f"INIT_{k}" for k in range(len(given.weights))] + ["SIGMA_YX"]
    words = {"init": f"(_{', _'.join(names[:-1])},)", "sigma_yx": "_SIGMA_YX"}
    init, target = (name if name in free else words[name] for name in VARIABLES)
    fixed = {} if "init" in free else dict(zip(names, given.weights, strict=False))
    fixed |= {} if "sigma_yx" in free else {"SIGMA_YX": arrays[-1]}
    read = f"family_arguments(t, {init}, {target}, {shapes})"
    return f"xp, t, init, sigma_yx = {read}", fixed


def _variables(routine: Routine, free: tuple[str, ...]) -> str:
    """Say what the variables are, and where the code has values."""
    if not free:
        return ""
    return (
        "\n\ninit is the tuple of the weights (W_1, …, W_L), sigma_yx the matrix.\n"
        f"It holds for {routine.family}.\n"
        "For others, and so late that rounding may have half of the digits, NumPy\n"
        "raises and other arrays are NaN.  Derivatives are those of the formula, and\n"
        "of the flow in all directions that do not leave these."
    )


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


def _module(
    routine: Routine,
    opening: tuple[str, str, str],
    fixed: dict[str, Any],
    results: list[str],
) -> str:
    """Return the text of a module: its function opens with a def, a doc and a line."""
    define, docstring, head = opening
    statements, used = _needed(routine.statements, results)
    constants = {k: v for k, v in routine.constants.items() if k in used}
    lifted = [
        f"{k} = xp.asarray(_{k})" if isinstance(v, np.ndarray) else f"{k} = _{k}"
        for k, v in constants.items()
    ]
    body = _BODY.format(
        define=define,
        head=head,
        docstring=indent(docstring, "    ").lstrip() + "\n    ",
        statements="\n".join(f"    {line}" for line in (*lifted, *statements)),
        results=", ".join(results),
    )
    literals = [f"_{k} = {_literal(v)}" for k, v in (constants | fixed).items()]
    known: list[Any] = [namespace, array_times]
    known += [family_arguments] if "family_arguments" in head else []
    known += routine.functions
    functions = [getsource(function).rstrip() for function in known]
    title = docstring.partition("\n")[0]
    parts = [_HEAD.format(title=title), "\n".join(literals), *functions]
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
