"""lambdify for matrix expressions: SymPy in, an array function out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.text import inline
from symflow.codegen.kernel import Kernel
from symflow.codegen.lower import lower
from symflow.errors import InvalidArgument


def lambdify(expr: Any, args: Any) -> Kernel:
    """Compile SymPy matrix expressions to an array function.

    Unlike `sympy.lambdify` it knows traces, transposes and products of matrix symbols
    of any size, takes batches, pickles, and shows its source.

    Parameters
    ----------
    expr : sympy.Expr, sympy.MatrixExpr, or a sequence of these
        In the grammar of `symflow.gradient`.
    args : sympy.MatrixSymbol or sequence of symbols
        The arguments, in order.

    Returns
    -------
    Kernel
        Returns the value, or a tuple of values for a sequence.

    Raises
    ------
    InvalidArgument
        If a symbol of the expression is not among the arguments, or something outside
        the grammar occurs.

    Examples
    --------
    >>> import numpy as np, symflow as sf
    >>> A = sympy.MatrixSymbol("A", *sympy.symbols("m n"))
    >>> f = sf.lambdify(sympy.Trace(A.T * A), [A])
    >>> float(f(np.array([[3.0, 4.0]])))
    25.0
    """
    several = isinstance(expr, (list, tuple))
    expressions: Sequence[Any] = list(expr) if several else [expr]
    symbols = list(args) if isinstance(args, (list, tuple)) else [args]
    if not expressions:
        msg = "lambdify(expr, args): needs at least one expression; got none"
        raise InvalidArgument(msg)
    unknown = _free(expressions) - set(symbols)
    if unknown:
        listed = ", ".join(sorted(map(str, unknown)))
        msg = (
            f"lambdify(expr, args): {listed} occurs in the expression and is not among "
            f"the arguments {[str(symbol) for symbol in symbols]}"
        )
        raise InvalidArgument(msg)
    nodes = {f"value{k}": from_sympy(one) for k, one in enumerate(expressions)}
    program = lower("lambdified", symbols, nodes)
    lines = "\n".join(f"    {inline(one)}" for one in expressions)
    return Kernel(program, f"Return\n\n{lines}", bare=not several)


def _free(expressions: Sequence[Any]) -> set[Any]:
    """Return the symbols whose values are needed: sizes of matrices are not."""
    found: set[Any] = set()
    for expression in expressions:
        matrices = expression.atoms(sympy.MatrixSymbol)
        sizes = {s for m in matrices for w in m.shape for s in w.free_symbols}
        found |= matrices | (expression.free_symbols - matrices - sizes)
    return found
