"""`certify`: claims proven, refuted, or left open on one instance."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import final

import flint
import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st

import symflow as sf
from symflow.bias import LeastNorm
from symflow.conservation import PolynomialSearch
from symflow.flow.least_squares import exact_least_norm
from symflow.flow.problem import bind

TINY = sympy.Rational(1, 10**30)
FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
DATA, INIT = sf.whitened([[3, 1], [1, 2]]), sf.spectral_init(0.1)
(LAW,) = sf.conserved(FLOW)
PROVEN, REFUTED, OPEN = sf.Status.ENCLOSED, sf.Status.REFUTED, sf.Status.UNDECIDED


@pytest.fixture(scope="module")
def ball():
    return sf.enclose(FLOW, DATA, INIT, [0, 1, 2], digits=40)


def test_a_closed_form_is_proven_and_one_changed_by_1e_minus_30_is_refuted(ball):
    proven = sf.certify(sf.solve(FLOW, DATA, INIT), ball)
    assert proven.status is PROVEN
    assert 0 < proven.radius < 1e-39
    assert proven.gap == 0
    assert "mpmath" in proven.proof[-1]
    assert proven.raise_if_failed() is proven
    moved = sf.whitened([[3, 1], [1, 2 + TINY]])
    wrong = sf.certify(sf.solve(FLOW, moved, INIT), ball)
    assert wrong.status is REFUTED
    assert 1e-31 < wrong.gap < 1e-28
    with pytest.raises(sf.ValidationFailed, match="refuted, off by more than"):
        wrong.raise_if_failed()


def test_laws_are_proven_and_mutants_refuted(ball):
    (law,) = sf.conserved(FLOW)
    proven = sf.certify(law, ball)
    assert proven.ok
    assert proven.radius < 1e-38
    found = sf.conserved(FLOW, search=PolynomialSearch(2))
    several = sf.certify(found, ball)
    assert [repr(one) for one in several] == [repr(sf.certify(x, ball)) for x in found]
    assert all(one.ok for one in several)
    assert repr(several).splitlines()[0].startswith("  1. ")
    assert len(repr(several).splitlines()) == len(found)
    entry = FLOW.entries((2, 2, 2)).state[0]
    # one coefficient changed by 1e-30 of the others, which stay integers
    wrong = replace(found[0], expr=found[0].expr / TINY + entry**2)
    certificate = sf.certify(wrong, ball)
    assert certificate.status is REFUTED
    assert certificate.gap > 1e-3


def test_decaying_laws_are_proven_with_weight_decay():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(l2="1/10"))
    start = [[[1, 2], [0, 1]], [[1, 0], [1, 1]]]
    (law,) = sf.conserved(flow)
    assert not law.is_conserved
    certificate = sf.certify(law, flow, DATA, start, [1, 2], digits=30)
    assert certificate.ok
    other = replace(law, flow=FLOW)
    assert sf.certify(other, flow, DATA, start, 1, digits=20).status is REFUTED


def test_a_decaying_law_is_refuted_by_a_limit_that_is_not_zero():
    (law,) = sf.conserved(sf.gradient_flow(FLOW.network, sf.SquaredLoss(l2=1)))
    start = [np.diag([1, 2]), np.eye(2, dtype=int)]
    certificate = sf.certify(law, FLOW, DATA, start, sympy.oo, digits=9)
    assert certificate.status is REFUTED


def test_rates_are_proven_and_faster_ones_refuted():
    start = ([[2, 0], [0, 2]], [[1, 0], [0, 1]])
    ball = sf.enclose(FLOW, DATA, start, [0, Fraction(1, 4), 1], digits=20)
    rate = next(b for b in sf.rates(FLOW, DATA, start) if b.name == "ImbalanceRate")
    proven = sf.certify(rate, ball)
    assert proven.ok
    assert proven.radius == 0
    assert "inequality holds at t = 0, 0.25, 1" in proven.proof[0]
    assert sf.certify(replace(rate, constant=50.0), ball).status is REFUTED
    late = sf.enclose(FLOW, DATA, start, 30, digits=5)
    assert sf.certify(rate, late).status is OPEN


X = sympy.Matrix([[3, -1, 2, 0], [1, 2, -2, 4]])
LEAST = sf.Dataset(X, sympy.Matrix([[2], [-3]]))
REGRESSION = sf.gradient_flow(sf.LinearNetwork(4, 3, 1), sf.SquaredLoss())
INSIDE = (
    sympy.Matrix([[8, 4], [2, -8], [4, 4]]) * X / 64,
    sympy.Matrix([[2, 4, -1]]) / 8,
)


def test_the_least_norm_limit_is_proven_where_it_holds_and_refuted_elsewhere():
    bias = sf.implicit_bias(REGRESSION, LEAST, INSIDE)
    inside = sf.enclose(REGRESSION, LEAST, INSIDE, sf.oo, digits=20)
    certificate = sf.certify(bias, inside)
    assert certificate.ok
    assert certificate.radius < 1e-19
    assert certificate.times == (sf.oo,)
    (row,) = sf.validate([bias], inside).rows
    assert row.status == "enclosed"
    assert row.ok
    generic = [INSIDE[0] + sympy.ones(3, 4) / 16, INSIDE[1]]
    problem = bind(REGRESSION, LEAST, generic)
    other = sf.certify(
        LeastNorm(problem, ()), REGRESSION, LEAST, generic, sf.oo, digits=10
    )
    assert other.status is REFUTED
    assert other.gap > 1e-3


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), rank=st.integers(1, 3))
def test_the_exact_least_norm_solution_is_that_of_numpy(seed, rank):
    rng = np.random.default_rng(seed)
    X = rng.integers(-4, 5, (rank, 3)) * Fraction(1, 3)
    Y = rng.integers(-4, 5, (rank, 2)) * Fraction(1, 3)
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
    problem = bind(flow, sf.Dataset(X, Y), sf.gaussian_init(1, rng=0))
    exact = exact_least_norm(problem)
    other = (np.linalg.pinv(X.astype(float)) @ Y.astype(float)).T
    assert np.allclose(exact.astype(float), other, atol=1e-9)


def test_an_irrational_problem_has_no_rational_solution():
    one = sf.whitened([[sympy.sqrt(2)]])
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    assert exact_least_norm(bind(flow, one, [[[1]], [[1]]])) is None


def test_hypotheses_that_hold_only_up_to_rounding_leave_the_claim_open():
    data = sf.whitened(np.array([[3.1, 1.0], [1.0, 2.7]]))
    left, _, right = np.linalg.svd([[3.1, 1.0], [1.0, 2.7]])
    start = (0.3 * right, 0.3 * left)
    solution = sf.solve(FLOW, data, start)
    certificate = sf.certify(solution, FLOW, data, start, 1, digits=30)
    assert certificate.status is OPEN
    assert "only up to rounding" in certificate.proof[0]
    assert certificate.radius == np.inf


def test_what_has_no_ball_arithmetic_is_left_open(ball):
    instant = next(
        b for b in sf.rates(FLOW, DATA, INIT) if b.name == "InstantaneousRate"
    )
    assert sf.certify(instant, ball).status is OPEN
    bias = sf.implicit_bias(REGRESSION, LEAST, INSIDE)
    early = sf.certify(bias, REGRESSION, LEAST, INSIDE, 1, digits=9)
    assert early.status is OPEN
    assert "t = oo" in early.proof[0]


def test_what_is_not_a_number_is_neither_proven_nor_refuted(ball):
    @final
    class Undefined(type(LAW)):
        def value(self, weights):
            return np.array([[flint.arb(self.degree) * flint.arb("nan")]], dtype=object)

    certificate = sf.certify(Undefined(FLOW, LAW.combination), ball)
    assert certificate.status is OPEN
    assert certificate.radius == np.inf


def test_an_exact_equality_is_not_called_an_inequality():
    start = [np.eye(2, dtype=int)] * 2
    certificate = sf.certify(LAW, FLOW, DATA, start, 0, digits=9)
    assert certificate.proof[0] == "proven: the two sides are equal at t = 0"


def test_a_claim_is_certified_at_the_times_that_it_speaks_of():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    problem = (flow, sf.whitened([[2]]), [[[1]], [[1]]])
    ball = sf.enclose(*problem, [1, sf.oo], digits=12)
    solution, rate = sf.solve(*problem), sf.rates(*problem)[0]
    whole, law = sf.certify(solution, ball), sf.certify(sf.conserved(flow)[0], ball)
    assert whole.ok
    assert law.ok
    assert whole.times == law.times == (1, sf.oo)
    assert {"mpmath", "float64"} <= set(whole.proof[-1].replace(")", "(").split("("))
    early, end = (
        sf.certify(claim, ball) for claim in (rate, sf.implicit_bias(*problem))
    )
    assert early.ok
    assert early.times == (1,)
    assert end.ok
    assert end.times == (sf.oo,)
    assert [row.status[:6] for row in sf.validate([solution], ball).rows] == [
        "proved",
        "measur",
    ]
    near = sf.solve(flow, sf.whitened([[2 + Fraction(1, 10**8)]]), problem[2])
    assert sf.certify(near, ball).status.value == "refuted"


def test_a_validation_that_checks_nothing_is_refused():
    limit = sf.enclose(FLOW, DATA, INIT, sympy.oo, digits=9)
    with pytest.raises(sf.InvalidArgument, match="nothing was checked"):
        sf.validate([LAW], limit)
    with pytest.raises(sf.InvalidArgument, match=r"such as \[claim\]"):
        sf.validate(LAW, limit)


def test_validate_shows_certificates(ball):
    wrong = sf.solve(FLOW, sf.whitened([[3, 1], [1, 2 + TINY**2 * 10**21]]), INIT)
    report = sf.validate([*sf.conserved(FLOW), sf.solve(FLOW, DATA, INIT), wrong], ball)
    assert [row.ok for row in report.rows] == [True, True, False]
    assert "enclosed within" in report.rows[1].status
    assert report.rows[2].status == "refuted"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sf.certify("claim", FLOW), "several; got 'claim'"),
        (lambda: sf.certify(sf.conserved(FLOW)[0], FLOW, DATA, INIT), "needs the time"),
        (
            lambda: sf.certify(
                sf.conserved(FLOW)[0], sf.enclose(FLOW, DATA, INIT, 1, digits=9), DATA
            ),
            "takes no data",
        ),
        (lambda: sf.certify([], FLOW, DATA, INIT, 1), "needs a claim, or several"),
        (lambda: sf.certify([3], FLOW, DATA, INIT, 1), "several; got 3"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(sf.InvalidArgument, match=message):
        call()
