"""The gate from exact numbers to float, mpf and fixed point rounds once or refuses."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, strategies as st
from sympy.abc import x

import symflow as sf
from symflow.algebra import (
    as_fraction,
    exact,
    is_exact,
    numbers,
    to_fixed,
    to_float,
    to_mpf,
)
from symflow.errors import InvalidArgument

FRACTIONS = st.fractions() | st.builds(
    Fraction, st.integers(-(10**40), 10**40), st.integers(1, 10**40)
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PRECISIONS = st.integers(2, 300)

#: Integers whose square roots are irrational; brackets of √n are integer algebra.
SQUARE_ROOTS = st.integers(2, 10**12).filter(lambda n: math.isqrt(n) ** 2 != n)


def context_of(bits):
    context = mpmath.MPContext()
    context.prec = bits
    return context


def as_ratio(number):
    """Read an mpf as the fraction that it is, without symflow."""
    sign, mantissa, exponent, _ = number._mpf_
    return (-1) ** sign * int(mantissa) * Fraction(2) ** exponent


@given(value=FLOATS)
def test_a_float_is_the_dyadic_rational_that_it_is(value):
    assert exact(value) == sympy.Rational(*value.as_integer_ratio())
    assert as_fraction(value) == Fraction(value)
    assert to_float(exact(value)) == value
    assert not is_exact(value)


@given(value=FRACTIONS)
def test_a_fraction_survives_and_rounds_to_the_nearest_float(value):
    assert exact(value) == sympy.Rational(value.numerator, value.denominator)
    assert as_fraction(exact(value)) == value
    assert to_float(value) == float(value)  # CPython rounds a Fraction correctly
    assert is_exact(value)


@given(value=FRACTIONS, bits=PRECISIONS)
def test_an_mpf_is_the_fraction_rounded_once(value, bits):
    rounded = as_ratio(to_mpf(value, context_of(bits)))
    assume(value != 0)
    # Half a unit in the last place; a second rounding would add to it.
    exponent = _binary_exponent(abs(value))
    assert abs(rounded - value) <= Fraction(2) ** (exponent - bits) / 2


def _binary_exponent(value):
    """Return e with 2^(e−1) ≤ value < 2^e."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent + 1 if value >= Fraction(2) ** exponent else exponent


@given(value=FRACTIONS, bits=st.integers(-20, 300))
def test_fixed_point_is_the_nearest_integer(value, bits):
    scaled = value * Fraction(2) ** bits
    assert abs(to_fixed(value, bits) - scaled) <= Fraction(1, 2)


@given(radicand=SQUARE_ROOTS, bits=PRECISIONS)
def test_an_irrational_number_is_the_nearest_mpf(radicand, bits):
    number = to_mpf(sympy.sqrt(radicand), context_of(bits))
    value = as_ratio(number)
    ulp = Fraction(2) ** (number._mpf_[2] + number._mpf_[3] - bits)
    # √n lies within half a unit iff the ends of that interval have squares around n.
    assert (value - ulp / 2) ** 2 < radicand < (value + ulp / 2) ** 2


@given(radicand=SQUARE_ROOTS, bits=st.integers(-5, 200))
def test_an_irrational_number_is_the_nearest_fixed_point(radicand, bits):
    number = to_fixed(sympy.sqrt(radicand), bits)
    scaled = radicand * Fraction(4) ** bits
    low, high = max(Fraction(0), number - Fraction(1, 2)), number + Fraction(1, 2)
    assert low**2 <= scaled <= high**2
    assert to_fixed(-sympy.sqrt(radicand), bits) == -number


@given(radicand=SQUARE_ROOTS)
def test_an_irrational_number_is_the_nearest_float(radicand):
    value = to_float(sympy.sqrt(radicand))
    below, above = (Fraction(math.nextafter(value, end)) for end in (-1, math.inf))
    middle = [(Fraction(value) + neighbour) / 2 for neighbour in (below, above)]
    assert middle[0] ** 2 < radicand < middle[1] ** 2


def test_cancellation_does_not_cost_digits():
    # 1/(√(10^40 + 1) + 10^20) by rationalizing: the difference has 20 digits fewer.
    difference = sympy.sqrt(10**40 + 1) - 10**20
    with mpmath.workdps(60):
        expected = 1 / (mpmath.sqrt(mpmath.mpf(10) ** 40 + 1) + mpmath.mpf(10) ** 20)
        error = abs(to_mpf(difference, context_of(100)) / expected - 1)
    assert error < 2.0**-99


@pytest.mark.parametrize(
    ("given_as", "number"),
    [
        ("1/3", sympy.Rational(1, 3)),
        ("0.1", sympy.Rational(1, 10)),
        ("sqrt(2)", sympy.sqrt(2)),
        (Decimal("0.1"), sympy.Rational(1, 10)),
        (np.float32(0.1), sympy.Rational(13421773, 2**27)),
        (np.int64(-7), sympy.Integer(-7)),
        (mpmath.mpf("0.75"), sympy.Rational(3, 4)),
        (sympy.Float("0.5", 50), sympy.Rational(1, 2)),
    ],
)
def test_numbers_of_other_kinds_are_read_exactly(given_as, number):
    assert exact(given_as) == number
    assert to_float(given_as) == float(number)


