"""A small program without loops: every entry is a number of its own.

A compiler keeps the entries of 2×2 matrices in registers where they are local numbers,
and not where they are arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.codegen.evaluate import evaluate
from symflow.codegen.inplace import has_fixed_size_code
from symflow.codegen.optimize import cost
from symflow.codegen.targets.loops import Language, SizedProgram, View

#: Operations up to which code is written without loops.
SHORT = 600


def is_short(sized: SizedProgram) -> bool:
    """Say whether a program is small enough, and made of sums and products alone."""
    program = sized.program
    shapes = [shape or (1, 1) for shape in sized.shapes]
    return has_fixed_size_code(program) and cost(program, shapes) <= SHORT


def straight(sized: SizedProgram, language: Language) -> list[str]:
    """Return the lines of a program's body, to stand within a loop over lanes."""
    lines: list[str] = []
    views = [
        View(argument.name, shape)
        for argument, shape in zip(sized.program.inputs, sized.shapes, strict=True)
    ]
    arrays = [_entries(view, language, lines) for view in views]
    results = evaluate(sized.program, arrays, float)
    for k, (array, shape) in enumerate(zip(results, sized.results, strict=True)):
        targets = _entries(View(f"out{k}", shape), language, lines)
        pairs = zip(np.ravel(targets), np.ravel(array), strict=True)
        lines += [f"{target} = {value};" for target, value in pairs]
    return lines


def _entries(view: View, language: Language, lines: list[str]) -> Array:
    if not view.shape:
        return np.array(LocalNumber(view.number(language), lines), dtype=object)
    array = np.empty(view.shape, dtype=object)
    for i, j in np.ndindex(*view.shape):
        array[i, j] = LocalNumber(view.at(language, str(i), str(j)), lines)
    return array


class LocalNumber:
    """A number in generated code, which writes a line for what is computed of it.

    It is read as `text`, and the `lines` receive its lines.
    """

    def __init__(self, text: str, lines: list[str]) -> None:
        self.text, self.lines = text, lines

    def __str__(self) -> str:
        return self.text

    def _made(self, left: Any, operator: str, right: Any) -> LocalNumber:
        name = f"n{len(self.lines)}"
        self.lines.append(f"const double {name} = {left} {operator} {right};")
        return LocalNumber(name, self.lines)

    def __add__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._made(self, "+", other)

    def __radd__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._made(other, "+", self)

    def __sub__(self, other: Any) -> Any:
        return self if _is(other, 0) else self._made(self, "-", other)

    def __rsub__(self, other: Any) -> Any:
        return self._made(other, "-", self)

    def __mul__(self, other: Any) -> Any:
        if _is(other, 0):
            return 0.0
        return self if _is(other, 1) else self._made(self, "*", other)

    __rmul__ = __mul__


def _is(value: Any, number: int) -> bool:
    return not isinstance(value, LocalNumber) and value == number
