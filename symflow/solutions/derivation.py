"""Steps of a derivation, and residuals that SymPy finds to vanish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import sympy

from symflow.algebra.display import Marked, escaped
from symflow.algebra.text import inline
from symflow.algebra.threads import evaluated
from symflow.algebra.typeset import latex

#: What a residual at a point may have by rounding.
SEEN = 1e-20


@dataclass(frozen=True, repr=False)
class Step:
    """One step of a derivation: an equation, and what has to vanish for it to hold.

    Examples
    --------
    >>> x, y = sympy.symbols("x y")
    >>> Step("pigs fly", sympy.Eq(x, y)).proved
    False
    >>> Step("let", sympy.Eq(x, y), definition=True)
    let: x = y (definition)
    """

    words: str  #: What is done.
    equation: sympy.Basic  #: What one has then.
    #: Zero, if the step is right; SymPy has been asked.  A step without one is not
    #: proved, unless it is a definition.
    residual: sympy.Expr | None = None
    _: KW_ONLY
    #: Whether the equation says what a symbol is, so that there is nothing to prove.
    definition: bool = False

    @property
    def proved(self) -> bool:
        """Whether SymPy finds the residual to vanish, or there is nothing to prove."""
        return self.definition or (self.residual is not None and self.residual == 0)

    @property
    def latex(self) -> str:
        """The equation in LaTeX."""
        return latex(self.equation)

    @property
    def _mark(self) -> str:
        if self.definition:
            return " (definition)"
        return "" if self.proved else " (not proved)"

    def __str__(self) -> str:
        return f"{self.words}: {inline(self.equation)}{self._mark}"

    __repr__ = __str__

    @property
    def _line(self) -> Marked:
        mark = self._mark or " ✓"
        equation = rf"$\displaystyle {self.latex}$"
        return Marked(
            f"{self.words}: {inline(self.equation)}{mark}",
            f"{escaped(self.words)}: {equation}{mark}",
        )

    def _repr_latex_(self) -> str:
        return rf"{self.words}: $\displaystyle {self.latex}${self._mark}"

    def _repr_markdown_(self) -> str:
        return self._line.markdown


def sampled(part: sympy.Expr, point: dict[Any, Any]) -> sympy.Expr:
    """Return the square of a residual at a point: zero where it is rounding."""
    value = evaluated(part.subs(point), 30)
    if not value.is_finite:
        return sympy.S.One
    return value**2 if abs(value) > SEEN else sympy.S.Zero


def squares(
    parts: Sequence[sympy.Expr],
    point: dict[Any, Any],
    simplify: Callable[[sympy.Expr], sympy.Expr] = sympy.simplify,
) -> sympy.Expr:
    """Return the sum of the squares of what has to vanish, simplified.

    A part that a point shows not to vanish is returned before all are expanded.
    """
    wrong = (sampled(part, point) for part in parts)
    return next(filter(bool, wrong), None) or sympy.Add(
        *(simplify(part) ** 2 for part in parts)
    )


def over_root(
    expression: sympy.Expr, angle: sympy.Expr, root: sympy.Symbol, square: sympy.Expr
) -> sympy.Expr:
    """Return the numerator in m = e^−angle, with the square of the root replaced."""
    m = sympy.Symbol("m", positive=True)
    rational = expression.rewrite([sympy.cosh, sympy.sinh], sympy.exp).replace(
        sympy.exp, lambda power: m ** -sympy.cancel(power / angle)
    )
    above = sympy.numer(sympy.together(rational))
    return sympy.rem(sympy.expand(above), root**2 - square, root)
