"""A program computes each product once, in an order that every run repeats."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st
from oracles.arrays import chain, derivatives, draw
from oracles.expressions import SIZE, A, B, S, expressions, integer_values, value_of

import symflow as sf
from symflow.algebra.nodes import add, product, scale, trace, transpose
from symflow.codegen import (
    Program,
    end_to_end_program,
    evaluate,
    loss_program,
    lower,
    rhs_program,
)
from symflow.codegen.arrays import array_source
from symflow.codegen.program import Instruction, python_name
from symflow.errors import InvalidArgument

LETTERS = (A.symbol, B.symbol, S.symbol)
UNARY = ("scale", "transpose", "trace")


def flow_of_depth(depth, **options):
    names = "abcdefghij"[: depth + 1]
    return sf.gradient_flow(sf.LinearNetwork(*names), sf.SquaredLoss(**options))


def count(program, operation):
    return sum(step.operation == operation for step in program.instructions)


@pytest.mark.parametrize("options", [{}, {"l2": "lambda"}], ids=str)
@pytest.mark.parametrize("depth", range(1, 8))
def test_products_are_those_of_backpropagation(depth, options):
    """L − 1 forward, one for WΣ_xx, L − 1 to pull the force back, L − 1 outer ones."""
    program = rhs_program(flow_of_depth(depth, **options))
    assert count(program, "matmul") == 3 * depth - 2
    assert count(program, "subtract") == 1 + (depth if options else 0)


@pytest.mark.parametrize("depth", range(1, 6))
def test_no_instruction_occurs_twice_and_none_is_unused(depth):
    for program in (
        rhs_program(flow_of_depth(depth, l2="lambda")),
        loss_program(flow_of_depth(depth)),
        end_to_end_program(flow_of_depth(depth)),
    ):
        assert len(set(program.instructions)) == len(program.instructions)
        uses = program.uses()
        assert all(uses.get(slot, 0) for slot in program.slots)


@given(nodes=st.lists(expressions(), min_size=1, max_size=3))
def test_programs_are_straight_line_code(nodes):
    program = lower("p", LETTERS, {f"out{k}": node for k, node in enumerate(nodes)})
    for slot, step in zip(program.slots, program.instructions, strict=True):
        assert all(operand < slot for operand in step.operands)
        assert len(step.operands) == (1 if step.operation in UNARY else 2)
        assert (step.constant is not None) == (step.operation == "scale")


@given(node=expressions(), seed=st.integers(0, 2**16))
def test_evaluating_a_program_gives_the_value_of_the_expression(node, seed):
    values = integer_values(seed, size=3)
    program = lower("p", LETTERS, {"out": node})
    (out,) = evaluate(program, [values[s] for s in LETTERS], number=lambda c: c)
    assert (out == value_of(node, values)).all()


@given(node=expressions(3), other=expressions(2), seed=st.integers(0, 2**16))
def test_scalars_are_evaluated_as_traces(node, other, seed):
    values = integer_values(seed, size=3)
    scalar = add(
        scale(Fraction(1, 2), trace(product(node, other))), trace(transpose(node))
    )
    program = lower("p", LETTERS, {"out": scalar})
    (out,) = evaluate(program, [values[s] for s in LETTERS], number=lambda c: c)
    assert np.asarray(out).item() == value_of(scalar, values)


@given(node=expressions(), seed=st.integers(0, 2**16))
def test_source_gives_the_value_of_the_expression(node, seed):
    values = {
        name: value.astype(float) for name, value in integer_values(seed, 3).items()
    }
    program = lower("p", LETTERS, {"out": node})
    namespace: dict = {}
    exec(array_source(program, "A test.", bare=True), namespace)
    # Integers and halves of at most a few digits: floats are exact below 2^53.
    expected = np.array(value_of(node, integer_values(seed, 3)), dtype=float)
    got = namespace["p"](*(values[symbol] for symbol in LETTERS))
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-13)


def test_loss_program_is_the_loss_of_the_samples(rng):
    flow = flow_of_depth(3, l2=Fraction(1, 2))
    weights, _, _ = draw(rng, (3, 2, 4, 2))
    X, Y = rng.standard_normal((7, 3)), rng.standard_normal((7, 2))
    moments = [X.T @ X / 7, Y.T @ X / 7, Y.T @ Y / 7]
    (loss,) = evaluate(loss_program(flow), [*weights, *moments])
    residual = Y - X @ chain(weights, 3).T
    decay = sum((weight**2).sum() for weight in weights) / 4
    np.testing.assert_allclose(loss, (residual**2).sum() / 14 + decay, rtol=1e-13)


def test_end_to_end_program_is_the_product(rng):
    weights, _, _ = draw(rng, (3, 2, 4, 2))
    (end_to_end,) = evaluate(end_to_end_program(flow_of_depth(3)), weights)
    np.testing.assert_allclose(end_to_end, chain(weights, 3), rtol=1e-13)


def test_evaluation_keeps_the_numbers_of_the_arrays():
    flow = flow_of_depth(2, l2=Fraction(1, 3))
    arrays = [np.array([[Fraction(n, 7)]]) for n in (1, 2, 3, 4)]
    derivative, _ = evaluate(
        rhs_program(flow), arrays, number=lambda c: Fraction(int(c.p), int(c.q))
    )
    w1, w2, xx, yx = (array[0, 0] for array in arrays)
    assert derivative[0, 0] == w2 * (yx - w2 * w1 * xx) - w1 / 3


def test_batches_run_over_leading_dimensions(rng):
    flow = flow_of_depth(2)
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2, 2), batch=(5,))
    together = evaluate(rhs_program(flow), [*weights, sigma_xx, sigma_yx])
    for number in range(5):
        one = derivatives([w[number] for w in weights], sigma_xx, sigma_yx)
        for all_of_them, single in zip(together, one, strict=True):
            np.testing.assert_allclose(all_of_them[number], single, rtol=1e-12)


SCRIPT = """
import symflow as sf
from symflow.codegen import loss_program, rhs_program
from symflow.codegen.arrays import array_source
for depth in (1, 2, 3, 5):
    for options in ({}, {"l2": "lambda", "reduction": "sum"}, {"l2": 0.1}):
        flow = sf.gradient_flow(
            sf.LinearNetwork(*"abcdefg"[: depth + 1]), sf.SquaredLoss(**options)
        )
        print(flow, flow.potential, flow.end_to_end, rhs_program(flow))
        print(sf.compile(flow).source, array_source(loss_program(flow), "Loss."))
