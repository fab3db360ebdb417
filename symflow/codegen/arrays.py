"""Array source: a program as a readable Python function of `@`, `.mT`, `+` and `*`.

The source uses only what the array API standard defines, so the same text runs on
NumPy, PyTorch, JAX or CuPy arrays, and on batches with leading dimensions.  Where
operators do not suffice, `xp` is the namespace of the first argument.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from symflow.algebra.array_maps import PRELUDE
from symflow.algebra.numbers import to_float
from symflow.codegen.program import FUNCTIONS, Instruction, Program, quoted
from symflow.errors import InvalidArgument

#: How tightly each operation binds, for parentheses.
_ANY, _ADDITION, _PRODUCT, _ATOM = 0, 1, 2, 3

#: Operations that are written in one way: how, how tightly their operands have to bind
#: there, and how tightly the whole binds.
_FORMS = {
    "add": ("{} + {}", (_ANY, _PRODUCT), _ADDITION),
    "subtract": ("{} - {}", (_ANY, _PRODUCT), _ADDITION),
    "multiply": ("{} * {}", (_ANY, _ATOM), _PRODUCT),
    "hadamard": ("{} * {}", (_PRODUCT, _ATOM), _PRODUCT),
    "divide": ("{} / {}", (_PRODUCT, _ATOM), _PRODUCT),
    "weigh": ("{}[..., None, None] * {}", (_ATOM, _ATOM), _PRODUCT),
    "inner": ("({} * {}).sum(axis=(-2, -1))", (_PRODUCT, _ATOM), _ATOM),
    "trace": ("{}.diagonal(0, -2, -1).sum(axis=-1)", (_ATOM,), _ATOM),
    "total": ("{}.sum(axis=(-2, -1))", (_ATOM,), _ATOM),
    "rows": ("{}.shape[-2]", (_ATOM,), _ATOM),
    "columns": ("{}.shape[-1]", (_ATOM,), _ATOM),
    "determinant": ("xp.linalg.det({})", (_ANY,), _ATOM),
    "inverse": ("xp.linalg.inv({})", (_ANY,), _ATOM),
}

#: Operations whose result always gets a line of its own: scalars, long to write.
_STATEMENTS = ("inner", "trace", "total", "determinant")

#: Operations that need the array namespace.
_NAMESPACE = frozenset(
    (*PRELUDE, *FUNCTIONS, "determinant", "inverse", "identity", "constant")
)


@dataclass(frozen=True)
class Text:
    """A piece of source and how tightly its outermost operator binds."""

    code: str
    binding: int

    def within(self, binding: int) -> str:
        """Return the code, in parentheses where the context binds more tightly."""
        return self.code if self.binding >= binding else f"({self.code})"


@dataclass(frozen=True)
class Dialect:
    """How array code is spelled."""

    transpose: str = ".mT"  # ``".mT"`` for batches, ``".T"`` for plain matrices
    product: str = "@"  # ``"@"`` for batches, ``".dot"`` for plain matrices in NumPy
    #: How the array namespace of the first argument is written.
    namespace: str = "namespace({})"


#: Runs on arrays of any library and on batches.
ANYWHERE = Dialect()

#: Plain matrices in NumPy: a method call reaches BLAS in half the time of ``@``.
PLAIN = Dialect(transpose=".T", product=".dot", namespace="numpy")


def array_source(
    program: Program,
    docstring: str,
    *,
    dialect: Dialect = ANYWHERE,
    bare: bool = False,
) -> str:
    """Return the Python source of a function that runs `program` on arrays.

    The text is the same on every run, whatever the hash seed. `bare` returns the only
    result itself instead of a tuple.
    """
    names = ", ".join(argument.name for argument in program.inputs)
    head = [f"def {program.name}({names}):", f'    """{_indented(docstring)}"""']
    body = [f"    {line}" for line in array_body(program, dialect, bare=bare)]
    return "\n".join([*head, *body, ""])


def array_body(program: Program, dialect: Dialect, *, bare: bool = False) -> list[str]:
    r"""Return the lines of the function's body, without docstring and indentation.

    As in `array_source`.
    """
    lines = []
    if any(step.operation in _NAMESPACE for step in program.instructions):
        lines.append(f"xp = {dialect.namespace.format(program.inputs[0].name)}")
    texts = [Text(argument.name, _ATOM) for argument in program.inputs]
    uses, labels = program.uses(), dict(program.labels)
    taken = {"xp", *(argument.name for argument in program.inputs)}
    # A product that is used once gets no name: that would keep its memory, and large
    # arrays are 10 % slower when the next product cannot have it.
    results = {output.slot for output in program.outputs}
    for slot, step in zip(program.slots, program.instructions, strict=True):
        text = _write(step, texts, dialect)
        is_passing = step.operation == "matmul" and slot not in results
        if (
            (slot in labels and not (is_passing and uses[slot] == 1))
            or step.operation in _STATEMENTS
            or _is_shared(step, uses[slot])
        ):
            name = labels.get(slot, f"v{slot}")
            while name in taken:
                name += "_"
            taken.add(name)
            lines.append(f"{name} = {text.code}")
            text = Text(name, _ATOM)
        texts.append(text)
    returned = ", ".join(texts[output.slot].code for output in program.outputs)
    if len(program.outputs) == 1 and not bare:
        returned += ","
    return [*lines, f"return {returned}"]


def _is_shared(step: Instruction, uses: int) -> bool:
    """Say whether a value deserves a name: a view or a size costs nothing."""
    return uses > 1 and step.operation not in ("transpose", "rows", "columns", "crop")


def _write(step: Instruction, texts: list[Text], dialect: Dialect) -> Text:
    operands = [texts[operand] for operand in step.operands]
    match step.operation:
        case "matmul":
            return _product(operands[0], operands[1], dialect)
        case "scale":
            return _scaled(step.constant, operands[0])
        case "transpose":
            return Text(f"{operands[0].within(_ATOM)}{dialect.transpose}", _ATOM)
        case "shift":
            written = f"{operands[0].code} + {to_float(step.constant)!r}"
            return Text(written.replace("+ -", "- "), _ADDITION)
        case "power":
            return _power(step.constant, operands[0])
        case "crop":
            return Text(f"{operands[0].within(_ATOM)}[..., :{step.constant}, :]", _ATOM)
        case "identity":
            size = operands[0].code if operands else str(step.constant)
            return Text(f"xp.eye({size})", _ATOM)
        case "constant":
            assert step.constant is not None
            rows = [
                [to_float(entry) for entry in row] for row in step.constant.tolist()
            ]
            return Text(f"xp.asarray({rows!r})", _ATOM)
    if step.operation in _FORMS:
        form, bindings, binding = _FORMS[step.operation]
        return Text(form.format(*map(Text.within, operands, bindings)), binding)
    if step.operation in PRELUDE or step.operation in FUNCTIONS:
        return _call(step, operands)
    msg = (
        f"array_source(program): the operation {step.operation!r} has no Python text; "
        "give it one in symflow/codegen/arrays.py"
    )
    raise InvalidArgument(msg)


def _product(left: Text, right: Text, dialect: Dialect) -> Text:
    if dialect.product == "@":
        return Text(f"{left.within(_PRODUCT)} @ {right.within(_ATOM)}", _PRODUCT)
    return Text(f"{left.within(_ATOM)}{dialect.product}({right.code})", _ATOM)


def _scaled(constant: sympy.Expr | None, matrix: Text) -> Text:
    if constant == -1:
        return Text(f"-{matrix.within(_ATOM)}", _PRODUCT)
    return Text(f"{to_float(constant)!r} * {matrix.within(_ATOM)}", _PRODUCT)


def _call(step: Instruction, operands: list[Text]) -> Text:
    arguments = [operand.code for operand in operands]
    if step.constant is not None:
        arguments.append(str(step.constant))
    if step.operation in PRELUDE:
        return Text(f"{step.operation}({', '.join(['xp', *arguments])})", _ATOM)
    return Text(f"xp.{step.operation}({', '.join(arguments)})", _ATOM)


def _power(exponent: sympy.Expr | None, base: Text) -> Text:
    if exponent == -1:
        return Text(f"1 / {base.within(_ATOM)}", _PRODUCT)
    assert exponent is not None
    written = int(exponent) if exponent.is_Integer else to_float(exponent)
    text = f"({written!r})" if written < 0 else repr(written)
    return Text(f"{base.within(_ATOM)} ** {text}", _PRODUCT)


def _indented(docstring: str) -> str:
    lines = quoted(docstring).strip().split("\n")
    if len(lines) == 1:
        return lines[0]
    body = [f"    {line}".rstrip() for line in lines[1:]]
    return "\n".join([lines[0], *body, "    "])
