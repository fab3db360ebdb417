"""Lowering: from nodes that share their parts to a program that computes each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from symflow.algebra.nodes import Node, product, transpose
from symflow.codegen.builder import Builder
from symflow.codegen.program import Input, Output, Program, argument_names
from symflow.flow import GradientFlow
from symflow.networks import Network


def lower(
    name: str,
    inputs: Sequence[sympy.Basic],
    outputs: Mapping[str, Node],
    labels: Mapping[Node, str] | None = None,
) -> Program:
    """Lower matrix expressions to a program.

    Every symbol of the `outputs`, expressions by name, has to be among the `inputs`;
    the `labels` name intermediate values in generated source.  Each distinct
    subexpression is computed once.
    """
    builder = Builder(inputs)
    results = [Output(key, builder.visit(node)) for key, node in outputs.items()]
    arguments = [
        Input(called, s.shape if isinstance(s, sympy.MatrixSymbol) else ())
        for s, called in zip(inputs, argument_names(inputs, name), strict=True)
    ]
    return Program(
        name,
        tuple(arguments),
        tuple(builder.instructions),
        tuple(results),
        builder.label(labels or {}),
    )


def arguments(flow: GradientFlow) -> tuple[sympy.Basic, ...]:
    """Return the arguments of a flow's programs: weights, data, scalar parameters."""
    return (*flow.state, *flow.data, *flow.parameters)


def loss_arguments(flow: GradientFlow) -> tuple[sympy.Basic, ...]:
    """Return the arguments of the objective: those of the flow, then further data."""
    widths = flow.network.widths
    return (*arguments(flow), *flow.loss.value_symbols(widths[0], widths[-1]))


def rhs_program(flow: GradientFlow) -> Program:
    """Return the program of the time derivatives dW1, …, dWL."""
    derivatives = {
        f"d{symbol.name}": node
        for symbol, node in zip(flow.state, flow.directions, strict=True)
    }
    labels = part_labels(flow) | {node: name for name, node in derivatives.items()}
    return lower("gradient_flow", arguments(flow), derivatives, labels)


def part_labels(flow: GradientFlow) -> dict[Node, str]:
    """Name shared parts: W3_1 is W3 W2 W1, F2 the force pulled back to layer 2."""
    end_to_end = flow.network.end_to_end_node
    labels = {end_to_end: "W", flow.force: "F"} | flow.loss.labels(end_to_end)
    if isinstance(flow.network, Network):
        for number, prefix in enumerate(flow.network.prefixes[1:-1], start=2):
            labels[prefix] = f"W{number}_1"
        incoming = flow.force
        for number in reversed(range(1, flow.network.depth)):
            incoming = product(transpose(flow.network.matrices[number]), incoming)
            labels[incoming] = f"F{number}"
    return labels


def loss_program(flow: GradientFlow) -> Program:
    """Return the program of the objective, whose inputs are `loss_arguments`."""
    inputs = loss_arguments(flow)
    return lower("loss", inputs, {"loss": flow.objective}, part_labels(flow))


def end_to_end_program(flow: GradientFlow) -> Program:
    """Return the program of the end-to-end matrix W from the weights."""
    return lower("end_to_end", flow.state, {"W": flow.network.end_to_end_node})
