"""Formulas of scalars, such as those of the modes, as functions of arrays.

SymPy writes the NumPy code, after 1 − eᵘ has become −u·exprel(u) with
exprel(u) = (eᵘ − 1)/u: nothing cancels then, and a quotient (1 − e^{−2st})/s is
2t·exprel(−2st), which has its limit 2t at s = 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import indent
from typing import Any

import numpy as np
import sympy
from sympy.printing.numpy import NumPyPrinter

from symflow.algebra.text import inline
from symflow.codegen.loading import load
from symflow.codegen.operands import floats
from symflow.codegen.program import argument_names, quoted
from symflow.codegen.targets.split import size_of, split
from symflow.errors import InvalidArgument

#: Parts of a formula beyond which it is written in pieces.
LARGE = 1000


class exprel(sympy.Function):  # type: ignore[misc]
    """The function (eᵘ − 1)/u, 1 at 0."""

    @classmethod
    def eval(cls, argument: Any) -> Any:
        """Return the limit at 0."""
        return sympy.S.One if argument.is_zero else None

    def _eval_rewrite_as_exp(self, argument: Any, **kwargs: Any) -> Any:
        return (sympy.exp(argument) - 1) / argument


class ScalarKernel:
    """A formula as a function of arrays, entry by entry; made by `lambdify`.

    It broadcasts like a NumPy function, pickles as its source, and
    `inspect.getsource` shows that.

    Parameters
    ----------
    source : str
        Text of the function ``formula``.
    arguments : tuple of str
        Names of its arguments.
    docstring : str
        Shown by `help`.

    Examples
    --------
    >>> import symflow as sf
    >>> s, t = sympy.symbols("s t")
    >>> f = sf.lambdify((1 - sympy.exp(-2 * s * t)) / s, [s, t])
    >>> f(np.array([0.0, 2.0]), 1e6).tolist()
    [2000000.0, 0.5]
    """

    def __init__(self, source: str, arguments: tuple[str, ...], docstring: str) -> None:
        self.source, self.arguments = source, arguments
        self.__doc__ = docstring
        self.__wrapped__ = load(source, "formula", {"np": np, "exprel": _exprel})

    def __call__(self, *values: Any) -> Any:
        """Return the value, or the tuple of values, in float64."""
        if len(values) != len(self.arguments):
            listed = ", ".join(self.arguments)
            msg = f"formula({listed}): takes {len(self.arguments)} values; got "
            msg += str(len(values))
            raise InvalidArgument(msg)
        pairs = zip(values, self.arguments, strict=True)
        arrays = [floats(value, f"formula: {name}") for value, name in pairs]
        with np.errstate(over="ignore", under="ignore"):
            return self.__wrapped__(*arrays)

    def __repr__(self) -> str:
        return f"<ScalarKernel formula({', '.join(self.arguments)})>"

    def __reduce__(self) -> Any:
        return ScalarKernel, (self.source, self.arguments, self.__doc__)


def is_scalar(expressions: Sequence[Any], symbols: Sequence[Any]) -> bool:
    """Say whether expressions and arguments are all numbers, or arrays of them."""
    entries = [entry for one in expressions for entry in entries_of(one)]
    return all(
        isinstance(one, sympy.Expr) and not one.has(sympy.MatrixSymbol)
        for one in (*entries, *symbols)
    )


def entries_of(expression: Any) -> list[Any]:
    """Return the entries of an explicit matrix row by row, or the expression alone."""
    matrix = isinstance(expression, sympy.MatrixBase)
    return list(expression.flat()) if matrix else [expression]


def scalar_kernel(
    expressions: Sequence[Any], symbols: Sequence[sympy.Symbol], *, several: bool
) -> ScalarKernel:
    """Write formulas of scalars, or matrices of them, as NumPy code and load it.

    A matrix becomes an array that ends with its shape; `several` returns a tuple.

    Raises InvalidArgument if NumPy has no function for something in a formula.
    """
    named = map(sympy.Symbol, argument_names(symbols, "lambdify"))
    names = dict(zip(symbols, named, strict=True))
    others = {old: new for old, new in names.items() if old.name != new.name}
    entries = [entry for one in expressions for entry in entries_of(one)]
    sizes = [size_of(entry) for entry in entries]
    large = max(sizes) > LARGE
    pieces, whole = split(entries) if large else ([], entries)
    printer = _ScalarPrinter({"fully_qualified_modules": True, "strict": False})

    def text(one: sympy.Expr) -> str:
        renamed = stable(one).xreplace(others) if others else stable(one)
        return str(printer.doprint(renamed))

    lines = [f"{name} = {text(piece)}" for name, piece in pieces]
    texts = [text(one) for one in whole]
    if any("Not supported" in one for one in (*lines, *texts)):
        missing = sorted({type(part).__name__ for part in printer._not_supported})
        said = [f"a formula of {sum(sizes)} parts"] if large else map(str, expressions)
        msg = (
            f"lambdify(expr, args): NumPy has no {', '.join(missing) or 'code'} for "
            f"{', '.join(said)}. Use expr.evalf, or mpmath"
        )
        raise InvalidArgument(msg)
    arguments, found = tuple(str(name) for name in names.values()), iter(texts)
    results = [_result(one, found, arguments) for one in expressions]
    result = f"({', '.join(results)},)" if several else results[0]
    docstring = _docstring(expressions, sum(sizes) if large else 0)
    body = "\n".join(f"    {line}" for line in (*lines, f"return {result}"))
    source = (
        f"def formula({', '.join(arguments)}):\n"
        f'    """{indent(quoted(docstring), "    ").lstrip()}    """\n'
        f"{body.replace('numpy.', 'np.')}\n"
    )
    return ScalarKernel(source, arguments, docstring)


def _result(expression: Any, texts: Iterator[str], arguments: Sequence[str]) -> str:
    """Return the code of a value: of a matrix, its entries stacked and reshaped."""
    if not isinstance(expression, sympy.MatrixBase):
        return next(texts)
    rows, columns = expression.shape
    listed = ", ".join(next(texts) for _ in range(rows * columns))
    # a constant entry has the shape of the arguments too
    given = "".join(f", {name}" for name in arguments)
    stacked = f"np.stack(np.broadcast_arrays({listed}{given})[:{rows * columns}], -1)"
    return f"(lambda a: a.reshape(*a.shape[:-1], {rows}, {columns}))({stacked})"


def _docstring(expressions: Sequence[Any], large: int) -> str:
    if large:
        return f"Return a formula of {large} parts.\n"
    lines = "\n".join(f"    {inline(one)}" for one in expressions)
    return f"Return\n\n{lines}\n"


def stable(expr: sympy.Expr) -> sympy.Expr:
    """Return an expression in which 1 − eᵘ is written as −u·exprel(u)."""

    def rewritten(total: sympy.Expr) -> sympy.Expr:
        constant, rest = total.as_coeff_Add()
        for term in sympy.Add.make_args(rest):
            factor, power = term.as_coeff_Mul()
            if constant != 0 and isinstance(power, sympy.exp) and factor == -constant:
                inner = power.args[0]
                return rest - term + factor * inner * exprel(inner)
        return total

    found: sympy.Expr = expr.replace(lambda part: part.is_Add, rewritten)
    return found


class _ScalarPrinter(NumPyPrinter):  # type: ignore[misc]
    def _print_exprel(self, expr: Any) -> str:
        return f"exprel({self._print(expr.args[0])})"


def _exprel(u: Any) -> Any:
    """Return (eᵘ − 1)/u, and 1 at 0."""
    safe = np.where(u == 0, 1.0, u)
    return np.where(u == 0, 1.0, np.expm1(safe) / safe)
