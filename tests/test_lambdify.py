"""lambdify of formulas and solutions: stable, exact limits, and picklable."""

from __future__ import annotations

import inspect
import pickle

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st

import symflow as sf
from symflow.codegen.targets.scalar import exprel, stable

FLOW = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
DATA = sf.whitened([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
MODE = sf.solve(FLOW, DATA, sf.spectral_init(1e-3))
SYMBOLS = sorted(MODE.formula.free_symbols, key=str)  # lambda, sigma, t, w0
FUNCTION = sf.lambdify(MODE.formula, SYMBOLS)


def test_a_mode_has_its_limits_without_a_warning():
    with np.errstate(all="raise"):
        assert float(FUNCTION(1.0, 3.0, 1e6, 1e-6)) == pytest.approx(3.0, rel=1e-15)
        assert float(FUNCTION(1.0, 0.0, 1e6, 1e-3)) == pytest.approx(1 / (1e3 + 2e6))
        assert float(FUNCTION(1.0, 0.0, 0.0, 1e-3)) == 1e-3
        assert float(FUNCTION(1.0, -2.0, 1e6, 0.5)) == 0.0


@given(
    sigma=st.floats(-3, 3) | st.floats(-1e-12, 1e-12),
    t=st.floats(0, 50),
    start=st.floats(1e-12, 5),
)
def test_a_mode_is_right_to_the_last_digits(sigma, t, start):
    context = mpmath.MPContext()
    context.dps = 60
    s, t_, w = (context.mpf(x) for x in (sigma, t, start))
    grown = 2 * t_ if s == 0 else -context.expm1(-2 * s * t_) / s
    exact = w / (w * grown + context.exp(-2 * s * t_))
    assert float(FUNCTION(1.0, sigma, t, start)) == pytest.approx(
        float(exact), rel=1e-13 * (1 + abs(sigma * t)), abs=1e-300
    )


def test_formulas_broadcast_pickle_and_show_their_source():
    times = np.linspace(0, 9, 4)
    values = FUNCTION(1.0, np.array([[1.0], [2.0]]), times, 0.1)
    assert values.shape == (2, 4)
    again = pickle.loads(pickle.dumps(FUNCTION))
    assert np.array_equal(again(1.0, np.array([[1.0], [2.0]]), times, 0.1), values)
    assert inspect.getsource(FUNCTION) == FUNCTION.source
    assert "exprel(-2*sigma*t)" in FUNCTION.source
    with pytest.raises(sf.InvalidArgument, match="takes 4 values; got 1"):
        FUNCTION(1.0)


def test_several_formulas_give_a_tuple():
    x, y = sympy.symbols("x y")
    total, ratio = sf.lambdify([x + y, x / y], [x, y])(1.0, 4.0)
    assert (float(total), float(ratio)) == (5.0, 0.25)


@given(st.floats(-30, 30) | st.floats(-1e-10, 1e-10))
def test_what_is_stable_is_the_same_function(u):
    x = sympy.Symbol("x")
    for expr in (
        (1 - sympy.exp(x)) / x,
        3 * sympy.exp(2 * x) + x - 3,
        2 - sympy.exp(x),
    ):
        form = stable(expr)
        assert sympy.simplify(form.rewrite(sympy.exp) - expr) == 0
    value = float(sf.lambdify(exprel(x), [x])(u))
    exact = float(mpmath.expm1(u) / u) if u else 1.0
    assert value == pytest.approx(exact, rel=1e-14)


def test_what_numpy_cannot_compute_is_refused_by_name():
    x = sympy.Symbol("x")
    with pytest.raises(sf.InvalidArgument, match=r"NumPy has no .*Use expr\.evalf"):
        sf.lambdify(sympy.zeta(x) + 1, [x])


def test_a_solution_becomes_a_function_of_time():
    t = sympy.Symbol("t")
    function = sf.lambdify(MODE, t)
    times = np.array([0.0, 2.0, 1e6])
    np.testing.assert_allclose(
        function(times), [MODE.end_to_end(time) for time in times], rtol=1e-13
    )
    with pytest.raises(sf.InvalidArgument, match="takes the time alone"):
        sf.lambdify(MODE, [t, sympy.Symbol("s")])


def test_a_matrix_of_formulas_becomes_an_array_that_ends_with_its_shape():
    s, t = sympy.symbols("s t")
    matrix = sympy.Matrix([[sympy.exp(-s * t), 0], [0, 1]])
    function = sf.lambdify(matrix, (t, s))
    np.testing.assert_allclose(function(1.0, 2.0), [[np.exp(-2.0), 0], [0, 1]])
    many = function(np.array([[0.0], [1.0]]), np.array([0.5, 1.0, 2.0]))
    assert many.shape == (2, 3, 2, 2)
    assert np.array_equal(many[1, 2], function(1.0, 2.0))
    constant = sf.lambdify(sympy.ImmutableMatrix([[1, 2, 3]]), [t])
    assert constant(np.zeros(4)).shape == (4, 1, 3)
    pair = sf.lambdify([matrix, s * t], (t, s))(1.0, 2.0)
    assert pair[0].shape == (2, 2)
    assert float(pair[1]) == 2.0
    assert np.array_equal(pickle.loads(pickle.dumps(function))(1.0, 2.0), pair[0])


def test_a_huge_formula_is_written_in_pieces():
    x, y, z = sympy.symbols("x y z")
    function = sf.lambdify(sympy.expand((x + y + z + 1) ** 16), [x, y, z])
    assert "_piece_0" in function.source
    assert float(function(0.1, 0.2, 0.3)) == pytest.approx(1.6**16, rel=1e-13)
    nested, value = x, 0.3
    for k in range(2, 90):
        nested, value = 1 + x / (k * nested), 1 + 0.3 / (k * value)
    assert float(sf.lambdify(nested, [x])(0.3)) == pytest.approx(value, rel=1e-14)
    bare = sf.lambdify(sympy.Add(*((x - k) ** 3 for k in range(400))), [x])
    assert float(bare(0.5)) == sum((0.5 - k) ** 3 for k in range(400))
