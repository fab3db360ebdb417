"""lambdify for matrix expressions and closed forms: an array function comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.text import inline
from symflow.codegen.closed_form import solution_kernel
from symflow.codegen.kernel import Kernel
from symflow.codegen.lower import lower
from symflow.codegen.targets.scalar import is_scalar, scalar_kernel
from symflow.errors import InvalidArgument, expect, shown
from symflow.solutions import Solution


def lambdify(expr: Any, args: Any) -> Any:
    """Compile SymPy expressions to an array function.

    Unlike `sympy.lambdify` it knows traces, transposes and products of matrix symbols
    of any size, takes batches, pickles, and shows its source.  Formulas of scalars are
    written so that (1 − e^{−2st})/s has its limit at s = 0, and nothing cancels.

    Parameters
    ----------
    expr : sympy.Expr, sympy.Matrix, sympy.MatrixExpr, a sequence of these, or Solution
        Matrices in the grammar of `symflow.gradient`, formulas of scalars, or explicit
        matrices of such formulas, whose values end with their shape.
    args : sympy.MatrixSymbol or sequence of symbols
        The arguments, in order.

    Returns
    -------
    Kernel, ScalarKernel or SolutionKernel
        Returns the value, or a tuple of values for a sequence; the end-to-end matrix
        W(t) for a solution, as ``compile(solution)`` does.

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
    if isinstance(expr, Solution):
        if len(symbols) != 1:
            msg = f"lambdify(solution, args): takes the time alone; got {shown(args)}"
            raise InvalidArgument(msg)
        return solution_kernel(expr, "end_to_end")
    empty = any(getattr(one, "shape", None) == (0, 0) for one in expressions)
    if not expressions or empty:
        msg = "lambdify(expr, args): needs at least one expression; got none"
        raise InvalidArgument(msg)
    kinds = sympy.Basic | sympy.MatrixBase
    for one in expressions:
        expect(one, kinds, "lambdify(expr, args)", "SymPy expressions")
    for one in symbols:
        letters = sympy.Symbol | sympy.MatrixSymbol
        expect(one, letters, "lambdify(expr, args)", "symbols for args")
    unknown = _free(expressions) - set(symbols)
    if unknown:
        listed = ", ".join(sorted(map(str, unknown)))
        msg = (
            f"lambdify(expr, args): {listed} occurs in the expression and is not among "
            f"the arguments {[str(symbol) for symbol in symbols]}"
        )
        raise InvalidArgument(msg)
    if is_scalar(expressions, symbols):
        return scalar_kernel(expressions, symbols, several=several)
    nodes = {f"value{k}": from_sympy(one) for k, one in enumerate(expressions)}
    program = lower("lambdified", symbols, nodes)
    lines = "\n".join(f"    {inline(one)}" for one in expressions)
    return Kernel(program, f"Return\n\n{lines}", bare=not several)


def _free(expressions: Sequence[Any]) -> set[Any]:
    """Return the symbols whose values are needed: sizes of matrices are not."""
    found: set[Any] = set()
    for expression in expressions:
        if isinstance(expression, sympy.MatrixBase):
            found |= _free(expression.flat())
            continue
        matrices = expression.atoms(sympy.MatrixSymbol)
        sizes = {s for m in matrices for w in m.shape for s in w.free_symbols}
        found |= matrices | (expression.free_symbols - matrices - sizes)
    return found
