"""Mathematics on one line of a terminal: Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import mpmath
import sympy
from sympy.printing.str import StrPrinter

from symflow.algebra.numbers import to_mpf

#: Digits to subscript digits.
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class _InlinePrinter(StrPrinter):  # type: ignore[misc]
    """SymPy's string printer with juxtaposed matrix products and Unicode names."""

    def _print_Symbol(self, expr: Any) -> str:
        return unicode_name(expr.name)

    _print_MatrixSymbol = _print_Symbol

    def _print_Transpose(self, expr: Any) -> str:
        return f"{self._factor(expr.arg)}ᵀ"

    def _print_Trace(self, expr: Any) -> str:
        factors = expr.arg.args if isinstance(expr.arg, sympy.MatMul) else ()
        if factors and isinstance(factors[0], sympy.OneMatrix):
            return f"Σ {self._factor(sympy.MatMul(*factors[1:]))}"
        return f"tr({self._print(expr.arg)})"

    def _print_HadamardProduct(self, expr: Any) -> str:
        products = (sympy.MatMul, sympy.MatAdd)
        parts = ((part, self._print(part)) for part in expr.args)
        return "∘".join(f"({t})" if isinstance(p, products) else t for p, t in parts)

    def _print_ElementwiseApplyFunction(self, expr: Any) -> str:
        (variable,) = expr.function.variables
        body, inner = expr.function.expr, self._print(expr.expr)
        simple = isinstance(expr.expr, (sympy.MatrixSymbol, sympy.Transpose))
        text = self._print(body).replace("-", "−").replace("**", "^")
        called = isinstance(body, sympy.Function) and body.args[0] == variable
        shown = inner if simple or called else f"({inner})"
        return re.sub(rf"\b{variable}\b", lambda _: shown, text)

    def _print_DiagMatrix(self, expr: Any) -> str:
        return f"diag({self._print(expr.args[0])})"

    _print_DiagonalOf = _print_DiagMatrix

    def _print_MatrixMap(self, expr: Any) -> str:
        return f"{expr.name}({self._print(expr.arg)})"

    def _print_MatrixBase(self, expr: Any) -> str:
        return f"[{expr.rows}×{expr.cols} numbers]"

    def _print_KroneckerProduct(self, expr: Any) -> str:
        return "⊗".join(self._factor(part) for part in expr.args)

    def _print_Determinant(self, expr: Any) -> str:
        return f"det({self._print(expr.arg)})"

    def _print_Inverse(self, expr: Any) -> str:
        return f"({self._print(expr.arg)})⁻¹"

    def _print_Identity(self, expr: Any) -> str:
        return "I"

    def _print_OneMatrix(self, expr: Any) -> str:
        return "𝟙"

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

    def _print_LessThan(self, expr: Any) -> str:
        return f"{self._print(expr.lhs)} ≤ {self._print(expr.rhs)}"

    def _print_GreaterThan(self, expr: Any) -> str:
        return f"{self._print(expr.lhs)} ≥ {self._print(expr.rhs)}"

    def _print_Derivative(self, expr: Any) -> str:
        if expr.derivative_count != 1:
            return str(super()._print_Derivative(expr))
        return f"d{self._print(expr.expr)}/d{self._print(expr.variables[0])}"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        return self._joined([self._print(term) for term in expr.args])

    def _print_Mul(self, expr: Any) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient == 1 or not rest.has(sympy.Trace):
            return str(super()._print_Mul(expr))
        return self._scaled(coefficient, self._print(rest))

    def _factor(self, matrix: Any) -> str:
        text = self._print(matrix)
        sums = (sympy.MatAdd, sympy.HadamardProduct, sympy.KroneckerProduct)
        return f"({text})" if isinstance(matrix, sums) else text

    def _scaled(self, coefficient: Any, text: str) -> str:
        if coefficient == -1:
            return f"−{text}"
        factor = self._print(coefficient).replace("**2", "²").replace("**", "^")
        return f"{factor}·{text}".replace("-", "−").replace("*", "·")

    @staticmethod
    def _joined(terms: list[str]) -> str:
        signed = [f"−{term[1:]}" if term[0] == "-" else term for term in terms]
        positive = sorted(signed, key=lambda term: term.startswith("−"))
        text = positive[0]
        for term in positive[1:]:
            text += f" − {term[1:]}" if term.startswith("−") else f" + {term}"
        return text


def unicode_name(name: str) -> str:
    """Return a symbol's name in Unicode, whatever the terminal can show.

    SymPy's `pretty_symbol` answers in ASCII where the standard output is not Unicode,
    and generated files must not depend on that.

    Parameters
    ----------
    name : str
        A stem with optional digits, and after an underscore an index.

    Examples
    --------
    >>> [unicode_name(name) for name in ("W12", "Wdot1", "Sigma_xx", "lambda", "w0")]
    ['W₁₂', 'Ẇ₁', 'Σ_xx', 'λ', 'w₀']
    """
    head, underscore, index = name.partition("_")
    stem = head.rstrip("0123456789")
    digits = head[len(stem) :].translate(_SUBSCRIPTS)
    letter, dot = stem, ""
    for ending, mark in (("ddot", "\u0308"), ("dot", "\u0307")):
        if stem[1:].endswith(ending):
            letter, dot = stem.removesuffix(ending), mark
            break
    return unicodedata.normalize(
        "NFC", f"{_greek(letter)}{dot}{digits}{underscore}{index}"
    )


def _greek(word: str) -> str:
    """Return the Greek letter of that name, or the word itself."""
    case = "CAPITAL" if word[:1].isupper() else "SMALL"
    # Unicode spells it lamda.
    spelled = word.upper().replace("LAMBDA", "LAMDA")
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {spelled}") if word else word
    except KeyError:
        return word


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
