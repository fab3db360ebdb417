"""Formulas with one constant or one sign changed."""

from __future__ import annotations

from collections.abc import Iterator

import sympy


def mutations(expression: sympy.Basic) -> Iterator[sympy.Basic]:
    """Yield the expression with one number or the sign of one term changed."""
    if isinstance(expression, (sympy.Identity, sympy.MatrixSymbol)):
        return  # their numbers are sizes
    if expression.is_Number:
        yield expression + 1
        return
    if isinstance(expression, sympy.Inverse):
        yield expression.arg
        yield from (changed.inv() for changed in mutations(expression.arg))
        return
    arguments = expression.args
    if not arguments:
        return
    for place, argument in enumerate(arguments):
        for changed in mutations(argument):
            yield _replaced(expression, place, changed)
        if isinstance(expression, (sympy.Add, sympy.MatAdd)):
            yield _replaced(expression, place, -argument)


def _replaced(
    expression: sympy.Basic, place: int, argument: sympy.Basic
) -> sympy.Basic:
    arguments = list(expression.args)
    arguments[place] = argument
    return expression.func(*arguments)