NOT_NUMBERS = [
    True,
    "9**9**9",
    "factorial(10**9)",
    "0.1**99999999999",
    "exp(exp(exp(100)))",
    "1e3000000000",
    "sqrt(10**4000+7)",
    Decimal("1e999999999"),
    float("nan"),
    float("inf"),
    -math.inf,
    np.float64("nan"),
    mpmath.mpf("nan"),
    mpmath.mpf("-inf"),
    mpmath.mpc(1, 1),
    sympy.nan,
    sympy.oo,
    sympy.zoo,
    sympy.I,
    sympy.sqrt(-2),
    x,
    1j,
    "",
    "nan",
    "-inf",
    "three",
    "f(",
    "1, 2",
    None,
    [1],
    b"1",
]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_what_is_not_a_finite_real_number_is_refused_everywhere(value):
    conversions = [
        exact,
        to_float,
        lambda number: to_fixed(number, 20),
        lambda number: to_mpf(number, context_of(50)),
    ]
    for convert in conversions:
        with pytest.raises(InvalidArgument, match=r"finite|real number"):
            convert(value)


def test_a_number_beyond_the_range_of_floats_is_refused():
    with pytest.raises(InvalidArgument, match="beyond the range"):
        to_float(10**400)
    with pytest.raises(InvalidArgument, match="too large"):
        to_float(sympy.exp(10**10))
    assert to_float(Fraction(1, 10**400)) == 0.0


def test_the_global_precision_of_mpmath_is_not_read():
    with mpmath.workprec(10):
        assert as_ratio(to_mpf(Fraction(1, 3), context_of(60))) != Fraction(1, 3)
        assert to_fixed(sympy.sqrt(2), 100) == (math.isqrt(2 << 202) + 1) // 2
        assert to_float(sympy.sqrt(2)) == math.sqrt(2)


@pytest.mark.parametrize(
    "text",
    [
        "print('run')",
        "__import__('os').getpid()",
        "().__class__",
        "[print('run')][0]",
        "(lambda: 3)()",
        "1 if print('run') else 2",
        "f'{print(1)}'",
        "sqrt(print('run'))",
        "1/3 +",
        "1\x00",
        "",
    ],
)
def test_the_text_of_a_number_is_never_run_as_code(text, capsys):
    """SymPy evaluates a text as Python, and --l2 and files handed theirs to it."""
    for make in (lambda: sf.SquaredLoss(l2=text), lambda: exact(text)):
        with pytest.raises(sf.InvalidArgument, match="needs a real number"):
            make()
    with pytest.raises(sf.InvalidArgument, match="needs a SymPy expression"):
        sf.CustomLoss(text)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "text", ["1/3", " 0.1", "-sqrt(2)/2", "1e-3", "2^3", "2**-3", "exp(1)*pi + E"]
)
def test_arithmetic_is_read_as_sympy_reads_it(text):
    assert exact(text) == sympy.sympify(text, rational=True)


def test_binary_numbers_are_rounded_as_their_ratios_are() -> None:
    contexts = [mpmath.MPContext() for _ in range(3)]
    for context, bits in zip(contexts, (17, 53, 200), strict=True):
        context.prec = bits
    wide = mpmath.MPContext()
    wide.prec = 400
    rng = np.random.default_rng(0)
    mantissas = [
        int(m) * 2**k + r
        for m in rng.integers(1, 2**62, 9)
        for k in (0, 90)
        for r in (0, 1)
    ] + [0, 2**53 + 1, 2**54 + 2, 3 * 2**53 + 2, 1027 * 2**60 - 1]
    for mantissa in mantissas:
        for exponent in (-1135, -1100, -1074, -1022, -300, 0, 300, 800):
            value = wide.mpf(-mantissa) * wide.mpf(2) ** exponent
            ratio = -mantissa * Fraction(2) ** exponent
            assert to_float(value) == float(ratio)
            for context in contexts:
                seen, said = to_mpf(value, context), to_mpf(ratio, context)
                assert seen._mpf_ == said._mpf_
    for number in (5e-324, -0.0, 1e308, 0.1, np.float64(-2.5)):
        for context in contexts:
            seen, said = to_mpf(number, context), to_mpf(Fraction(number), context)
            assert seen._mpf_ == said._mpf_
    for refused in (wide.inf, wide.nan, np.inf, wide.mpf(2) ** (1 << 27)):
        for call in (to_float, lambda value: to_mpf(value, wide)):
            with pytest.raises(InvalidArgument):
                call(refused)


def test_a_number_of_the_same_context_is_rounded_only_where_it_has_more_digits():
    own = numbers.context_of(50)
    assert numbers.context_of(50) is not own
    third = own.mpf(1) / 3
    assert to_mpf(third, own) is third
    with own.workdps(20):
        assert as_ratio(to_mpf(third, own)) == as_ratio(+third) != as_ratio(third)
    for endless in (own.inf, own.nan):
        with pytest.raises(InvalidArgument):
            to_mpf(endless, own)


@pytest.mark.parametrize(
    "exponent",
    [Fraction(-2101, 3), Fraction(1, 3), Fraction(-1, 7**50), Fraction(-(10**6))],
)
def test_powers_of_e_have_all_of_their_bits(exponent):
    # what an exponent has before its point is missing after it
    power = sympy.exp(sympy.Rational(exponent))
    found = as_fraction(mpmath.make_mpf(numbers._evaluate(power, 60)))
    with localcontext(prec=40, Emin=-(10**9)):
        other = (Decimal(exponent.numerator) / exponent.denominator).exp()
        ratio = Decimal(found.numerator) / Decimal(found.denominator) / other
    assert abs(ratio - 1) < 2.0**-60
