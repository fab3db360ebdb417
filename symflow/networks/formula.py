"""Reading a formula as a polynomial in matrices."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import sympy

from symflow.algebra.elementwise import (
    Elementwise,
    Hadamard,
    IdentityNode,
    Ones,
    hadamard,
)
from symflow.algebra.embeddings import LinearMap
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.functions import Z
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Transposed,
    add,
    fold,
    scale,
)
from symflow.algebra.numbers import exact
from symflow.algebra.tensors import Constant
from symflow.errors import NotDifferentiable

#: How errors call what is read.
CALL = "Model(expr, parameters, constants)"

#: What a formula may be made of, beside symbols, sums and numbers.
_POLYNOMIAL = (Product, Transposed, Hadamard, IdentityNode, LinearMap)


def polynomial(expr: sympy.MatrixExpr, known: Mapping[Any, Any]) -> Node:
    """Return a polynomial in matrices as a node.

    The numbers of some matrix symbols are `known`.  Raises NotDifferentiable if the
    formula is no polynomial.
    """
    return fold(from_sympy(expr), lambda *parts: _allowed(known, *parts))


def _allowed(known: Mapping[Any, Any], node: Node, *below: Node) -> Node:
    """Return a node made of others again, if a polynomial may have it."""
    match node:
        case Leaf(symbol):
            return Constant(known[symbol], symbol) if symbol in known else node
        case Constant(matrix):
            return Constant(exact_matrix(matrix))
        case Ones(rows, columns) if not _symbolic(rows, columns):
            return Constant(sympy.ImmutableDenseMatrix.ones(rows, columns))
        case Sum():  # products first, as one writes them
            return add(*sorted(below, key=lambda term: not term.children))
        case Scaled(coefficient):
            return scale(_coefficient(coefficient), *below)
        case Elementwise(function) if function.is_Pow and function.base == Z:
            if function.exp.is_Integer and function.exp > 0:
                return reduce(hadamard, below * int(function.exp))
    if isinstance(node, _POLYNOMIAL):
        return node.rebuild(*below)
    msg = (
        f"{CALL}: the formula has to be a polynomial in its matrices, and it has "
        f"a part of the kind {type(node).__name__}. Use sums, products, transposes, "
        "powers, Hadamard products, Identity and matrices of numbers"
    )
    raise NotDifferentiable(msg)


def ordered(formula: Any) -> Any:
    """Return a formula with sums in SymPy's order, so that equal ones are the same."""
    sums = formula.replace(
        lambda part: isinstance(part, sympy.MatAdd),
        lambda part: sympy.MatAdd(*part.as_ordered_terms()),
    )
    return sums.replace(
        lambda part: isinstance(part, sympy.HadamardProduct),
        lambda part: sympy.HadamardProduct(*sorted(part.args, key=sympy.srepr)),
    )


def _symbolic(*sizes: Any) -> list[Any]:
    return [size for size in sizes if not sympy.sympify(size).is_Integer]


def _coefficient(value: sympy.Expr) -> sympy.Expr:
    """Return a coefficient, whose floats are the decimals that they print."""
    written = value.xreplace({f: exact(str(f)) for f in value.atoms(sympy.Float)})
    real = not written.is_number or (written.is_finite and written.is_real)
    if real and written.is_polynomial(*written.free_symbols):
        return written
    msg = f"{CALL}: a coefficient has to be a real number or a symbol; got {value}"
    raise NotDifferentiable(msg)


def exact_matrix(matrix: Any) -> sympy.ImmutableDenseMatrix:
    """Return a matrix of numbers with its floats as the rationals that they are."""
    return sympy.ImmutableDenseMatrix(matrix.applyfunc(exact))


def sizes_of(formula: Any) -> set[sympy.Symbol]:
    """Return the symbols that stand for sizes."""
    matrices = formula.atoms(sympy.MatrixSymbol, sympy.Identity)
    return {s for matrix in matrices for w in matrix.shape for s in w.free_symbols}
