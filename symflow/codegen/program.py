"""The program: a flow as single assignments between matrices, without repetition.

This is the one form from which everything numeric is made: NumPy source, a
stand-alone module, Taylor recurrences, fixed-point and ball arithmetic.  A program has
a handful of operations, so that a new evaluator is a handful of functions:

==================  ================  =============================================
operation           operands          value
==================  ================  =============================================
``matmul``          a, b              a b
``add``             a, b              a + b
``subtract``        a, b              a − b
``scale``           a (constant)      constant · a, the constant an exact number
``multiply``        s, a              s · a for a scalar input s
``transpose``       a                 aᵀ
``inner``           a, b              tr(aᵀ b), a number
``trace``           a                 tr a, a number
``total``           a                 the sum of all entries, a number
``weigh``           s, a              s · a for a number s that was computed
``rows``            a                 the number of rows of an input
``columns``         a                 the number of columns of an input
``divide``          a, s              a / s for a scalar input, rows or columns
``hadamard``        a, b              the entrywise product
``shift``           a (constant)      a + constant, entrywise
``power``           a (constant)      a to an exact power, entrywise
``exp``, ``log`` …  a                 a function of every entry, see `FUNCTIONS`
``softmax``         a                 exp a, divided by the sum of all its entries
``diag``            a                 the diagonal matrix of a column
``diagonal``        a                 the diagonal of a matrix as a column
``circulant``       a (constant: d)   the d×d circulant matrix with first row aᵀ, 0 …
``circulant_sums``  a (constant: k)   sums over the first k cyclic diagonals
``pad``             a (constant: d)   a column continued by zeros to d rows
``crop``            a (constant: k)   the first k rows of a column
``vec``             a                 the entries as a column, row by row
``unvec``           a, n or (n)       the matrix of n rows that has these entries
``kron``            a, b              the Kronecker product of two columns
``determinant``     a                 det a, a number
``inverse``         a                 a⁻¹
``identity``        n or (constant)   the identity matrix of that size
``constant``        (constant)        a matrix of exact numbers
==================  ================  =============================================

A ``circulant`` or ``circulant_sums`` without constant has the size of its operand.
Operands are slots: the inputs come first, then one slot per instruction.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.array_maps import PRELUDE
from symflow.algebra.symbols import checked_name
from symflow.errors import InvalidArgument

#: Elementwise functions, by their names in a program and in SymPy.
FUNCTIONS = (
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "atan",
    "sigmoid",
    "softplus",
)

#: Operations that put entries into other places.
PLACED = frozenset(
    (
        *("diag", "diagonal", "circulant", "circulant_sums", "pad", "crop"),
        *("vec", "unvec", "kron"),
    )
)

#: Names with a meaning of their own in generated Python or C; an argument gets a ``_``.
_RESERVED = frozenset(
    (
        *(*keyword.kwlist, *dir(builtins), *PRELUDE, *FUNCTIONS),
        *("np", "numpy", "xp", "namespace", "call", "exprel", "sys"),
        *("auto", "case", "char", "const", "default", "do", "double", "enum", "extern"),
        *("goto", "inline", "int", "long", "register", "restrict", "short", "signed"),
        *("sizeof", "static", "struct", "switch", "typedef", "union", "unsigned"),
        *("void", "volatile", *(f"out{number}" for number in range(100))),
    )
)


@dataclass(frozen=True, slots=True)
class Input:
    """A named argument; `shape` is empty for a scalar."""

    name: str
    shape: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One assignment: an operation, the slots it reads, and an exact constant."""

    operation: str
    operands: tuple[int, ...]
    constant: sympy.Expr | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A named result and the slot that holds it."""

    name: str
    slot: int


@dataclass(frozen=True, repr=False)
class Program:
    """Straight-line matrix code.

    Parameters
    ----------
    name : str
        What the program computes, as an identifier.
    inputs : tuple of Input
        Arguments, in the order of the generated functions.
    instructions : tuple of Instruction
        Each reads only slots before its own.
    outputs : tuple of Output
        Results, in order.
    labels : tuple of (int, str)
        Names for some of the slots, for readable source.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", 1), sf.SquaredLoss())
    >>> program = sf.compile(flow).program
    >>> [item.name for item in program.inputs], len(program.instructions)
    (['W1', 'sigma_xx', 'sigma_yx'], 2)
    """

    name: str
    inputs: tuple[Input, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[Output, ...]
    labels: tuple[tuple[int, str], ...] = ()

    @property
    def first_slot(self) -> int:
        """Slot of the first instruction."""
        return len(self.inputs)

    def uses(self) -> dict[int, int]:
        """Return how often every slot is read, outputs included."""
        counts: dict[int, int] = {}
        reads = [
            slot for instruction in self.instructions for slot in instruction.operands
        ]
        for slot in [*reads, *(output.slot for output in self.outputs)]:
            counts[slot] = counts.get(slot, 0) + 1
        return counts

    def __str__(self) -> str:
        names = {slot: argument.name for slot, argument in enumerate(self.inputs)}
        names |= {slot: f"%{slot}" for slot in self.slots} | dict(self.labels)
        lines = [f"program {self.name}({', '.join(a.name for a in self.inputs)})"]
        for slot, step in zip(self.slots, self.instructions, strict=True):
            operands = [names[operand] for operand in step.operands]
            constant = [] if step.constant is None else [str(step.constant)]
            lines.append(
                f"  {names[slot]} = {step.operation} {', '.join(constant + operands)}"
            )
        results = (f"{out.name}={names[out.slot]}" for out in self.outputs)
        return "\n".join([*lines, f"  return {', '.join(results)}"])

    def __repr__(self) -> str:
        given = ", ".join(argument.name for argument in self.inputs)
        results = ", ".join(output.name for output in self.outputs)
        steps = len(self.instructions)
        return f"<Program {self.name}({given}) -> {results}; {steps} instructions>"

    @property
    def slots(self) -> range:
        """Slots of the instructions."""
        return range(self.first_slot, self.first_slot + len(self.instructions))


def python_name(symbol: sympy.Basic) -> str:
    """Return the Python argument name of a symbol: Sigma_xx gives sigma_xx."""
    checked_name(symbol.name, "the code's argument")
    stem, underscore, index = symbol.name.partition("_")
    name = f"{stem.lower()}{underscore}{index}" if underscore else str(symbol.name)
    return f"{name}_" if name in _RESERVED else name


def argument_names(symbols: Sequence[sympy.Basic], call: str) -> tuple[str, ...]:
    """Return the argument names of symbols, which have to differ.

    `call` is the function's name, for the error message.

    Raises InvalidArgument if a name may not stand in code, that of a size included, or
    occurs twice.
    """
    for size in {s for symbol in symbols for s in symbol.atoms(sympy.Symbol)}:
        checked_name(size.name, call)
    names = tuple(map(python_name, symbols))
    for name in names:
        if names.count(name) > 1:
            msg = (
                f"{call}({', '.join(names)}): {name!r} cannot name two arguments. "
                "Rename a symbol"
            )
            raise InvalidArgument(msg)
    return names


def quoted(text: str) -> str:
    r"""Return a text as it may stand in a docstring or in a comment in C."""
    plain = text.replace("\\", "\\\\").replace('"', "'")
    return plain.replace("*/", "* /").replace("\r", " ").replace("\0", " ")
