"""Words are a normal form: an identity holds for every width iff it cancels here."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st
from oracles.expressions import (
    A,
    B,
    S,
    expressions,
    integer_values,
    value_of,
)

from symflow.algebra import words
from symflow.algebra.nodes import (
    Leaf,
    add,
    product,
    scale,
    subtract,
    trace,
    transpose,
)

SEEDS = st.integers(0, 2**16)


def sum_of_words(expanded, values):
    """Evaluate a linear combination of words, letter by letter."""
    size = next(iter(values.values())).shape[0]
    total = np.zeros((size, size), dtype=object)
    for word, coefficient in expanded.items():
        letters = [values[s].T if flipped else values[s] for s, flipped in word]
        total = total + coefficient * reduce(np.matmul, letters)
    return total


@given(node=expressions(), seed=SEEDS)
def test_expansion_has_the_value_of_the_expression(node, seed):
    values = integer_values(seed, size=3)
    assert (sum_of_words(words.expand(node), values) == value_of(node, values)).all()


@given(left=expressions(2), right=expressions(2), seed=SEEDS)
def test_expansion_is_a_ring_homomorphism_with_involution(left, right, seed):
    values = integer_values(seed, size=2)
    x, y = (sum_of_words(words.expand(node), values) for node in (left, right))
    images = {
        add(left, right): x + y,
        product(left, right): x @ y,
        transpose(left): x.T,
        scale(sympy.Rational(2, 7), left): sympy.Rational(2, 7) * x,
    }
    for node, expected in images.items():
        assert (sum_of_words(words.expand(node), values) == expected).all()


@given(left=expressions(4), right=expressions(4), seed=SEEDS)
def test_an_expression_is_zero_exactly_when_it_vanishes_on_large_matrices(
    left, right, seed
):
    difference = subtract(left, right)
    vanishes = not value_of(difference, integer_values(seed)).any()
    assert (words.expand(difference) == {}) == vanishes


@given(node=expressions())
def test_equal_expressions_cancel(node):
    assert not words.expand(subtract(node, transpose(transpose(node))))
    assert not words.expand(scale(0, node))


def test_matrices_do_not_commute_but_binomials_expand():
    assert words.expand(subtract(product(A, B), product(B, A)))
    difference_of_squares = product(add(A, B), subtract(A, B))
    expected = add(
        product(A, A), scale(-1, product(A, B)), product(B, A), scale(-1, product(B, B))
    )
    assert words.expand(difference_of_squares) == words.expand(expected)


def test_a_symmetric_letter_has_no_transpose():
    skew = subtract(transpose(product(A, S)), product(S, transpose(A)))
    assert not words.expand(skew)
    assert words.expand(subtract(transpose(product(A, B)), product(B, A)))


@given(left=expressions(3), right=expressions(2), seed=SEEDS)
def test_trace_is_cyclic_and_blind_to_transposition(left, right, seed):
    turned = words.expand_trace(trace(product(left, right)))
    assert turned == words.expand_trace(trace(product(right, left)))
    assert turned == words.expand_trace(trace(transpose(product(left, right))))
    values = integer_values(seed, size=3)
    assert np.trace(sum_of_words(turned, values)) == value_of(
        trace(product(left, right)), values
    )


def test_trace_of_a_commutator_vanishes_and_of_a_square_does_not():
    commutator = subtract(product(A, B), product(B, A))
    assert words.expand_trace(trace(commutator)) == {}
    assert words.expand_trace(trace(product(commutator, commutator)))


def test_symbolic_coefficients_cancel():
    rate = sympy.Symbol("lambda")
    twice = add(scale(rate + 1, A), scale(-rate, A), scale(-1, A))
    assert not words.expand(twice)


@pytest.mark.parametrize(
    ("function", "node", "message"),
    [
        (words.expand, trace(A), "a Traced is not a matrix of words"),
        (words.expand_trace, Leaf(A.symbol), "a Leaf is not a sum of traces"),
    ],
)
def test_scalars_and_matrices_are_not_confused(function, node, message):
    with pytest.raises(TypeError, match=message):
        function(node)
