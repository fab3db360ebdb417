"""Mathematics for browsers: SymPy expressions as MathML that needs no script.

No library does this: SymPy's printer, on which it rests, knows no Ẇ_1, breaks names at
digits, and puts negative terms first; what typesets LaTeX on a page needs a script.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import sympy
from sympy.printing.mathml import MathMLPresentationPrinter

from symflow.algebra.typeset import (
    ATOM,
    MULTIPLE,
    POWER,
    PRODUCT,
    applied_entrywise,
    binding,
    traced,
)

#: SymPy sets d and e double-struck, which few fonts have.
_PLAIN = str.maketrans("ⅆⅇ", "de")
_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_NAME = re.compile(
    r"^(?P<stem>[A-Za-z]+?)(?P<dot>dot|next)?(?:_?(?P<index>\d*)|_(?P<word>\w+|∞))$"
)
#: The name of a function that is words, as SymPy has them.
_WORDS = re.compile(r"(?<=>)[a-z]+(_[a-z]+)+(?=<)")
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)#?\w+;")


class _Printer(MathMLPresentationPrinter):  # type: ignore[misc]
    """SymPy's printer with Ẇ for Wdot, ᵀ set upright, and positive terms first."""

    def _print_MatrixSymbol(self, expr: Any) -> Any:
        stem, index = self._parts(expr.name)
        return self._node("msub", stem, index) if index is not None else stem

    def _print_SymmetricMatrixSymbol(self, expr: Any) -> Any:
        return self._print_MatrixSymbol(expr)

    def _print_Transpose(self, expr: Any) -> Any:
        raised = self._leaf("mi", "⊤")
        if isinstance(expr.arg, sympy.MatrixSymbol):
            stem, index = self._parts(expr.arg.name)
            if index is not None:
                return self._node("msubsup", stem, index, raised)
        return self._node("msup", self._factor(expr.arg, ATOM), raised)

    def _print_MatPow(self, expr: Any) -> Any:
        return self._node("msup", self._factor(expr.base, ATOM), self._print(expr.exp))

    _print_Inverse = _print_MatPow

    def _print_HadamardPower(self, expr: Any) -> Any:
        power = self._node("mrow", self._leaf("mo", "∘"), self._print(expr.exp))
        return self._node("msup", self._factor(expr.base, ATOM), power)

    def _called(self, name: str, *arguments: Any) -> Any:
        first, *others = map(self._print, arguments)
        commas = ((self._leaf("mo", ","), other) for other in others)
        inside = self._node("mrow", first, *(leaf for pair in commas for leaf in pair))
        return self._node("mrow", self._leaf("mi", name), self._fenced(inside))

    def _print_Trace(self, expr: Any) -> Any:
        return self._called(*traced(expr))

    def _print_ElementwiseApplyFunction(self, expr: Any) -> Any:
        applied, inner = applied_entrywise(expr)
        if not isinstance(applied, sympy.Lambda):
            return self._called(applied, inner) if applied else self._print(inner)
        parts = (self._fenced(self._print(part)) for part in (applied, inner))
        return self._node("mrow", *parts)

    def _print_MatrixMap(self, expr: Any) -> Any:
        return self._called(expr.name, *expr.written)

    def _print_DiagMatrix(self, expr: Any) -> Any:
        return self._called("diag", expr.args[0])

    _print_DiagonalOf = _print_DiagMatrix

    def _print_OneMatrix(self, expr: Any) -> Any:
        return self._leaf("mn", "𝟙")

    def _print_ZeroMatrix(self, expr: Any) -> Any:
        return self._leaf("mn", "0")

    def _print_MatMul(self, expr: Any) -> Any:
        coefficient, matrices = expr.as_coeff_matrices()
        factors = [self._factor(matrix) for matrix in matrices]
        size = -coefficient if _minus(expr) else coefficient
        if size != 1:
            factors.insert(0, self._factor(size, MULTIPLE))
        row = self._node("mrow", *factors)
        return self._node("mrow", self._leaf("mo", "−"), row) if _minus(expr) else row

    def _print_MatAdd(self, expr: Any) -> Any:
        return self._sum(expr.args)

    def _print_Add(self, expr: Any, order: Any = None) -> Any:
        return self._sum(self._as_ordered_terms(expr, order=order))

    def _sum(self, terms: Any) -> Any:
        row = self._node("mrow")
        for number, term in enumerate(sorted(terms, key=_minus)):
            if number:
                row.appendChild(self._leaf("mo", "−" if _minus(term) else "+"))
            taken = number and _minus(term)
            row.appendChild(
                self._factor(-term, MULTIPLE) if taken else self._print(term)
            )
        return row

    def _print_Symbol(self, sym: Any, style: str = "plain") -> Any:
        scalar = re.fullmatch(r"[A-Za-z]+(dot|next)", sym.name)
        return self._parts(sym.name)[0] if scalar else super()._print_Symbol(sym, style)

    def _parts(self, name: str) -> tuple[Any, Any]:
        """Return W and 1 for W1, Ẇ and 1 for Wdot1, Σ and xx for Sigma_xx."""
        match = _NAME.match(name)
        if match is None:
            return self._leaf("mi", name), None
        stem = super()._print_Symbol(sympy.Symbol(match["stem"]))
        if match["dot"] == "next":
            stem = self._node("msup", stem, self._leaf("mo", "+"))
        elif match["dot"]:
            # Not marked as an accent: browsers then drop the dot.
            stem = self._node("mover", stem, self._leaf("mo", "˙"))
        index = match["index"] or match["word"]
        if not index:
            return stem, None
        return stem, self._leaf("mn" if index.isdigit() else "mi", index)

    def _print_HadamardProduct(self, expr: Any) -> Any:
        mark = "⊗" if isinstance(expr, sympy.KroneckerProduct) else "∘"
        first, *others = (self._factor(part, POWER) for part in expr.args)
        marked = ((self._leaf("mo", mark), other) for other in others)
        return self._node("mrow", first, *(leaf for pair in marked for leaf in pair))

    _print_KroneckerProduct = _print_HadamardProduct

    def _factor(self, expr: Any, level: int = PRODUCT) -> Any:
        shown = self._print(expr)
        return shown if binding(expr) >= level else self._fenced(shown)

    def _fenced(self, node: Any) -> Any:
        return self._node("mrow", self._leaf("mo", "("), node, self._leaf("mo", ")"))

    def _leaf(self, tag: str, text: str) -> Any:
        node = self.dom.createElement(tag)
        node.appendChild(self.dom.createTextNode(text))
        return node

    def _node(self, tag: str, *children: Any) -> Any:
        node = self.dom.createElement(tag)
        for child in children:
            node.appendChild(child)
        return node


def mathml(expression: sympy.Basic, *, block: bool = True) -> str:
    """Return an expression as a MathML element for HTML5."""
    body = _Printer().doprint(expression)
    text = _ENTITY.sub(lambda match: unescape(match.group()), body).translate(_PLAIN)
    text = _WORDS.sub(lambda match: match[0].replace("_", " "), text)
    display = ' display="block"' if block else ""
    return f'<math xmlns="{_NAMESPACE}"{display}>{text}</math>'


def _minus(term: Any) -> bool:
    if isinstance(term, sympy.MatMul):
        return bool(term.as_coeff_matrices()[0].could_extract_minus_sign())
    return isinstance(term, sympy.Expr) and bool(term.could_extract_minus_sign())
