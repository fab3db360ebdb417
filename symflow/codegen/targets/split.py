"""Large formulas in pieces, as Python's parser and printers give up on long ones."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

#: Operations of a piece, and terms of a sum or product.
PIECE, TERMS = 200, 50


def size_of(expr: sympy.Basic) -> int:
    """Return how many nodes an expression has, shared ones once."""
    seen: set[sympy.Basic] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.args)
    return len(seen)


def split(
    expressions: Sequence[sympy.Expr],
) -> tuple[list[tuple[sympy.Symbol, sympy.Expr]], list[sympy.Expr]]:
    """Return definitions of pieces, in order, and the expressions in terms of them.

    They may be of any depth: nothing here recurses.
    """
    pieces: list[tuple[sympy.Symbol, sympy.Expr]] = []
    known: dict[sympy.Basic, tuple[sympy.Basic, int]] = {}

    def piece(expr: sympy.Basic) -> sympy.Symbol:
        name = sympy.Symbol(f"_piece_{len(pieces)}")
        pieces.append((name, expr))
        return name

    def made(node: sympy.Basic) -> tuple[sympy.Basic, int]:
        """Return a node whose arguments are known, and its size."""
        parts = [known[argument] for argument in node.args]
        if isinstance(node, (sympy.Add, sympy.Mul)):
            while len(parts) > TERMS:
                chunks = [parts[k : k + TERMS] for k in range(0, len(parts), TERMS)]
                parts = [(piece(node.func(*(p for p, _ in c))), 1) for c in chunks]
        if not parts:
            return node, 1
        rebuilt, size = node.func(*(p for p, _ in parts)), 1 + sum(s for _, s in parts)
        # 1 − eᵘ is recognized where the exponential is seen
        small = size <= PIECE or isinstance(node, sympy.exp)
        return (rebuilt, size) if small else (piece(rebuilt), 1)

    for expr in expressions:
        stack: list[sympy.Basic] = [expr]
        while stack:
            node = stack[-1]
            missing = [a for a in node.args if a not in known]
            if missing:
                stack.extend(missing)
            else:
                stack.pop()
                if node not in known:
                    known[node] = made(node)
    return pieces, [known[expr][0] for expr in expressions]
