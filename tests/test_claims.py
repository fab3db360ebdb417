"""What a claim may call itself: verdicts on conditions, ranks, and proofs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra.rank import decide_rank
from symflow.claims import (
    Finding,
    Hypothesis,
    Identity,
    Theorem,
    positive,
    strictly,
    vanishing,
)
from symflow.claims.bibliography import MIN_2021
from symflow.claims.conditions import balanced_start, imbalance_defect, whitened_input
from symflow.flow.problem import bind

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
DATA = sf.whitened([[3, 0], [0, 2]])
a, b = sympy.symbols("a b", real=True)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_float_is_positive_where_it_stands_out_of_its_terms_at_every_scale(scale):
    assert positive("x", 1e-6 * scale, scale).holds
    rounding = (0.1 + 0.2 - 0.3) * scale
    verdict = positive("x", rounding, 0.3 * scale)
    assert not verdict.holds
    assert not verdict.exact
    assert not positive("x", -rounding, scale).holds
    assert not positive("x", 0.0, scale).holds


@pytest.mark.parametrize("size", [Fraction(1, 10**40), sympy.Rational(1, 10**40)])
def test_exact_numbers_are_decided_exactly(size):
    assert positive("x", size, 1).holds
    assert not positive("x", -size, 1).holds
    assert not positive("x", 0 * size, 1).holds
    found = vanishing("x", size, "|x|", given_exactly=True)
    assert not found.holds
    assert found.exact
    assert vanishing("x", 0 * size, "|x|", given_exactly=True).exact


def test_up_to_rounding_is_not_exactly():
    found = vanishing("x", 1e-15, "|x|", given_exactly=False)
    assert found.holds
    assert not found.exact
    assert not strictly(found).holds
    assert strictly(replace(found, exact=True)).holds


def small_modes():
    """Two layers that are balanced in one mode, and off in a mode of size 10^−k."""
    for k in range(6):
        for off in (0, 1):
            tiny = Fraction(1, 10**k)
            first = np.array([[1, 0], [0, tiny]], dtype=object)
            second = np.array([[1, 0], [0, tiny * (1 - off)]], dtype=object)
            yield k, off, first, second


@pytest.mark.parametrize(("k", "off", "first", "second"), list(small_modes()))
def test_balance_is_measured_mode_by_mode(k, off, first, second):
    turn = np.array([[3, -4], [4, 3]], dtype=object) * Fraction(1, 5)
    defect = imbalance_defect(turn @ first, second @ turn.T)
    assert defect == pytest.approx(off, abs=0.1)
    assert (defect == 0) == (off == 0)
    found = balanced_start(bind(FLOW, DATA, (turn @ first, second @ turn.T)))
    assert found.holds == (off == 0)
    floats = (np.array(turn @ first, float), np.array(second @ turn.T, float))
    rounded = balanced_start(bind(FLOW, DATA, floats))
    assert rounded.holds == (off == 0)


@pytest.mark.parametrize("k", [13, 20, 40, 200])
def test_fractions_are_off_balance_however_small_the_mode(k):
    turn = np.array([[3, -4], [4, 3]], dtype=object) * Fraction(1, 5)
    first = turn @ np.array([[1, 0], [0, Fraction(1, 10**k)]], dtype=object)
    for part in (0, Fraction(2, 10**k)):
        second = np.array([[1, 0], [0, part]], dtype=object) @ turn.T
        assert not balanced_start(bind(FLOW, DATA, (first, second))).holds


@pytest.mark.parametrize("k", [0, 3, 9, 15])
def test_a_rounded_balance_is_not_exact_and_a_rule_is(k):
    init = sf.balanced_init(10.0**-k, rng=1)
    found = balanced_start(bind(FLOW, DATA, init))
    assert found.holds
    assert found.exact
    drawn = [weight / 3 for weight in init.draw(FLOW.network, DATA)]
    given = balanced_start(bind(FLOW, DATA, drawn))
    assert given.holds
    assert not given.exact


def test_an_infinite_defect_fails_in_words():
    found = vanishing("alone", np.inf, "off", given_exactly=True)
    assert str(found) == "alone: fails, off beyond all bounds"


def test_whitened_means_the_identity_exactly_for_exact_data():
    near = [[1 + Fraction(1, 10**20), 0], [0, 1]]
    moments = sf.Moments(sigma_xx=near, sigma_yx=[[1, 0], [0, 1]])
    start = ([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    assert not whitened_input(bind(FLOW, moments, start)).holds
    assert whitened_input(bind(FLOW, DATA, start)).exact


def test_the_rank_of_fractions_is_that_of_fractions(rng):
    for _ in range(60):
        rank, (m, n) = int(rng.integers(0, 4)), rng.integers(3, 6, 2)
        units = [Fraction(10) ** int(e) for e in rng.integers(-9, 9, n)]
        left, right = rng.integers(-3, 4, (m, rank)), rng.integers(-3, 4, (rank, n))
        matrix = np.array(left @ right, dtype=object) * np.array(units)
        truth = sympy.Matrix(left @ right).rank() if rank else 0
        assert decide_rank(matrix).value == truth
        assert decide_rank(matrix).exact
        floats = decide_rank(np.array(matrix, float))
        assert floats.value == truth
        assert floats.is_clear


def test_floats_that_are_nearly_dependent_are_seen_and_no_gap_is_said():
    assert decide_rank(np.array([[1.0, 1.0], [1.0, 1.0 + 1e-9]])).value == 2
    third = np.array([[0.1, 0.3], [0.3, 0.9]])
    assert decide_rank(third).value == 1
    assert not decide_rank(third).exact
    blurred = decide_rank(np.array([[1.0, 1.0], [1.0, 1.0 + 2e-16]]))
    assert blurred.value == 1
    assert not blurred.exact


@dataclass(frozen=True, eq=False, repr=False)
class Grows(Theorem):
    """A reader's theorem: W_1(t) = W_1(0), which is false but at rest."""

    source: ClassVar = MIN_2021

    @property
    def statement(self):
        return sympy.Eq(sympy.Symbol("W1(t)"), sympy.Symbol("W1(0)"))

    def residuals(self, path):
        first = path.weights[0]
        return np.array([abs(now - first[0]).max() for now in first])

    def finding(self, balls, index):
        return Finding(balls.weight_balls(index)[0] - balls.start_balls()[0])


