"""Mathematics on one line of a terminal: Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx).

The text means one thing only: ``·``, ``*`` and ``/`` bind less tightly than a product
that is written without a sign, ``∘`` and ``⊗`` bracket their operands, and ``^∘`` is
a power of every entry.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import sympy
from sympy.printing.str import StrPrinter

from symflow.algebra.numbers import WIDE, to_float, to_mpf
from symflow.algebra.typeset import (
    ATOM,
    MOST_ENTRIES,
    MULTIPLE,
    MatrixPrinter,
    applied_entrywise,
    label,
)

#: Digits to subscript digits.
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

#: A letter of a name, with or without a dot on it.
_L = "[^\\W\\d_ᵀ₀-₉]\u0307?"


class _InlinePrinter(MatrixPrinter, StrPrinter):  # type: ignore[misc]
    """SymPy's string printer with juxtaposed matrix products and Unicode names."""

    def juxtaposed(self, factors: Sequence[str]) -> str:
        """Return factors in a row, with a sign where two names would run together."""
        text = factors[0]
        for left, right in pairwise(factors):
            text += (self.times if _run_together(left, right) else "") + right
        return text

    def coefficient(self, number: Any) -> str:
        return _raised(super().coefficient(number))

    def _print_Symbol(self, expr: Any) -> str:
        return unicode_name(expr.name)

    _print_MatrixSymbol = _print_Symbol

    def _print_Transpose(self, expr: Any) -> str:
        return f"{self.bracketed(expr.arg, ATOM)}ᵀ"

    def _print_Inverse(self, expr: Any) -> str:
        return f"{self.bracketed(expr.arg, ATOM)}⁻¹"

    def _print_MatPow(self, expr: Any) -> str:
        return f"{self.bracketed(expr.base, ATOM)}^({_raised(self._print(expr.exp))})"

    def _print_HadamardPower(self, expr: Any) -> str:
        exponent = _raised(self.bracketed(expr.exp, ATOM))
        return f"{self.bracketed(expr.base, ATOM)}^∘{exponent}"

    def _print_ElementwiseApplyFunction(self, expr: Any) -> str:
        applied, inner = applied_entrywise(expr)
        if not isinstance(applied, sympy.Lambda):
            return self.called(applied, inner) if applied else str(self._print(inner))
        (variable,), body = applied.variables, applied.expr
        names = {symbol.name for symbol in body.free_symbols - {variable}}
        fresh = next(n for n in ("z", "y", "x", "s", "t", "z0") if n not in names)
        text = self._print(body.xreplace({variable: sympy.Symbol(fresh)}))
        return self.called(f"({fresh} ↦ {_raised(text)})", inner)

    def _print_MatrixMap(self, expr: Any) -> str:
        return self.called(expr.name, *expr.written)

    def _print_MatrixBase(self, expr: Any) -> str:
        if expr.rows * expr.cols > MOST_ENTRIES:
            return f"[{expr.rows}×{expr.cols} numbers, {label(expr)}]"
        return str(expr.tolist()).replace("-", "−")

    def _print_Identity(self, expr: Any) -> str:
        return f"I_{self.bracketed(expr.shape[0], ATOM)}"

    def _print_OneMatrix(self, expr: Any) -> str:
        rows, columns = (self.bracketed(size, ATOM) for size in expr.shape)
        return f"𝟙_{rows}×{columns}"

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
        return self.joined([self._print(term) for term in expr.args])

    def _print_Mul(self, expr: Any) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient == 1 or not rest.has(sympy.Trace):
            return str(super()._print_Mul(expr))
        return self.multiple(coefficient, _raised(self.bracketed(rest, MULTIPLE)))


def _run_together(left: str, right: str) -> bool:
    """Say whether two factors in a row would read as one name, as in Xdiag(v)."""
    if re.match(_L + _L, right):
        return re.search(_L + "$", left) is not None
    # an index of small letters ends visibly before a capital, as in Σ_xxW₁
    ends = re.search(r"_[a-z]+$", left) is not None and right[0].isupper()
    runs_on = re.search(rf"_([^\Wᵀ]|×)+$|{_L}{_L}[₀-₉]*$", left)
    return runs_on is not None and right[0].isalnum() and not ends


def _raised(text: str) -> str:
    """Write a scalar with · for products and ^ for powers."""
    squares = re.sub(r"\*\*2(?![\d.])", "²", text)
    return squares.replace("**", "^").replace("-", "−").replace("*", "·")


def unicode_name(name: str) -> str:
    """Return a symbol's name in Unicode, whatever the terminal can show.

    SymPy's `pretty_symbol` answers in ASCII where the standard output is not Unicode,
    and generated files must not depend on that.

    A name is a stem with optional digits, and after an underscore an index.
    """
    head, underscore, index = name.partition("_")
    stem = head.rstrip("0123456789")
    digits = head[len(stem) :].translate(_SUBSCRIPTS)
    letter, dot = stem, ""
    for ending, mark in (("ddot", "\u0308"), ("dot", "\u0307")):
        if stem[1:].endswith(ending):
            letter, dot = stem.removesuffix(ending), mark
            break
    after = "⁺" if stem[1:].endswith("next") else ""
    letter = letter.removesuffix("next") if after else letter
    return unicodedata.normalize(
        "NFC", f"{_greek(letter)}{dot}{digits}{after}{underscore}{index}"
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


def span_of(times: Any) -> str:
    """Return how many times there are, and from where to where."""
    first, last = to_float(times[0]), to_float(times[-1])
    if len(times) == 1:
        return f"{first:g}, one time"
    return f"{len(times)} times from {first:g} to {last:g}"


def scientific(value: Any) -> str:
    """Return a size in scientific notation, however small.

    The size is a float or an mpf, which may be far below the smallest float.
    """
    size = to_mpf(value, WIDE)
    text = WIDE.nstr(size, 2, min_fixed=0, max_fixed=0, strip_zeros=False)
    return "0" if size == 0 else str(text)


def inline(expression: Any) -> str:
    """Return a SymPy expression as one readable line of Unicode.

    That is a matrix expression, an equation, a trace or a scalar.
    """
    return unicodedata.normalize("NFC", _InlinePrinter().doprint(expression))
