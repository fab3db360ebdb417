"""Proofs as lists of identities that can be checked again by other means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.calculus import push_forward
from symflow.algebra.commuting_words import expand_commuting
from symflow.algebra.display import Marked, escaped
from symflow.algebra.entries import entrywise
from symflow.algebra.nodes import Node, Scaled, scale, substitute, subtract
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.typeset import latex
from symflow.algebra.words import expand_trace


@dataclass(frozen=True, repr=False)
class ProofStep:
    """An identity lhs = rhs between matrix expressions, and why it holds."""

    #: `lhs`, `rhs`: the two sides, for symbolic widths; names of derivatives (Wdot1)
    #: may occur.
    lhs: sympy.MatrixExpr
    rhs: sympy.MatrixExpr
    reason: str  #: The justification in words.
    #: lhs − rhs with the names of derivatives replaced by their meaning.
    expanded: sympy.MatrixExpr
    nodes: tuple[Node, ...]  #: The structure of that difference.

    @property
    def equation(self) -> sympy.Eq:
        """The identity as a SymPy equation."""
        return sympy.Eq(self.lhs, self.rhs, evaluate=False)

    def check(self) -> bool:
        """Expand lhs − rhs into words again and say whether nothing is left."""
        return all(map(_vanishes, self.nodes))

    def __str__(self) -> str:
        zero = self.rhs == 0 or isinstance(self.rhs, sympy.ZeroMatrix)
        right = "0" if zero else inline(self.rhs)
        return f"{inline(self.lhs)} = {right}    [{self.reason}]"

    __repr__ = __str__

    @property
    def _line(self) -> Marked:
        mark = "✓" if self.check() else "NOT CONFIRMED"
        typeset = rf"$\displaystyle {latex(self.equation)}$"
        words = f"{typeset} &emsp; {escaped(self.reason)} &emsp; {mark}"
        return Marked(f"{self} {mark}", words)

    def _repr_latex_(self) -> str:
        reason = rf"\quad \text{{[{self.reason}]}}"
        return rf"$\displaystyle {latex(self.equation)} {reason}$"

    def _repr_markdown_(self) -> str:
        return self._line.markdown


def is_proof(steps: Iterable[ProofStep]) -> bool:
    """Say whether there are steps at all, and all of them check again."""
    listed = list(steps)
    return bool(listed) and all(each.check() for each in listed)


def slope(node: Node, velocities: Mapping[sympy.MatrixSymbol, Node]) -> Node:
    """Return the derivative of a node whose symbols move, also where nothing does."""
    moved = push_forward(node, velocities)
    return scale(0, node) if moved is None else moved


def step(
    lhs: Node, rhs: Node, reason: str, meaning: Mapping[sympy.MatrixSymbol, Node]
) -> ProofStep:
    """Make the step lhs = rhs and refuse if it is not an identity.

    Raises ArithmeticError if the two sides differ: a proof with a false step is never
    returned.
    """
    difference = substitute(subtract(lhs, rhs), meaning)
    if not _vanishes(difference):
        msg = f"not an identity: {inline(to_sympy(lhs))} = {inline(to_sympy(rhs))}"
        raise ArithmeticError(msg)
    right: Any = to_sympy(rhs)
    zero = isinstance(rhs, Scaled) and rhs.coefficient == 0
    if zero and not lhs.is_scalar:
        right = sympy.ZeroMatrix(*lhs.shape)
    return ProofStep(to_sympy(lhs), right, reason, to_sympy(difference), (difference,))


def _vanishes(node: Node) -> bool:
    """Say whether nothing is left of the words, cyclic ones for a scalar."""
    return not (expand_trace(node) if node.is_scalar else expand_commuting(node))


@dataclass(frozen=True, repr=False)
class EntrywiseStep(ProofStep):
    """An identity that is checked entry by entry, at the sizes that it is given in."""

    def check(self) -> bool:
        """Multiply out every entry of lhs − rhs and say whether nothing is left."""
        entries = entrywise(self.expanded)
        listed = entries if isinstance(entries, sympy.MatrixBase) else [entries]
        return all(sympy.expand(entry) == 0 for entry in listed)


def entrywise_step(node: Node, reason: str) -> EntrywiseStep:
    """Make the step node = 0, for a node of integer sizes.

    Raises ArithmeticError if an entry does not vanish.
    """
    form = to_sympy(node)
    zero = sympy.S.Zero if node.is_scalar else sympy.ZeroMatrix(*node.shape)
    result = EntrywiseStep(form, zero, reason, form, (node,))
    if not result.check():
        msg = f"not an identity: {inline(form)} = 0"
        raise ArithmeticError(msg)
    return result
