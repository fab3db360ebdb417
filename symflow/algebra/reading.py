"""Numbers and expressions from text, of which nothing is ever run.

SymPy reads a text with `eval`, wherever one stands: as an argument, in a tuple in an
argument, in a list of lists.  Here Python's parser makes a tree, and the tree is built
from a list of known heads whose arguments are already expressions.  A text inside the
text can only be the name of a symbol or the digits of a float.  What one line could
make too large to compute (powers, exponentials, factorials) is measured beforehand.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import sympy
from sympy.core.symbol import Str
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.diagonal import DiagonalOf

from symflow.algebra import functions, matrix_maps
from symflow.algebra.symbols import SampleCount, SymmetricMatrixSymbol, checked_name
from symflow.algebra.threads import evaluated
from symflow.errors import InvalidArgument

#: Bits that a power may have; floats have up to 1024.
LARGEST_BITS = 14_000

#: Bits of a number that a root is taken of, which SymPy tries to factor.
LARGEST_RADICAND = 2_048

#: Largest argument of exp, gamma and the like; exp(710) is beyond the floats.
LARGEST_ARGUMENT = 10_000

#: Largest power of a matrix.
LARGEST_DEGREE = 32

#: Largest decimal exponent of a number that is written out.
LARGEST_EXPONENT = 5_000

#: What is built of expressions alone.  The tuples hold names in SymPy.
_CONSTANTS = (
    *("pi", "E", "GoldenRatio", "EulerGamma", "Catalan", "TribonacciConstant"),
    *("oo", "zoo", "nan", "I", "true", "false"),
)
_SCALARS = (
    *("Integer", "Rational", "Add", "Mul", "Abs", "Min", "Max", "log", "sign"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "tanh", "asinh", "acosh", "atanh"),
    *("Tuple", "Piecewise", "Equality", "Unequality"),
    *("StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "And", "Or"),
)
_MATRICES = (
    *("MatrixSymbol", "MatAdd", "MatMul", "Transpose", "Inverse", "Trace", "Identity"),
    *("ZeroMatrix", "OneMatrix", "Determinant", "HadamardProduct", "HadamardPower"),
    *("KroneckerProduct", "DiagMatrix", "ImmutableDenseMatrix"),
    *("ImmutableDenseNDimArray", "Lambda"),
)

#: What grows fast in its argument.
_STEEP = ("exp", "sinh", "cosh", "gamma", "factorial")

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,6})?", re.IGNORECASE)
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.MatMult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.Pow: lambda left, right: power(left, right),
}
_NO_SYMBOLS: Mapping[str, Any] = MappingProxyType({})
_TROUBLE = (
    *(SyntaxError, ValueError, TypeError, AttributeError, ArithmeticError),
    *(IndexError, NotImplementedError),
)


def read_expression(text: str, symbols: Mapping[str, Any] = _NO_SYMBOLS) -> Any:
    """Return the SymPy expression that a text stands for, without running it.

    The text is arithmetic as people write it, or what `sympy.srepr` writes. With
    `symbols`, what names stand for, ``A.T``, ``A @ B`` and ``A[0, 1]`` are read as
    well; anything else, or what is too large, is refused.
    """
    source = text.strip().replace("^", "**")
    try:
        return _Reader(source, symbols).built(ast.parse(source, mode="eval").body)
    except (*_TROUBLE, RecursionError, MemoryError) as problem:
        shown = text if len(text) < 80 else f"{text[:77]}…"
        reason = str(problem.args[0] if problem.args else problem)
        msg = f"{shown!r} is not arithmetic that can be read: {reason}"
        raise InvalidArgument(msg) from None


def power(base: Any, exponent: Any) -> Any:
    """Return base**exponent, once it is known to be of a size that can be computed."""
    if isinstance(base, sympy.MatrixExpr):
        return _matrix_power(base, exponent)
    bits = _bits(base)
    radical = exponent.is_integer is False and bits > LARGEST_RADICAND
    large = exponent.is_number and _exceeds(exponent, LARGEST_BITS / max(1, bits))
    if radical or large:
        msg = f"({base})**({exponent}) is too large"
        raise ValueError(msg)
    return base**exponent


def _bits(base: Any) -> float:
    """Return how many bits a factor of base**n adds at most."""
    parts = base.atoms(sympy.Rational) if hasattr(base, "atoms") else ()
    bits = float(sum((abs(x.p) * x.q).bit_length() - 1 for x in parts if x.p))
    if base.is_Rational or not base.is_number or base.is_zero:
        return bits
    return bits + abs(float(evaluated(sympy.log(abs(evaluated(base, 5)), 2), 5)))


def _exceeds(value: Any, bound: float) -> bool:
    if value.is_Rational:
        return bool(abs(value.p) > bound * value.q)
    return bool(abs(evaluated(value, 5)) > bound)


def _steep(head: Any) -> Callable[[Any], Any]:
    def built(argument: Any) -> Any:
        if argument.is_number and _exceeds(argument, LARGEST_ARGUMENT):
            msg = f"{head.__name__} of more than {LARGEST_ARGUMENT} is too large"
            raise ValueError(msg)
        return head(argument)

    return built


def _root(base: Any, degree: Any = None) -> Any:
    return power(base, 1 / (degree or sympy.Integer(2)))


def _matrix_power(base: Any, exponent: Any) -> Any:
    whole = isinstance(exponent, sympy.Integer)
    if not whole or _exceeds(exponent, LARGEST_DEGREE):
        msg = (
            f"a matrix to the power {exponent}: needs an integer up to {LARGEST_DEGREE}"
        )
        raise ValueError(msg)
    return sympy.MatPow(base, exponent)


_HEADS: dict[str, Callable[..., Any]] = {
    **{name: getattr(sympy, name) for name in (*_SCALARS, *_MATRICES)},
    **{name: _steep(getattr(sympy, name)) for name in _STEEP},
    "DiagonalOf": DiagonalOf,
    "ExprCondPair": ExprCondPair,
    "ElementwiseApplyFunction": ElementwiseApplyFunction,
    **{kind.__name__: kind for kind in matrix_maps.MatrixMap.__subclasses__()},
    "sigmoid": functions.sigmoid,
    "softplus": functions.softplus,
    "SymmetricMatrixSymbol": SymmetricMatrixSymbol,
    "Pow": power,
    "root": _root,
    "sqrt": _root,
    "cbrt": lambda base: _root(base, sympy.Integer(3)),
    "MatPow": _matrix_power,
    "MatrixElement": lambda matrix, row, column: matrix[row, column],
    "MutableDenseMatrix": sympy.ImmutableDenseMatrix,
}


def _symbol(kind: Any) -> Callable[..., Any]:
    def built(name: str, **assumptions: Any) -> Any:
        return kind(checked_name(name, "a symbol in the text"), **assumptions)

    return built


def _float(digits: str, precision: int = 53) -> Any:
    if not _DECIMAL.fullmatch(digits) or not 1 <= precision <= 1 << 22:
        msg = f"{digits[:80]!r} is no decimal number of a reasonable size"
        raise ValueError(msg)
    return sympy.Float(digits, precision=precision)


#: What takes one text and plain options: the name of a symbol, or digits.
_NAMED: dict[str, Callable[..., Any]] = {
    "Symbol": _symbol(sympy.Symbol),
    "Dummy": _symbol(sympy.Dummy),
    "Str": _symbol(Str),
    "SampleCount": _symbol(lambda name, **_: SampleCount(name)),
    "Float": _float,
}


class _Reader:
    """Builds the tree of one text."""

    def __init__(self, source: str, symbols: Mapping[str, Any]) -> None:
        self._source, self._symbols = source, symbols

    def built(self, node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=value) if type(value) is int:
                return sympy.Integer(value)
            case ast.Constant(value=value) if type(value) is float:
                return _decimal(ast.get_source_segment(self._source, node) or "")
            case ast.Name(id=name) if name in self._symbols:
                return self._symbols[name]
            case ast.Name(id=name) if name in _CONSTANTS:
                return getattr(sympy, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.built(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return +self.built(operand)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self.built(left), self.built(right))
            case ast.List(elts=parts):
                return [self.built(part) for part in parts]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                return self._called(name, args, keywords)
            case ast.Attribute(value=value, attr="T") if self._symbols:
                return sympy.Transpose(self.built(value)).doit(deep=False)
            case ast.Subscript(value=value, slice=ast.Tuple(elts=places)):
                return self.built(value)[tuple(map(self.built, places))]
        msg = f"{type(node).__name__} is no expression"
        if isinstance(node, ast.Name):
            known = f" (known are {', '.join(self._symbols)})" if self._symbols else ""
            msg = f"the name {node.id[:40]!r} is not known{known}"
        raise ValueError(msg)

    def _called(self, name: str, args: Any, keywords: Any) -> Any:
        if name in _HEADS and not keywords:
            return _HEADS[name](*map(self.built, args))
        options = {key.arg: getattr(key.value, "value", None) for key in keywords}
        plain = all(key and type(v) in (bool, int) for key, v in options.items())
        texts = [getattr(arg, "value", None) for arg in args]
        if name not in _NAMED or not plain or [type(text) for text in texts] != [str]:
            msg = f"{name} is no expression, or may not be made of this"
            raise ValueError(msg)
        return _NAMED[name](*texts, **options)


def _decimal(written: str) -> Any:
    """Return a decimal number as the fraction that it is."""
    digits, _, exponent = written.replace("_", "").lower().partition("e")
    if abs(int(exponent or 0)) > LARGEST_EXPONENT:
        msg = f"{written[:80]} has an exponent beyond {LARGEST_EXPONENT}"
        raise ValueError(msg)
    scale = Fraction(10) ** int(exponent or 0)
    return sympy.Rational(Fraction(digits) * scale)
