"""Lowering: from nodes that share their parts to a program that computes each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Traced,
    Transposed,
    product,
    symbols_of,
    transpose,
)
from symflow.codegen.program import Input, Instruction, Output, Program, python_name
from symflow.errors import InvalidArgument, NoClosedForm
from symflow.flow import GradientFlow
from symflow.networks import Network


class _Builder:
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

    def _lower(self, node: Node) -> int:
        match node:
            case Leaf(symbol):
                return self.inputs.index(symbol)
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
        msg = f"lower: no instruction for a {type(node).__name__}"
        raise NoClosedForm(msg)

    def _sum(self, terms: tuple[Node, ...]) -> int:
        """Add from the left, a positive term first, so that no sign is spent."""
        ordered = sorted(terms, key=_is_negative)
        total = self.visit(ordered[0])
        for term in ordered[1:]:
            if _is_negative(term):
                assert isinstance(term, Scaled)
                magnitude = self._scaled(-term.coefficient, self.visit(term.body))
                total = self._emit("subtract", total, magnitude)
            else:
                total = self._emit("add", total, self.visit(term))
        return total

    def _inner(self, left: Node, right: Node) -> int:
        if isinstance(left, Transposed) and isinstance(right, Transposed):
            left, right = left.body, right.body
        return self._emit("inner", self.visit(left), self.visit(right))

    def _scaled(self, coefficient: sympy.Expr, slot: int) -> int:
        """Multiply by an exact number and by scalar inputs, one at a time."""
        number, rest = coefficient.as_coeff_Mul()
        for symbol in sympy.Mul.make_args(rest):
            if symbol != 1 and symbol.is_number:
                number *= symbol
            elif symbol != 1:
                slot = self._emit("multiply", self.inputs.index(symbol), slot)
        return slot if number == 1 else self._emit("scale", slot, constant=number)

    def _emit(self, operation: str, *operands: int, constant: Any = None) -> int:
        instruction = Instruction(operation, operands, constant)
        if instruction not in self._slots:
            self._slots[instruction] = len(self.inputs) + len(self.instructions)
            self.instructions.append(instruction)
        return self._slots[instruction]

    def label(self, names: Mapping[Node, str]) -> tuple[tuple[int, str], ...]:
        """Return the labels of those named nodes that became instructions."""
        found = ((self._nodes.get(node), name) for node, name in names.items())
        return tuple((slot, name) for slot, name in found if slot is not None)


def _is_negative(term: Node) -> bool:
    return isinstance(term, Scaled) and bool(
        term.coefficient.could_extract_minus_sign()
    )


def lower(
    name: str,
    inputs: Sequence[sympy.Basic],
    outputs: Mapping[str, Node],
    labels: Mapping[Node, str] | None = None,
) -> Program:
    """Lower matrix expressions to a program.

    Parameters
    ----------
    name : str
        Name of the program.
    inputs : sequence of sympy.MatrixSymbol or sympy.Symbol
        Arguments, in order; every symbol of the outputs has to be among them.
    outputs : mapping of str to Node
        The expressions to compute, by name.
    labels : mapping of Node to str, optional
        Names for intermediate values, used in generated source.

    Returns
    -------
    Program
        Each distinct subexpression is computed once.

    Examples
    --------
    >>> import sympy
    >>> A = sympy.MatrixSymbol("A", 2, 2)
    >>> gram = product(transpose(Leaf(A)), Leaf(A))
    >>> print(lower("gram", [A], {"out": gram}))
    program gram(A)
      %1 = transpose A
      %2 = matmul %1, A
      return out=%2
    """
    builder = _Builder(inputs)
    results = [Output(key, builder.visit(node)) for key, node in outputs.items()]
    arguments = [
        Input(python_name(s), s.shape if isinstance(s, sympy.MatrixSymbol) else ())
        for s in inputs
    ]
    _check_names(name, [argument.name for argument in arguments])
    return Program(
        name,
        tuple(arguments),
        tuple(builder.instructions),
        tuple(results),
        builder.label(labels or {}),
    )


def _check_names(program: str, names: Sequence[str]) -> None:
    for name in names:
        if not name.isidentifier() or names.count(name) > 1:
            msg = (
                f"{program}({', '.join(names)}): {name!r} cannot name an argument; it is "
                "no identifier, or is used twice. Rename the symbol"
            )
            raise InvalidArgument(msg)


def arguments(flow: GradientFlow) -> tuple[sympy.Basic, ...]:
    """Return the arguments of a flow's programs: weights, data, scalar parameters."""
    scalars = sorted(flow.loss.l2.free_symbols, key=str)
    return (*flow.state, *flow.data, *scalars)


def rhs_program(flow: GradientFlow) -> Program:
    """Return the program of the time derivatives dW1, …, dWL.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> print(rhs_program(flow))
    program gradient_flow(W1, W2, sigma_xx, sigma_yx)
      %4 = transpose W2
      W = matmul W2, W1
      %6 = matmul W, sigma_xx
      F = subtract sigma_yx, %6
      dW1 = matmul %4, F
      %9 = transpose W1
      dW2 = matmul F, %9
      return dW1=dW1, dW2=dW2
    """
    derivatives = {
        f"d{symbol.name}": node
        for symbol, node in zip(flow.state, flow.directions, strict=True)
    }
    labels = _part_labels(flow) | {node: name for name, node in derivatives.items()}
    return lower("gradient_flow", arguments(flow), derivatives, labels)


def _part_labels(flow: GradientFlow) -> dict[Node, str]:
    """Name shared parts: W3_1 is W3 W2 W1, F2 the force pulled back to layer 2."""
    labels = {flow.network.end_to_end_node: "W", flow.force: "F"}
    if isinstance(flow.network, Network):
        for number, prefix in enumerate(flow.network.prefixes[1:-1], start=2):
            labels[prefix] = f"W{number}_1"
        incoming = flow.force
        for number in reversed(range(1, flow.network.depth)):
            incoming = product(transpose(flow.network.matrices[number]), incoming)
            labels[incoming] = f"F{number}"
    return labels


def loss_program(flow: GradientFlow) -> Program:
    """Return the program of the objective, with further moments as last inputs."""
    moments = [s for s in symbols_of(flow.objective) if s not in arguments(flow)]
    labels = {flow.network.end_to_end_node: "W"}
    inputs = (*arguments(flow), *moments)
    return lower("loss", inputs, {"loss": flow.objective}, labels)


def end_to_end_program(flow: GradientFlow) -> Program:
    """Return the program of the end-to-end matrix W from the weights."""
    return lower("end_to_end", flow.state, {"W": flow.network.end_to_end_node})
