"""Arrays are float64 or exact, never mixed, and hold finite real numbers only."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pandas as pd
import pytest
import sympy
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from symflow.algebra import (
    as_array,
    is_exact_array,
    to_exact_array,
    to_fixed_array,
    to_float_array,
    to_mpf_array,
)
from symflow.errors import InvalidData, ShapeMismatch

FINITE = st.floats(-1e6, 1e6)
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=4)


@given(values=arrays.arrays(np.float64, SHAPES, elements=FINITE))
def test_floats_stay_the_floats_that_they_are(values):
    array = as_array(values, "f(x)")
    assert array.dtype == np.float64
    assert not is_exact_array(array)
    np.testing.assert_array_equal(array, values)
    np.testing.assert_array_equal(to_float_array(to_exact_array(array)), values)


@given(values=arrays.arrays(object, SHAPES, elements=st.fractions()))
def test_fractions_stay_exact_until_they_are_rounded_once(values):
    array = as_array(values, "f(x)")
    assert is_exact_array(array)
    assert all(isinstance(entry, sympy.Rational) for entry in array.flat)
    rounded = to_float_array(array)
    assert rounded.dtype == np.float64
    assert [float(entry) for entry in values.flat] == rounded.ravel().tolist()
    fixed = to_fixed_array(array, 80)
    for number, entry in zip(fixed, values.flat, strict=True):
        assert abs(number - entry * 2**80) <= Fraction(1, 2)


def test_mpf_arrays_have_the_precision_of_their_context():
    context = mpmath.MPContext()
    context.dps = 60
    array = as_array(sympy.Matrix([[sympy.Rational(1, 3), sympy.sqrt(2)]]), "f(x)")
    third, root = to_mpf_array(array, context).flat
    assert abs(3 * third - 1) < context.mpf(10) ** -59
    assert abs(root**2 - 2) < context.mpf(10) ** -58


@pytest.mark.parametrize(
    ("value", "is_exact"),
    [
        ([[1, 2], [3, 4]], True),
        ([[1, 2.5]], False),
        ([[Fraction(1, 3), 2]], True),
        ([[Fraction(1, 3), 0.5]], False),
        (sympy.Matrix([[1, sympy.pi]]), True),
        (sympy.Matrix([[1, sympy.Float(0.5)]]), False),
        (np.array([[True, False]]), False),
        (pd.DataFrame({"a": [1.0, 2.0]}), False),
        (pd.DataFrame({"a": [1, 2]}), True),
    ],
)
def test_one_float_makes_the_array_float(value, is_exact):
    array = as_array(value, "f(x)")
    assert is_exact_array(array) == is_exact
    assert (array.dtype == np.float64) == (not is_exact)


def test_integers_count_as_floats_where_the_caller_says_so():
    assert as_array([[1, 2]], "f(x)", integers_exact=False).dtype == np.float64
    mixed = np.array([[1, 2]], dtype=object)
    assert as_array(mixed, "f(x)", integers_exact=False).dtype == np.float64
    thirds = [[Fraction(1, 3), 2]]
    assert is_exact_array(as_array(thirds, "f(x)", integers_exact=False))


def test_a_vector_is_a_column():
    assert as_array([1.0, 2.0], "f(x)").shape == (2, 1)


def test_the_result_does_not_share_memory_with_the_input():
    values = np.ones((2, 2))
    as_array(values, "f(x)")[0, 0] = 7.0
    assert values[0, 0] == 1.0


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([[1.0, np.nan]], InvalidData, "row 0, column 1 is nan"),
        ([[1.0], [np.inf]], InvalidData, "row 1, column 0 is inf"),
        ([[1.0, 1j]], InvalidData, "complex"),
        ([["a", 1.0]], InvalidData, "not a number"),
        ([["1/3", "2"]], InvalidData, "not a number"),
        (np.array([["1", 2.0]], dtype=object), InvalidData, "'1' is not a number"),
        (np.array([[None, 2.0]], dtype=object), InvalidData, "None is not a number"),
        ([[sympy.Symbol("x")]], InvalidData, "x is not a number"),
        ([[sympy.I, 1]], InvalidData, "real number"),
        ([[sympy.oo, 1]], InvalidData, "finite"),
        ([[sympy.nan, Fraction(1, 2)]], InvalidData, "finite"),
        (np.array([[1j, 2.0]], dtype=object), InvalidData, r"f\(x\)"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), InvalidData, "not a number"),
        ([[1.0], [1.0, 2.0]], ShapeMismatch, "rows of equal length"),
        ([], ShapeMismatch, "non-empty"),
        (3.0, ShapeMismatch, "non-empty matrix"),
        (np.ones((2, 2, 2)), ShapeMismatch, r"\(2, 2, 2\)"),
    ],
    ids=str,
)
def test_what_is_no_matrix_of_numbers_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        as_array(value, "f(x)")
