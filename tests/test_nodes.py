"""Nodes, what they print as, and what they are entry by entry."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st
from oracles.expressions import SIZE, A, B, S, expressions, integer_values, value_of

from symflow.algebra import (
    SymmetricMatrixSymbol,
    as_width,
    at_sizes,
    entry_symbol,
    entrywise,
    explicit,
    inline,
    solve_widths,
    to_sympy,
    weight,
)
from symflow.algebra.calculus import push_forward
from symflow.algebra.elementwise import hadamard
from symflow.algebra.nodes import (
    Leaf,
    Scaled,
    Sum,
    Transposed,
    add,
    fold,
    product,
    scale,
    substitute,
    subtract,
    symbols_of,
    trace,
    transpose,
)
from symflow.codegen.lower import lower
from symflow.errors import InvalidArgument, ShapeMismatch

d, h, m = (as_width(name, "f") for name in "dhm")
W1 = Leaf(weight(1, h, d))
W2 = Leaf(weight(2, m, h))


def substituted(expression, values, size):
    """Put integer matrices for the letters of an entrywise expression."""
    replacement = {}
    for symbol, value in values.items():
        symbols = explicit(at_sizes(symbol, {SIZE: size}))
        replacement |= dict(zip(symbols, value.flat, strict=True))
    return expression.xreplace(
        {key: sympy.Integer(int(number)) for key, number in replacement.items()}
    )


@given(node=expressions(4), seed=st.integers(0, 2**16))
def test_sympy_form_has_the_value_of_the_node(node, seed):
    values = integer_values(seed, size=2)
    matrix = entrywise(at_sizes(to_sympy(node), {SIZE: 2}))
    expected = sympy.Matrix(value_of(node, values).tolist())
    assert substituted(matrix, values, 2).expand() == expected


@given(node=expressions(4), seed=st.integers(0, 2**16))
def test_sympy_form_of_a_trace_has_the_value_of_the_node(node, seed):
    values = integer_values(seed, size=2)
    scalar = add(trace(node), scale(sympy.Rational(1, 3), trace(transpose(node))))
    number = entrywise(at_sizes(to_sympy(scalar), {SIZE: 2}))
    assert substituted(number, values, 2).expand() == value_of(scalar, values)


@given(node=expressions(4))
def test_entrywise_agrees_with_sympy_as_explicit(node):
    expression = at_sizes(to_sympy(node), {SIZE: 2})
    ours = entrywise(expression)
    matrices = {s: explicit(at_sizes(s.symbol, {SIZE: 2})) for s in (A, B, S)}
    theirs = expression.as_explicit().xreplace(
        {
            sympy.MatrixSymbol(s.symbol.name, 2, 2)[i, j]: matrix[i, j]
            for s, matrix in matrices.items()
            for i in range(2)
            for j in range(2)
        }
        | {
            at_sizes(S.symbol, {SIZE: 2})[i, j]: matrices[S][i, j]
            for i in range(2)
            for j in range(2)
        }
    )
    assert (ours - theirs).expand().is_zero_matrix


def test_entries_of_a_symmetric_symbol_are_shared():
    symbol = SymmetricMatrixSymbol("Sigma_xx", 3, 3)
    matrix = explicit(symbol)
    assert matrix == matrix.T
    assert len(matrix.free_symbols) == 6
    assert entry_symbol(symbol, 2, 0).name == "Sigma_xx_0_2"
    assert entry_symbol(sympy.MatrixSymbol("A", 3, 3), 2, 0).name == "A_2_0"


def test_zero_and_identity_matrices_have_entries():
    assert entrywise(sympy.ZeroMatrix(2, 3)) == sympy.zeros(2, 3)
    assert entrywise(sympy.Identity(2)) == sympy.eye(2)


def test_constructors_keep_structure_and_shapes():
    end_to_end = product(W2, W1)
    assert end_to_end.shape == (W2.symbol.shape[0], W1.symbol.shape[1])
    assert transpose(transpose(end_to_end)) is end_to_end
    assert transpose(S) is S
    assert transpose(scale(3, A)) == scale(3, transpose(A))
    assert scale(2, scale(sympy.Rational(1, 2), A)) is A
    assert product(scale(2, A), scale(3, B)) == Scaled(sympy.S(6), product(A, B))
    assert add(add(A, B), S) == Sum((A, B, S))
    assert add(A) is A
    assert trace(A).shape == (1, 1)
    assert subtract(A, B) == add(A, scale(-1, B))


def test_symbols_come_in_order_of_appearance():
    node = add(product(B, A), S, product(A, B))
    assert symbols_of(node) == (B.symbol, A.symbol, S.symbol)


@given(node=expressions(3))
def test_nodes_compare_by_structure_after_pickling(node):
    copy = pickle.loads(pickle.dumps(node))
    assert copy == node
    assert hash(copy) == hash(node)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: product(W1, W2), "the inner sizes have to agree"),
        (lambda: add(W1, W2), "cannot be added"),
        (lambda: trace(W1), "needs a square matrix; got h×d"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ShapeMismatch, match=message):
        build()


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (product(transpose(W2), W2), "W₂ᵀW₂"),
        (product(A, add(A, B)), "A(A + B)"),
        (transpose(product(A, subtract(B, S))), "(Bᵀ − S)Aᵀ"),
        (scale(-1, A), "−A"),
        (scale(sympy.Rational(-1, 2), product(A, B)), "−1/2·AB"),
        (scale(sympy.Symbol("lambda"), A), "λ·A"),
        (scale(sympy.Rational(1, 2), trace(product(A, S))), "1/2·tr(AS)"),
    ],
)
def test_terminal_text_reads_as_on_paper(node, text):
    assert inline(to_sympy(node)) == text


def test_terminal_text_of_names_equations_and_powers():
    gram = sympy.MatPow(A.symbol * A.symbol.T, sympy.Rational(1, 3))
    assert inline(gram) == "(AAᵀ)^(1/3)"
    assert inline(sympy.Eq(sympy.Symbol("Sigma_yx"), sympy.Symbol("eta"))) == "Σ_yx = η"
    assert inline(sympy.MatrixSymbol("Wdot2", 2, 2)) == "Ẇ₂"


def test_widths_are_positive_integers_or_names():
    assert as_width(np.int64(3), "f") == 3
    assert as_width("h", "f") == as_width(sympy.Symbol("h"), "f")
    for wrong in (0, -1, True, 2.0, "", "two words", None, 1j, float("nan")):
        with pytest.raises(InvalidArgument, match="positive integer or a name"):
            as_width(wrong, "f")


def test_symbolic_widths_are_solved_from_shapes_or_refused():
    declared = [("W1", (h, d), (5, 3)), ("W2", (2, h), (2, 5))]
    assert solve_widths(declared) == {h: 5, d: 3}
    with pytest.raises(
        ShapeMismatch, match=r"W2 has shape 2×4 where 2×5 .*h = 5 by W1"
    ):
        solve_widths([declared[0], ("W2", (2, h), (2, 4))])
    with pytest.raises(ShapeMismatch, match="W2 has shape 3×5 where 2×h"):
        solve_widths([("W2", (2, h), (3, 5))])


def test_what_is_made_again_is_the_same_object_also_after_pickling():
    made = [product(A, transpose(B)) for _ in range(2)]
    assert made[0] is made[1]
    assert pickle.loads(pickle.dumps(made[0])) is made[0]
    assert copy.deepcopy(made[0]) is made[0]
    assert scale(2, A) is not scale(3, A)


def test_a_node_that_is_used_twice_is_visited_once():
    # without memory each of these takes 2^200 visits
    node = A
    for _ in range(200):
        node = hadamard(node, node)
    assert len(lower("f", [A.symbol], {"out": node}).instructions) == 200
    assert symbols_of(substitute(node, {A.symbol: B})) == (B.symbol,)
    assert push_forward(node, {A.symbol: B}).shape == A.shape
    assert not node.is_symmetric


def test_deep_expressions_need_no_recursion():
    node = A
    for _ in range(5000):
        node = Transposed(product(node, B))
    assert fold(node, lambda current, *below: 1 + max(below, default=0)) > 9000
    assert symbols_of(node) == (A.symbol, B.symbol)
