"""A program at integer sizes as nested loops, for languages that compile loops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from symflow.algebra.numbers import to_float
from symflow.codegen.inplace import FIXED_SIZE, Shape, fixed_matrix, slot_shapes
from symflow.codegen.program import FUNCTIONS, PLACED, Instruction, Program

#: What loops are written for: everything but determinants and inverses.
LOOPS = FIXED_SIZE.union(
    ("total", "weigh", "divide", "shift", "power", "softmax", *FUNCTIONS), PLACED
)

#: Functions of an entry, without overflow or cancellation as in `array_maps`.
_STABLE = {
    "sigmoid": "{exp}(({z} - {abs}({z})) / 2) / (1 + {exp}(-{abs}({z})))",
    "softplus": "{log1p}({exp}(-{abs}({z}))) + ({z} + {abs}({z})) / 2",
}


class Language(ABC):
    """How a language writes a loop and an entry of a matrix."""

    #: Names of functions that are called otherwise than in a program.
    names: ClassVar[dict[str, str]]

    def call(self, name: str, *values: str) -> str:
        """Return the text of a function of numbers, one of `FUNCTIONS` or ``pow``."""
        if name in _STABLE:
            names = {one: self.names.get(one, one) for one in ("exp", "log1p", "abs")}
            return _STABLE[name].format(z=values[0], **names)
        return f"{self.names.get(name, name)}({', '.join(values)})"

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

    def product(self, shape: Shape, inner: int, target: str, term: str) -> list[str]:
        """Return the lines of a product of matrices, the sums of a term over k."""
        rows, columns = shape
        clear = self.loop("j", columns, [self.assign(target, "=", "0.0")])
        summed = self.loop("j", columns, [self.assign(target, "+=", term)])
        return self.loop("i", rows, [*clear, *self.loop("k", inner, summed)])


@dataclass(frozen=True)
class View:
    """A matrix in memory, or its transpose."""

    name: str
    shape: Shape
    flipped: bool = False
    #: The number itself, where it is that of rows or columns.
    count: int | None = None

    def at(self, language: Language, row: str, column: str) -> str:
        """Return the text of the entry in a row and column of the view."""
        if self.flipped:
            return language.entry(self.name, column, row, self.shape[::-1])
        return language.entry(self.name, row, column, self.shape)

    def number(self, language: Language) -> str:
        """Return the text of a view that is one number."""
        return language.number(self.name) if self.count is None else f"{self.count}.0"


@dataclass(frozen=True)
class SizedProgram:
    """A program and the integer shapes of its inputs."""

    program: Program  # what to compute
    shapes: tuple[Shape, ...]  # one per input

    @property
    def results(self) -> tuple[Shape, ...]:
        """Shapes of the outputs."""
        found = slot_shapes(self.program, self.shapes)
        return tuple(found[output.slot] for output in self.program.outputs)


def loops(
    sized: SizedProgram, language: Language
) -> tuple[list[str], dict[str, Shape]]:
    """Return the lines of a program's body and the scratch arrays that it needs.

    Results are named ``out0``, ``out1`` ….
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
            count = operands[0].shape[step.operation == "columns"]
            views.append(View(view.name, (), count=count))
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
    constant: Any = step.constant
    match step.operation:
        case "matmul":
            return _matmul(language, out, *operands)
        case "inner" | "trace" | "total":
            return _reduced(language, step.operation, out, operands)
        case "identity" | "constant":
            return _fixed(language, step, out)
        case "softmax":
            return _softmax(language, out, *operands)
        case "scale":
            return _entrywise(language, out, f"{to_float(constant)!r} * {{}}", operands)
        case "shift":
            return _entrywise(language, out, f"{{}} + {to_float(constant)!r}", operands)
        case "power":
            return _entrywise(language, out, _power(language, constant), operands)
        case "multiply" | "weigh":
            number = operands[0].number(language)
            return _entrywise(language, out, f"{number} * {{}}", operands[1:])
        case "divide":
            number = operands[1].number(language)
            return _entrywise(language, out, f"{{}} / {number}", operands[:1])
        case name if name in FUNCTIONS:
            return _entrywise(language, out, language.call(name, "{0}"), operands)
        case "add" | "subtract" | "hadamard":
            sign = {"add": "+", "subtract": "-", "hadamard": "*"}[step.operation]
            return _entrywise(language, out, f"{{}} {sign} {{}}", operands)
    return placed(language, step.operation, out, *operands)


