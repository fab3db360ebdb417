"""Scalar modes: published digits, every sign, and the range of float64."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st
from oracles.mutations import mutations

import symflow as sf
from symflow.precision import precise
from symflow.solutions import InfiniteDepth, solve
from symflow.solutions.any_precision import context_of
from symflow.solutions.reduction import frame_steps
from symflow.solutions.time.power_series import deep_strengths

DATA = sf.Moments([[Fraction(7, 10)]], [[Fraction(13, 10)]])


def deep_strength(context, depth, time, *mode):
    return next(deep_strengths(context, depth, [time], *mode))


def _flow(*widths):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())


def test_published_digits_of_a_balanced_mode():
    start = sympy.sqrt(sympy.Rational(1, 20))
    solution = solve(_flow(1, 1, 1), DATA, ([[start]], [[start]]))
    value = solution.precise(2, digits=40)[0, 0]
    assert mpmath.nstr(value, 30) == "1.54841338397028720602496782823"


def test_published_digits_of_an_imbalanced_mode():
    start = ([[Fraction(8, 10)]], [[Fraction(-3, 10)]])
    solution = solve(_flow(1, 1, 1), DATA, start)
    assert solution.name == "HyperbolicMode"
    value = solution.precise(Fraction(3, 2), digits=40)[0, 0]
    assert mpmath.nstr(value, 29) == "1.2415592966396607449899629404"


@pytest.mark.parametrize(
    ("depth", "digits"),
    [
        (3, "0.293505384281352927601267709025"),
        (5, "0.238694990184679831235894439916"),
    ],
)
def test_published_digits_of_deep_modes(depth, digits):
    context = context_of(40)
    sigma, lam, start = (context.mpf(k) / 100 for k in (130, 70, 5))
    value = deep_strength(context, depth, context.one, sigma, lam, start)
    assert context.nstr(value, 30) == digits


@settings(max_examples=20)
@given(
    depth=st.integers(3, 8),
    sigma=st.integers(-30, 30),
    lam=st.integers(1, 30),
    start=st.integers(1, 400),
    time=st.integers(1, 100),
)
def test_deep_modes_solve_their_equation_on_every_branch(
    depth, sigma, lam, start, time
):
    context = context_of(50)
    s, lamda, w0, t = (context.mpf(k) / 10 for k in (sigma, lam, start, time))
    step = context.mpf(10) ** -15
    w, before, after = (
        deep_strength(context, depth, t + k * step, s, lamda, w0) for k in (0, -1, 1)
    )
    speed = depth * w ** (2 - context.mpf(2) / depth) * (s - lamda * w)
    # the central difference is off by step² times a third derivative
    assert abs((after - before) / (2 * step) - speed) < 1e-22 * (1 + abs(speed))
    assert abs(deep_strength(context, depth, step**2, s, lamda, w0) - w0) < 1e-20 * w0


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("widths", [(2, 2, 2), (2, 2, 2, 2)])
def test_floats_keep_twelve_digits_over_scales_and_times(scale, widths):
    data = sf.Moments(np.diag([1.0, 0.5]), np.diag([3.0, 1.0]))
    solution = solve(_flow(*widths), data, [scale * np.eye(2)] * (len(widths) - 1))
    for time in (0.0, 1e-9, 1e-3, 1.0, 4.6, 9.2, 30.0, 1e3, 1e8):
        sharp = solution.precise(time, digits=20).astype(float)
        gap = np.abs(np.diag(solution.end_to_end(time)) / np.diag(sharp) - 1)
        assert gap.max() < 1e-12


@settings(max_examples=20)
@given(
    a=st.integers(-40, 40),
    b=st.integers(-40, 40),
    sigma=st.integers(-20, 20),
    lam=st.integers(1, 20),
    time=st.integers(1, 80),
)
def test_imbalanced_modes_agree_with_integration_whatever_the_signs(
    a, b, sigma, lam, time
):
    if a == b == 0:
        return
    data = sf.Moments([[Fraction(lam, 10)]], [[Fraction(sigma, 10)]])
    start = ([[Fraction(a, 10)]], [[Fraction(b, 10)]])
    flow, t = _flow(1, 1, 1), Fraction(time, 10)
    solution = next(
        s for s in solve(flow, data, start, all=True) if s.name == "HyperbolicMode"
    )
    run = precise(flow, data, start, [t], digits=35)
    value, truth = solution.precise(t, digits=35)[0, 0], run.end_to_end[0, 0, 0]
    size = 1 + abs(float(truth))
    assert abs(float(value - value.context.mpf(truth))) < 1e-31 * size
    floats = solution.weights(float(t))
    for mine, theirs in zip(floats, run.weights, strict=True):
        assert mine[0, 0] == pytest.approx(float(theirs[0, 0, 0]), abs=1e-13 * size)


def test_a_mode_that_starts_at_zero_stays_at_its_saddle():
    data = sf.whitened([[3, 0], [0, 1]])
    start = ([[1, 0], [0, 0]], [[1, 0], [0, 0]])
    for solution in solve(_flow(2, 2, 2), data, start, all=True):
        late = solution.end_to_end(1e8)
        assert np.allclose(late, [[3, 0], [0, 0]], atol=1e-14), solution.name


def test_linear_regression_keeps_what_the_data_do_not_see():
    data = sf.Moments([[2, 0], [0, 0]], [[4, 0]])
    solution = solve(_flow(2, 1), data, [[[1, 5]]])
    assert solution.limit.tolist() == [[2.0, 5.0]]
    assert solution.end_to_end(1e8).tolist() == [[2.0, 5.0]]


def test_hundreds_of_digits_of_a_deep_mode():
    context, more = context_of(300), context_of(340)
    values = [
        deep_strength(c, 3, c.mpf(2), c.mpf(13) / 10, c.mpf(7) / 10, c.mpf(1) / 20)
        for c in (context, more)
    ]
    assert abs(more.mpf(values[0]) - values[1]) < more.mpf(10) ** -297


def test_the_infinitely_deep_mode_is_proved():
    mode = InfiniteDepth(2, 1, Fraction(1, 10))
    assert mode.verify() == 0
    for mutant in mutations(mode.formula):
        assert mode.residual(mutant) != 0, mutant


@pytest.mark.parametrize("start", [Fraction(1, 20), Fraction(5)])
def test_deep_modes_approach_the_infinitely_deep_one(start):
    mode = InfiniteDepth(Fraction(13, 10), Fraction(7, 10), start)
    context = context_of(30)
    sigma, lam = context.mpf(13) / 10, context.mpf(7) / 10
    w0, time = context.mpf(start.numerator) / start.denominator, 9
    gaps = [
        float(deep_strength(context, depth, context.mpf(time) / depth, sigma, lam, w0))
        - float(mode.precise(time))
        for depth in (200, 400, 800)
    ]
    # first order in 1/L
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.05)
    assert gaps[1] / gaps[2] == pytest.approx(2, rel=0.05)


def test_the_infinitely_deep_mode_starts_and_ends_right_from_any_scale():
    for start in (1e-12, 1.0, 1e6):
        values = InfiniteDepth(2.0, 0.5, start).strength([0.0, 1e-9, 1e15])
        assert values[0] == pytest.approx(start, rel=1e-12)
        assert values[2] == pytest.approx(4.0, rel=1e-12)
    with pytest.raises(sf.InvalidArgument, match="positive"):
        InfiniteDepth(-1, 1, 1)


DIAGONAL_FLOWS = (
    r"\dot{A}_{1} = \Sigma - A_{1} \Lambda",
    r"\dot{A}_{1} = A_{2} \left(\Sigma - A_{2} A_{1} \Lambda\right)",
    r"\dot{A}_{1} = A_{3} A_{2} \left(\Sigma - A_{3} A_{2} A_{1} \Lambda\right)",
)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_flow_that_is_displayed_for_diagonal_layers_is_theirs(depth):
    """As one writes it, and as the gradient of ½λp² − σp, p = a_1⋯a_L, per mode."""
    form, flow = frame_steps(depth)
    assert form.latex == r"W_{1} = R_{1} A_{1} R_{0}^{T}"
    assert form.definition
    assert flow.proved
    assert flow.latex == DIAGONAL_FLOWS[depth - 1]
    names = [f"A{k}" for k in range(1, depth + 1)] + ["Sigma", "Lambda"]
    modes = {name: sympy.symbols(f"{name.lower()}_1:3") for name in names}
    places = {
        symbol: sympy.diag(*modes[symbol.name])
        for symbol in flow.equation.rhs.atoms(sympy.MatrixSymbol)
    }
    size = next(iter(places)).shape[0]
    shown = flow.equation.rhs.subs(size, 2).doit()
    shown = shown.subs({s.subs(size, 2): m for s, m in places.items()}).doit()
    for mode in range(2):
        *layers, sigma, lam = (modes[name][mode] for name in names)
        product = sympy.prod(layers)
        slope = sympy.diff(sigma * product - lam * product**2 / 2, layers[0])
        assert sympy.expand(shown[mode, mode] - slope) == 0
    assert shown[0, 1] == shown[1, 0] == 0
