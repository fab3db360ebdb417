"""Random matrix expressions, and their value by plain integer matrix arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy
from hypothesis import strategies as st

from symflow.algebra import SymmetricMatrixSymbol
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Traced,
    Transposed,
    add,
    product,
    scale,
    transpose,
)

SIZE = sympy.Symbol("n", integer=True, positive=True)
A = Leaf(sympy.MatrixSymbol("A", SIZE, SIZE))
B = Leaf(sympy.MatrixSymbol("B", SIZE, SIZE))
S = Leaf(SymmetricMatrixSymbol("S", SIZE, SIZE))

#: n×n matrices satisfy no identity of degree below n in letters and their transposes,
#: so at 6×6 an expression of degree ≤ 5 vanishes only if it vanishes for every size.
DEGREE, DIMENSION = 5, 6


def expressions(degree: int = DEGREE) -> st.SearchStrategy[Node]:
    """Expressions in A, B and a symmetric S of at most the given degree."""
    letters = st.sampled_from([A, B, S])
    if degree <= 1:
        return st.one_of(letters, letters.map(transpose), letters.map(scaled_by(-2)))
    small = st.deferred(lambda: expressions(degree // 2))
    same = st.deferred(lambda: expressions(degree - 1))
    coefficients = st.sampled_from([-1, 2, sympy.Rational(-3, 2)])
    return st.one_of(
        letters,
        st.builds(product, small, small),
        st.builds(add, same, same),
        st.builds(scale, coefficients, same),
        same.map(transpose),
    )


def scaled_by(coefficient: Any) -> Any:
    """Return the function that multiplies a node by a coefficient."""
    return lambda node: scale(coefficient, node)


def integer_values(seed: int, size: int = DIMENSION) -> dict[Any, Any]:
    """Return random integer matrices for the three letters, that of S symmetric."""
    rng = np.random.default_rng(seed)
    draw = [rng.integers(-9, 10, (size, size)).astype(object) for _ in range(3)]
    values = dict(zip((A.symbol, B.symbol, S.symbol), draw, strict=True))
    values[S.symbol] = draw[2] + draw[2].T
    return values


def value_of(node: Node, values: dict[Any, Any]) -> Any:
    """Evaluate a node by recursion over its structure, in exact arithmetic."""
    match node:
        case Leaf(symbol):
            return values[symbol]
        case Product(left, right):
            return value_of(left, values) @ value_of(right, values)
        case Sum(terms):
            return sum(value_of(term, values) for term in terms)
        case Scaled(coefficient, body):
            return coefficient * value_of(body, values)
        case Transposed(body):
            return value_of(body, values).T
        case Traced(body):
            return np.trace(value_of(body, values))
    raise TypeError(node)
