"""Cheaper programs at integer sizes: folded constants and the best association.

Matrix products are associative and distribute over sums; which form is cheapest
depends on the sizes.  A few forms of the same nodes are lowered, and the one with the
fewest floating-point operations is kept: the nodes as they were derived, every chain
associated by dynamic programming, and every product of sums written out first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import prod
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.nodes import Leaf, Node, Product, add, product, scale, transpose
from symflow.algebra.words import expand
from symflow.codegen.evaluate import applied
from symflow.codegen.inplace import FREE, Shape, has_fixed_size_code, slot_shapes
from symflow.codegen.program import Input, Instruction, Output, Program

#: Longest chain that is associated by dynamic programming.
CHAIN = 40


def forms(outputs: Mapping[str, Node]) -> list[dict[str, Node]]:
    """Return the same outputs written in several ways, the derived one first.

    Their shapes have to be integers.
    """
    ways: list[Callable[[Node], Node]] = [lambda node: node, associated, distributed]
    found = []
    for way in ways:
        try:
            found.append({name: way(node) for name, node in outputs.items()})
        except (TypeError, ValueError):  # a node that is not a polynomial in matrices
            continue
    return found


def associated(node: Node) -> Node:
    """Return a node with each chain of products in its cheapest order.

    Its shapes have to be integers.
    """
    if isinstance(node, Product):
        return _cheapest([associated(factor) for factor in _factors(node)])
    if not node.children:
        return node
    rebuild: Any = getattr(node, "rebuild", None)
    if rebuild is None:
        msg = f"associated(node): a {type(node).__name__} cannot be rebuilt"
        raise TypeError(msg)
    rebuilt: Node = rebuild(*map(associated, node.children))
    return rebuilt


def distributed(node: Node) -> Node:
    """Return a node as a sum of chains, each in its cheapest order.

    It has to be a polynomial in matrices of integer shapes.
    """
    terms = [
        scale(coefficient, _cheapest([_letter(*letter) for letter in word]))
        for word, coefficient in expand(node).items()
    ]
    if not terms:
        msg = "distributed(node): the node is zero"
        raise ValueError(msg)
    return add(*terms)


def cost(program: Program, shapes: Sequence[Shape]) -> int:
    """Return the number of floating-point operations of one run.

    The program has fixed-size code, and `shapes` one shape per input.
    """
    sizes = slot_shapes(program, shapes)
    total = 0
    for slot, step in zip(program.slots, program.instructions, strict=True):
        if step.operation == "matmul":
            rows, inner = sizes[step.operands[0]]
            total += 2 * rows * inner * sizes[step.operands[1]][1]
        elif step.operation not in FREE:
            total += max(prod(sizes[k]) for k in (slot, *step.operands))
    return total


def folded(
    program: Program, constants: Mapping[str, Array]
) -> tuple[Program, dict[str, Array]]:
    """Compute everything that depends on constants alone, and drop what is not used.

    A product with an identity matrix is its other factor, and one with a diagonal
    matrix scales the rows or columns of its other factor.

    The constants have to be the last inputs.  The result's inputs are the others, then
    the constants that are left, whose values come with it.
    """
    free = [a for a in program.inputs if a.name not in constants]
    known: dict[int, Array] = {
        slot: constants[a.name]
        for slot, a in enumerate(program.inputs)
        if a.name in constants
    }
    alias: dict[int, int] = {}
    steps = dict(zip(program.slots, program.instructions, strict=True))
    names = {slot: f"c{slot}" for slot in program.slots} | dict(program.labels)
    names |= {k: a.name for k, a in enumerate(program.inputs)}
    for slot, written in list(steps.items()):
        step = replace(
            written, operands=tuple(alias.get(k, k) for k in written.operands)
        )
        steps[slot] = step
        unit = _place_of(step, known, _is_identity)
        if all(k in known for k in step.operands):
            known[slot] = np.asarray(applied(step, [known[k] for k in step.operands]))
        elif unit is not None:
            alias[slot] = step.operands[1 - unit]
        elif (place := _place_of(step, known, _is_diagonal)) is not None:
            steps[slot] = _scaling(step, place, known, names)
    results = [alias.get(output.slot, output.slot) for output in program.outputs]
    return _compacted(program, (free, known, steps), (results, names))


def _compacted(
    program: Program,
    parts: tuple[list[Input], dict[int, Array], dict[int, Instruction]],
    ends: tuple[list[int], dict[int, str]],
) -> tuple[Program, dict[str, Array]]:
    """Renumber the slots that are still needed."""
    (free, known, steps), (results, names) = parts, ends
    needed, stack = set(), list(results)
    while stack:
        slot = stack.pop()
        if slot not in needed:
            needed.add(slot)
            if slot in steps and slot not in known:
                stack.extend(steps[slot].operands)
    kept = sorted(slot for slot in needed if slot in known)
    inputs = [*free, *(Input(names[k], known[k].shape) for k in kept)]
    order = [k for k, a in enumerate(program.inputs) if a in free] + kept
    order += sorted(k for k in needed if k in steps and k not in known)
    number = {slot: place for place, slot in enumerate(order)}
    instructions = [
        replace(steps[k], operands=tuple(number[j] for j in steps[k].operands))
        for k in order[len(inputs) :]
    ]
    outputs = [
        Output(output.name, number[slot])
        for output, slot in zip(program.outputs, results, strict=True)
    ]
    computed = set(order[len(inputs) :])
    labels = [(number[k], name) for k, name in program.labels if k in computed]
    values = {names[k]: np.array(known[k], order="C") for k in kept}
    small = Program(
        program.name, tuple(inputs), tuple(instructions), tuple(outputs), tuple(labels)
    )
    return small, values


def _place_of(
    step: Instruction, known: Mapping[int, Array], is_such: Callable[[Array], bool]
) -> int | None:
    """Return which factor of a product is a known matrix of a kind, if one is."""
    if step.operation == "matmul":
        for place in (0, 1):
            matrix = known.get(step.operands[place])
            if matrix is not None and is_such(matrix):
                return place
    return None


def _scaling(
    step: Instruction, place: int, known: dict[int, Array], names: dict[int, str]
) -> Instruction:
    """Return a product with a diagonal matrix as one with its broadcast diagonal."""
    slot = step.operands[place]
    kind = "column" if place == 0 else "row"
    name = f"{names[slot]}_{kind}"
    new = next((k for k, other in names.items() if other == name), max(names) + 1)
    entries = np.diagonal(known[slot])
    known[new] = entries[:, None] if place == 0 else entries[None, :]
    names[new] = name
    return Instruction("hadamard", (step.operands[1 - place], new))


def _is_diagonal(matrix: Array) -> bool:
    if matrix.ndim != 2 or not 1 < matrix.shape[0] == matrix.shape[1]:
        return False
    return bool(np.count_nonzero(matrix) == np.count_nonzero(np.diagonal(matrix)))


def _is_identity(matrix: Array) -> bool:
    rows, columns = matrix.shape[-2:]
    return rows == columns and np.array_equal(matrix, np.eye(rows))


def _factors(node: Node) -> list[Node]:
    if isinstance(node, Product):
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _letter(symbol: sympy.MatrixSymbol, transposed: bool) -> Node:
    leaf = Leaf(symbol)
    return transpose(leaf) if transposed else leaf


def _cheapest(factors: list[Node]) -> Node:
    """Return the product in its cheapest order, by dynamic programming."""
    if len(factors) > CHAIN:
        return product(*factors)
    sizes = [int(factors[0].shape[0]), *(int(factor.shape[1]) for factor in factors)]

    @cache
    def best(first: int, last: int) -> tuple[int, int]:
        if first == last:
            return 0, first
        choices = [
            (
                best(first, k)[0]
                + best(k + 1, last)[0]
                + sizes[first] * sizes[k + 1] * sizes[last + 1],
                k,
            )
            for k in range(first, last)
        ]
        return min(choices)

    def build(first: int, last: int) -> Node:
        if first == last:
            return factors[first]
        _, cut = best(first, last)
        return product(build(first, cut), build(cut + 1, last))

    return build(0, len(factors) - 1)


def best_program(
    programs: Sequence[tuple[Program, dict[str, Array]]], shapes: Mapping[str, Shape]
) -> tuple[Program, dict[str, Array]]:
    """Return the cheapest of some folded programs; the first where costs are equal.

    `shapes` are those of the inputs that are not constants.
    """

    def price(pair: tuple[Program, dict[str, Array]]) -> float:
        program, values = pair
        if not has_fixed_size_code(program):
            return float("inf")
        sizes = [
            values[a.name].shape if a.name in values else shapes[a.name]
            for a in program.inputs
        ]
        return cost(program, sizes)

    return min(programs, key=price)
