"""Steps of a derivation."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import sympy

from symflow.algebra.text import inline
from symflow.algebra.typeset import latex


@dataclass(frozen=True, repr=False)
class Step:
    """One step of a derivation: an equation, and what has to vanish for it to hold.

    Parameters
    ----------
    words : str
        What is done.
    equation : sympy.Basic
        What one has then.
    residual : sympy.Expr, optional
        Zero, if the step is right; SymPy has been asked.  A step without one is not
        proved, unless it is a definition.
    definition : bool, keyword-only
        Whether the equation says what a symbol is, so that there is nothing to prove.

    Examples
    --------
    >>> x, y = sympy.symbols("x y")
    >>> Step("pigs fly", sympy.Eq(x, y)).proved
    False
    >>> Step("let", sympy.Eq(x, y), definition=True)
    let: x = y (definition)
    """

    words: str
    equation: sympy.Basic
    residual: sympy.Expr | None = None
    _: KW_ONLY
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

    def _repr_latex_(self) -> str:
        return rf"{self.words}: $\displaystyle {self.latex}${self._mark}"


class Derivation(tuple[Step, ...]):
    """The steps of a derivation, one a line."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self))
