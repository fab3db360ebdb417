"""The builder: visits nodes, operands first, and emits each instruction once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy

from symflow.algebra.elementwise import (
    Determinant,
    Elementwise,
    Hadamard,
    IdentityNode,
    Inverse,
    Number,
    Softmax,
    Total,
    Weighted,
)
from symflow.algebra.embeddings import LinearMap
from symflow.algebra.functions import Z
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Traced,
    Transposed,
    transpose,
)
from symflow.algebra.tensors import Constant, Contraction, Kronecker
from symflow.codegen.program import FUNCTIONS, Instruction
from symflow.errors import InvalidArgument, NoClosedForm


class Builder:
    """Hash-conses instructions while nodes are visited, operands first."""

    def __init__(self, inputs: Sequence[sympy.Basic]) -> None:
        self.inputs = tuple(inputs)
        self.instructions: list[Instruction] = []
        self._slots: dict[Instruction, int] = {}
        self._nodes: dict[Node, int] = {}

    def visit(self, node: Node) -> int:
        """Return the slot of `node`, emitting what is missing."""
        if node not in self._nodes:
            self._nodes[node] = self._lower(node)
        return self._nodes[node]

    def label(self, names: Mapping[Node, str]) -> tuple[tuple[int, str], ...]:
        """Return the labels of those named nodes that became instructions."""
        found = ((self._nodes.get(node), name) for node, name in names.items())
        inputs = range(len(self.inputs))
        return tuple(
            (s, name) for s, name in found if s is not None and s not in inputs
        )

    def _lower(self, node: Node) -> int:
        match node:
            case Leaf(symbol):
                return self._input(symbol)
            case Product(left, right):
                return self._emit("matmul", self.visit(left), self.visit(right))
            case Transposed(body):
                return self._emit("transpose", self.visit(body))
            case Scaled(coefficient, body):
                return self._scaled(coefficient, self.visit(body))
            case Sum(terms):
                return self._sum(terms)
            case Traced(Product(left, right)):
                return self._inner(transpose(left), right)
            case Traced(body):
                return self._emit("trace", self.visit(body))
        return self._lower_entrywise(node)

    def _input(self, symbol: sympy.MatrixSymbol) -> int:
        if symbol in self.inputs:
            return self.inputs.index(symbol)
        msg = (
            f"lower: {symbol} is no argument of the code and has no numbers. Give "
            f"them, as in Model(…, constants={{{symbol}: array}})"
        )
        raise InvalidArgument(msg)

    def _lower_entrywise(self, node: Node) -> int:
        match node:
            case Hadamard(left, right):
                return self._emit("hadamard", self.visit(left), self.visit(right))
            case Elementwise(function, body):
                return self._function(function, self.visit(body))
            case Total(Hadamard(left, right)):
                return self._inner(left, right)
            case Total(body):
                return self._emit("total", self.visit(body))
            case Softmax(body):
                return self._emit("softmax", self.visit(body))
            case Weighted(weight, body):
                return self._emit("weigh", self.visit(weight), self.visit(body))
            case LinearMap():
                return self._linear_map(node)
            case Kronecker(left, right):
                return self._emit("kron", self.visit(left), self.visit(right))
            case Contraction():
                return self.visit(node.lowered)
            case Constant(matrix):
                return self._emit("constant", constant=matrix)
            case Determinant(body):
                return self._emit("determinant", self.visit(body))
            case Inverse(body):
                return self._emit("inverse", self.visit(body))
            case IdentityNode(size):
                return self._identity(sympy.sympify(size))
        msg = f"lower: no instruction for a {type(node).__name__}"
        raise NoClosedForm(msg)

    def _sum(self, terms: tuple[Node, ...]) -> int:
        """Add from the left, a positive term first, so that no sign is spent."""
        values = [_as_number(term) for term in terms]
        moving = (t for t, v in zip(terms, values, strict=True) if v is None)
        ordered = sorted(moving, key=_is_negative)
        total = self.visit(ordered[0])
        for term in ordered[1:]:
            if _is_negative(term):
                assert isinstance(term, Scaled)
                magnitude = self._scaled(-term.coefficient, self.visit(term.body))
                total = self._emit("subtract", total, magnitude)
            else:
                total = self._emit("add", total, self.visit(term))
        numbers = (value for value in values if value is not None)
        return self._shifted(total, sympy.Add(*numbers))

    def _shifted(self, slot: int, constant: sympy.Expr) -> int:
        number, rest = constant.as_independent(*constant.free_symbols, as_Add=True)
        for term in sympy.Add.make_args(rest):
            if term != 0:
                if term not in self.inputs:
                    msg = f"lower: the constant {term} is no scalar argument"
                    raise NoClosedForm(msg)
                slot = self._emit("add", slot, self.inputs.index(term))
        return slot if number == 0 else self._emit("shift", slot, constant=number)

    def _inner(self, left: Node, right: Node) -> int:
        if isinstance(left, Transposed) and isinstance(right, Transposed):
            left, right = left.body, right.body
        return self._emit("inner", self.visit(left), self.visit(right))

    def _scaled(self, coefficient: sympy.Expr, slot: int) -> int:
        """Multiply by an exact number, by scalar inputs and by powers of sizes."""
        number, rest = coefficient.as_coeff_Mul()
        for factor in sympy.Mul.make_args(rest):
            if factor.is_number:
                number *= factor
                continue
            base, power = factor.as_base_exp()
            scalar = self._scalar(base)
            if not power.is_Integer:
                msg = f"lower: a coefficient cannot be {factor}"
                raise NoClosedForm(msg)
            for _ in range(abs(int(power))):
                if power > 0:
                    slot = self._emit("multiply", scalar, slot)
                else:
                    slot = self._emit("divide", slot, scalar)
        return slot if number == 1 else self._emit("scale", slot, constant=number)

    def _scalar(self, symbol: sympy.Expr) -> int:
        """Return the slot of a scalar input, or of the size that a symbol names."""
        if symbol in self.inputs:
            return self.inputs.index(symbol)
        for place, argument in enumerate(self.inputs):
            if isinstance(argument, sympy.MatrixSymbol) and symbol in argument.shape:
                rows = argument.shape[0] == symbol
                return self._emit("rows" if rows else "columns", place)
        msg = f"lower: {symbol} is neither an argument nor the size of one"
        raise NoClosedForm(msg)

    def _identity(self, size: sympy.Expr) -> int:
        if size.is_Integer:
            return self._emit("identity", constant=size)
        return self._emit("identity", self._scalar(size))

    def _linear_map(self, node: LinearMap) -> int:
        size = None if node.size is None else sympy.sympify(node.size)
        if size is not None and not size.is_Integer:
            if node.operation == "unvec":
                return self._emit("unvec", self.visit(node.body), self._scalar(size))
            if node.operation == "pad":
                msg = f"lower: an entry of a matrix needs its size as a number: {size}"
                raise NoClosedForm(msg)
            size = None
        return self._emit(node.operation, self.visit(node.body), constant=size)

    def _function(self, function: sympy.Expr, slot: int) -> int:
        """Write an expression in `Z` with the elementwise operations."""
        if function == Z:
            return slot
        if function.is_Mul:
            return self._function_product(function, slot)
        if function.is_Add:
            return self._function_sum(function, slot)
        if function.is_Pow and function.exp.is_number:
            base = self._function(function.base, slot)
            return self._emit("power", base, constant=function.exp)
        name = function.func.__name__
        if name in FUNCTIONS and len(function.args) == 1:
            return self._emit(name, self._function(function.args[0], slot))
        if function.is_Pow and function.base.is_number:
            exponent = function.exp * sympy.log(function.base)
            return self._emit("exp", self._function(exponent, slot))
        msg = f"lower: no instruction for the function {function}"
        raise NoClosedForm(msg)

    def _function_product(self, function: sympy.Expr, slot: int) -> int:
        coefficient, rest = function.as_independent(Z, as_Add=False)
        result = self._folded("hadamard", sympy.Mul.make_args(rest), slot)
        return self._scaled(coefficient, result)

    def _function_sum(self, function: sympy.Expr, slot: int) -> int:
        constant, rest = function.as_independent(Z, as_Add=True)
        result = self._folded("add", sympy.Add.make_args(rest), slot)
        return self._shifted(result, constant)

    def _folded(self, operation: str, parts: Iterable[sympy.Expr], slot: int) -> int:
        first, *others = sorted(parts, key=sympy.default_sort_key)
        result = self._function(first, slot)
        for part in others:
            result = self._emit(operation, result, self._function(part, slot))
        return result

    def _emit(self, operation: str, *operands: int, constant: Any = None) -> int:
        instruction = Instruction(operation, operands, constant)
        if instruction not in self._slots:
            self._slots[instruction] = len(self.inputs) + len(self.instructions)
            self.instructions.append(instruction)
        return self._slots[instruction]


def _is_negative(term: Node) -> bool:
    return isinstance(term, Scaled) and bool(
        term.coefficient.could_extract_minus_sign()
    )


def _as_number(term: Node) -> sympy.Expr | None:
    """Return the value of a number that stands alone, None for other nodes."""
    if isinstance(term, Number):
        return term.value
    if isinstance(term, Scaled) and isinstance(term.body, Number):
        return term.coefficient * term.body.value
    return None
