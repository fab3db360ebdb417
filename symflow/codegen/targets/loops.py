"""A program at integer sizes as nested loops, for languages that compile loops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from symflow.algebra.numbers import to_float
from symflow.codegen.inplace import Shape, fixed_matrix, slot_shapes
from symflow.codegen.program import Instruction
from symflow.codegen.targets.sizes import SizedProgram


class Language(ABC):
    """How a language writes a loop and an entry of a matrix."""

    @abstractmethod
    def entry(self, name: str, row: str, column: str, shape: Shape) -> str:
        """Return the text of an entry."""

    @abstractmethod
    def number(self, name: str) -> str:
        """Return the text of a scalar."""

    @abstractmethod
    def loop(self, index: str, count: int, body: list[str]) -> list[str]:
        """Return the lines of a loop."""

    @abstractmethod
    def assign(self, target: str, operator: str, value: str) -> str:
        """Return the line of an assignment."""


@dataclass(frozen=True)
class View:
    """A matrix in memory, or its transpose."""

    name: str
    shape: Shape
    flipped: bool = False

    def at(self, language: Language, row: str, column: str) -> str:
        """Return the text of the entry in a row and column of the view."""
        if self.flipped:
            return language.entry(self.name, column, row, self.shape[::-1])
        return language.entry(self.name, row, column, self.shape)


def loops(
    sized: SizedProgram, language: Language
) -> tuple[list[str], dict[str, Shape]]:
    """Return the lines of a program's body and the scratch arrays that it needs.

    Results are named ``out0``, ``out1`` ….

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow.codegen.targets.c import C
    >>> from symflow.codegen.targets.sizes import sized
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> body, scratch = loops(sized(flow, None, "f"), C())
    >>> scratch
    {'v5': (1, 3), 'v6': (1, 3), 'v7': (1, 3), 'v9t': (3, 2)}
    """
    program = sized.program
    shapes = slot_shapes(program, sized.shapes)
    views = [
        View(argument.name, shape)
        for argument, shape in zip(program.inputs, sized.shapes, strict=True)
    ]
    outs = {out.slot: f"out{k}" for k, out in reversed([*enumerate(program.outputs)])}
    scratch: dict[str, Shape] = {}
    lines: list[str] = []
    for slot, step in zip(program.slots, program.instructions, strict=True):
        operands = [views[k] for k in step.operands]
        if step.operation == "transpose":
            (view,) = operands
            views.append(View(view.name, shapes[slot], not view.flipped))
            continue
        view = View(outs.get(slot, f"v{slot}"), shapes[slot])
        if step.operation in ("rows", "columns"):
            views.append(view)
            continue
        if slot not in outs:
            scratch[view.name] = shapes[slot]
        if step.operation == "matmul" and operands[1].flipped:
            # The inner loop runs along rows of the right factor: they have to be rows.
            straight = View(f"v{step.operands[1]}t", operands[1].shape)
            if straight.name not in scratch:
                scratch[straight.name] = straight.shape
                lines += _copy(language, straight, operands[1])
            operands[1] = straight
        lines += _statement(language, step, view, operands)
        views.append(view)
    for k, out in enumerate(program.outputs):
        if views[out.slot].name != f"out{k}" or views[out.slot].flipped:
            lines += _copy(language, View(f"out{k}", shapes[out.slot]), views[out.slot])
    return lines, scratch


def _statement(
    language: Language, step: Instruction, out: View, operands: list[View]
) -> list[str]:
    match step.operation:
        case "matmul":
            return _matmul(language, out, *operands)
        case "inner" | "trace":
            return _reduced(language, out, operands)
        case "identity" | "constant":
            return _fixed(language, step, out)
        case "scale":
            factor = repr(to_float(step.constant))
            return _entrywise(language, out, f"{factor} * {{}}", operands)
        case "multiply":
            scalar = language.number(operands[0].name)
            return _entrywise(language, out, f"{scalar} * {{}}", operands[1:])
    sign = {"add": "+", "subtract": "-", "hadamard": "*"}[step.operation]
    return _entrywise(language, out, f"{{}} {sign} {{}}", operands)


def _matmul(language: Language, out: View, left: View, right: View) -> list[str]:
    rows, columns = out.shape
    target = out.at(language, "i", "j")
    term = f"{left.at(language, 'i', 'k')} * {right.at(language, 'k', 'j')}"
    clear = language.loop("j", columns, [language.assign(target, "=", "0.0")])
    inner = language.loop("j", columns, [language.assign(target, "+=", term)])
    middle = language.loop("k", left.shape[1], inner)
    return language.loop("i", rows, [*clear, *middle])


def _reduced(language: Language, out: View, operands: list[View]) -> list[str]:
    target = language.number(out.name)
    clear = language.assign(target, "=", "0.0")
    rows, columns = operands[0].shape
    if len(operands) == 1:
        entry = operands[0].at(language, "i", "i")
        return [
            clear,
            *language.loop("i", rows, [language.assign(target, "+=", entry)]),
        ]
    term = " * ".join(view.at(language, "i", "j") for view in operands)
    inner = language.loop("j", columns, [language.assign(target, "+=", term)])
    return [clear, *language.loop("i", rows, inner)]


def _entrywise(
    language: Language, out: View, formula: str, operands: list[View]
) -> list[str]:
    if not out.shape:
        value = formula.format(*(language.number(view.name) for view in operands))
        return [language.assign(language.number(out.name), "=", value)]
    value = formula.format(*(view.at(language, "i", "j") for view in operands))
    line = language.assign(out.at(language, "i", "j"), "=", value)
    inner = language.loop("j", out.shape[1], [line])
    return language.loop("i", out.shape[0], inner)


def _fixed(language: Language, step: Instruction, out: View) -> list[str]:
    """Return the entries of a matrix of numbers, zeros first."""
    lines = _entrywise(language, out, "0.0", [])
    for row, entries in enumerate(fixed_matrix(step, out.shape)):
        for column, entry in enumerate(entries):
            if entry:
                target = out.at(language, str(row), str(column))
                lines.append(language.assign(target, "=", repr(entry)))
    return lines


def _copy(language: Language, out: View, source: View) -> list[str]:
    return _entrywise(language, out, "{}", [source])