"""


def test_generated_text_does_not_depend_on_the_hash_seed():
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": str(seed), "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
        )
        for seed in range(2)
    ]
    texts = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 2
    assert len(set(texts)) == 1
    assert b"def gradient_flow(W1, W2, W3, s_xx, s_yx, lambda_):" in texts[0]


def test_programs_print_one_assignment_per_line():
    gram = product(transpose(A), add(A, scale(-2, B)))
    text = str(lower("gram", LETTERS, {"out": gram}))
    assert text.splitlines() == [
        "program gram(A, B, S)",
        "  %3 = transpose A",
        "  %4 = scale 2, B",
        "  %5 = subtract A, %4",
        "  %6 = matmul %3, %5",
        "  return out=%6",
    ]


def test_programs_are_values():
    program = rhs_program(flow_of_depth(2))
    assert program == rhs_program(flow_of_depth(2))
    assert hash(program) == hash(rhs_program(flow_of_depth(2)))
    assert isinstance(program, Program)
    assert program.inputs[0].shape == flow_of_depth(2).state[0].shape


def test_names_are_python_names():
    assert python_name(sympy.Symbol("Sigma_yx")) == "sigma_yx"
    assert python_name(sympy.Symbol("lambda")) == "lambda_"
    assert python_name(sympy.MatrixSymbol("W1", SIZE, SIZE)) == "W1"


@pytest.mark.parametrize("decay", ["W1", sympy.Symbol("two words")], ids=str)
def test_names_that_clash_or_cannot_be_written_are_refused(decay):
    with pytest.raises(InvalidArgument, match=r"cannot name two arg|made of letters"):
        rhs_program(flow_of_depth(2, l2=decay))


def test_an_operation_without_python_text_is_refused():
    strange = Instruction("wedge", (0, 1))
    program = Program("p", rhs_program(flow_of_depth(2)).inputs, (strange,), ())
    with pytest.raises(InvalidArgument, match="'wedge' has no Python text"):
        array_source(program, "")
