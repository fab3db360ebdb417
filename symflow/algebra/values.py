"""Values of nodes over any ring of numbers, batched over leading dimensions.

This is for laws at given weights, and for polynomial models over finite rings.  It
walks the nodes themselves and is slower than a program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import arb

from symflow.algebra.array_maps import PRELUDE, kron
from symflow.algebra.arrays import Array, map_entries, to_mpf_array
from symflow.algebra.balls import to_arb
from symflow.algebra.elementwise import (
    Elementwise,
    Hadamard,
    IdentityNode,
    Inverse,
    Number,
    Ones,
    Total,
    Weighted,
)
from symflow.algebra.embeddings import LinearMap
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Leaf, Node, Product, Scaled, Sum, Traced, Transposed
from symflow.algebra.numbers import as_fraction
from symflow.algebra.products import matmul
from symflow.algebra.tensors import Constant, Contraction, Kronecker
from symflow.errors import InvalidArgument

#: Powers of fractions beyond this are not formed.
LARGEST_POWER = 1_000

#: The bilinear operations of a node.
BILINEAR: dict[type[Node], Callable[[Any, Any], Any]] = {
    Product: matmul,
    Hadamard: lambda a, b: a * b,
    Kronecker: lambda a, b: kron(np, a, b),
}


class Values:
    """Evaluates nodes; the base class does so for floats, mpf and Python integers.

    The `leaves` are the arrays of all matrix symbols that occur.  A `number` function,
    from an exact number to one of the arithmetic, keeps constants from becoming
    floats; for balls it is known.
    """

    def __init__(
        self, leaves: Mapping[sympy.MatrixSymbol, Array], number: Any = None
    ) -> None:
        self._leaves = dict(leaves)
        entries = (entry for a in leaves.values() for entry in np.asarray(a).flat)
        balls = number is None and isinstance(next(entries, None), arb)
        self._number = to_arb if balls else number
        self._known: dict[Node, Array] = {}

    def of(self, node: Node) -> Array:
        """Return the value of a node; numbers have no matrix dimensions."""
        if node not in self._known:
            self._known[node] = self._value(node)
        return self._known[node]

    def multiply(self, kind: type[Node], left: Array, right: Array) -> Array:
        """Return one of the `BILINEAR` operations."""
        return np.asarray(BILINEAR[kind](left, right))

    def add(self, left: Array, right: Array) -> Array:
        """Return the sum."""
        return np.asarray(left + right)

    def scale(self, coefficient: sympy.Expr, array: Array) -> Array:
        """Return an exact rational number times an array."""
        if self._number is not None:
            return np.asarray(self._number(coefficient) * array)
        ratio = as_fraction(coefficient)
        if ratio is None:
            msg = f"Values: {coefficient} is not a rational number"
            raise InvalidArgument(msg)
        scaled = array if ratio.numerator == 1 else ratio.numerator * array
        return scaled if ratio.denominator == 1 else scaled / ratio.denominator

    def constant(self, matrix: sympy.ImmutableDenseMatrix) -> Array:
        """Return a constant matrix in the arithmetic of the leaves."""
        if self._number is not None:
            return map_entries(self._number, np.array(matrix.tolist(), dtype=object))
        context = next(
            (c for a in self._leaves.values() if (c := _context(a)) is not None), None
        )
        if context is None:
            return np.array(matrix.tolist(), dtype=float)
        return to_mpf_array(np.array(matrix.tolist(), dtype=object), context)

    def total(self, array: Array) -> Array:
        """Return the sum of all entries of every matrix."""
        return np.asarray(array.sum(axis=(-2, -1)))

    def inverse(self, array: Array) -> Array:
        """Return the inverse of every matrix."""
        if self._number is not None:
            msg = "Values: an inverse is not polynomial"
            raise InvalidArgument(msg)
        context = _context(array)
        if context is None:
            return np.asarray(np.linalg.inv(array))
        flat = [
            np.array(context.inverse(context.matrix(block.tolist())).tolist())
            for block in array.reshape(-1, *array.shape[-2:])
        ]
        return np.array(flat, dtype=object).reshape(array.shape)

    def elementwise(self, function: sympy.Expr, array: Array) -> Array:
        """Return a function, an expression in `Z`, of every entry."""
        number = self._number
        if number is not None:
            return map_entries(lambda e: scalar_value(function, {Z: e}, number), array)
        context = _context(array)
        if context is None:
            return np.asarray(sympy.lambdify(Z, function, "numpy")(array))
        names = {str(part.func) for part in function.atoms(sympy.Function)}
        known = {name: getattr(context, name) for name in names}
        return map_entries(sympy.lambdify(Z, function, [known]), array)

    def _value(self, node: Node) -> Array:
        match node:
            case Leaf(symbol):
                return np.asarray(self._leaves[symbol])
            case Product(left, right) | Hadamard(left, right) | Kronecker(left, right):
                return self.multiply(type(node), self.of(left), self.of(right))
            case Sum(terms):
                result = self.of(terms[0])
                for term in terms[1:]:
                    result = self.add(result, self.of(term))
                return result
            case Scaled(coefficient, body):
                return self.scale(coefficient, self.of(body))
            case Transposed(body):
                return np.swapaxes(self.of(body), -1, -2)
            case Traced(body):
                array = self.of(body)
                return self.total(array * np.eye(array.shape[-1], dtype=array.dtype))
            case Total(body):
                return self.total(self.of(body))
            case Constant(matrix):
                return self.constant(matrix)
            case IdentityNode(size):
                return self.constant(sympy.ImmutableDenseMatrix.eye(_integer(size)))
            case Ones(rows, columns):
                ones = sympy.ones(_integer(rows), _integer(columns))
                return self.constant(sympy.ImmutableDenseMatrix(ones))
            case Number(value):
                return self.total(self.constant(sympy.ImmutableDenseMatrix([[value]])))
            case Contraction():
                return self.of(node.lowered)
            case Weighted(weight, body):
                number = self.of(weight)[..., None, None]
                return self.multiply(Hadamard, number, self.of(body))
            case Inverse(body):
                return self.inverse(self.of(body))
            case Elementwise(function, body):
                return self.elementwise(function, self.of(body))
            case LinearMap():
                return self.mapped(node)
        msg = f"Values: a {type(node).__name__} is not polynomial"
        raise InvalidArgument(msg)

    def mapped(self, node: LinearMap) -> Array:
        """Return a fixed linear map of its operand."""
        array = self.of(node.body)
        if node.operation == "crop":
            return array[..., : int(node.shape[0]), :]
        size = sympy.sympify(node.size)
        known = size is not None and size.is_Integer
        return np.asarray(
            PRELUDE[node.operation](np, array, *([int(size)] if known else []))
        )


def scalar_value(expression: sympy.Expr, known: Any, number: Any) -> Any:
    """Return the value of sums, products, powers and exponentials in any arithmetic.

    `known` has the symbols, `number` makes exact numbers ones of the arithmetic; what
    else occurs, or is not in the arithmetic, is refused.
    """
    if expression in known:
        return known[expression]
    msg = f"{expression} has no value in this arithmetic"
    if not isinstance(expression, sympy.Expr) or expression.is_Matrix:
        raise InvalidArgument(msg)
    if expression.is_number and not expression.args:
        return number(expression)
    parts = [scalar_value(part, known, number) for part in expression.args]
    if expression.is_Add:
        return sum(parts[1:], parts[0])
    if expression.is_Mul:
        return math.prod(parts[1:], start=parts[0])
    rational = any(isinstance(part, Fraction) for part in parts)
    whole = expression.is_Pow and expression.exp.is_Integer
    if whole and not (rational and abs(expression.exp) > LARGEST_POWER):
        return parts[0] ** int(expression.exp)
    if expression.is_Pow and not rational:
        return parts[0] ** parts[1]
    if isinstance(expression, sympy.exp) and hasattr(parts[0], "exp"):
        return parts[0].exp()
    raise InvalidArgument(msg)


def _integer(size: Any) -> int:
    """Return a size, which has to be an integer for there to be numbers."""
    if not sympy.sympify(size).is_Integer:
        msg = f"Values: the size {size} is a symbol; give the network integer widths"
        raise InvalidArgument(msg)
    return int(size)


def _context(array: Any) -> Any:
    """Return the mpmath context of the numbers of an array, or None."""
    first = next(iter(np.asarray(array).flat), None)
    return getattr(first, "context", None)
