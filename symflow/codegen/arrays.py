"""Array source: a program as a readable Python function of `@`, `.mT`, `+` and `*`.

The source uses only operators that the array API standard defines, so the same text
runs on NumPy, PyTorch, JAX or CuPy arrays, and on batches with leading dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from symflow.algebra.numbers import to_float
from symflow.codegen.program import Instruction, Program

#: How tightly each operation binds, for parentheses.
_ADDITION, _PRODUCT, _ATOM = 1, 2, 3

#: Operations whose result always gets a line of its own: scalars, long to write.
_STATEMENTS = ("inner", "trace")


@dataclass(frozen=True)
class Text:
    """A piece of source and how tightly its outermost operator binds."""

    code: str
    binding: int

    def within(self, binding: int) -> str:
        """Return the code, in parentheses where the context binds more tightly."""
        return self.code if self.binding >= binding else f"({self.code})"


def array_source(
    program: Program, docstring: str, *, transpose: str = ".mT", bare: bool = False
) -> str:
    """Return the Python source of a function that runs `program` on arrays.

    Parameters
    ----------
    program : Program
        What to compute.
    docstring : str
        Text of the function's docstring.
    transpose : str, keyword-only
        How a transpose is written: ``".mT"`` for batches, ``".T"`` for plain matrices.
    bare : bool, keyword-only
        Return the only result itself instead of a tuple with one element.

    Returns
    -------
    str
        The same text on every run, whatever the hash seed.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow.codegen.lower import rhs_program
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> print(array_source(rhs_program(flow), "The flow."))
    def gradient_flow(W1, W2, sigma_xx, sigma_yx):
        \"\"\"The flow.\"\"\"
        W = W2 @ W1
        F = sigma_yx - W @ sigma_xx
        dW1 = W2.mT @ F
        dW2 = F @ W1.mT
        return dW1, dW2
    <BLANKLINE>
    """
    names = ", ".join(argument.name for argument in program.inputs)
    lines = [f"def {program.name}({names}):", f'    """{_indented(docstring)}"""']
    texts = [Text(argument.name, _ATOM) for argument in program.inputs]
    uses, labels = program.uses(), dict(program.labels)
    for slot, step in zip(program.slots, program.instructions, strict=True):
        text = _write(step, texts, transpose)
        if (
            slot in labels
            or step.operation in _STATEMENTS
            or _is_shared(step, uses[slot])
        ):
            name = labels.get(slot, f"v{slot}")
            lines.append(f"    {name} = {text.code}")
            text = Text(name, _ATOM)
        texts.append(text)
    results = ", ".join(texts[output.slot].code for output in program.outputs)
    if len(program.outputs) == 1 and not bare:
        results += ","
    return "\n".join([*lines, f"    return {results}", ""])


def _is_shared(step: Instruction, uses: int) -> bool:
    """Say whether a value deserves a name: a transpose is a view and costs nothing."""
    return uses > 1 and step.operation != "transpose"


def _write(step: Instruction, texts: list[Text], transpose: str) -> Text:
    operands = [texts[operand] for operand in step.operands]
    match step.operation:
        case "matmul":
            left, right = operands
            return Text(f"{left.within(_PRODUCT)} @ {right.within(_ATOM)}", _PRODUCT)
        case "add":
            left, right = operands
            return Text(f"{left.code} + {right.within(_PRODUCT)}", _ADDITION)
        case "subtract":
            left, right = operands
            return Text(f"{left.code} - {right.within(_PRODUCT)}", _ADDITION)
        case "scale":
            return _scaled(step.constant, operands[0])
        case "multiply":
            scalar, matrix = operands
            return Text(f"{scalar.code} * {matrix.within(_ATOM)}", _PRODUCT)
        case "transpose":
            return Text(f"{operands[0].within(_ATOM)}{transpose}", _ATOM)
        case "inner":
            left, right = operands
            elementwise = f"{left.within(_PRODUCT)} * {right.within(_ATOM)}"
            return Text(f"({elementwise}).sum(axis=(-2, -1))", _ATOM)
        case "trace":
            code = f"{operands[0].within(_ATOM)}.diagonal(0, -2, -1).sum(axis=-1)"
            return Text(code, _ATOM)
    msg = f"array_source: no Python text for the operation {step.operation!r}"
    raise NotImplementedError(msg)


def _scaled(constant: sympy.Expr | None, matrix: Text) -> Text:
    if constant == -1:
        return Text(f"-{matrix.within(_ATOM)}", _PRODUCT)
    return Text(f"{to_float(constant)!r} * {matrix.within(_ATOM)}", _PRODUCT)


def _indented(docstring: str) -> str:
    lines = docstring.strip().split("\n")
    if len(lines) == 1:
        return lines[0]
    body = [f"    {line}".rstrip() for line in lines[1:]]
    return "\n".join([lines[0], *body, "    "])
