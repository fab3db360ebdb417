"""Where matrix formulas need brackets: one set of rules for text and for LaTeX.

A printer gives the marks, as attributes, and SymPy's printer for scalars; an operand
is bracketed where it binds less tightly than its place asks for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter

#: How tightly an expression binds: sums, multiples, ∘ and ⊗, products, powers, names.
SUM, MULTIPLE, ENTRYWISE, PRODUCT, POWER, ATOM = range(6)

_BINDING: tuple[tuple[Any, int], ...] = (
    ((sympy.MatAdd, sympy.Add), SUM),
    (sympy.Mul, MULTIPLE),
    ((sympy.HadamardProduct, sympy.KroneckerProduct), ENTRYWISE),
    ((sympy.Transpose, sympy.MatPow, sympy.HadamardPower, sympy.Pow), POWER),
)

#: What a weight is called after a step: Wnext1 is W_1⁺.
_NEXT = re.compile(r"(\w+?)next(\d*)")

#: A matrix of numbers with more entries is named by its size and a label.
MOST_ENTRIES = 16


def binding(expr: Any) -> int:
    """Return how tightly the outermost operation of an expression binds."""
    if isinstance(expr, sympy.MatMul):
        coefficient, matrices = expr.as_coeff_matrices()
        if coefficient != 1:
            return MULTIPLE
        return PRODUCT if len(matrices) > 1 else binding(matrices[0])
    if isinstance(expr, sympy.Number) and (expr < 0 or not expr.is_Integer):
        return MULTIPLE
    return next((level for kind, level in _BINDING if isinstance(expr, kind)), ATOM)


def label(matrix: Any) -> str:
    """Return a few digits that tell a matrix of numbers from others."""
    from hashlib import sha256  # slow to import

    return sha256(str(matrix.tolist()).encode()).hexdigest()[:6]


def applied_entrywise(expr: Any) -> tuple[Any, Any]:
    """Return the name of what is applied to all entries, or its Lambda, and to what."""
    (variable,), body, inner = expr.function.variables, expr.function.expr, expr.expr
    if isinstance(body, sympy.Function) and len(body.args) == 1:
        factor, rest = body.args[0].as_coeff_Mul()
        if rest == variable:
            argument = inner if factor == 1 else sympy.MatMul(factor, inner)
            return body.func.__name__, argument
    if body.is_Pow and body.base == variable and body.exp.is_number:
        return "", sympy.HadamardPower(inner, body.exp)
    return expr.function, inner


def traced(expr: sympy.Trace) -> tuple[str, Any]:
    """Return a trace as sum of all entries, where it is one, or as tr of a matrix."""
    factors = expr.arg.args if isinstance(expr.arg, sympy.MatMul) else ()
    if factors and isinstance(factors[0], sympy.OneMatrix):
        return "sum", sympy.MatMul(*factors[1:]) if len(factors) > 2 else factors[1]
    return "tr", expr.arg


class MatrixPrinter:
    """Prints sums, products, powers and functions of matrices with their brackets."""

    opening, closing, minus = "(", ")", "−"
    times, entrywise, kronecker = "·", "∘", "⊗"
    _print: Any

    def bracketed(self, expr: Any, level: int) -> str:
        """Return an operand, in brackets where its place binds more tightly."""
        text = str(self._print(expr))
        return text if binding(expr) >= level else self.opening + text + self.closing

    def called(self, name: str, *arguments: Any) -> str:
        """Return a function of a matrix."""
        inside = ", ".join(map(self._print, arguments))
        return f"{name}{self.opening}{inside}{self.closing}"

    def multiple(self, coefficient: Any, text: str) -> str:
        """Return a number times a text that binds as a product does."""
        if coefficient == -1:
            return f"{self.minus}{text}"
        return f"{self.coefficient(coefficient)}{self.times}{text}"

    def coefficient(self, number: Any) -> str:
        """Return a number in front of a matrix."""
        return self.bracketed(number, MULTIPLE)

    def juxtaposed(self, factors: Sequence[str]) -> str:
        """Return factors in a row."""
        return " ".join(factors)

    def joined(self, terms: Sequence[str]) -> str:
        """Return a sum of terms, a positive one first."""
        signed = [(t.startswith(("-", "−")), t.lstrip("-− ")) for t in terms]
        first, *rest = sorted(signed, key=lambda term: term[0])
        text = (self.minus if first[0] else "") + first[1]
        sign = {True: self.minus.strip(), False: "+"}
        return text + "".join(f" {sign[negative]} {term}" for negative, term in rest)

    def infix(self, expr: Any, mark: str) -> str:
        """Return an entrywise or Kronecker product."""
        return mark.join(self.bracketed(part, POWER) for part in expr.args)

    def _print_MatMul(self, expr: Any) -> str:
        coefficient, matrices = expr.as_coeff_matrices()
        text = self.juxtaposed([self.bracketed(m, PRODUCT) for m in matrices])
        return text if coefficient == 1 else self.multiple(coefficient, text)

    def _print_MatAdd(self, expr: Any) -> str:
        return self.joined([self._print(term) for term in expr.args])

    def _print_HadamardProduct(self, expr: Any) -> str:
        return self.infix(expr, self.entrywise)

    def _print_KroneckerProduct(self, expr: Any) -> str:
        return self.infix(expr, self.kronecker)

    def _print_DiagMatrix(self, expr: Any) -> str:
        return self.called(self.function("diag"), expr.args[0])

    _print_DiagonalOf = _print_DiagMatrix

    def _print_Trace(self, expr: Any) -> str:
        name, argument = traced(expr)
        return self.called(self.function(name), argument)

    def _print_Determinant(self, expr: Any) -> str:
        return self.called(self.function("det"), expr.arg)

    def function(self, name: str) -> str:
        """Return the name of a function of matrices."""
        return name


class _LatexPrinter(MatrixPrinter, LatexPrinter):  # type: ignore[misc]
    opening, closing, minus = r"\left(", r"\right)", "- "
    times, entrywise, kronecker = " ", r" \circ ", r" \otimes "

    def function(self, name: str) -> str:
        return rf"\operatorname{{{name}}}"

    def multiple(self, coefficient: Any, text: str) -> str:
        """Return a multiple; two numbers in a row need a dot."""
        dotted = rf"\cdot {text}" if text[:1].isdigit() else text
        return super().multiple(coefficient, text if coefficient == -1 else dotted)

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        if not expr.has(sympy.Trace):
            return str(super()._print_Add(expr, order))
        return self.joined([self._print(term) for term in expr.args])

    def _print_MatrixSymbol(self, expr: Any) -> str:
        following = _NEXT.fullmatch(expr.name)
        if following is None:
            return str(super()._print_MatrixSymbol(expr))
        symbol = sympy.MatrixSymbol("".join(following.groups()), *expr.shape)
        return f"{super()._print_MatrixSymbol(symbol)}^{{+}}"

    def _print_Transpose(self, expr: Any) -> str:
        return f"{self.bracketed(expr.arg, ATOM)}^{{T}}"

    def _print_MatPow(self, expr: Any) -> str:
        return f"{self.bracketed(expr.base, ATOM)}^{{{self._print(expr.exp)}}}"

    _print_Inverse = _print_MatPow

    def _print_HadamardPower(self, expr: Any) -> str:
        exponent = rf"\circ {self.bracketed(expr.exp, ATOM)}"
        return f"{self.bracketed(expr.base, ATOM)}^{{{exponent}}}"

    def _print_Identity(self, expr: Any) -> str:
        return rf"\mathbb{{I}}_{{{self._print(expr.shape[0])}}}"

    def _print_OneMatrix(self, expr: Any) -> str:
        rows, columns = map(self._print, expr.shape)
        return rf"\mathbb{{1}}_{{{rows} \times {columns}}}"

    def _print_MatrixBase(self, expr: Any) -> str:
        if expr.rows * expr.cols <= MOST_ENTRIES:
            return str(super()._print_MatrixBase(expr))
        return rf"\text{{[{expr.rows}×{expr.cols} numbers, {label(expr)}]}}"

    _print_ImmutableDenseMatrix = _print_ImmutableMatrix = _print_MatrixBase


def latex(expression: Any) -> str:
    r"""Return a SymPy expression in LaTeX, with the brackets that matrices need.

    Parameters
    ----------
    expression : sympy.Basic
        Matrix expressions, equations, traces and scalars.
    """
    return str(_LatexPrinter().doprint(expression))