class Proved(Grows):
    """With a proof."""

    @classmethod
    def proof(cls):
        return (
            Identity("the square of a sum", (a + b) ** 2 - a**2 - 2 * a * b - b**2),
        )


class Derived(Proved):
    """Whose proof is that of another claim."""


class Misproved(Grows):
    """With a proof that is none."""

    @classmethod
    def proof(cls):
        return (Identity("the square of a sum", (a + b) ** 2 - a**2 - b**2),)


MOVING = ([[1, 0], [0, 1]], [[1, 0], [0, 1]])
RESTING = ([[0, 0], [0, 0]], [[0, 0], [0, 0]])


def test_nothing_is_proved_by_default():
    problem = bind(FLOW, DATA, MOVING)
    rounded = Hypothesis("balanced", True, "", 1e-17, exact=False)
    assert Grows(problem, ()).status is sf.Status.ASSERTED
    assert Misproved(problem, ()).status is sf.Status.ASSERTED
    assert Derived(problem, ()).status is sf.Status.ASSERTED
    assert Proved(problem, ()).status is sf.Status.PROVED
    assert Proved(problem, (rounded,)).status is sf.Status.VERIFIED


def test_what_is_no_ball_is_no_finding():
    with pytest.raises(sf.InvalidArgument, match="start_balls"):
        Finding(np.array([0.0]))


def test_a_readers_theorem_is_certified_and_refuted_in_balls():
    moving = sf.enclose(FLOW, DATA, MOVING, [0, 1], digits=20)
    certificate = sf.certify(Grows(moving.problem, ()), moving)
    assert certificate.status is sf.Status.REFUTED
    assert 0.1 < certificate.gap < 3
    resting = sf.enclose(FLOW, DATA, RESTING, [0, 1], digits=20)
    assert sf.certify(Grows(resting.problem, ()), resting).ok
    silent = sf.certify(sf.rates(FLOW, DATA, MOVING)[0], moving)
    assert silent.status in (sf.Status.ENCLOSED, sf.Status.UNDECIDED)