def _power(language: Language, exponent: Any) -> str:
    if exponent == -1:
        return "1.0 / {}"
    return language.call("pow", "{}", repr(to_float(exponent)))


def _matmul(language: Language, out: View, left: View, right: View) -> list[str]:
    target = out.at(language, "i", "j")
    term = f"{left.at(language, 'i', 'k')} * {right.at(language, 'k', 'j')}"
    return language.product(out.shape, left.shape[1], target, term)


def _reduced(
    language: Language, operation: str, out: View, operands: list[View]
) -> list[str]:
    target = language.number(out.name)
    clear = language.assign(target, "=", "0.0")
    if not operands[0].shape:  # numbers count as their own only entry
        term = " * ".join(view.number(language) for view in operands)
        return [language.assign(target, "=", term)]
    rows, columns = operands[0].shape
    if operation == "trace":
        entry = operands[0].at(language, "i", "i")
        line = language.assign(target, "+=", entry)
        return [clear, *language.loop("i", rows, [line])]
    term = " * ".join(view.at(language, "i", "j") for view in operands)
    inner = language.loop("j", columns, [language.assign(target, "+=", term)])
    return [clear, *language.loop("i", rows, inner)]


def _entrywise(
    language: Language, out: View, formula: str, operands: list[View]
) -> list[str]:
    if not out.shape:
        value = formula.format(*(view.number(language) for view in operands))
        return [language.assign(language.number(out.name), "=", value)]
    values = [_spread(language, view, out.shape) for view in operands]
    line = language.assign(out.at(language, "i", "j"), "=", formula.format(*values))
    inner = language.loop("j", out.shape[1], [line])
    return language.loop("i", out.shape[0], inner)


def _spread(language: Language, view: View, shape: Shape) -> str:
    """Return the entry of a matrix, a row, a column or a number at (i, j)."""
    if not view.shape:
        return view.number(language)
    ends = zip(("i", "j"), view.shape, shape, strict=True)
    row, column = ("0" if own == 1 < whole else k for k, own, whole in ends)
    return view.at(language, row, column)


def _softmax(language: Language, out: View, source: View) -> list[str]:
    """Return lines that give 1/Σ exp(zₖ − z) for every z: infinite sums give zero.

    An entry holds its sum first.
    """
    rows, columns = out.shape
    target, entry = out.at(language, "i", "j"), source.at(language, "i", "j")
    other = source.at(language, "k", "m")
    term = language.call("exp", f"{other} - {entry}")
    inner = language.loop("m", columns, [language.assign(target, "+=", term)])
    body = [
        language.assign(target, "=", "0.0"),
        *language.loop("k", rows, inner),
        language.assign(target, "=", f"1.0 / {target}"),
    ]
    return language.loop("i", rows, language.loop("j", columns, body))


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


def placed(language: Language, operation: str, out: View, *operands: View) -> list[str]:
    """Return the lines of the operations that put entries into other places.

    Raises KeyError for other operations.
    """
    source = operands[0]
    rows, columns = source.shape
    size = out.shape[0]
    loop: Shape = (rows, columns)
    at = ("i", "j")
    target, operator = ("i", "0"), "="
    match operation:
        case "diag":
            target = ("i", "i")
        case "diagonal":
            loop, at = (rows, 1), ("i", "i")
        case "pad" | "crop":
            loop = (min(rows, size), 1)
        case "circulant":
            loop, at = (size, rows), ("j", "0")
            target = ("i", f"(i + j) % {size}")
        case "circulant_sums":
            loop, at = (columns, size), ("i", f"(i + j) % {columns}")
            target, operator = ("j", "0"), "+="
        case "vec":
            target = (f"(i * {columns} + j)", "0")
        case "unvec":
            loop, at = out.shape, (f"(i * {out.shape[1]} + j)", "0")
            target = ("i", "j")
        case "kron":
            inner = operands[1].shape[0]
            loop, at, target = (rows, inner), ("i", "0"), (f"(i * {inner} + j)", "0")
    value = source.at(language, *at)
    if operation == "kron":
        value = f"{value} * {operands[1].at(language, 'j', '0')}"
    line = language.assign(out.at(language, *target), operator, value)
    clear = [] if operation in ("diagonal", "vec", "unvec", "kron", "crop") else [0]
    return [
        *(_entrywise(language, out, "0.0", []) if clear else []),
        *language.loop("i", loop[0], language.loop("j", loop[1], [line])),
    ]
