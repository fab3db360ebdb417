"""Mathematics on one line of a terminal: Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)."""

from __future__ import annotations

import unicodedata
from typing import Any

import mpmath
import sympy
from sympy.printing.pretty.pretty_symbology import pretty_symbol
from sympy.printing.str import StrPrinter

from symflow.algebra.numbers import to_mpf


class _InlinePrinter(StrPrinter):  # type: ignore[misc]
    """SymPy's string printer with juxtaposed matrix products and Unicode names."""

    def _print_Symbol(self, expr: Any) -> str:
        stem, underscore, index = expr.name.partition("_")
        return f"{pretty_symbol(stem)}{underscore}{index}"

    _print_MatrixSymbol = _print_Symbol

    def _print_Transpose(self, expr: Any) -> str:
        return f"{self._factor(expr.arg)}ᵀ"

    def _print_Trace(self, expr: Any) -> str:
        return f"tr({self._print(expr.arg)})"

    def _print_MatMul(self, expr: Any) -> str:
        coefficient, matrices = expr.as_coeff_matrices()
        text = "".join(self._factor(matrix) for matrix in matrices)
        return text if coefficient == 1 else self._scaled(coefficient, text)

    def _print_MatAdd(self, expr: Any) -> str:
        return self._joined([self._print(term) for term in expr.args])

    def _print_MatPow(self, expr: Any) -> str:
        return f"({self._print(expr.base)})^({self._print(expr.exp)})"

    def _print_Equality(self, expr: Any) -> str:
        return f"{self._print(expr.lhs)} = {self._print(expr.rhs)}"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        return self._joined([self._print(term) for term in expr.args])

    def _print_Mul(self, expr: Any) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient == 1 or not rest.has(sympy.Trace):
            return str(super()._print_Mul(expr))
        return self._scaled(coefficient, self._print(rest))

    def _factor(self, matrix: Any) -> str:
        text = self._print(matrix)
        return f"({text})" if isinstance(matrix, sympy.MatAdd) else text

    def _scaled(self, coefficient: Any, text: str) -> str:
        if coefficient == -1:
            return f"−{text}"
        return f"{self._print(coefficient)}·{text}".replace("-", "−").replace("*", "·")

    @staticmethod
    def _joined(terms: list[str]) -> str:
        positive = sorted(terms, key=lambda term: term.startswith("−"))
        text = positive[0]
        for term in positive[1:]:
            text += f" − {term[1:]}" if term.startswith("−") else f" + {term}"
        return text


def scientific(value: Any) -> str:
    """Return a size in scientific notation, however small.

    Parameters
    ----------
    value : float or mpf
        The size; an mpf may be far below the smallest float.

    Examples
    --------
    >>> scientific(0.00123), scientific(mpmath.mpf(10) ** -1000), scientific(0)
    ('1.2e-3', '1.0e-1000', '0')
    """
    size = to_mpf(value, mpmath.mp)
    text = mpmath.nstr(size, 2, min_fixed=0, max_fixed=0, strip_zeros=False)
    return "0" if size == 0 else str(text)


def inline(expression: Any) -> str:
    """Return a SymPy expression as one readable line of Unicode.

    Parameters
    ----------
    expression : sympy.Basic
        Matrix expressions, equations, traces and scalars.

    Examples
    --------
    >>> W1 = sympy.MatrixSymbol("W1", 2, 3)
    >>> W2 = sympy.MatrixSymbol("W2", 2, 2)
    >>> inline(W2.T * W2 - W1 * W1.T)
    'W₂ᵀW₂ − W₁W₁ᵀ'
    """
    return unicodedata.normalize("NFC", _InlinePrinter().doprint(expression))
