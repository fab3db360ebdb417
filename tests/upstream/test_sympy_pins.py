"""What symflow works round upstream: each test states the right behaviour.

A test here fails today and is expected to.  When it passes, upstream is repaired,
strictness turns that into a failure, and the detour in symflow can be reconsidered.
"""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest
import sympy
from sympy import MatrixSymbol, Rational, Trace, diff, exp, log, sqrt, symbols

m, n = symbols("m n", integer=True, positive=True)
rate = symbols("lambda", positive=True)
W, S = MatrixSymbol("W", m, n), MatrixSymbol("S", m, n)
t, target, start = symbols("t s u0", positive=True)
TWO = {m: 2, n: 2}


def broken(reason, raises=AssertionError):
    return pytest.mark.xfail(strict=True, raises=raises, reason=reason)


def has_gradient(expression, gradient):
    """Compare a derivative with the right one, entry by entry at size 2×2."""
    derivative = diff(expression, W)
    if derivative == 0:
        return False
    difference = (derivative - gradient).xreplace(
        {size: sympy.Integer(number) for size, number in TWO.items()}
    )
    return difference.as_explicit().applyfunc(sympy.simplify).is_zero_matrix


SQUARE = Trace(W.T * W)
LOSS = Trace((W - S).T * (W - S)) / 2


def test_the_comparison_accepts_a_right_derivative():
    assert has_gradient(LOSS, W - S)
    assert has_gradient(SQUARE, 2 * W)


@broken("sympy#27406, #23492: the derivative of a sum of traces is 0")
def test_loss_with_weight_decay():
    assert has_gradient(LOSS + rate * SQUARE / 2, W - S + rate * W)


@broken("sympy#27406: a loss plus a constant has derivative 0")
def test_loss_plus_a_constant():
    assert has_gradient(LOSS + rate, W - S)


@broken("sympy#30527: the square of a squared norm of a sum", raises=TypeError)
def test_square_of_a_trace():
    assert has_gradient(4 * LOSS**2, 8 * LOSS * (W - S))


@broken("sympy#23931: the exponential of a trace has derivative 0")
def test_exponential_of_a_trace():
    inner = Trace(S.T * W)
    assert has_gradient(exp(-inner), -exp(-inner) * S)


@broken("sympy#24725: the logarithm of one plus a trace has derivative 0")
def test_logarithm_of_a_trace():
    inner = Trace(S.T * W)
    assert has_gradient(log(1 + inner), S / (1 + inner))


@broken("sympy#25118: the square root of a trace raises", raises=TypeError)
def test_root_of_a_trace():
    assert has_gradient(sqrt(SQUARE), W / sqrt(SQUARE))


@broken("sympy#16910: dsolve finds no solution of the scalar two-layer flow")
def test_dsolve_on_the_scalar_two_layer_flow():
    a, b = sympy.Function("a"), sympy.Function("b")
    force = target - a(t) * b(t)
    system = [
        sympy.Eq(a(t).diff(t), b(t) * force),
        sympy.Eq(b(t).diff(t), a(t) * force),
    ]
    assert sympy.dsolve(system)


@broken("initial conditions put the logistic mode on a complex branch")
def test_dsolve_on_the_logistic_mode_stays_real():
    u = sympy.Function("u")
    equation = sympy.Eq(u(t).diff(t), 2 * u(t) * (target - u(t)))
    solution = sympy.dsolve(equation, u(t), ics={u(0): start}).rhs
    function = sympy.lambdify((t, target, start), solution, "numpy")
    with np.errstate(invalid="ignore"):
        assert np.isfinite(function(0.5, 3.0, 0.1))


@broken("sympy#12023: lambdified functions do not pickle", raises=pickle.PicklingError)
def test_lambdified_functions_pickle():
    pickle.dumps(sympy.lambdify(t, t**2))


@broken("sympy has no NumPy code for a trace", raises=Exception)
def test_lambdify_of_a_trace():
    A = MatrixSymbol("A", 2, 2)
    assert sympy.lambdify(A, Trace(A), "numpy")(np.eye(2)) == 2


@broken("sympy has no NumPy code for fractional matrix powers", raises=TypeError)
def test_lambdify_of_a_matrix_root():
    A = MatrixSymbol("A", 2, 2)
    root = sympy.lambdify(A, sympy.MatPow(A, Rational(1, 2)), "numpy")
    np.testing.assert_allclose(root(4 * np.eye(2)), 2 * np.eye(2))


@broken("sympy#27632, #19259: constants are not broadcast")
def test_lambdified_constants_broadcast():
    assert np.shape(sympy.lambdify(t, sympy.Integer(3), "numpy")(np.zeros(4))) == (4,)


@broken("sympy#24036: arrays and constants are not stacked", raises=ValueError)
def test_lambdified_matrices_take_arrays():
    column = sympy.lambdify(t, sympy.Matrix([t, 1]), "numpy")
    assert column(np.zeros(4)).shape[-1] == 4


@broken("sympy#16464: modules='sympy' prints rationals as Python floats")
def test_lambdified_rationals_stay_exact():
    third = sympy.lambdify(t, t + Rational(1, 3), modules="sympy")
    assert third(sympy.Integer(0)) == Rational(1, 3)


@broken("mpmath#683: a sum of two contexts has the precision of the left one")
def test_contexts_of_mpmath_do_not_mix_silently():
    fine, coarse = mpmath.MPContext(), mpmath.MPContext()
    fine.dps = 60
    total = coarse.mpf(0) + fine.mpf(1) / 3
    assert abs(fine.mpf(total) * 3 - 1) < fine.mpf(10) ** -59
